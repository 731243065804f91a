"""minisam's operations, one at a time."""

from contextlib import ExitStack

import numpy as np
from operations import SHAPES, inputs

import minisam as ms

THREADS = ExitStack()


LABELS = np.random.default_rng(0).integers(10, size=128)
OPERATIONS = {
    "conv": lambda x, k: ms.ops.conv2d(x, k, padding=1),
    "pool": lambda x: ms.ops.max_pool2d(x, 2),
    "average": ms.ops.global_avg_pool2d,
    "relu": ms.ops.relu,
    "tanh": np.tanh,
    "gelu": ms.ops.gelu,
    "softmax": ms.ops.softmax,
    "cross-entropy": lambda x: ms.nn.cross_entropy(x, LABELS),
    "product": np.multiply,
    "sum": lambda x: np.sum(x, axis=1),
}
LAYERS = {  # of one vector of parameters
    "dense": lambda weight, bias: ms.nn.Linear(*weight),
    "norm": lambda scale, shift: ms.nn.BatchNorm(*scale),
    "layer": lambda scale, shift: ms.nn.LayerNorm(*scale),
}


def tasks(workload, variant):
    """Forward and backward, for each."""
    THREADS.enter_context(ms.threads())
    return {name: _task(name, workload.dtype) for name in SHAPES}


def _task(name, dtype):
    kind, (first, *others) = name.split()[0], inputs(name)
    args = [_inside(a.astype(dtype)) for a in (first, *others)]
    f = OPERATIONS.get(kind)
    if kind in LAYERS:
        model = LAYERS[kind](*(a.shape for a in others))
        args[1:] = [np.concatenate([a.ravel() for a in args[1:]])]
        f = lambda x, w: model(w, x, train=True)  # noqa: E731
    shape = np.shape(f(*args))
    ct = _inside(np.random.default_rng(1).standard_normal(shape).astype(dtype))

    def both():
        _, pullback = ms.vjp(f, *args)
        return pullback(ct)

    return both


def _inside(x):
    """Bring images into the order in which they are inside of a network."""
    if x.ndim != 4 or x.shape[-1] == 3:  # a kernel
        return x
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def to_numpy(arrays):
    """All cotangents, one after the other."""
    many = arrays if isinstance(arrays, tuple | list) else [arrays]
    return np.concatenate([a.ravel() for a in many])
