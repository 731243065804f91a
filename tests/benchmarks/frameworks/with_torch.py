"""PyTorch, eager. Its parameters are a list, updated in place; channels last if asked for."""

import os

import torch
from torch.nn import functional as F
from workloads import LR, MOMENTUM, RHO, evaluate


class Layers:
    """What `evaluate` calls."""

    @staticmethod
    def dense(x, its, *_):
        weight, bias = its
        return torch.addmm(bias, x, weight)

    @staticmethod
    def relu(x, _):
        return torch.relu(x)

    @staticmethod
    def conv(x, its, c_in, c_out, size, stride, padding, bias):
        return F.conv2d(x, its[0], its[1] if bias else None, stride=stride, padding=padding)

    @staticmethod
    def norm(x, its, *_):
        return F.batch_norm(x, None, None, *its, training=True)

    @staticmethod
    def pool(x, _):
        return F.max_pool2d(x, 2)

    @staticmethod
    def average(x, _):
        return x.mean(dim=(2, 3))

    @staticmethod
    def flatten(x, _):
        return x.flatten(1)


def tasks(workload, variant):
    """As the package says."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, y, w, v = map(torch.from_numpy, workload.data())
    order = {}
    if variant == "channels last":
        order = {"memory_format": torch.channels_last}
        x = x.contiguous(**order)
    split = [p.clone(**(order if p.ndim == 4 else {})) for p in workload.split(w)]
    weights = [p.requires_grad_() for p in split]
    along = workload.split(v)
    moving = [p.detach().clone().requires_grad_() for p in weights]
    optimizer = torch.optim.SGD(moving, lr=LR, momentum=MOMENTUM)

    def loss(weights):
        return F.cross_entropy(evaluate(Layers, workload.layers, iter(weights), x), y)

    def gradient(weights=weights, **options):
        return torch.autograd.grad(loss(weights), weights, **options)

    def perturbation(g):
        length = torch.sqrt(sum((p * p).sum() for p in g))
        return [p * (RHO / length) for p in g]

    def sam_step():
        with torch.no_grad():
            eps = perturbation(gradient_at(moving))
            torch._foreach_add_(moving, eps)
        g = gradient(moving)
        with torch.no_grad():
            torch._foreach_sub_(moving, eps)
        for p, its in zip(moving, g, strict=True):
            p.grad = its
        optimizer.step()
        return moving

    def gradient_at(weights):
        with torch.enable_grad():
            return gradient(weights)

    def hvp():
        return torch.autograd.grad(gradient(create_graph=True), weights, along)

    def second():
        eps = perturbation(gradient(create_graph=True))
        perturbed = [p + e for p, e in zip(weights, eps, strict=True)]
        return torch.autograd.grad(loss(perturbed), weights)

    return {"gradient": gradient, "sam": sam_step, "hvp": hvp, "second": second}


def to_numpy(arrays):
    """All parameters, one after the other."""
    return torch.cat([a.detach().contiguous().reshape(-1) for a in arrays]).numpy()
