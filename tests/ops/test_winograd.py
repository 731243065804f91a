"""Winograd's algorithm against patches, and what it does to the derivatives of a convolution."""

from functools import partial
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.ops import convolution, winograd
from minisam.ops.convolution import conv2d
from minisam.ops.pooling import Window


@st.composite
def problems(draw):
    """Images, a kernel and a cotangent of any shape that the algorithm takes; its window."""
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    h, w = (draw(st.integers(3 - min(2, 2 * p), 11)) for p in padding)
    n, c, out = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    window = Window((h, w), (3, 3), (1, 1), padding)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = (n, c, h, w), (out, c, 3, 3), (n, out, *window.steps)
    return (*(rng.normal(size=shape) for shape in shapes), window)


@settings(deadline=None, max_examples=100)
@given(problems(), st.sampled_from((1, 700, 3000, winograd.BLOCK)))
def test_patches_are_the_reference(problem, block):
    x, k, g, window = problem
    with mock.patch.multiple(winograd, BLOCK=block, LEAST=1):
        y = np.full(g.transpose(0, 2, 3, 1).shape, np.nan)
        winograd.conv(x, winograd.weights(k), window, y)
        gx = np.full(x.transpose(0, 2, 3, 1).shape, np.nan)
        winograd.conv_input(g, winograd.turned(winograd.weights(k)), window, gx)
        gk = winograd.kernel(winograd.points(x, g, window))
    expected = np.full_like(y, np.nan)
    convolution._conv_by_patches(x, k, window, 1, expected)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
    expected = convolution._conv_kernel_by_patches(x, g, window, 1)
    np.testing.assert_allclose(gk, expected, rtol=0, atol=1e-11)
    expected = convolution._conv_input_by_taps(g, k, window, 1).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(gx, expected, rtol=0, atol=1e-12)


def always(monkeypatch):
    """Take it also for few channels, where it does not pay."""

    def suits(window, groups, x, other, out):
        return window.size == (3, 3) and window.stride == (1, 1) and groups == 1

    monkeypatch.setattr(winograd, "suits", suits)


def mixed(rng, op, *args):
    """Give op with all its entries mixed, in and out, and where to check it.

    `check_grads` demands that a derivative which is 0 by structure be 0; after Winograd's
    transforms it is a sum of terms that cancel but for rounding.
    """
    ins = [rng.normal(size=(a.size, a.size)) / a.size for a in args]
    out = rng.normal(size=(3, op(*args).size))

    def f(*vectors):
        their = zip(ins, vectors, args, strict=True)
        return out @ np.reshape(op(*(np.reshape(m @ v, a.shape) for m, v, a in their)), (-1,))

    return f, tuple(rng.normal(size=a.size) for a in args)


@pytest.mark.parametrize(
    ("h", "w", "padding"), [(5, 3, (0, 0)), (4, 6, (1, 0)), (1, 2, (1, 2)), (3, 5, (2, 1))]
)
@pytest.mark.parametrize("which", ["conv", "conv_input", "conv_kernel"])
def test_derivatives_to_third_order(which, h, w, padding, monkeypatch):
    always(monkeypatch)
    rng = np.random.default_rng(0)
    window = Window((h, w), (3, 3), (1, 1), padding)
    x, k, g = np.ones((1, 1, h, w)), np.ones((2, 1, 3, 3)), np.ones((1, 2, *window.steps))
    args = {"conv": (x, k), "conv_input": (g, k), "conv_kernel": (x, g)}[which]
    op = partial(getattr(convolution, which), window=window, groups=1)
    ms.check_grads(*mixed(rng, op, *args), order=3)


def test_it_is_taken_where_it_pays_and_only_there():
    k = np.ones((16, 16, 3, 3), np.float32)
    with (
        mock.patch.object(winograd, "conv", wraps=winograd.conv) as forward,
        mock.patch.object(winograd, "conv_input", wraps=winograd.conv_input) as back,
        mock.patch.object(winograd, "points", wraps=winograd.points) as kernel,
    ):

        def taken(images, size, k, **how):
            """Count what it did in a convolution and its two derivatives."""
            channels = k.shape[1] * how.get("groups", 1)
            x = np.ones((images, channels, size, size), np.float32)
            forward.reset_mock(), back.reset_mock(), kernel.reset_mock()
            y, pullback = ms.vjp(lambda x, k: conv2d(x, k, **how), x, k)
            pullback(y)
            return forward.call_count, back.call_count, kernel.call_count

        # The input's derivative is a convolution with the turned kernel.
        assert taken(64, 8, k, padding=1) == (2, 0, 1)
        assert taken(64, 15, k, padding=1, stride=2) == (0, 0, 0)
        assert taken(64, 8, k[:, :8], padding=1, groups=2) == (0, 0, 0)
        assert taken(64, 8, k, padding=3) == (0, 0, 0)
        # 6×6 outputs: four tiles, of which more than half is wasted.
        assert taken(64, 6, k, padding=1) == (0, 0, 0)
        # 6×6 pixels are four tiles, 4×4 outputs are one.
        assert taken(64, 6, k) == (1, 1, 1)
        assert taken(64, 6, np.ones((8, 16, 3, 3), "f4")) == (0, 0, 0)
        assert taken(64, 6, np.ones((32, 16, 3, 3), "f4")) == (1, 1, 1)
        assert taken(64, 6, np.ones((16, 32, 3, 3), "f4")) == (1, 0, 1)


