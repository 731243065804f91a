"""The fake catches what would be wrong on a GPU, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from tests import fakecupy
from tests.gpu.mistakes import MISTAKES


def arguments():
    return np.arange(-2.0, 4.0), np.arange(1.0, 7.0).reshape(2, 3), np.array([2, 0, 2])


def caught(f):
    """Run on the host and on the fake; say what is wrong there."""
    with np.errstate(invalid="ignore"):
        expected = f(*arguments())
    given = [fakecupy.asarray(a) for a in arguments()]
    with fakecupy.counted() as counts:
        try:
            with fakecupy.no_synchronisation():
                found = f(*given)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    if counts.to_device or counts.to_host:
        return "it copies"
    found = found.get() if isinstance(found, fakecupy.ndarray) else found
    return None if np.array_equal(found, expected) else f"{found} instead of {expected}"


def test_there_are_as_many_as_the_readme_says():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"{len(MISTAKES)} mistakes are caught" in readme
    assert len(MISTAKES) >= 25


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_caught(name):
    assert caught(MISTAKES[name][0])


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_right_is_not(name):
    wrong, right = MISTAKES[name]
    assert caught(right) is None
    if "expected to raise" in name or "order" in name or "empty" in name or "repeats" in name:
        return  # there, on the host both are no errors, or not the same number
    assert np.array_equal(wrong(*arguments()), right(*arguments()))
