"""The gradient as one writes it in NumPy: dense layers, and im2col for convolutions.

The dense network is written out straight, as there every microsecond counts; the layers of images
give their output and the function that takes its cotangent back.
"""

import numpy as np
from workloads import LR, MOMENTUM, RHO


def cross_entropy(z, y):
    """Mean cross-entropy, and its gradient with respect to the logits."""
    rows = np.arange(len(y))
    z = z - np.max(z, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    ct = np.exp(log_p)
    ct[rows, y] -= 1
    ct /= len(y)
    return -np.mean(log_p[rows, y]), ct


def dense_network(x, y, weights):
    """Value and gradient of dense layers with relu between them."""
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    inputs, h = [], x
    for k, (weight, bias) in enumerate(pairs):
        inputs.append(h)
        h = h @ weight + bias
        if k < len(pairs) - 1:
            h = np.maximum(h, 0)
    loss, ct = cross_entropy(h, y)
    parts = []
    for k in reversed(range(len(pairs))):
        parts += [np.sum(ct, axis=0), (inputs[k].T @ ct).ravel()]
        if k > 0:
            ct = (ct @ pairs[k][0].T) * (inputs[k] > 0)
    return loss, np.concatenate(parts[::-1])


def dense(x, its, *_):
    """Output; and from its cotangent those of x and of the parameters."""
    weight, bias = its
    return x @ weight + bias, lambda ct: (ct @ weight.T, [x.T @ ct, ct.sum(axis=0)])


def relu(x, _):
    """As `dense`."""
    y = np.maximum(x, 0)
    return y, lambda ct: (ct * (y > 0), [])


def conv(x, its, c_in, c_out, size, stride, padding, bias):
    """As `dense`; all patches as one matrix (im2col), stride 1."""
    if stride != 1 or not bias:
        raise NotImplementedError("no stride and no batch norm are written")
    n, _, h, w = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out_h, out_w = h + 2 * padding - size + 1, w + 2 * padding - size + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * out_h * out_w, -1)
    kernel = its[0].reshape(c_out, -1)
    y = columns @ kernel.T + its[1]

    def back(ct):
        ct = ct.transpose(0, 2, 3, 1).reshape(-1, c_out)
        g = (ct @ kernel).reshape(n, out_h, out_w, c_in, size, size)
        gx = np.zeros_like(x)
        for i in range(size):
            for j in range(size):
                seen = gx[:, :, i : i + out_h, j : j + out_w]
                seen += g[..., i, j].transpose(0, 3, 1, 2)
        inside = gx[:, :, padding : padding + h, padding : padding + w]
        return inside, [(ct.T @ columns).reshape(its[0].shape), ct.sum(axis=0)]

    return y.reshape(n, out_h, out_w, c_out).transpose(0, 3, 1, 2), back


def pool(x, _):
    """As `dense`."""
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // 2, 2, w // 2, 2)
    y = windows.max(axis=(3, 5))

    def back(ct):
        ties = windows == y[:, :, :, None, :, None]
        share = (ct / ties.sum(axis=(3, 5)).astype(x.dtype))[:, :, :, None, :, None]
        return (ties * share).reshape(x.shape), []

    return y, back


def average(x, _):
    """As `dense`."""
    n = x.shape[2] * x.shape[3]
    return x.mean(axis=(2, 3)), lambda ct: (
        np.broadcast_to(ct[:, :, None, None] / ct.dtype.type(n), x.shape),
        [],
    )


def flatten(x, _):
    """As `dense`."""
    return x.reshape(len(x), -1), lambda ct: (ct.reshape(x.shape), [])


def image_network(x, y, weights, layers):
    """Value and gradient of layers in a row."""
    backs, weights = [], iter(weights)
    for kind, *how in layers:
        if kind not in ("dense", "relu", "conv", "pool", "average", "flatten"):
            raise NotImplementedError(f"no layer {kind!r} is written")
        its = [next(weights), next(weights)] if kind in ("dense", "conv") else []
        x, back = globals()[kind](x, its, *how)
        backs.append(back)
    loss, ct = cross_entropy(x, y)
    parts = []
    for back in reversed(backs):
        ct, its = back(ct)
        parts = its + parts
    return loss, np.concatenate([p.ravel() for p in parts])


def tasks(workload, variant):
    """As the package says."""
    x, y, w, _ = workload.data()
    images = any(kind not in ("dense", "relu") for kind, *_ in workload.layers)

    def value_and_gradient(w):
        weights = workload.split(w)
        if images:
            return image_network(x, y, weights, workload.layers)
        return dense_network(x, y, weights)

    state = {"w": w, "momentum": np.zeros_like(w)}

    def sam_step():
        w = state["w"]
        g = value_and_gradient(w)[1]
        g = value_and_gradient(w + g * (RHO / np.linalg.norm(g)))[1]
        state["momentum"] = MOMENTUM * state["momentum"] + g
        state["w"] = w - LR * state["momentum"]
        return state["w"]

    return {"gradient": lambda: value_and_gradient(w)[1], "sam": sam_step}


def to_numpy(vector):
    """One vector already."""
    return vector
