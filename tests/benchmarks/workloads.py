"""What is measured: networks as plain lists of layers, which each framework builds with its own."""

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import prod, sqrt

import numpy as np

LR, MOMENTUM, RHO = 0.01, 0.9, 0.05  # of the SAM step


@dataclass(frozen=True)
class Workload:
    """A network, the shape and number of its examples, and the dtype of everything."""

    name: str
    layers: tuple
    shape: tuple
    batch: int
    dtype: str = "float32"

    @classmethod
    def read(cls, fields):
        """From JSON, which has lists for tuples."""
        return cls(**{key: _tuples(value) for key, value in fields.items()})

    def write(self):
        """For JSON."""
        return asdict(self)

    def data(self):
        """Images (or vectors), labels, and all parameters as one vector: the same everywhere."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, *self.shape)).astype(self.dtype)
        y = rng.integers(10, size=self.batch)
        parts = []
        for kind, shape in parameters(self.layers):
            if kind == "weight":
                fan_in = prod(shape[1:]) if len(shape) == 4 else shape[0]
                parts.append(rng.standard_normal(shape) * sqrt(2 / fan_in))
            else:
                parts.append(np.full(shape, float(kind == "scale")))
        w = np.concatenate([p.ravel() for p in parts]).astype(self.dtype)
        v = rng.standard_normal(w.size).astype(self.dtype)
        return x, y, w, v

    def split(self, w):
        """Each parameter as a view of the vector."""
        at, found = 0, []
        for _, shape in parameters(self.layers):
            found.append(w[at : at + prod(shape)].reshape(shape))
            at += prod(shape)
        return found


def parameters(layers):
    """Kind and shape of each parameter, in the order in which they stand in the vector."""
    for kind, *how in layers:
        if kind == "dense":
            n_in, n_out = how
            yield from (("weight", (n_in, n_out)), ("bias", (n_out,)))
        elif kind == "conv":
            c_in, c_out, size, _, _, bias = how
            yield "weight", (c_out, c_in, size, size)
            if bias:
                yield "bias", (c_out,)
        elif kind == "norm":
            yield from (("scale", tuple(how)), ("shift", tuple(how)))
        elif kind == "residual":
            for branch in how:
                yield from parameters(branch)


def evaluate(library, layers, weights, x):
    """Run a network with a library that has a function for each kind of layer.

    ``weights`` is an iterator over the parameters.
    """
    for kind, *_ in layers:
        if kind != "residual" and not hasattr(library, kind):
            raise NotImplementedError(f"it has no layer {kind!r}")
    for layer in layers:
        kind, *how = layer
        if kind == "residual":
            body, shortcut = how
            y = evaluate(library, body, weights, x)
            x = y + evaluate(library, shortcut, weights, x)
        else:
            its = [next(weights) for _ in parameters((layer,))]
            x = getattr(library, kind)(x, its, *how)
    return x


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def mlp(*sizes):
    """Dense layers with relu between them."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [("dense", n_in, n_out), ("relu",)]
    return tuple(layers[:-1])


def conv(c_in, c_out, padding, size=3, stride=1, bias=True):
    """One convolution."""
    return ("conv", c_in, c_out, size, stride, padding, bias)


def block(c_in, c_out, stride):
    """The residual block of ResNet-8, and its relu."""
    body = (
        conv(c_in, c_out, 1, stride=stride, bias=False),
        ("norm", c_out),
        ("relu",),
        conv(c_out, c_out, 1, bias=False),
        ("norm", c_out),
    )
    shortcut = (conv(c_in, c_out, 0, size=1, stride=stride, bias=False), ("norm", c_out))
    return ("residual", body, () if stride == 1 else shortcut), ("relu",)


def three_stages():
    """The convolutions of W4."""
    for c_in, c_out in pairwise((3, 32, 64, 128)):
        yield from (conv(c_in, c_out, 1), ("relu",), ("pool",))


SMALL_CNN = (
    *(conv(1, 32, 0), ("relu",), conv(32, 64, 0), ("relu",), ("pool",), ("flatten",)),
    *(("dense", 64 * 144, 128), ("relu",), ("dense", 128, 10)),
)
RESNET = (
    *(conv(3, 16, 1, bias=False), ("norm", 16), ("relu",)),
    *(*block(16, 16, 1), *block(16, 32, 2), *block(32, 64, 2)),
    *(("average",), ("dense", 64, 10)),
)
W3 = Workload("W3 CNN 28×28×1, batch 64, float32", SMALL_CNN, (1, 28, 28), 64)
WORKLOADS = (
    Workload("W1 MLP 784-512-512-10, batch 128, float32", mlp(784, 512, 512, 10), (784,), 128),
    Workload("W2 MLP 64-32-10, batch 32, float64", mlp(64, 32, 10), (64,), 32, "float64"),
    W3,
    replace(W3, name="W3d CNN 28×28×1, batch 64, float64", dtype="float64"),
    Workload(
        "W4 CNN 32×32×3, three stages, batch 64, float32",
        (*three_stages(), ("average",), ("dense", 128, 10)),
        (3, 32, 32),
        64,
    ),
    Workload("W5 ResNet-8, batch norm, batch 64, float32", RESNET, (3, 32, 32), 64),
)
