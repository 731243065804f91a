"""A network small enough for its Hessian, curved enough that no term of SAM's gradient is small."""

from types import SimpleNamespace

import numpy as np
import pytest

import minisam as ms


@pytest.fixture(scope="package")
def net():
    rng = np.random.default_rng(0)
    model = ms.nn.mlp([3, 5, 4, 3], activation=ms.nn.Tanh)
    x, y = rng.normal(size=(6, 3)), rng.integers(3, size=6)
    # At the initial weights; three times as large, so that the units are not nearly linear.
    w = 3 * model.init(1, "float64")

    def losses(w):
        return ms.nn.cross_entropy(model(w, x), y)

    metric = rng.uniform(0.5, 2, size=model.size)
    layers = [slice(0, 20), slice(20, 44), slice(44, 59)]
    return SimpleNamespace(
        model=model,
        x=x,
        y=y,
        w=w,
        losses=losses,
        loss=lambda w: losses(w).mean(),
        balls=({}, {"metric": metric}, {"groups": layers}, {"metric": metric, "groups": layers}),
    )
