"""Measures of sharpness on a device: the same numbers; between its gradients the host may wait."""

import numpy as np
import pytest

import minisam as ms
from minisam import sharpness

MEASURES = {
    "one_step": lambda loss, w: sharpness.one_step(loss, w, 0.05),
    "ball_maximum": lambda loss, w: sharpness.ball_maximum(loss, w, 0.05).value,
    "average_case": lambda loss, w: sharpness.average_case(loss, w, 0.05).value,
    "top_eigenvalues": lambda loss, w: sharpness.top_eigenvalues(loss, w, 2),
    "trace": lambda loss, w: sharpness.trace(loss, w).value,
    "spectral_density": lambda loss, w: sharpness.spectral_density(loss, w).nodes.max(axis=1),
}


def problem(device):
    """A small network's loss, and its parameters, there."""
    rng = np.random.default_rng(0)
    model = ms.nn.mlp([4, 5, 3], activation=ms.nn.Tanh)
    x, y = rng.normal(size=(20, 4)), rng.integers(3, size=20)
    x, y, w = (ms.to_device(a, device) for a in (x, y, model.init(0, "float64")))
    return lambda w: np.mean(ms.nn.cross_entropy(model(w, x), y)), w


@pytest.mark.parametrize("name", MEASURES)
def test_it_is_the_same(fake, name):
    loss, w = problem("cuda")
    with fake.counted() as counts:
        found = MEASURES[name](loss, w)
    assert counts.kernels > 50
    expected = MEASURES[name](*problem("cpu"))
    np.testing.assert_allclose(ms.to_numpy(found), expected, rtol=1e-10)
