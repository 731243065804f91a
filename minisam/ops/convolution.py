"""Convolution of images: one trilinear form, and so three primitives that are closed.

For an image x, a kernel k and a cotangent g of the output, the number

    ⟨g, conv(x, k)⟩ = ⟨conv_input(g, k), x⟩ = ⟨conv_kernel(x, g), k⟩

is linear in each of the three. Each primitive takes two of them and gives the third's coefficient,
so the transposes of each are the other two, and derivatives of every order need nothing else.

Arrays are NCHW by their shape. In memory the kernels work channels last (NHWC), where the pixels
under one row of a kernel are side by side, and they return such arrays: seen as NCHW, transposed
in memory. Elementwise functions keep that order, so a network pays for its first layer's
conversion and no other. That is for processors; on a device it is done by `minisam.ops.im2col`.
"""

import math
from collections.abc import Iterator

import numpy as np

from minisam.arrays import Array, Random, on_host, strided
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import Domain, Params, Primitive, bilinear
from minisam.ops import im2col, winograd
from minisam.ops.pooling import Ints, Window, fit
from minisam.threads import in_parts

BLOCK = 2**20
"""Bytes of patches that are gathered at a time: about a core's cache, so that the product is formed
while they are there. 64 images of 32×32 with 32 channels to 64, 3×3: 32 ms in blocks, 48 ms at once
(one core)."""


def _split(x: Array, groups: int) -> Array:
    """View an (N, C, H, W) array as (groups, N, H, W, C / groups)."""
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 0, 3, 4, 2)


