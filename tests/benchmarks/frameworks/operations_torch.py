"""PyTorch's operations, one at a time."""

import os

import numpy as np
import torch
from operations import SHAPES, inputs
from torch.nn import functional as F

LABELS = torch.from_numpy(np.random.default_rng(0).integers(10, size=128))
OPERATIONS = {
    "conv": lambda x, k: F.conv2d(x, k, padding=1),
    "norm": lambda x, *its: F.batch_norm(x, None, None, *its, training=True),
    "pool": lambda x: F.max_pool2d(x, 2),
    "average": lambda x: x.mean(dim=(2, 3)),
    "dense": lambda x, w, b: torch.addmm(b, x, w),
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "softmax": lambda x: F.softmax(x, dim=-1),
    "cross-entropy": lambda x: F.cross_entropy(x, LABELS, reduction="none"),
    "layer": lambda x, *its: F.layer_norm(x, its[0].shape, *its),
    "product": torch.mul,
    "sum": lambda x: x.sum(dim=1),
}


def tasks(workload, variant):
    """Forward and backward, for each."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return {name: _task(name, workload.dtype) for name in SHAPES}


def _task(name, dtype):
    f = OPERATIONS[name.split()[0]]
    args = [torch.from_numpy(a.astype(dtype)).requires_grad_() for a in inputs(name)]
    shape = tuple(f(*args).shape)
    ct = torch.from_numpy(np.random.default_rng(1).standard_normal(shape).astype(dtype))
    return lambda: torch.autograd.grad(f(*args), args, ct)


def to_numpy(arrays):
    """All cotangents, one after the other."""
    return torch.cat([a.reshape(-1) for a in arrays]).numpy()
