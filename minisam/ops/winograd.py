"""Convolution with 3×3 kernels by Winograd's algorithm: a quarter of the multiplications.

Two polynomials of degrees 2 and 3 are multiplied by their values at 6 points: as coefficients that
takes 12 products, as values 6. With V_n the matrix that takes n coefficients to those values (one
point is infinity, the value there the leading coefficient), the product is V₆⁻¹ (V₃ k · V₄ g), and
the number ⟨x, product⟩, for any x of 6 entries, is

    Σ_points  (V₆⁻ᵀ x) (V₃ k) (V₄ g):

the same trilinear form as in `minisam.ops.convolution`, of 6 pixels, a kernel of 3 and 4 outputs.
So each of the three primitives transforms two of them, multiplies, and takes the result back by
the transpose of the third's transform. In two dimensions that is done for rows and for columns:
36 values for a tile of 4×4 outputs and the 6×6 pixels they see, in place of 144 products.

The transforms are products with matrices, of all tiles at once, and so is what comes between them:
for each of the 36 points one product of (tiles, channels in) and (channels in, channels out).

S. Winograd, Arithmetic complexity of computations, 1980; A. Lavin, S. Gray, Fast algorithms for
convolutional neural networks, CVPR 2016.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from minisam.arrays import Array, strided
from minisam.ops.pooling import Window

BLOCK = 2**19
"""Bytes of tiles at a time: they and their values at the points fit into a core's cache."""
LEAST = 32
"""Tiles at a time, at least: with many channels the transformed kernel does not fit beside them,
and is read for each block. 64 images of 8×8 with 512 channels to 512 take 0.45 of the time of
patches, and 1.6 without this; with 256 channels 0.49, and 0.46."""
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""Where polynomials are evaluated, besides infinity. With the usual 0, ±1, ±2 the error in float32
is three to four times as large (64 channels: 5e-6 of the largest output, here 1.6e-6)."""


def _values(n: int) -> np.ndarray[Any, Any]:
    """V_n: from n coefficients to the values at the six points."""
    at_infinity = np.eye(n)[-1:]
    return np.vstack([np.vander(POINTS, n, increasing=True), at_infinity])


# From 6 pixels, 3 weights and 4 outputs to 6 values.
_PIXELS, _WEIGHTS, _OUTPUTS = np.linalg.inv(_values(6)).T, _values(3), _values(4)


def suits(window: Window, groups: int, x: Array, other: Array, out: int) -> bool:
    """Whether it can do this convolution, and faster than the product of patches and kernels.

    Where tiles cover the outputs exactly, 64 images take 0.6 of the time with 32 and 64 channels,
    0.4 with 64 and 128, 0.9 with 16: about 0.35 + 9 / channels. Transforming the kernel and 36 thin
    products add about (3 + channels / 16) / tiles: one tile takes 1.5 to 13 times as long as by
    patches; with 16 channels 48 tiles are as fast, with 64 12, with 256 28.
    Whole numbers and mixed dtypes are left to the patches, and so are float16, where the error is
    ten times theirs, and long doubles, as the transforms are float64. Where a pixel is infinite its
    whole tile becomes NaN, and within a factor of about 1e2 of the largest float sums overflow.
    """
    if x.dtype != other.dtype or x.dtype.char not in "fdFD":
        return False
    usual = window.size == (3, 3) and window.stride == (1, 1) and groups == 1
    channels, (h, w) = min(x.shape[1], out), window.steps
    waste = 16 * _number(window.steps) / (h * w)
    # Of all images, not of those on one thread: the result does not depend on how it is split.
    tiles = len(x) * _number(window.steps)
    each = 0.35 + 9 / max(1, channels) + (3 + channels / 16) / max(1, tiles)
    return usual and max(window.padding) <= 2 and waste * each < 1


def weights(k: Array) -> Array:
    """Transform a kernel, for `conv`: (36, channels in, channels out)."""
    return _times(_WEIGHTS, k.transpose(2, 3, 1, 0))


def conv(x: Array, weights: Array, window: Window, y: Array) -> None:
    """Write what ``_conv`` of `minisam.ops.convolution` does into y, channels last."""
    (h, w), out = window.steps, weights.shape[2]
    tiles = _pixels(x, window)
    n, lines, columns = tiles.shape[2:5]
    whole = y
    if h % 4 or w % 4:  # the last tiles reach too far
        whole = np.empty_like(y, shape=(n, 4 * lines, 4 * columns, out))
    ours = whole.reshape(n, lines, 4, columns, 4, out)
    for at in _blocks(tiles):
        values = np.matmul(_times(_PIXELS, tiles[:, :, *at]), weights)
        block = ours[at].transpose(2, 4, 0, 1, 3, 5)
        block[...] = _times(_OUTPUTS.T, values).reshape(block.shape)
    if whole is not y:
        y[...] = whole[:, :h, :w]


def suits_input(window: Window, c: int, out: int) -> bool:
    """Whether `conv_input` is faster than `conv` with the turned kernel.

    It is where the outputs are fewer tiles than the image: 64 images of 26×26 with 32 channels from
    24×24 with 64 take 0.7 to 0.85 of the time, of 10×10 from 8×8 0.6; but not to more channels.
    """
    return _number(window.steps) < _number(window.image) and c <= out


def _number(outputs: tuple[int, int]) -> int:
    h, w = outputs
    return -(-h // 4) * -(-w // 4)  # of tiles


def turned(weights: Array) -> Array:
    """Exchange channels in and out, for `conv_input`.

    It is a copy: with a view the products take 1.6 times as long.
    """
    return weights.transpose(0, 2, 1).copy()


def conv_input(g: Array, weights: Array, window: Window, x: Array) -> None:
    """Write what ``_conv_input`` of `minisam.ops.convolution` does into x, channels last."""
    (h, w), (ph, pw), c = window.image, window.padding, weights.shape[2]
    outputs = _outputs(g)
    n, lines, columns = outputs.shape[2:5]
    # Of the 6×6 pixels that a tile sees, 4×4 are its own and the others its neighbours'.
    whole = np.zeros_like(x, shape=(n, lines + 1, 4, columns + 1, 4, c))
    parts = slice(4), slice(4, 6)
    for images, those in _blocks(outputs):
        values = np.matmul(_times(_OUTPUTS, outputs[:, :, images, those]), weights)
        shape = outputs[0, 0, images, those].shape[:3]
        tiles = _times(_PIXELS.T, values).reshape(6, 6, *shape, c).transpose(2, 3, 0, 4, 1, 5)
        for down, right in product((0, 1), repeat=2):
            part = tiles[:, :, parts[down], :, parts[right]]
            first = those.start + down
            own = whole[images, first : first + shape[1], :, right : right + columns]
            own[:, :, : part.shape[2], :, : part.shape[4]] += part
    pixels = whole.reshape(n, 4 * (lines + 1), 4 * (columns + 1), c)
    x[...] = pixels[:, ph : ph + h, pw : pw + w]


def points(x: Array, g: Array, window: Window) -> Array:
    """Compute, for `kernel`, the sum over all tiles: (36, channels in, channels out)."""
    c, out = x.shape[1], g.shape[1]
    tiles, outputs = _pixels(x, window), _outputs(g)
    k = np.zeros_like(x, shape=(36, c, out), order="C")
    for at in _blocks(tiles):
        pixels = _times(_PIXELS, tiles[:, :, *at])
        k += np.matmul(pixels.transpose(0, 2, 1), _times(_OUTPUTS, outputs[:, :, *at]))
    return k


def kernel(points: Array) -> Array:
    """Transform back: then it is what ``_conv_kernel`` of `minisam.ops.convolution` gives."""
    return _times(_WEIGHTS.T, points).reshape(3, 3, *points.shape[1:]).transpose(3, 2, 0, 1)


def _times(transform: np.ndarray[Any, Any], x: Array) -> Array:
    """Transform rows, then columns: x's first two axes, or its first, which has them both.

    By one matrix for both, which is three times the multiplications, it takes 1.4 times as long.
    """
    matrix = np.asarray(transform, dtype=x.dtype, like=x)
    m, n = matrix.shape
    rows = matrix @ x.reshape(n, -1)  # of a view of tiles, this is the copy
    values = matrix @ rows.reshape(m, n, -1)
    return values.reshape(m * m, -1, x.shape[-1])


def _pixels(x: Array, window: Window) -> Array:
    """View the pixels that each tile sees: (6, 6, N, lines, columns, C)."""
    (n, c, h, w), (ph, pw) = x.shape, window.padding
    lines, columns = (-(-steps // 4) for steps in window.steps)
    height, width = 4 * lines + 2, 4 * columns + 2
    framed = np.zeros_like(x, shape=(n, height, width, c), order="C")
    framed[:, ph : ph + h, pw : pw + w] = x.transpose(0, 2, 3, 1)
    line, pixel = width * c, c
    steps = (line, pixel, height * line, 4 * line, 4 * pixel, 1)
    return strided(framed, (6, 6, n, lines, columns, c), steps)


def _outputs(g: Array) -> Array:
    """View the outputs of each tile, 0 where it reaches too far: (4, 4, N, lines, columns, C)."""
    n, c, h, w = g.shape
    lines, columns = -(-h // 4), -(-w // 4)
    framed = g.transpose(0, 2, 3, 1)
    if h % 4 or w % 4:
        framed = np.zeros_like(g, shape=(n, 4 * lines, 4 * columns, c), order="C")
        framed[:, :h, :w] = g.transpose(0, 2, 3, 1)
    return framed.reshape(n, lines, 4, columns, 4, c).transpose(2, 4, 0, 1, 3, 5)


def _blocks(tiles: Array) -> Iterator[tuple[slice, slice]]:
    """Give images and lines of tiles, some at a time."""
    n, lines, columns = tiles.shape[2:5]
    many = max(-(-LEAST // columns), BLOCK // max(1, tiles[:, :, :1, :1].nbytes))
    some_images, some_lines = max(1, many // lines), min(many, lines)
    for i in range(0, n, some_images):
        for line in range(0, lines, some_lines):
            yield slice(i, i + some_images), slice(line, line + some_lines)
