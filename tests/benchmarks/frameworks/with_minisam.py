"""minisam, with its own layers."""

from contextlib import ExitStack

import numpy as np
from workloads import LR, MOMENTUM, RHO

import minisam as ms

LAYERS = {
    "dense": ms.nn.Linear,
    "relu": ms.nn.ReLU,
    "conv": lambda *how: ms.nn.Conv2d(*how[:5], groups=1, bias=how[5]),
    "norm": ms.nn.BatchNorm,
    "pool": lambda: ms.nn.MaxPool2d(2),
    "average": ms.nn.GlobalAvgPool2d,
    "flatten": ms.nn.Flatten,
    "residual": lambda body, shortcut: ms.nn.Residual(build(body), build(shortcut)),
}

THREADS = ExitStack()


def build(layers):
    """The network."""
    return ms.nn.Sequential(*(LAYERS[kind](*how) for kind, *how in layers))


def tasks(workload, variant):
    """As the package says."""
    x, y, w, v = workload.data()
    model = build(workload.layers)

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, x, train=True), y))

    with_value = ms.value_and_grad(loss)
    optimizer = ms.optimizers.SGD(LR, momentum=MOMENTUM)
    if len(workload.shape) > 1:  # as `ms.train` does; until this process ends
        THREADS.enter_context(ms.threads())
    state = {"w": w, "momentum": optimizer.init(w)}

    def sam_step():
        g = ms.sam.sam_gradient(loss, state["w"], RHO)
        state["w"], state["momentum"] = optimizer.step(state["w"], g, state["momentum"], LR)
        return state["w"]

    return {
        "gradient": lambda: with_value(w)[1],
        "sam": sam_step,
        "hvp": lambda: ms.hvp(loss, w, v),
        "second": lambda: ms.sam.sam_gradient(loss, w, RHO, order=2),
    }


def to_numpy(vector):
    """One vector already."""
    return vector
