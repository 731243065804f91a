"""A data set small enough to train on in a test, hard enough that no step is zero."""

import numpy as np
import pytest

from minisam.data import Dataset


def make_data(dtype="float64", n=41):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n + 13, 6)).astype(dtype)
    y = rng.integers(3, size=n + 13)
    return Dataset("tiny", x[:n], y[:n], x[n:], y[n:], classes=3)


@pytest.fixture
def data():
    return make_data()


@pytest.fixture(params=["float32", "float64"])
def data_of_dtype(request):
    return make_data(request.param)
