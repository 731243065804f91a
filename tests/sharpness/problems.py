"""Losses whose Hessians are known, or small enough to be formed."""

import numpy as np

import minisam as ms


def rotated(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues."""
    d = len(eigenvalues)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    return (q * eigenvalues) @ q.T


def quadratic(eigenvalues, seed=0):
    a = rotated(eigenvalues, seed)
    return lambda w: 0.5 * (w @ (a @ w))


def network(model, dtype="float64", train=False):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3)).astype(dtype)
    y = rng.integers(2, size=6)
    w = (2 * model.init(1, "float64")).astype(dtype)
    return (lambda w: ms.nn.cross_entropy(model(w, x, train=train), y).mean()), w


NETWORKS = {
    "mlp": (ms.nn.mlp([3, 5, 2], activation=ms.nn.Tanh), False),
    "relu": (ms.nn.mlp([3, 6, 4, 2]), False),
    "batch norm": (
        ms.nn.Sequential(ms.nn.Linear(3, 4), ms.nn.BatchNorm(4), ms.nn.Tanh(), ms.nn.Linear(4, 2)),
        True,
    ),
}


def losses_of(model, n=12, seed=0):
    """The losses of some examples, each a function of w; and w, away from any minimum."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.integers(2, size=n)

    def part(rows):
        return lambda w: ms.nn.cross_entropy(model(w, x[rows]), y[rows])

    return part, 2 * model.init(1, "float64")
