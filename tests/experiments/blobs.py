"""Data to learn in milliseconds."""

import numpy as np

import minisam as ms
from minisam.data import Dataset


def load(seed):
    """Three blobs that overlap."""
    rng = np.random.default_rng((seed, 17))
    y = rng.integers(3, size=150)
    x = rng.normal(size=(150, 5)) + 1.5 * np.eye(3, 5)[y]
    return Dataset("blobs", x[:90], y[:90], x[90:], y[90:], classes=3)


def build(data):
    return ms.nn.mlp([data.x_train.shape[1], 8, data.classes])
