"""What every layer and model promises: one vector, its names, shapes, dtypes, errors, a table."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam import nn
from minisam.autodiff.errors import ShapeError

MODELS = {
    "linear": (nn.Linear(3, 2), (3,)),
    "conv": (nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2), (2, 5, 4)),
    "batch norm": (nn.BatchNorm(3), (3, 2, 2)),
    "layer norm": (nn.LayerNorm(4), (4,)),
    "no parameters": (nn.Sequential(nn.Flatten(), nn.ReLU()), (2, 3)),
    "mlp": (nn.mlp([4, 6, 5, 3], activation=nn.Tanh), (4,)),
    "cnn": (nn.cnn((2, 5, 6), 3, channels=(3, 4), hidden=5), (2, 5, 6)),
    "resnet": (nn.resnet((2, 5, 6), 3, width=2, blocks=(1, 2)), (2, 5, 6)),
    "dropout": (nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.Linear(5, 2)), (3,)),
}
every_model = pytest.mark.parametrize(("model", "shape"), MODELS.values(), ids=MODELS.keys())


def inputs(shape, n=4, dtype="f8"):
    return np.random.default_rng(5).normal(size=(n, *shape)).astype(dtype)


# One vector.


@every_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_dtype_of_w(model, shape, dtype):
    w, x = model.init(0, dtype), inputs(shape, dtype=dtype)
    assert w.dtype == dtype
    assert w.shape == (model.size,)

    def total(w):
        out = model(w, x, train=True, seed=0)
        return np.sum(out * out)

    value, g = ms.value_and_grad(total)(w)
    assert value.dtype == g.dtype == dtype
    assert g.shape == w.shape
    assert type(g) is np.ndarray
    assert np.isfinite(g).all()
    statistics = model.statistics(w, [x])
    assert statistics.dtype == dtype
    assert model(w, x, statistics=statistics).dtype == dtype
    assert ms.hvp(total, w, np.ones_like(w)).dtype == dtype


@every_model
def test_parameters_are_views_that_tile_w(model, shape):
    w = model.init(0, "float64")
    views = model.parameters(w)
    assert len(views) == len(model.declare()), "no name occurs twice"
    assert all(np.shares_memory(view, w) for view in views.values())
    joined = np.concatenate([np.zeros(0), *(view.ravel() for view in views.values())])
    np.testing.assert_array_equal(joined, w)
    counted = np.zeros(model.size)
    for view in model.parameters(counted).values():
        view += 1
    np.testing.assert_array_equal(counted, 1)


def test_names_and_order():
    model = nn.resnet((1, 4, 4), 2, width=2, blocks=(1, 1))
    shapes = {name: a.shape for name, a in model.parameters(model.init(0)).items()}
    assert list(shapes.items()) == [
        ("0.weight", (2, 1, 3, 3)),
        ("1.scale", (2,)),
        ("1.shift", (2,)),
        ("3.body.0.weight", (2, 2, 3, 3)),
        ("3.body.1.scale", (2,)),
        ("3.body.1.shift", (2,)),
        ("3.body.3.weight", (2, 2, 3, 3)),
        ("3.body.4.scale", (2,)),
        ("3.body.4.shift", (2,)),
        ("5.body.0.weight", (4, 2, 3, 3)),
        ("5.body.1.scale", (4,)),
        ("5.body.1.shift", (4,)),
        ("5.body.3.weight", (4, 4, 3, 3)),
        ("5.body.4.scale", (4,)),
        ("5.body.4.shift", (4,)),
        ("5.shortcut.0.weight", (4, 2, 1, 1)),
        ("5.shortcut.1.scale", (4,)),
        ("5.shortcut.1.shift", (4,)),
        ("8.weight", (4, 2)),
        ("8.bias", (2,)),
    ]


@every_model
def test_a_name_is_where_the_layer_reads(model, shape):
    """Each parameter moves the output: none is declared and then read from elsewhere."""
    w, x = model.init(0, "float64"), inputs(shape, n=5)

    def total(w):
        return np.sum(model(w, x, train=True, seed=1) ** 3)

    g = ms.grad(total)(w)
    names = [name for name, view in model.parameters(g).items() if not view.any()]
    assert names == []


# Initialisation.


@every_model
def test_init_is_a_function_of_the_seed(model, shape):
    w = model.init(3)
    np.testing.assert_array_equal(w, model.init(3))
    np.testing.assert_array_equal(w, model.init(np.random.default_rng(3)))
    np.testing.assert_array_equal(model.init((3, 1)), model.init((3, 1)))
    if any(p.std for p in model.declare()):
        assert not np.array_equal(w, model.init(4))
        assert not np.array_equal(w, model.init((3, 1)))
    np.testing.assert_array_equal(w, model.init(3, "float64").astype("f4"))


def test_init_leaves_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    nn.mlp([3, 4, 2]).init(0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("layer", "std"),
    [
        (nn.Linear(200, 300), math.sqrt(2 / 200)),
        (nn.Linear(200, 300, "glorot"), math.sqrt(2 / 500)),
        (nn.Conv2d(32, 64, 5), math.sqrt(2 / (32 * 25))),
        (nn.Conv2d(32, 64, 5, groups=4), math.sqrt(2 / (8 * 25))),
    ],
    ids=repr,
)
def test_the_scale_of_the_weights(layer, std):
    """He: variance 2/fan_in; Glorot: 2/(fan_in + fan_out)."""
    parts = layer.parameters(layer.init(0, "float64"))
    z = parts["weight"].ravel() / std
    # Standard errors: 1/√n of the mean, √(2/n) of the mean square. Four of each are allowed.
    assert abs(z.mean()) < 4 / math.sqrt(z.size)
    assert abs((z**2).mean() - 1) < 4 * math.sqrt(2 / z.size)
    # Of a normal, and not of a uniform distribution: 0.27 % lie beyond 3 standard deviations.
    beyond = (np.abs(z) > 3).mean()
    assert abs(beyond - 0.0027) < 4 * math.sqrt(0.0027 / z.size)
    np.testing.assert_array_equal(parts["bias"], 0)


def test_normalisations_start_as_the_identity():
    for layer in (nn.BatchNorm(4), nn.LayerNorm(4)):
        np.testing.assert_array_equal(layer.init(0), [1] * 4 + [0] * 4)


def test_the_scheme_follows_the_activation():
    schemes = {
        activation: nn.mlp([2, 3, 2], activation=activation).layers[1].scheme
        for activation in (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid)
    }
    glorot = {activation for activation, scheme in schemes.items() if scheme == "glorot"}
    assert glorot == {nn.Tanh, nn.Sigmoid}


# Shapes.


def check_shape(model, shape):
    w, x = model.init(0, "float64"), np.zeros((2, *shape))
    out = model(w, x, train=True, seed=0)
    assert out.shape == (2, *model.output_shape(shape))


@every_model
def test_output_shape(model, shape):
    check_shape(model, shape)


sizes = st.integers(1, 9)
steps = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))


@settings(deadline=None, max_examples=60)
@given(h=sizes, w=sizes, kernel=steps, stride=steps, padding=st.integers(0, 2))
def test_output_shape_of_windows(h, w, kernel, stride, padding):
    for layer in (
        nn.Conv2d(2, 3, kernel, stride=stride, padding=padding),
        nn.MaxPool2d(kernel, stride),
        nn.AvgPool2d(kernel, stride),
        nn.MaxPool2d(kernel),
    ):
        try:
            layer.output_shape((2, h, w))
        except ShapeError:
            with pytest.raises(ShapeError, match="does not fit"):
                layer(layer.init(0, "float64"), np.zeros((2, 2, h, w)))
        else:
            check_shape(layer, (2, h, w))


@settings(deadline=None, max_examples=15)
@given(h=st.integers(1, 11), w=st.integers(1, 11), c=st.integers(1, 3))
def test_output_shape_of_models(h, w, c):
    check_shape(nn.resnet((c, h, w), 2, width=2), (c, h, w))
    check_shape(nn.mlp([c * h * w, 2]), (c, h, w))
    if min(h, w) >= 4:
        check_shape(nn.cnn((c, h, w), 2, channels=(2, 3), hidden=2), (c, h, w))
    else:
        with pytest.raises(ValueError, match=r"too small to be halved 2 times.*\(channels, height"):
            nn.cnn((c, h, w), 2, channels=(2, 3), hidden=2)


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 2, 3), nn.MaxPool2d(3), nn.AvgPool2d((1, 3))])
def test_there_are_no_negative_shapes(layer):
    """A table with them would look like a model."""
    for call in (layer.output_shape, layer.summary):
        with pytest.raises(ShapeError, match=rf"{type(layer).__name__}: a window .* does not fit"):
            call((1, 2, 2))
        with pytest.raises(ShapeError, match=r"expected \(N, C, H, W\)"):
            call((64,))


@pytest.mark.parametrize("make", [nn.cnn, nn.resnet])
@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 1, 8, 8), ()])
def test_models_of_images_need_images(make, shape):
    with pytest.raises(ShapeError, match=rf"{make.__name__}: input_shape .*For vectors use mlp"):
        make(shape, 10)


@pytest.mark.parametrize(("n_in", "n_out"), [(8, 1), (1, 8)])
def test_the_branches_of_a_sum_are_not_broadcast(n_in, n_out):
    model = nn.Residual(nn.Linear(n_in, n_out))
    message = rf"body gives shape \({{}}{n_out},?\), the shortcut \({{}}{n_in},?\)"
    with pytest.raises(ShapeError, match=message.format("2, ", "2, ")):
        model(model.init(0), inputs((n_in,), 2, "f4"))
    with pytest.raises(ShapeError, match=message.format("", "")):
        model.output_shape((n_in,))


# The table.


def test_print_a_model():
    assert str(nn.mlp([4, 8, 3])) == (
        "layer         output  parameters\n"
        "--------------------------------\n"
        "Flatten()     (4,)             0\n"
        "Linear(4, 8)  (8,)            40\n"
        "ReLU()        (8,)             0\n"
        "Linear(8, 3)  (3,)            27\n"
        "--------------------------------\n"
        "total                         67"
    )


def test_print_a_residual_network():
    assert str(nn.resnet((3, 8, 8), 10, width=2, blocks=(1, 1))).splitlines() == [
        "layer                                                 output     parameters",
        "---------------------------------------------------------------------------",
        "Conv2d(3, 2, 3, padding=1, bias=False)                (2, 8, 8)          54",
        "BatchNorm(2)                                          (2, 8, 8)           4",
        "ReLU()                                                (2, 8, 8)           0",
        "Residual                                              (2, 8, 8)",
        "  body",
        "    Conv2d(2, 2, 3, padding=1, bias=False)            (2, 8, 8)          36",
        "    BatchNorm(2)                                      (2, 8, 8)           4",
        "    ReLU()                                            (2, 8, 8)           0",
        "    Conv2d(2, 2, 3, padding=1, bias=False)            (2, 8, 8)          36",
        "    BatchNorm(2)                                      (2, 8, 8)           4",
        "ReLU()                                                (2, 8, 8)           0",
        "Residual                                              (4, 4, 4)",
        "  body",
        "    Conv2d(2, 4, 3, stride=2, padding=1, bias=False)  (4, 4, 4)          72",
        "    BatchNorm(4)                                      (4, 4, 4)           8",
        "    ReLU()                                            (4, 4, 4)           0",
        "    Conv2d(4, 4, 3, padding=1, bias=False)            (4, 4, 4)         144",
        "    BatchNorm(4)                                      (4, 4, 4)           8",
        "  shortcut",
        "    Conv2d(2, 4, 1, stride=2, bias=False)             (4, 4, 4)           8",
        "    BatchNorm(4)                                      (4, 4, 4)           8",
        "ReLU()                                                (4, 4, 4)           0",
        "GlobalAvgPool2d()                                     (4,)                0",
        "Linear(4, 10)                                         (10,)              50",
        "---------------------------------------------------------------------------",
        "total                                                                   436",
    ]


def test_the_table_adds_up():
    for model, shape in MODELS.values():
        lines = model.summary(shape).splitlines()
        counts = [line.split()[-1].replace(",", "") for line in lines[2:-2]]
        assert sum(int(c) for c in counts if c.isdigit()) == model.size
        assert lines[-1].split() == ["total", f"{model.size:,}"]


def test_a_table_without_an_input_shape():
    assert nn.Sequential(nn.Linear(1, 1000), nn.Tanh()).summary() == (
        "layer            output  parameters\n"
        "-----------------------------------\n"
        "Linear(1, 1000)               2,000\n"
        "Tanh()                            0\n"
        "-----------------------------------\n"
        "total                         2,000"
    )
    assert "(1000,)" in nn.Linear(1, 1000).summary((1,))


@every_model
def test_repr_makes_the_model_again(model, shape):
    again = eval(repr(model), {name: getattr(nn, name) for name in nn.__all__})
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.init(0), model.init(0))


def test_a_layer_of_one_s_own():
    """It needs neither to be a dataclass nor to have parameters."""

    class Square(nn.Layer):
        def apply(self, w, at, x, mode):
            return x * x

    model = nn.Sequential(Square(), nn.Linear(2, 1))
    assert "Square()" in str(model)
    np.testing.assert_array_equal(model(np.ones(3), np.full((1, 2), 3.0)), [[19.0]])


def test_layers_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        nn.Linear(2, 3).n_in = 4


# Errors.


@every_model
def test_parameters_of_another_model(model, shape):
    x = inputs(shape)
    for size in (model.size + 1, 2 * model.size + 3):
        with pytest.raises(ShapeError, match=rf"w has shape \({size},\), but the model has"):
            model(np.zeros(size), x)
        with pytest.raises(ShapeError, match="w has shape"):
            model.parameters(np.zeros(size))
    with pytest.raises(ShapeError, match="w has shape"):
        model(np.float64(1.0), x)
    with pytest.raises(ShapeError, match=r"or \(4, \d+\), one set per example"):
        model(np.zeros((3, model.size)), x)


@every_model
def test_inputs_of_another_dtype(model, shape):
    x = inputs(shape)
    for x_dtype, w_dtype in (("f8", "f4"), ("f4", "f8"), ("u1", "f4"), ("i8", "f8"), ("i8", "i8")):
        x, w = inputs(shape).astype(x_dtype), np.ones(model.size, w_dtype)
        for call in (lambda: model(w, x), lambda: model.statistics(w, [x])):  # noqa: B023
            with pytest.raises(TypeError, match=r"x has dtype .* and w .*x\.astype\(w\.dtype\)"):
                call()


def test_lists_are_arrays():
    model = nn.mlp([3, 2])
    for dtype in ("float32", "float64"):
        w, x = model.init(0, dtype), [[1, 2.0, 3]]
        out = model(w, x)
        assert out.dtype == dtype
        np.testing.assert_array_equal(out, model(w, np.array(x, dtype)))
        g = ms.grad(lambda w: np.sum(model(w, x)))(w)  # noqa: B023
        assert g.dtype == dtype
    np.testing.assert_array_equal(model(w.tolist(), x), out)
    with pytest.raises(ShapeError, match=r"input of shape \(1, 6\)"):
        model(w, [[1.0] * 6])


@pytest.mark.parametrize("layers", [([nn.ReLU()],), (nn.ReLU,), (nn.Linear(2, 2), np.tanh)])
def test_a_sequence_is_made_of_layers(layers):
    with pytest.raises(TypeError, match=r"is no layer. Give layers one by one"):
        nn.Sequential(*layers)


@pytest.mark.parametrize("dtype", ["int64", "complex128", "bool"])
def test_parameters_are_floats(dtype):
    with pytest.raises(TypeError, match="parameters are floats"):
        nn.Linear(2, 2).init(0, dtype)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Linear(3, 2), (4,), r"input of shape \(2, 4\); expected \(batch, 3\)"),
        (nn.Linear(3, 2), (1, 3, 3), r"For images put Flatten\(\) before it"),
        (nn.Linear(3, 2), (), r"input of shape \(2,\)"),
        (nn.mlp([64, 2]), (1, 8, 7), r"input of shape \(2, 56\)"),
        (nn.Conv2d(3, 4, 3), (8, 8, 3), r"have 8 channels.*x.transpose\(0, 3, 1, 2\)"),
        (nn.Conv2d(1, 4, 3), (8, 8), r"expected \(N, C, H, W\)"),
        (nn.cnn((3, 8, 8), 2), (8, 8, 3), "have 8 channels"),
        (nn.cnn((1, 8, 8), 2), (1, 9, 12), "input of shape"),
        (nn.MaxPool2d(2), (3,), r"expected \(N, C, H, W\)"),
        (nn.MaxPool2d(5), (1, 4, 4), "does not fit"),
        (nn.BatchNorm(3), (8, 8, 3), r"axis 1 must be 3 channels"),
        (nn.BatchNorm(1), (3,), r"axis 1 must be 1 channels"),  # it would broadcast
        (nn.BatchNorm(1), (), r"axis 1 must be"),
        (nn.LayerNorm(1), (3,), r"last axis must be 1"),  # it would broadcast
        (nn.LayerNorm(4), (4, 3), r"last axis must be 4"),
        (nn.Residual(nn.Linear(3, 2)), (3,), r"\(2, 2\).*\(2, 3\)"),
    ],
)
def test_inputs_that_do_not_fit(model, shape, message):
    with pytest.raises(ShapeError, match=message):
        ms.grad(lambda w: np.sum(model(w, np.zeros((2, *shape)), train=True)))(
            model.init(0, "float64")
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 3), r"Linear\(0, 3\): every width must be at least 1"),
        (lambda: nn.Linear(3, -1), "every width must be at least 1"),
        (lambda: nn.Conv2d(0, 3, 1), "every width must be at least 1"),
        (lambda: nn.Conv2d(3, 3, (3, 0)), r"Conv2d: kernel must be at least 1, got \(3, 0\)"),
        (lambda: nn.Conv2d(3, 3, 3, stride=0), "Conv2d: stride must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 3, 3, padding=(0, -1)), "Conv2d: padding must be at least 0"),
        (lambda: nn.Conv2d(3, 3, 3, groups=0), "every width must be at least 1"),
        (lambda: nn.MaxPool2d(0), "MaxPool2d: window must be at least 1, got 0"),
        (lambda: nn.AvgPool2d((2, -1)), "AvgPool2d: window must be at least 1"),
        (lambda: nn.AvgPool2d(2, 0), "AvgPool2d: stride must be at least 1, got 0"),
        (lambda: nn.BatchNorm(0), r"BatchNorm\(0\): every width must be at least 1"),
        (lambda: nn.LayerNorm(0), r"LayerNorm\(0\): every width must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups must divide the channels"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "groups must divide the channels"),
        (lambda: nn.Linear(2, 3, "xavier"), "'xavier' is unknown; use 'he' or 'glorot'"),
        (lambda: nn.mlp([3]), "give input and output width"),
        (lambda: nn.mlp([3, 0, 2]), "each at least 1"),
    ],
)
def test_layers_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("sizes", [5, np.int64(5)])
def test_sizes_of_an_mlp_are_a_list(sizes):
    with pytest.raises(TypeError, match=r"sizes must be a list such as \[64, 32, 10\], got 5"):
        nn.mlp(sizes, 3)
