"""Windows that slide over images, and pooling: what one does with them without a kernel.

Ties of a maximum share the cotangent equally, so that the weights sum to 1; padding is never a
maximum, but counts as zeros in an average. Each pixel of the window is one strided view of the
images, so pooling is as many passes over them, and gathers nothing. For windows side by side there
is a faster way, in `minisam.ops.tiles`.
"""

from collections.abc import Iterator
from operator import index
from typing import NamedTuple, TypeAlias

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import Domain, Params, Primitive, linear, selection
from minisam.ops import tiles
from minisam.ops.reductions import mean
from minisam.ops.tiles import Ties
from minisam.threads import in_parts

Pair: TypeAlias = tuple[int, int]
Ints: TypeAlias = int | Pair
Slices: TypeAlias = tuple[slice, slice]
Chosen: TypeAlias = Ties | tuple[list[Array], Array]  # the ties at each tap; 1 / their number


class Window(NamedTuple):
    """A window that slides over an image, and so all the geometry of convolution and pooling."""

    image: Pair  # height and width, without the padding
    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    @property
    def steps(self) -> Pair:
        """Number of places down and across: height and width of the output."""
        h, w = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip(*self, strict=True))
        return h, w

    def taps(self) -> Iterator[tuple[Slices, Slices]]:
        """For each pixel of the window, row by row: which outputs see the image there, and where.

        What falls on the padding is left out, so an image never has to be padded for this.
        """
        down, across = (
            [_tap(i - p, s, n, m) for i in range(k)]
            for n, k, s, p, m in zip(*self, self.steps, strict=True)
        )
        for at_row, row in down:
            for at_column, column in across:
                yield (at_row, at_column), (row, column)


