"""The device of these tests: the fake one, and a real one where there is any."""

import importlib.util
import sys

import pytest

from tests import fakecupy


def real():
    """Return CuPy if there is a GPU for it."""
    if importlib.util.find_spec("cupy") is None or sys.modules.get("cupy") is fakecupy:
        return None
    import cupy

    return cupy if cupy.is_available() else None


@pytest.fixture
def fake(monkeypatch):
    """The fake in CuPy's place."""
    monkeypatch.setitem(sys.modules, "cupy", fakecupy)
    return fakecupy


@pytest.fixture(params=["fake", "real"])
def cupy(request, monkeypatch):
    """The fake, and then CuPy."""
    if request.param == "fake":
        monkeypatch.setitem(sys.modules, "cupy", fakecupy)
        return fakecupy
    found = real()
    if found is None:
        pytest.skip("no CuPy, or no GPU")
    return found
