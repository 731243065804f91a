"""Windows side by side, on images with channels last in memory: what pooling most often has.

NumPy is fast where its innermost loop is long. The pixels of one column in two lie side by side for
the channels of a pixel only; so here the rows of a window are joined first, as whole lines, and its
columns after that, when half is left. And it is done for a few images at a time, so that what is
made on the way stays in the cache. Inside of a network, on 64 images of 24×24 with 64 channels,
2×2 windows, the maximum takes 0.8 ms instead of 0.9, and its derivative 2.4 instead of 3.4.
"""

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.threads import in_parts

Pair: TypeAlias = tuple[int, int]
CACHE = 2**20
"""Bytes of images at a time. A quarter takes 1.1 of the time, all at once 1.3."""


class Ties(NamedTuple):
    """The pixels that share the maximum of their window."""

    lines: Array  # which ones they are
    number: Array  # how many in each window, (N, steps down, steps across, C); at least 1


def suits(x: Array) -> bool:
    """Whether images are NumPy's, with channels last in memory."""
    last = type(x) is np.ndarray and x.transpose(0, 2, 3, 1).flags.c_contiguous
    return last and not x.flags.c_contiguous


def joined(op: Callable[..., Array], x: Array, size: Pair, ties: Ties | None = None) -> Array:
    """Reduce each window by an operation of two arrays: all its pixels, or those that tie."""
    n, c, h, w = x.shape
    lines = _lines(x.transpose(0, 2, 3, 1), size)
    y = np.empty_like(x, shape=(n, h // size[0], w // size[1], c), order="C")

    def some(few: slice) -> None:
        _join(op, lines[few] if ties is None else lines[few] * ties.lines[few], y[few])

    _few_at_a_time(some, x)
    if ties is not None:
        np.divide(y, ties.number, out=y)
    return y.transpose(0, 3, 1, 2)


def find_ties(y: Array, x: Array, size: Pair) -> Ties:
    """Find the pixels that equal their window's maximum y."""
    y, lines = y.transpose(0, 2, 3, 1), _lines(x.transpose(0, 2, 3, 1), size)
    # Bytes add up in a quarter of the time of floats, if they can hold the number.
    kind = np.uint8 if size[0] * size[1] < 256 else np.uint32
    ties = Ties(np.empty_like(lines, bool, order="C"), np.empty_like(y, kind, order="C"))

    def some(few: slice) -> None:
        found = np.equal(lines[few], _repeated(y[few], size[1]), out=ties.lines[few])
        number = ties.number[few]
        _join(np.add, found.view(np.uint8).astype(kind, copy=False), number)
        number += number == 0  # a NaN equals nothing, and 0 of them share nothing

    _few_at_a_time(some, x)
    return ties


def spread(g: Array, image: Pair, size: Pair, ties: Ties | None = None) -> Array:
    """Give the pixels of each window its number, or equal shares of it to those that tie."""
    g = g.transpose(0, 2, 3, 1)
    n, down, across, c = g.shape
    covered = (down * size[0], across * size[1]) == image
    new = np.empty_like if covered else np.zeros_like
    x = new(g, shape=(n, *image, c), order="C")
    lines = _lines(x, size)

    def some(few: slice) -> None:
        if ties is None:
            lines[few] = _repeated(g[few], size[1])
            return
        # A dense layer's cotangent comes channels first. Here it is smallest, so here it is brought
        # into the order of the images.
        number = ties.number[few]
        share = np.divide(g[few], number, out=np.empty_like(number, g.dtype))
        np.multiply(_repeated(share, size[1]), ties.lines[few], out=lines[few])

    _few_at_a_time(some, x)
    return x.transpose(0, 3, 1, 2)


def _few_at_a_time(work: Callable[[slice], None], images: Array) -> None:
    n = len(images)
    few = max(1, CACHE * n // max(1, images.nbytes))

    def some(part: slice) -> None:
        for start in range(part.start, part.stop, few):
            work(slice(start, min(start + few, part.stop)))

    in_parts(some, n, 16 * images.size)


def _lines(x: Array, size: Pair) -> Array:
    """View images (N, H, W, C) as (N, steps down, kh, kw · C · steps across).

    What no window reaches is left out.
    """
    n, h, w, c = x.shape
    down, across = h // size[0], w // size[1]
    whole = x[:, : down * size[0], : across * size[1]]
    return whole.reshape(n, down, size[0], across * size[1] * c)


def _join(op: Callable[..., Array], lines: Array, out: Array) -> None:
    line = reduce(op, (lines[:, :, i] for i in range(lines.shape[2])))
    n, down, across, c = out.shape
    first, *others = np.moveaxis(line.reshape(n, down, across, -1, c), 3, 0)
    out[...] = first
    for other in others:
        op(out, other, out=out)


def _repeated(y: Array, times: int) -> Array:
    """Give each pixel of a line what its window has: (N, steps down, 1, length of the line)."""
    n, down, across, c = y.shape
    y = y if times == 1 else y.repeat(times, axis=2)  # of few channels a copy takes 0.1 ms
    return y.reshape(n, down, 1, across * times * c)