def _tap(offset: int, stride: int, pixels: int, steps: int) -> tuple[slice, slice]:
    """Find the steps t with 0 <= offset + stride * t < pixels, and those pixels."""
    first = max(0, -(offset // stride))
    last = max(first, min(steps, (pixels - 1 - offset) // stride + 1))
    return slice(first, last), slice(offset + stride * first, offset + stride * last, stride)


def pair(op: str, name: str, value: Ints, least: int) -> Pair:
    """Read a parameter that is one int for both axes or a pair, at least ``least``."""
    try:
        h, w = map(index, value if isinstance(value, tuple | list) else (value, value))
    except (TypeError, ValueError):
        raise TypeError(f"{op}: {name} must be an int or a pair of them, got {value!r}.") from None
    if min(h, w) < least:
        raise ValueError(f"{op}: {name} must be at least {least}, got {value!r}.")
    return h, w


def fit(
    op: str, shape: tuple[int, ...], size: Ints, stride: Ints | None = None, padding: Ints = 0
) -> Window:
    """Check that a window fits into images. No kernel checks again: it would read elsewhere."""
    if len(shape) != 4:
        raise ShapeError(
            f"{op}: images of shape {shape}; expected (N, C, H, W). Did you mean x[None]?"
        )
    size, padding = pair(op, "size", size, 1), pair(op, "padding", padding, 0)
    stride = size if stride is None else pair(op, "stride", stride, 1)
    window = Window((shape[2], shape[3]), size, stride, padding)
    if min(window.steps) < 1:
        raise ShapeError(
            f"{op}: a window of {size} does not fit into images {shape} with padding {padding}. "
            "Use a smaller window or more padding."
        )
    return window


def _tiled(x: Array, window: Window) -> bool:
    return window.stride == window.size and window.padding == (0, 0) and tiles.suits(x)


def _max(x: Array, window: Window) -> Array:
    """Take pairwise maxima of strided views.

    On 64 images of 32×32 with 64 channels, channels first, 2×2, this takes 5.5 ms, and the maximum
    over gathered windows 87 ms.
    """
    if _tiled(x, window):
        return tiles.joined(np.maximum, x, window.size)
    taps = list(window.taps())
    if window.padding == (0, 0):  # then each tap is in every window
        y = x[:, :, *taps[0][1]].copy(order="K")
    else:
        kind = x.dtype.kind
        lowest = -np.inf if kind == "f" else False if kind == "b" else np.iinfo(x.dtype).min
        y = np.full_like(x, lowest, shape=(*x.shape[:2], *window.steps))

    def some(part: slice) -> None:
        for at, seen in taps:
            np.maximum(y[part, :, *at], x[part, :, *seen], out=y[part, :, *at])

    in_parts(some, len(x), 16 * x.size)
    return y


def _share_of_ties(y: Array, x: Array, window: Window) -> Chosen:
    if _tiled(x, window):
        return tiles.find_ties(y, x, window.size)
    ties = [x[:, :, *seen] == y[:, :, *at] for at, seen in window.taps()]
    # Bytes add up without a conversion of type, at half the time, if they can hold the number.
    number: Array = np.zeros_like(y, dtype=np.uint8 if len(ties) < 256 else np.uint32)
    for (at, _), tie in zip(window.taps(), ties, strict=True):
        number[:, :, *at] += tie.view(np.uint8)
    # A NaN equals nothing: its window has no maximum, and 0 of them share nothing.
    return ties, 1 / np.maximum(number, 1).astype(x.dtype)


def _sum(x: Array, window: Window, chosen: Chosen | None) -> Array:
    if isinstance(chosen, Ties) or (chosen is None and _tiled(x, window)):
        return tiles.joined(np.add, x, window.size, chosen)
    y = np.zeros_like(x, shape=(*x.shape[:2], *window.steps))

    def some(part: slice) -> None:
        for i, (at, seen) in enumerate(window.taps()):
            term = x[part, :, *seen]
            y[part, :, *at] += term if chosen is None else term * chosen[0][i][part]

    in_parts(some, len(x), 16 * x.size)
    return y if chosen is None else np.multiply(y, chosen[1], out=y)


def _spread(g: Array, window: Window, chosen: Chosen | None) -> Array:
    if isinstance(chosen, Ties) or (chosen is None and _tiled(g, window)):
        return tiles.spread(g, window.image, window.size, chosen)
    if chosen is not None:
        # A dense layer's cotangent may have another order. Here it is smallest, so here it is
        # brought into that of the images.
        g = np.multiply(g, chosen[1], out=np.empty_like(chosen[1], dtype=g.dtype))
    x = np.zeros_like(g, shape=(*g.shape[:2], *window.image))
    # Where no two windows overlap a pixel is written once: 0.6 times the time of adding to it.
    apart = all(s >= k for s, k in zip(window.stride, window.size, strict=True))

    def some(part: slice) -> None:
        for i, (at, seen) in enumerate(window.taps()):
            weight = 1 if chosen is None else chosen[0][i][part]
            if apart:
                np.multiply(g[part, :, *at], weight, out=x[part, :, *seen])
            else:
                x[part, :, *seen] += g[part, :, *at] * weight

    in_parts(some, len(x), 16 * x.size)
    return x


def _domain(of: str) -> Domain:
    geometries = (
        (2, 3, Window((4, 6), (2, 2), (2, 2))),
        (2, 1, Window((5, 5), (3, 3), (2, 2), (1, 1))),
        (1, 1, Window((4, 5), (3, 2), (1, 1), (2, 0))),
        (1, 2, Window((5, 4), (1, 2), (3, 2))),
        (2, 2, Window((5, 4), (2, 1), (2, 1))),
        (0, 2, Window((2, 2), (2, 2), (2, 2))),
    )

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for n, c, window in geometries:
            last = rng.normal(size=(n, *window.image, c)).transpose(0, 3, 1, 2)
            for x in (last, np.ascontiguousarray(last)):
                if of == "max":
                    yield (x,), {"window": window}
                    continue
                ties = x.round()
                arg = x if of == "sum" else _sum(x, window, None)
                for chosen in (None, _share_of_ties(_max(ties, window), ties, window)):
                    yield (arg,), {"window": window, "chosen": chosen}

    return domain


window_sum: Primitive = linear(
    "window_sum",
    _sum,
    lambda ct, x, **params: window_spread(ct, **params),
    domain=_domain("sum"),
    doc="Sum over each window, of all its pixels or of the chosen ones in equal shares.",
)
window_spread: Primitive = linear(
    "window_spread",
    _spread,
    lambda ct, g, **params: window_sum(ct, **params),
    domain=_domain("spread"),
    doc="Each window's number added to all its pixels, or shared by the chosen ones.",
)
window_max: Primitive = selection(
    "window_max", _max, _share_of_ties, window_sum, domain=_domain("max"), doc="Window maximum."
)


def max_pool2d(x: Array, size: Ints, stride: Ints | None = None, padding: Ints = 0) -> Array:
    """Take the maximum of each window.

    Parameters
    ----------
    x : array, (N, C, H, W)
        Images.
    size : int or (int, int)
        Height and width (kh, kw) of the window.
    stride : int or (int, int), optional
        Step s of the window, down and across; by default its size.
    padding : int or (int, int)
        How far p < size the window reaches over the border; what lies there never counts.

    Returns
    -------
    array, (N, C, (H + 2p - kh) // s + 1, (W + 2p - kw) // s + 1)
        The maxima. Pixels that tie share the derivative equally; an infinite cotangent is NaN for
        the others of its window.

    Raises
    ------
    ShapeError
        The window does not fit into the images.
    ValueError
        The padding is as large as the window.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> x = np.array([[[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]]]])
    >>> max_pool2d(x, 2)
    array([[[[4., 0.]]]])
    >>> ms.grad(lambda x: np.sum(max_pool2d(x, 2)))(x)[0, 0]
    array([[0.  , 0.  , 0.25, 0.25],
           [0.  , 1.  , 0.25, 0.25]])
    """
    window = fit("max_pool2d", np.shape(x), size, stride, padding)
    if any(p >= k for p, k in zip(window.padding, window.size, strict=True)):
        seen = f"with padding {window.padding} some windows of {window.size} see no pixel"
        raise ValueError(f"max_pool2d: {seen}. Use less padding.")
    return window_max(x, window=window)


def avg_pool2d(x: Array, size: Ints, stride: Ints | None = None, padding: Ints = 0) -> Array:
    """Average each window; parameters as for `max_pool2d`, but any padding.

    The padding counts as zeros: every sum is divided by kh · kw (PyTorch's
    ``count_include_pad=True``, its default). Whole numbers and masks have float64 averages, as from
    `numpy.mean`.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.array([[[[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]]]), 2)
    array([[[[2.5]]]])
    """
    window = fit("avg_pool2d", np.shape(x), size, stride, padding)
    if x.dtype.kind in "biu":
        x = x.astype(float)  # four bytes of 200 do not add up in a byte
    return window_sum(x, window=window, chosen=None) / (window.size[0] * window.size[1])


def global_avg_pool2d(x: Array) -> Array:
    """Average each channel over the whole image.

    Parameters
    ----------
    x : array, (N, C, H, W)
        Images.

    Returns
    -------
    array, (N, C)
        Channel means.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool2d(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))
    array([[2.5]])
    """
    fit("global_avg_pool2d", np.shape(x), 1)
    return mean(x, axis=(2, 3))
