"""MyGrad, with the layers it has; first derivatives only."""

import mygrad as mg
import numpy as np
from mygrad.nnet.layers import conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy
from workloads import evaluate


class Layers:
    """What `evaluate` calls."""

    @staticmethod
    def dense(x, its, *_):
        return mg.matmul(x, its[0]) + its[1]

    @staticmethod
    def relu(x, _):
        return mg.nnet.relu(x)

    @staticmethod
    def conv(x, its, c_in, c_out, size, stride, padding, bias):
        if (x.shape[2] + 2 * padding - size) % stride:
            raise NotImplementedError("its convolution refuses a stride that leaves pixels over")
        y = conv_nd(x, its[0], stride=stride, padding=padding)
        return y + its[1].reshape(1, -1, 1, 1) if bias else y

    @staticmethod
    def norm(x, its, *_):
        return mg.nnet.batchnorm(x, gamma=its[0], beta=its[1], eps=1e-5)

    @staticmethod
    def pool(x, _):
        return max_pool(x, (2, 2), 2)

    @staticmethod
    def average(x, _):
        return mg.mean(x, axis=(2, 3))

    @staticmethod
    def flatten(x, _):
        return x.reshape(len(x), -1)


def tasks(workload, variant):
    """As the package says."""
    x, y, w, _ = workload.data()
    weights = [mg.tensor(p) for p in workload.split(w)]

    def gradient():
        z = evaluate(Layers, workload.layers, iter(weights), x)
        softmax_crossentropy(z, y).backward()
        return [p.grad for p in weights]

    return {"gradient": gradient}


def to_numpy(arrays):
    """All parameters, one after the other."""
    return np.concatenate([np.ravel(a) for a in arrays])