def _rows(g: Array, groups: int) -> Array:
    """Give each place of each image a row: (groups, N·H·W, C / groups)."""
    n, c, h, w = g.shape
    return g.transpose(0, 2, 3, 1).reshape(n * h * w, groups, c // groups).transpose(1, 0, 2)


def _matrices(k: Array, groups: int) -> Array:
    """Make a kernel one matrix for each group: (groups, pixels · inputs, outputs)."""
    out, inputs, h, w = k.shape
    k = k.reshape(groups, out // groups, inputs, h, w).transpose(0, 3, 4, 2, 1)
    return k.reshape(groups, h * w * inputs, out // groups)


def _patches(x: Array, window: Window, groups: int) -> Array:
    """View what each place of the window sees: (groups, N, steps, steps, kh, kw·C / groups)."""
    x = _split(x, groups)
    (h, w), (ph, pw) = window.image, window.padding
    if ph or pw:
        shape = (*x.shape[:2], h + 2 * ph, w + 2 * pw, x.shape[4])
        framed = np.zeros_like(x, shape=shape, order="C")
        framed[:, :, ph : ph + h, pw : pw + w] = x
        x = framed
    elif not x.flags.c_contiguous:
        x = x.copy()
    g, n, h, w, c = x.shape
    (kh, kw), (sh, sw) = window.size, window.stride
    # Not x.strides: those of an axis of length 1 are arbitrary, also in a contiguous array.
    steps = (n * h * w * c, h * w * c, sh * w * c, sw * c, w * c, 1)
    return strided(x, (g, n, *window.steps, kh, kw * c), steps)


def _blocks(patches: Array) -> Iterator[tuple[slice, slice, Array]]:
    """Gather patches as matrices, some lines of an image at a time, or images, or groups.

    Yields the block's groups and rows (as of `_rows`), and (groups, rows, pixels · inputs).
    """
    groups, images, lines, columns, kh, kwc = patches.shape
    many = max(1, BLOCK // max(1, columns * kh * kwc * patches.itemsize))
    some_lines = -(-lines // -(-lines // many))  # equal parts
    some_images = max(1, min(images, many // lines))
    some_groups = max(1, min(groups, many // max(1, lines * images)))
    for g in range(0, groups, some_groups):
        for n in range(0, images, some_images):
            for line in range(0, lines, some_lines):
                block = patches[g : g + some_groups, n : n + some_images, line : line + some_lines]
                first = (n * lines + line) * columns
                count = block.shape[1] * block.shape[2] * columns
                if kwc < 12:
                    # A first layer: along lines of the image, not in runs of so few numbers, the
                    # copy takes 0.2 to 0.6 of the time, and all of it 0.5 (1 channel), 0.9 (3).
                    rows = block.transpose(0, 4, 5, 1, 2, 3).reshape(len(block), kh * kwc, count)
                    matrix = rows.transpose(0, 2, 1)
                else:
                    matrix = block.reshape(len(block), count, kh * kwc)  # the copy; none for 1×1
                yield slice(g, g + some_groups), slice(first, first + count), matrix


def _conv(x: Array, k: Array, window: Window, groups: int) -> Array:
    if not on_host(x):
        return im2col.conv(x, k, window, groups)
    weights = winograd.weights(k) if winograd.suits(window, groups, x, k, len(k)) else None
    shape, dtype = (len(x), *window.steps, len(k)), np.result_type(x.dtype, k.dtype)
    y = np.empty_like(x, shape=shape, dtype=dtype, order="C")

    def some(part: slice) -> None:
        if weights is not None:
            winograd.conv(x[part], weights, window, y[part])
        else:
            _conv_by_patches(x[part], k, window, groups, y[part])

    in_parts(some, len(x), len(x) * math.prod(window.steps) * k.size)
    return y.transpose(0, 3, 1, 2)


def _conv_by_patches(x: Array, k: Array, window: Window, groups: int, y: Array) -> None:
    places, out = math.prod(y.shape[:3]), len(k) // groups
    y, matrices = y.reshape(places, groups, out), _matrices(k, groups)
    for some, at, patches in _blocks(_patches(x, window, groups)):
        np.matmul(patches, matrices[some], out=y[at, some].transpose(1, 0, 2))


def _conv_kernel(x: Array, g: Array, window: Window, groups: int) -> Array:
    if not on_host(x):
        return im2col.conv_kernel(x, g, window, groups)
    fast = winograd.suits(window, groups, x, g, g.shape[1])

    def some(part: slice) -> Array:
        if fast:
            return winograd.points(x[part], g[part], window)
        return _conv_kernel_by_patches(x[part], g[part], window, groups)

    inputs = x.shape[1] // groups * math.prod(window.size)
    first, *others = in_parts(some, len(x), g.size * inputs)
    total = sum(others, start=first)
    return winograd.kernel(total) if fast else total


def _conv_kernel_by_patches(x: Array, g: Array, window: Window, groups: int) -> Array:
    (kh, kw), c, out = window.size, x.shape[1] // groups, g.shape[1] // groups
    shape, dtype = (groups, kh * kw * c, out), np.result_type(x.dtype, g.dtype)
    k, rows = np.zeros_like(x, shape=shape, dtype=dtype, order="C"), _rows(g, groups)
    for some, at, patches in _blocks(_patches(x, window, groups)):
        k[some] += np.matmul(patches.transpose(0, 2, 1), rows[some, at])
    k = k.reshape(groups, kh, kw, c, out).transpose(0, 4, 3, 1, 2)
    return k.reshape(groups * out, c, kh, kw)


def _conv_input(g: Array, k: Array, window: Window, groups: int) -> Array:
    (kh, kw), (ph, pw) = window.size, window.padding
    if window.stride != (1, 1) or ph >= kh or pw >= kw:
        by_taps = _conv_input_by_taps if on_host(g) else im2col.conv_input
        return by_taps(g, k, window, groups)
    out, c = len(k) // groups, k.shape[1]
    fast = winograd.suits(window, groups, g, k, c) and winograd.suits_input(window, c, out)
    if fast and on_host(g):
        return _conv_input_by_tiles(g, k, window)
    # Again a convolution, with the kernel turned by 180° and its channels exchanged: 0.4 to 0.9 of
    # the time of shifted products (2.9 to an image of one channel, which is seldom asked for).
    k = k[:, :, ::-1, ::-1].reshape(groups, out, c, kh, kw).transpose(0, 2, 1, 3, 4)
    turned = Window(window.steps, (kh, kw), (1, 1), (kh - 1 - ph, kw - 1 - pw))
    return _conv(g, k.reshape(groups * c, out, kh, kw), turned, groups)


def _conv_input_by_tiles(g: Array, k: Array, window: Window) -> Array:
    weights = winograd.turned(winograd.weights(k))
    x = np.empty_like(g, shape=(len(g), *window.image, k.shape[1]), order="C")

    def some(part: slice) -> None:
        winograd.conv_input(g[part], weights, window, x[part])

    in_parts(some, len(g), g.size * k[0].size)
    return x.transpose(0, 3, 1, 2)


def _conv_input_by_taps(g: Array, k: Array, window: Window, groups: int) -> Array:
    """Form one product for each pixel of the kernel and add it to the pixels that it saw."""
    c, (oh, ow) = k.shape[1], window.steps
    shape, dtype = (len(g), *window.image, groups * c), np.result_type(g.dtype, k.dtype)
    x = np.zeros_like(g, shape=shape, dtype=dtype, order="C").transpose(0, 3, 1, 2)
    image, rows = _split(x, groups), _rows(g, groups)
    taps = list(window.taps())
    matrices = _matrices(k, groups).reshape(groups, len(taps), c, len(k) // groups)
    many = max(1, BLOCK // max(1, x[:1].nbytes))

    def some(part: slice) -> None:
        for i in range(part.start, part.stop, many):
            end = min(i + many, part.stop)
            block, those = rows[:, i * oh * ow : end * oh * ow], image[:, i:end]
            for (at, seen), matrix in zip(taps, matrices.transpose(1, 0, 3, 2), strict=True):
                product = np.matmul(block, matrix).reshape(*those.shape[:2], oh, ow, c)
                those[:, :, *seen] += product[:, :, *at]

    in_parts(some, len(g), len(g) * oh * ow * k.size)
    return x


def _domain(which: str) -> Domain:
    """Two of image (x), kernel (k) and output (g), in every kind of geometry."""
    geometries = (
        # images, channels in and out, groups, the window
        (2, 3, 2, 1, Window((5, 4), (3, 2), (1, 1), (1, 0))),
        (1, 2, 4, 2, Window((6, 5), (3, 3), (2, 3), (1, 2))),
        (2, 2, 3, 1, Window((4, 3), (1, 1), (2, 1), (0, 0))),
        (1, 3, 3, 3, Window((3, 4), (3, 4), (1, 1), (0, 0))),
        (2, 1, 2, 1, Window((3, 3), (2, 2), (1, 1), (3, 2))),
        (0, 2, 2, 1, Window((3, 3), (2, 2), (1, 1), (1, 1))),
    )

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for n, c, out, groups, window in geometries:
            x, k = (n, c, *window.image), (out, c // groups, *window.size)
            shapes = {"x": x, "k": k, "g": (n, out, *window.steps)}
            arrays = tuple(rng.normal(size=shapes[name]) for name in which)
            yield arrays, {"window": window, "groups": groups}

    return domain


conv: Primitive = bilinear(
    "conv",
    _conv,
    lambda ct, x, k, **geometry: conv_input(ct, k, **geometry),
    lambda ct, x, k, **geometry: conv_kernel(x, ct, **geometry),
    domain=_domain("xk"),
    doc="Cross-correlation of images with kernels.",
)
conv_input: Primitive = bilinear(
    "conv_input",
    _conv_input,
    lambda ct, g, k, **geometry: conv(ct, k, **geometry),
    lambda ct, g, k, **geometry: conv_kernel(ct, g, **geometry),
    domain=_domain("gk"),
    doc="What an output's cotangent g means for the image: the transposed convolution.",
)
conv_kernel: Primitive = bilinear(
    "conv_kernel",
    _conv_kernel,
    lambda ct, x, g, **geometry: conv_input(g, ct, **geometry),
    lambda ct, x, g, **geometry: conv(x, ct, **geometry),
    domain=_domain("xg"),
    doc="What an output's cotangent g means for the kernel: images correlated with cotangents.",
)


def conv2d(x: Array, kernel: Array, stride: Ints = 1, padding: Ints = 0, groups: int = 1) -> Array:
    """Cross-correlate images with kernels, as a convolutional layer does.

    ``y[n, o, i, j] = Σ_{c, a, b} x[n, c, i·s + a - p, j·s + b - p] · kernel[o, c, a, b]``, where
    x is zero outside of the image.

    Parameters
    ----------
    x : array, (N, C, H, W)
        Images.
    kernel : array, (O, C / groups, kh, kw)
        One kernel for each output channel.
    stride : int or (int, int)
        Step s of the window, down and across.
    padding : int or (int, int)
        Rows and columns p of zeros around the image, on both sides.
    groups : int
        Split the channels, in and out, into so many groups that do not see each other.

    Returns
    -------
    array, (N, O, (H + 2p - kh) // s + 1, (W + 2p - kw) // s + 1)
        The output, channels last in memory.

    Raises
    ------
    ShapeError
        The shapes do not fit.

    Notes
    -----
    3×3 kernels from 16 channels to 16 or more, unless there are few outputs, go by Winograd's
    algorithm, on tiles of 4×4 of them: where a pixel is NaN or infinite, all outputs of its tiles
    are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(x, np.array([[[[-1.0, 1.0]]]]))[0, 0]
    array([[1., 1.],
           [1., 1.],
           [1., 1.]])
    >>> conv2d(x, np.ones((1, 1, 3, 3)), stride=2, padding=1)[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    ours, its = np.shape(x), np.shape(kernel)
    if len(its) != 4:
        raise ShapeError(
            f"conv2d: a kernel of shape {its}; expected (O, C / groups, kh, kw). Did you mean "
            "k[None, None]?"
        )
    window = fit("conv2d", ours, its[2:], stride, padding)
    if groups < 1 or ours[1] % groups or its[0] % groups:
        raise ShapeError(
            f"conv2d: groups={groups} does not divide the {ours[1]} channels of images {ours} and "
            f"the {its[0]} outputs of the kernel {its}. Use a common divisor of both."
        )
    if ours[1] != its[1] * groups:
        hint = f"Use a kernel of shape {(its[0], ours[1] // groups, *its[2:])}."
        if ours[3] == its[1] * groups:
            hint = "Channels come second: x.transpose(0, 3, 1, 2)."
        raise ShapeError(
            f"conv2d: images {ours} have {ours[1]} channels, but the kernel {its} with "
            f"groups={groups} reads {its[1] * groups}. {hint}"
        )
    return conv(x, kernel, window=window, groups=groups)
