"""Sums, and arithmetic of images with a number for each channel, by long loops over memory."""

from collections.abc import Callable
from math import gcd
from typing import Any

import numpy as np

from minisam.arrays import Array

CHANNELS = (0, 2, 3)


def sum_over(x: Array, axis: Any, keepdims: bool = False) -> Array:
    """Give ``x.sum(axis=axis, keepdims=keepdims)``.

    Images with channels last in memory are a matrix of a row for each pixel, and BLAS sums its
    columns: 64 images of 32×32 with 16 channels take 0.07 ms instead of 1.1 ms. So it does many
    rows, not so long that NumPy's sum in pairs would be more exact: 128×512 numbers take 0.004 ms
    instead of 0.011.

    Parameters
    ----------
    x : array
        Plain, not a Tensor.
    axis : int, tuple of int or None
        Over which axes.
    keepdims : bool
        Whether to keep them, with length 1.

    Returns
    -------
    array
        The sums, of x's dtype.

    Examples
    --------
    >>> sum_over(np.ones((5, 2, 3, 3)), (0, 2, 3))
    array([45., 45.])
    """
    if type(x) is not np.ndarray or x.dtype.char not in "fd" or x.size == 0:
        return x.sum(axis=axis, keepdims=keepdims)
    if axis in (-1, x.ndim - 1, (-1,), (x.ndim - 1,)):
        if x.size > 4096 >= x.shape[-1] > 1 and x.flags.c_contiguous:
            rows = x.reshape(-1, x.shape[-1])  # of more axes BLAS is called for each of the first
            sums = (rows @ np.ones(rows.shape[1], x.dtype)).reshape(x.shape[:-1])
            return sums[..., None] if keepdims else sums
    elif axis == CHANNELS and x.ndim == 4:
        last = x.transpose(0, 2, 3, 1)
        if last.flags.c_contiguous:
            sums = _sum_of_rows(last.reshape(-1, x.shape[1]))
            return sums.reshape(1, -1, 1, 1) if keepdims else sums
    return x.sum(axis=axis, keepdims=keepdims)


def _sum_of_rows(rows: Array) -> Array:
    """Sum over the first axis of a matrix, 256 rows at a time and then the sums of these.

    BLAS adds the rows of a product one after the other, and of all at once the sum is less exact:
    in float32, of 64 images of 32×32 around 1000, by 2e-6 and so by 2e-7.
    """
    while len(rows) > 256:
        n = len(rows) // 256
        sums = np.ones(256, rows.dtype) @ rows[: n * 256].reshape(n, 256, -1)
        rest = rows[n * 256 :]
        rows = np.concatenate([sums, rest]) if len(rest) else sums
    return np.ones(len(rows), rows.dtype) @ rows


def sum_of_products(x: Array, y: Array, axis: tuple[int, ...]) -> Array:
    """Give ``(x * y).sum(axis=axis, keepdims=True)``.

    Of long rows, or of images with channels last in memory, the products are not stored: 64 images
    of 32×32 with 16 channels take 0.13 ms instead of 0.19 ms, and 0.21 ms instead of 0.35 ms when
    they are not in the cache. Of fewer than 32768 numbers, or with lines shorter than 64, storing
    them is faster.

    Parameters
    ----------
    x, y : array
        Plain, not Tensors; of one shape.
    axis : tuple of int
        Over which axes.

    Returns
    -------
    array
        The sums.

    Examples
    --------
    >>> sum_of_products(np.ones((2, 3)), np.full((2, 3), 2.0), (-1,))
    array([[6.],
           [6.]])
    """
    both = type(x) is type(y) is np.ndarray and x.dtype == y.dtype and x.dtype.char in "fd"
    if both and axis == (-1,) and x.shape[-1] >= 64 and _whole_rows(x) and _whole_rows(y):
        return (x[..., None, :] @ y[..., None])[..., 0]
    if both and axis == CHANNELS and x.ndim == 4 and x.size >= 32768:
        lasts = x.transpose(0, 2, 3, 1), y.transpose(0, 2, 3, 1)
        n, h, w, c = lasts[0].shape
        if w * c >= 64 and all(last.flags.c_contiguous for last in lasts):
            # An accumulator for each place of a line: NumPy's innermost loop is long. And for some
            # lines only: in one chain of 4096 a sum loses ten times the digits.
            chain = max(gcd(n * h, 64), h if h <= 256 else 1)
            lines = [last.reshape(-1, chain, w * c) for last in lasts]
            sums = np.einsum("kij,kij->kj", *lines).reshape(-1, c)
            return _sum_of_rows(sums).reshape(1, c, 1, 1)
    return sum_over(x * y, axis, keepdims=True)


def _whole_rows(x: Array) -> bool:
    """Whether each row is in one piece: BLAS takes 3 to 20 times as long where it is not."""
    return bool(x.strides[-1] == x.itemsize)


def by_channel(op: Callable[..., Array], x: Array, v: Array, in_place: bool = False) -> Array:
    """Give ``op(x, v)``, for images and one number for each channel in particular.

    Channels last in memory, they are what NumPy's innermost loop runs over, and few for that. With
    ``v`` repeated for many pixels, these are: 64 images of 32×32 with 16 channels take 0.11 ms
    instead of 0.37 ms, with 64 channels 0.6 of the time. Of at most 8192 numbers that takes longer,
    and of one channel NumPy's loop is long already.

    Parameters
    ----------
    op : callable
        Works on each element; a function of NumPy.
    x, v : array
        Any two that broadcast; images (N, C, H, W) and (1, C, 1, 1) or (C, 1, 1) are what is meant.
    in_place : bool
        Whether the result is written into x.

    Returns
    -------
    array
        Of x's order in memory.

    Examples
    --------
    >>> by_channel(np.add, np.ones((5, 2, 3, 3)), np.array([1.0, 2.0]).reshape(1, 2, 1, 1))[0, 1, 0]
    array([3., 3., 3.])
    """
    many = type(x) is type(v) is np.ndarray and x.ndim == 4 and x.size > 8192 and x.shape[1] > 1
    if many and v.shape in ((1, x.shape[1], 1, 1), (x.shape[1], 1, 1)):
        last = x.transpose(0, 2, 3, 1)
        if last.flags.c_contiguous:
            n, h, w, c = last.shape
            # NumPy handles lines shorter than its buffer of 8192 one by one, in 1.3 of the time.
            # With fewer than 8 lines, repeating v for one of them takes longer than that.
            fewer = (k for k in range(x.size // 8192, 7, -1) if n * h * w % k == 0)
            lines = last.reshape(next(fewer, n * h), -1)
            line = np.broadcast_to(v.reshape(c), (lines.shape[1] // c, c)).reshape(-1)
            y = op(lines, line, out=lines) if in_place else op(lines, line)
            return y.reshape(n, h, w, c).transpose(0, 3, 1, 2)
    return op(x, v, out=x) if in_place else op(x, v)
