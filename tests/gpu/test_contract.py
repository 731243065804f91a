"""The fake does what CuPy does; where there is a GPU, CuPy is asked, too."""

import numpy as np
import pytest

from tests import fakecupy
from tests.gpu import contract


@pytest.mark.parametrize("holds", contract.ALL, ids=lambda f: f.__name__)
def test_contract(cupy, holds):
    holds(cupy)


def test_the_surface_is_that_of_a_cupy_which_minisam_allows():
    surface = fakecupy.SURFACE
    assert surface["cupy"].startswith("14.")
    assert {"insert", "block", "vecdot", "geomspace"} <= {*surface["missing"]}
    assert len(surface["functions"]) > 400
    assert surface["functions"]["sum"] == ["a", "axis", "dtype", "out", "keepdims"]
    assert surface["methods"]["copy"] == ["order"]


def test_empty_memory_is_poison():
    assert np.isnan(fakecupy.empty(3).get()).all()
    assert np.isnan(np.empty_like(fakecupy.zeros(3)).get()).all()
    assert fakecupy.empty(3, "int64").get().min() > 10**9


def test_it_counts():
    with fakecupy.counted() as counts:
        x = fakecupy.asarray(np.arange(6.0).reshape(2, 3))
        y = np.exp(x.T) @ x
        float(y.sum())
    assert (counts.to_device, counts.to_host, counts.synchronisations) == (1, 1, 1)
    assert counts.launched == ["asarray", "exp", "matmul", "sum"]


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: float(x[0]),
        lambda x: bool(x[0] > 0),
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: x.get(),
        lambda x: x[x > 0],
        lambda x: np.nonzero(x),
        lambda x: np.unique(x),
        lambda x: f"{x[0]:.2f}",
        lambda x: repr(x),
        lambda x: [v for v in x if v > 1],
    ],
)
def test_it_refuses_to_wait(waits):
    x = fakecupy.asarray(np.arange(3.0))
    waits(x)
    with fakecupy.no_synchronisation(), pytest.raises(fakecupy.SynchronisationError):
        waits(x)
