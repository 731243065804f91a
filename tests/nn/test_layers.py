"""Every layer against PyTorch or the definition written out, values and gradients."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam import nn

RNG = np.random.default_rng(0)


def images(*shape):
    return np.random.default_rng(1).normal(size=shape)


def weights(layer):
    """Parameters of size 1 everywhere, so that none hides: init has biases 0 and scales 1."""
    return np.random.default_rng(2).normal(size=layer.size)


# The definitions, written out.


def test_linear():
    layer = nn.Linear(3, 2)
    w, x = weights(layer), images(4, 3)
    weight, bias = w[:6].reshape(3, 2), w[6:]
    expected = [[sum(x[n, i] * weight[i, j] for i in range(3)) + bias[j] for j in range(2)]
                for n in range(4)]  # fmt: skip
    np.testing.assert_allclose(layer(w, x), expected, rtol=1e-13)


def test_layer_norm():
    layer = nn.LayerNorm(5)
    w, x = weights(layer), images(3, 2, 5)
    out = layer(w, x)
    for row, found in zip(x.reshape(-1, 5), out.reshape(-1, 5), strict=True):
        mean = sum(row) / 5
        var = sum((v - mean) ** 2 for v in row) / 5
        expected = (row - mean) / math.sqrt(var + 1e-5) * w[:5] + w[5:]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_batch_norm_in_training():
    layer = nn.BatchNorm(3, eps=0.1)
    w, x = weights(layer), images(4, 3, 2, 2)
    out = layer(w, x, train=True)
    for c in range(3):
        values = x[:, c].ravel()
        mean = sum(values) / 16
        var = sum((v - mean) ** 2 for v in values) / 16  # divided by n: PyTorch's, in training
        expected = (x[:, c] - mean) / math.sqrt(var + 0.1) * w[c] + w[3 + c]
        np.testing.assert_allclose(out[:, c], expected, rtol=1e-12)


def test_batch_norm_in_evaluation():
    layer = nn.BatchNorm(2)
    w, x = weights(layer), images(3, 2)
    mean, var = np.array([1.0, -2.0]), np.array([4.0, 0.25])
    expected = (x - mean) / np.sqrt(var + 1e-5) * w[:2] + w[2:]
    np.testing.assert_allclose(layer(w, x, statistics=np.stack([mean, var])), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), lambda x: max(x, 0.0)),
        (nn.Tanh(), math.tanh),
        (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
        (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
        (nn.Softplus(), lambda x: math.log1p(math.exp(x))),
        (
            nn.GELU(),  # the tanh form of Hendrycks & Gimpel
            lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        ),
    ],
    ids=["relu", "tanh", "sigmoid", "silu", "softplus", "gelu"],
)
def test_activations(layer, function):
    x = np.linspace(-6, 6, 25)[None]
    expected = [[function(float(v)) for v in x[0]]]
    np.testing.assert_allclose(layer(np.zeros(0), x), expected, rtol=1e-13, atol=1e-15)


def test_pools():
    x, none = images(2, 3, 5, 4), np.zeros(0)
    for layer, reduce in ((nn.MaxPool2d((2, 3), 1), np.max), (nn.AvgPool2d((2, 3), 1), np.mean)):
        out = layer(none, x)
        assert out.shape == (2, 3, 4, 2)
        for n, c, i, j in np.ndindex(*out.shape):
            assert out[n, c, i, j] == pytest.approx(reduce(x[n, c, i : i + 2, j : j + 3]))
    out = nn.GlobalAvgPool2d()(none, x)
    np.testing.assert_allclose(out, [[np.mean(c) for c in n] for n in x], rtol=1e-13)


def test_flatten():
    x, none = images(2, 3, 4, 5), np.zeros(0)
    np.testing.assert_array_equal(nn.Flatten()(none, x), x.reshape(2, 60))
    np.testing.assert_array_equal(nn.Flatten()(none, x[:0]), np.zeros((0, 60)))
    np.testing.assert_array_equal(nn.Flatten()(none, x[:, 0, 0]), x[:, 0, 0])


def test_sequential_and_residual():
    first, second, short = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(3, 2)
    x = images(5, 3)
    a, b, c = weights(first), weights(second), weights(short)
    chain = nn.Sequential(first, nn.Tanh(), second)
    through = second(b, np.tanh(first(a, x)))
    np.testing.assert_allclose(chain(np.concatenate([a, b]), x), through, rtol=1e-13)
    both = nn.Residual(chain, short)
    expected = through + short(c, x)
    np.testing.assert_allclose(both(np.concatenate([a, b, c]), x), expected, rtol=1e-13)
    plain = nn.Residual(nn.Linear(3, 3))
    w = weights(plain)
    np.testing.assert_allclose(plain(w, x), x + nn.Linear(3, 3)(w, x), rtol=1e-13)


# PyTorch.


def reference(theirs, x, *arrays):
    """Value, and gradients of a weighted sum of it, by PyTorch; and the weights."""
    torch = pytest.importorskip("torch", reason="PyTorch is the reference; no dependency")
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *arrays)]
    y = theirs(torch, *tensors)
    ct = np.random.default_rng(3).normal(size=tuple(y.shape))
    (y * torch.from_numpy(ct)).sum().backward()
    return y.detach().numpy(), [t.grad.numpy() for t in tensors], ct


def agree(layer, theirs, x, **options):
    """Parameters go to PyTorch in the order in which they stand in w."""
    w = weights(layer)
    arrays = [np.array(a) for a in layer.parameters(w).values()]
    y, (gx, *gws), ct = reference(theirs, x, *arrays)
    np.testing.assert_allclose(layer(w, x, **options), y, rtol=1e-11, atol=1e-12)
    in_w = ms.grad(lambda w: np.sum(layer(w, x, **options) * ct))(w)
    in_x = ms.grad(lambda x: np.sum(layer(w, x, **options) * ct))(x)
    np.testing.assert_allclose(in_x, gx, rtol=1e-10, atol=1e-11)
    assert in_w.shape == w.shape
    for ours, its in zip(layer.parameters(in_w).values(), gws, strict=True):
        np.testing.assert_allclose(ours, its, rtol=1e-10, atol=1e-11)


def functional(name):
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def test_linear_as_pytorch():
    agree(nn.Linear(3, 4), lambda t, x, w, b: x @ w + b, images(5, 3))


@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("padding", [0, 1, (0, 2)])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_conv2d_as_pytorch(stride, padding, groups, bias):
    layer = nn.Conv2d(4, 6, (3, 2), stride=stride, padding=padding, groups=groups, bias=bias)
    options = {"stride": stride, "padding": padding, "groups": groups}
    conv = functional("conv2d")
    agree(layer, lambda t, *args: conv(t, *args, **options), images(2, 4, 6, 5))


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 3, 2)])
def test_batch_norm_as_pytorch(shape):
    norm = functional("batch_norm")
    layer, x = nn.BatchNorm(3), images(*shape)

    def in_training(t, x, scale, shift):
        return norm(t, x, t.zeros(3).double(), t.ones(3).double(), scale, shift, training=True)

    def in_evaluation(t, x, scale, shift):
        mean, var = (t.from_numpy(s) for s in statistics)
        return norm(t, x, mean, var, scale, shift)

    statistics = np.array([[0.5, -1.0, 2.0], [1.0, 0.1, 9.0]])
    agree(layer, in_training, x, train=True)
    agree(layer, in_evaluation, x, statistics=statistics)


def test_layer_norm_as_pytorch():
    norm = functional("layer_norm")
    agree(nn.LayerNorm(4), lambda t, x, *ws: norm(t, x, (4,), *ws), images(3, 2, 4))


@pytest.mark.parametrize(
    ("layer", "name", "options"),
    [
        (nn.MaxPool2d(2), "max_pool2d", {"kernel_size": 2}),
        (nn.MaxPool2d((3, 2), 1), "max_pool2d", {"kernel_size": (3, 2), "stride": 1}),
        (nn.AvgPool2d(2), "avg_pool2d", {"kernel_size": 2}),
        (nn.AvgPool2d(3, (2, 1)), "avg_pool2d", {"kernel_size": 3, "stride": (2, 1)}),
        (nn.GELU(), "gelu", {"approximate": "tanh"}),
        (nn.SiLU(), "silu", {}),
        (nn.Softplus(), "softplus", {}),
        (nn.ReLU(), "relu", {}),
    ],
    ids=repr,
)
def test_layers_without_parameters_as_pytorch(layer, name, options):
    function = functional(name)
    agree(layer, lambda t, x: function(t, x, **options), images(2, 3, 7, 5))


# Dropout.


def test_dropout_is_off_in_evaluation_and_at_rate_zero():
    x, none = images(3, 4), np.zeros(0)
    np.testing.assert_array_equal(nn.Dropout(0.9)(none, x), x)
    np.testing.assert_array_equal(nn.Dropout(0.0)(none, x, train=True), x)  # and needs no seed


def test_dropout_scales_what_it_keeps():
    x, none = np.ones((100, 100)), np.zeros(0)
    y = nn.Dropout(0.3)(none, x, train=True, seed=0)
    assert set(np.unique(y).tolist()) == {0.0, 1 / 0.7}
    # The mean of 10⁴ entries of variance 0.3/0.7 has a standard error of 0.0065.
    assert abs(y.mean() - 1) < 4 * 0.0065


def test_dropout_follows_the_seed_of_the_call():
    x, none = np.ones((8, 8)), np.zeros(0)
    two = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))

    def out(seed, layer=two):
        return layer(none, x, train=True, seed=seed)

    np.testing.assert_array_equal(out(1), out(1))
    np.testing.assert_array_equal(out((1, 2)), out((1, 2)))
    assert not np.array_equal(out(1), out(2))
    assert not np.array_equal(out((1, 2)), out((1, 3)))
    # Two layers with one mask would keep half of the entries; two masks keep a quarter.
    kept = np.mean([out(seed) != 0 for seed in range(40)])
    assert abs(kept - 0.25) < 4 * math.sqrt(0.25 * 0.75 / (40 * 64))


def test_dropout_keeps_float32_and_its_mask():
    x, none = np.ones((4, 4)), np.zeros(0)
    single = nn.Dropout(0.5)(none.astype("f4"), x.astype("f4"), train=True, seed=3)
    assert single.dtype == np.float32
    double = nn.Dropout(0.5)(none, x, train=True, seed=3)
    np.testing.assert_array_equal(single, double)


def test_dropout_without_a_seed():
    with pytest.raises(ValueError, match=r"needs a seed: model\(w, x, train=True, seed=0\)"):
        nn.Dropout(0.5)(np.zeros(0), np.ones((2, 2)), train=True)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, float("nan")])
def test_dropout_rate(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\)"):
        nn.Dropout(rate)
