"""HIPS autograd: dense networks in each of its idioms, images with its own convolution.

Of its idioms for parameters, "flatten" is its own tool for one flat vector, "views" are views of
such a vector as minisam takes them, and the plain one is the list of its examples.
"""

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.misc.flatten import flatten
from autograd.scipy.signal import convolve
from autograd.scipy.special import logsumexp
from workloads import evaluate


class Layers:
    """What `evaluate` calls."""

    @staticmethod
    def dense(x, its, *_):
        return anp.dot(x, its[0]) + its[1]

    @staticmethod
    def relu(x, _):
        return anp.maximum(x, 0)

    @staticmethod
    def conv(x, its, c_in, c_out, size, stride, padding, bias):
        if stride != 1:
            raise NotImplementedError("its convolution has no stride")
        if padding:
            x = anp.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), "constant")
        kernel = anp.transpose(its[0], (1, 0, 2, 3))[:, :, ::-1, ::-1]
        y = convolve(x, kernel, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")
        return y + its[1][:, None, None]

    @staticmethod
    def pool(x, _):
        n, c, h, w = x.shape
        return anp.max(anp.reshape(x, (n, c, h // 2, 2, w // 2, 2)), axis=(3, 5))

    @staticmethod
    def average(x, _):
        return anp.mean(x, axis=(2, 3))

    @staticmethod
    def flatten(x, _):
        return anp.reshape(x, (len(x), -1))


def tasks(workload, variant):
    """As the package says."""
    x, y, w, _ = workload.data()
    rows = np.arange(len(y))
    weights = workload.split(w)
    _, unflatten = flatten(weights)

    def loss(weights):
        z = evaluate(Layers, workload.layers, iter(weights), x)
        return anp.mean(logsumexp(z, axis=1) - z[rows, y])

    if variant == "list":
        gradient = autograd.value_and_grad(loss)
        return {"gradient": lambda: gradient(weights)[1]}
    into = {"flatten": unflatten, "views": workload.split}[variant]
    gradient = autograd.value_and_grad(lambda w: loss(into(w)))
    return {"gradient": lambda: [gradient(w)[1]]}


def to_numpy(arrays):
    """All parameters, one after the other."""
    return np.concatenate([np.ravel(a) for a in arrays])
