"""Gradients of whole models against their values, and of each example by itself."""

import numpy as np
import pytest

import minisam as ms
from minisam import nn

MLP = nn.mlp([3, 4, 2], activation=nn.Tanh)
CNN = nn.cnn((1, 5, 4), 2, channels=(2,), hidden=3)
RESNET = nn.resnet((1, 4, 4), 2, width=2, blocks=(1, 1))


def problem(model, shape, **options):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, *shape)), rng.integers(2, size=3)
    w = model.init(0, "float64")
    w += 0.1 * rng.normal(size=w.size)  # biases and shifts that are not 0
    return (lambda w: nn.cross_entropy(model(w, x, **options), y).mean()), w


@pytest.mark.parametrize(
    ("model", "shape", "options"),
    [
        (MLP, (3,), {}),
        (CNN, (1, 5, 4), {}),
        (RESNET, (1, 4, 4), {"train": True}),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 2)), (3,), {}),
        (
            nn.Sequential(nn.Linear(3, 6), nn.Dropout(0.5), nn.Tanh(), nn.Linear(6, 2)),
            (3,),
            {"train": True, "seed": 0},
        ),
    ],
    ids=["mlp", "cnn", "resnet", "layer norm", "dropout"],
)
def test_models_agree_with_their_values(model, shape, options):
    loss, w = problem(model, shape, **options)
    ms.check_grads(loss, (w,), order=2)


def test_a_residual_network_in_evaluation():
    """The statistics are constants: no gradient passes through them."""
    x = np.random.default_rng(0).normal(size=(5, 1, 4, 4))
    w = RESNET.init(0, "float64")
    loss, w = problem(RESNET, (1, 4, 4), statistics=RESNET.statistics(w, [x]))
    ms.check_grads(loss, (w,), order=2)


# Per example.


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Linear(3, 2), (3,)),
        (MLP, (3,)),
        (CNN, (1, 5, 4)),
        (
            nn.Sequential(
                nn.Conv2d(2, 4, 3, stride=2, padding=(1, 0), groups=2),
                nn.GELU(),
                nn.AvgPool2d(2, 1),
                nn.Flatten(),
                nn.Linear(8, 2),
            ),
            (2, 5, 6),
        ),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)), (3,)),
        (nn.Sequential(nn.LayerNorm(4), nn.Flatten(), nn.Linear(12, 2)), (3, 4)),
        (nn.Sequential(nn.Residual(nn.Linear(3, 3)), nn.Dropout(0.5), nn.Linear(3, 2)), (3,)),
    ],
    ids=["linear", "mlp", "cnn", "groups", "layer norm", "layer norm of rows", "residual"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_per_example_gradients_are_those_of_a_loop(model, shape, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, *shape)).astype(dtype), rng.integers(2, size=4)
    w = model.init(0, dtype)
    rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, y)
    assert rows.shape == (4, w.size)
    assert rows.dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for i in range(4):
        one = ms.grad(lambda w, i=i: nn.cross_entropy(model(w, x[i : i + 1]), y[i : i + 1]).sum())(
            w
        )
        np.testing.assert_allclose(rows[i], one, rtol=tolerance, atol=tolerance)
    assert not np.allclose(rows[0], rows[1])


def test_per_example_gradients_average_to_the_gradient():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(7, 3)), rng.integers(2, size=7)
    w = MLP.init(0, "float64")
    rows = nn.per_example_gradients(MLP, nn.cross_entropy, w, x, y)
    g = ms.grad(lambda w: nn.cross_entropy(MLP(w, x), y).mean())(w)
    np.testing.assert_allclose(rows.mean(axis=0), g, rtol=1e-12, atol=1e-14)


def test_batch_norm_in_training_has_no_gradient_per_example():
    w = nn.BatchNorm(2).init(0, "float64")
    with pytest.raises(ValueError, match="mixes the examples"):
        nn.BatchNorm(2)(np.stack([w, w]), np.ones((2, 2)), train=True)


def test_a_set_of_parameters_for_each_example():
    """w of shape (batch, d): each row is a network of its own, batch norm's statistics shared."""
    rng = np.random.default_rng(2)
    for model, shape in ((MLP, (3,)), (CNN, (1, 5, 4)), (RESNET, (1, 4, 4))):
        x, w = rng.normal(size=(3, *shape)), rng.normal(size=(3, model.size))
        statistics = model.statistics(w[0], [x])
        together = model(w, x, statistics=statistics)
        for i in range(3):
            alone = model(w[i], x[i : i + 1], statistics=statistics)
            np.testing.assert_allclose(together[i], alone[0], rtol=1e-10, atol=1e-12)
