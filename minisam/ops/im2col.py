"""Convolution on a device: one strided copy of the patches, one matrix product.

A GPU wants few large kernels, and so all patches at once, where the host's caches want some at a
time (`minisam.ops.convolution`). Arrays are NCHW in memory, too: elementwise functions of CuPy give
back no other order, and the pixels of a line lie side by side in each copy.
"""

from math import prod

import numpy as np

from minisam.arrays import Array, strided
from minisam.ops.pooling import Window


def conv(x: Array, k: Array, window: Window, groups: int) -> Array:
    """Compute what ``_conv`` of `minisam.ops.convolution` does."""
    kernels = k.reshape((groups, len(k) // groups, prod(k.shape[1:])))
    y = _product(kernels, _patches(x, window, groups))
    return y.reshape((len(k), len(x), *window.steps)).transpose(1, 0, 2, 3)


def conv_kernel(x: Array, g: Array, window: Window, groups: int) -> Array:
    """Compute what ``_conv_kernel`` of `minisam.ops.convolution` does."""
    k = _product(_channels_first(g, groups), _patches(x, window, groups).transpose(0, 2, 1))
    return k.reshape((g.shape[1], x.shape[1] // groups, *window.size))


def conv_input(g: Array, k: Array, window: Window, groups: int) -> Array:
    """Add up what each pixel gave to the patches: for strides that leave pixels out."""
    n, c, out = len(g), k.shape[1], len(k) // groups
    kernels = k.reshape((groups, out, prod(k.shape[1:]))).transpose(0, 2, 1)
    patches = _product(kernels, _channels_first(g, groups))
    patches = patches.reshape((groups * c, prod(window.size), n, *window.steps))
    x = np.zeros_like(g, shape=(n, groups * c, *window.image), dtype=patches.dtype)
    channels = x.transpose(1, 0, 2, 3)
    for i, (at, seen) in enumerate(window.taps()):
        channels[:, :, *seen] += patches[:, i, :, *at]
    return x


def _patches(x: Array, window: Window, groups: int) -> Array:
    """Gather what each place of the window sees: (groups, C / groups · pixels, N · places)."""
    (n, c), (h, w), (ph, pw) = x.shape[:2], window.image, window.padding
    framed = np.zeros_like(x, shape=(n, c, h + 2 * ph, w + 2 * pw), order="C")
    framed[:, :, ph : ph + h, pw : pw + w] = x
    (kh, kw), (oh, ow), (sh, sw) = window.size, window.steps, window.stride
    line, image = w + 2 * pw, (h + 2 * ph) * (w + 2 * pw)
    steps = (image, line, 1, c * image, sh * line, sw)
    patches = strided(framed, (c, kh, kw, n, oh, ow), steps)
    return patches.reshape((groups, c // groups * kh * kw, n * oh * ow))  # the copy


def _channels_first(g: Array, groups: int) -> Array:
    """Give each channel of the output a row: (groups, O / groups, N · places)."""
    n, out, h, w = g.shape
    return g.transpose(1, 0, 2, 3).reshape((groups, out // groups, n * h * w))


def _product(a: Array, b: Array) -> Array:
    """Multiply matrices, one for each group; for a single one in two dimensions."""
    return (a[0] @ b[0])[None] if len(a) == 1 else np.matmul(a, b)