def test_blocks_fit_into_the_cache_but_are_not_thin():
    def tiles_of_each_block(channels):
        tiles = np.broadcast_to(np.float32(0), (6, 6, 64, 2, 2, channels))
        return {tiles[0, 0, *at].size // channels for at in winograd._blocks(tiles)}

    assert tiles_of_each_block(64) == {56, 32}
    assert tiles_of_each_block(512) == {32}


@pytest.mark.parametrize(("channels", "few", "enough"), [(16, 11, 12), (64, 3, 4), (256, 7, 8)])
def test_it_takes_more_than_a_few_tiles(channels, few, enough):
    """However they are made of images and places: these are of 8×8 outputs, of four tiles."""
    k = np.ones((channels, channels, 3, 3))
    for images, expected in ((0, False), (1, False), (few, False), (enough, True), (64, True)):
        x = np.ones((images, channels, 8, 8))
        assert winograd.suits(Window((8, 8), (3, 3), (1, 1), (1, 1)), 1, x, k, channels) == expected
    one = np.ones((1, channels, 64, 64))
    assert winograd.suits(Window((64, 64), (3, 3), (1, 1), (1, 1)), 1, one, k, channels)


def test_a_turned_kernel_is_in_order():
    """The products of a view give the same, and take longer."""
    weights = np.arange(36 * 2 * 3.0).reshape(36, 2, 3)
    turned = winograd.turned(weights)
    np.testing.assert_array_equal(turned[7], weights[7].T)
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_input_gradient_by_tiles_of_a_whole_batch(threads, dtype):
    rng = np.random.default_rng(3)
    window = Window((6, 10), (3, 3), (1, 1), (0, 0))
    g = rng.normal(size=(100, *window.steps, 32)).astype(dtype).transpose(0, 3, 1, 2)
    k = rng.normal(size=(32, 16, 3, 3)).astype(dtype)
    with (
        ms.threads(threads),
        mock.patch.object(winograd, "conv_input", wraps=winograd.conv_input) as back,
    ):
        found = convolution._conv_input(g, k, window, 1)
    assert back.call_count == threads
    expected = convolution._conv_input_by_taps(g.astype(float), k.astype(float), window, 1)
    atol = 20 * np.finfo(dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    "dtypes",
    [
        *(("int64", "float64"), ("uint8", "float32"), ("int32", "int32"), ("float32", "int32")),
        ("float32", "float64"),
    ],
)
def test_whole_numbers_are_exact(dtypes):
    """By patches, also where float32, which goes by Winograd's algorithm, meets another dtype."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (8, 32, 8, 8)).astype(dtypes[0])
    k = rng.integers(-4, 5, (32, 32, 3, 3)).astype(dtypes[1])
    expected = np.empty((8, 8, 8, 32))
    window = Window((8, 8), (3, 3), (1, 1), (1, 1))
    convolution._conv_by_patches(x.astype(float), k.astype(float), window, 1, expected)
    np.testing.assert_array_equal(conv2d(x, k, padding=1).transpose(0, 2, 3, 1), expected)


def test_float16_is_as_good_as_by_patches():
    rng = np.random.default_rng(1)
    x, k = rng.normal(size=(8, 32, 8, 8)), rng.normal(size=(32, 32, 3, 3)) / 17
    exact = conv2d(x, k, padding=1)
    found = conv2d(x.astype(np.float16), k.astype(np.float16), padding=1)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3 * np.abs(exact).max())


@pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
def test_long_doubles_keep_their_digits(dtype):
    rng = np.random.default_rng(4)
    x, k = (rng.normal(size=shape).astype(dtype) for shape in ((16, 32, 8, 8), (32, 32, 3, 3)))
    window = Window((8, 8), (3, 3), (1, 1), (1, 1))
    expected = np.empty((16, 8, 8, 32), dtype)
    convolution._conv_by_patches(x, k, window, 1, expected)
    np.testing.assert_array_equal(conv2d(x, k, padding=1).transpose(0, 2, 3, 1), expected)


@pytest.mark.parametrize(("size", "padding"), [(8, 1), (13, 1), (10, 0), (13, 0)])
def test_float32(size, padding):
    rng = np.random.default_rng(2)
    x, k = rng.normal(size=(4, 64, size, size)), rng.normal(size=(64, 64, 3, 3))
    y, pullback = ms.vjp(lambda x, k: conv2d(x, k, padding=padding), x, k)
    g = rng.normal(size=y.shape)
    exact = (y, *pullback(g))
    x, k, g = (a.astype(np.float32) for a in (x, k, g))
    y, pullback = ms.vjp(lambda x, k: conv2d(x, k, padding=padding), x, k)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    for found, expected in zip((y, *pullback(g)), exact, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6 * np.abs(expected).max())
