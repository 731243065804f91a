"""A comparison that takes milliseconds."""

import pytest

import minisam as ms

from .blobs import build, load


@pytest.fixture
def experiment():
    return ms.experiments.Experiment(load, build, ms.optimizers.SGD(0.1), epochs=3, batch_size=20)
