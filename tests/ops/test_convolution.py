"""Convolution: against seven loops, scipy and PyTorch; its adjoints, orders, memory and errors."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.ops import convolution
from minisam.ops.convolution import conv, conv2d, conv_input, conv_kernel
from minisam.ops.pooling import Window

TRILINEAR = (conv, conv_input, conv_kernel)


def seven_loops(x, k, stride, padding, groups):
    """The definition."""
    n_images, _, h, w = x.shape
    n_out, c_group, kh, kw = k.shape
    (sh, sw), (ph, pw) = stride, padding
    y = np.zeros((n_images, n_out, (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1))
    for n in range(n_images):
        for o in range(n_out):
            first = o // (n_out // groups) * c_group
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    for a in range(c_group):
                        for b in range(kh):
                            for d in range(kw):
                                row, column = i * sh + b - ph, j * sw + d - pw
                                if 0 <= row < h and 0 <= column < w:
                                    y[n, o, i, j] += x[n, first + a, row, column] * k[o, a, b, d]
    return y


@st.composite
def problems(draw, least_images=0):
    """Images, a kernel and keywords for conv2d, of every geometry that fits."""
    groups = draw(st.integers(1, 3))
    out, channels = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size, stride, padding = ((draw(st.integers(a, 3)), draw(st.integers(a, 3))) for a in (1, 1, 0))
    height, width = (
        draw(st.integers(max(1, k - 2 * p), 6)) for k, p in zip(size, padding, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(least_images, 3))
    x = rng.normal(size=(n, channels * groups, height, width))
    k = rng.normal(size=(out, channels, *size))
    return x, k, {"stride": stride, "padding": padding, "groups": groups}


def geometry(x, k, stride, padding, groups):
    window = Window(x.shape[2:], k.shape[2:], stride, padding)
    return {"window": window, "groups": groups}


BLOCKS = st.sampled_from((1, 200, 1000, convolution.BLOCK))


@settings(deadline=None, max_examples=150)
@given(problems(), BLOCKS)
def test_the_definition(problem, block):
    x, k, how = problem
    with mock.patch.object(convolution, "BLOCK", block):
        y = conv2d(x, k, **how)
    np.testing.assert_allclose(y, seven_loops(x, k, **how), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("mode", "padding"), [("valid", (0, 0)), ("full", (2, 3))])
def test_scipy(mode, padding):
    signal = pytest.importorskip("scipy.signal", reason="the reference")
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(7, 9)), rng.normal(size=(3, 4))
    y = conv2d(x[None, None], k[None, None], padding=padding)[0, 0]
    np.testing.assert_allclose(y, signal.correlate2d(x, k, mode), rtol=0, atol=1e-13)


@settings(deadline=None, max_examples=150)
@given(problems(), BLOCKS, st.integers(0, 2**32 - 1))
def test_one_trilinear_form(problem, block, seed):
    x, k, how = problem
    how = geometry(x, k, **how)
    with mock.patch.object(convolution, "BLOCK", block):
        y = conv(x, k, **how)
        g = np.random.default_rng(seed).normal(size=y.shape)
        terms = g * y, x * conv_input(g, k, **how), k * conv_kernel(x, g, **how)
    limit = 1e-12 * sum(np.abs(t).sum() for t in terms)
    for t in terms[1:]:
        assert abs(terms[0].sum() - t.sum()) <= limit


@settings(deadline=None, max_examples=100)
@given(problems(), st.integers(0, 2**32 - 1))
def test_shifted_products_are_the_reference_of_the_turned_kernel(problem, seed):
    x, k, how = problem
    how = geometry(x, k, **how)
    shape = (len(x), len(k), *how["window"].steps)
    g = np.random.default_rng(seed).normal(size=shape)
    by_taps = convolution._conv_input_by_taps(g, k, **how)
    np.testing.assert_allclose(conv_input(g, k, **how), by_taps, rtol=0, atol=1e-12)


def test_both_ways_to_the_input_gradient_are_taken():
    k = np.ones((1, 1, 2, 2))
    for window, calls in (
        (Window((3, 3), (2, 2)), 0),
        (Window((3, 3), (2, 2), (1, 1), (2, 0)), 1),
        (Window((4, 4), (2, 2), (2, 2)), 1),
    ):
        way = convolution._conv_input_by_taps
        with mock.patch.object(convolution, "_conv_input_by_taps", wraps=way) as taps:
            conv_input(np.ones((1, 1, *window.steps)), k, window=window, groups=1)
        assert taps.call_count == calls


@settings(deadline=None, max_examples=12)
@given(problems(least_images=1))
def test_derivatives_of_conv2d(problem):
    x, k, how = problem
    ms.check_grads(lambda x, k: conv2d(x, k, **how), (x[:1], k), order=2, analytic=True)


@pytest.mark.parametrize("op", TRILINEAR, ids=lambda op: op.name)
def test_derivatives_over_the_domain(op):
    for args, params in op.domain(np.random.default_rng(1)):
        ms.check_grads(lambda *a, p=params: op(*a, **p), args, order=3 if args[0].size < 40 else 2)
        single = tuple(a.astype(np.float32) for a in args)
        ms.check_grads(lambda *a, p=params: op(*a, **p), single, order=1)


def test_hessian_and_third_order_of_a_loss():
    """Σ conv(x, k)³ as a function of both together."""
    rng = np.random.default_rng(2)
    k = rng.normal(size=(2, 1, 2, 2))

    def loss(w):
        y = conv2d(np.reshape(w[:9], (1, 1, 3, 3)), np.reshape(w[9:], (2, 1, 2, 2)), padding=1)
        return np.sum(y * y * y)

    w = np.concatenate([rng.normal(size=9), k.ravel()])
    ms.check_grads(loss, (w,), order=3, analytic=True)


@settings(deadline=None, max_examples=60)
@given(problems(least_images=1), st.integers(0, 2**32 - 1))
def test_torch(problem, seed):
    torch = pytest.importorskip("torch", reason="the reference; not a dependency")
    x, k, how = problem
    y, pullback = ms.vjp(lambda x, k: conv2d(x, k, **how), x, k)
    g = np.random.default_rng(seed).normal(size=y.shape)
    tx, tk = (torch.tensor(a, requires_grad=True) for a in (x, k))
    ty = torch.nn.functional.conv2d(tx, tk, **how)
    expected = (ty.detach(), *torch.autograd.grad(ty, (tx, tk), torch.tensor(g)))
    for ours, theirs in zip((y, *pullback(g)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-12)


def test_per_example_gradients_as_groups():
    rng = np.random.default_rng(3)
    x, k = rng.normal(size=(40, 2, 5, 5)), rng.normal(size=(3, 2, 3, 3))
    g = rng.normal(size=(40, 3, 5, 5))
    window = Window((5, 5), (3, 3), (1, 1), (1, 1))
    one_image = x.reshape(1, 80, 5, 5), g.reshape(1, 120, 5, 5)
    together = conv_kernel(*one_image, window=window, groups=40).reshape(40, 3, 2, 3, 3)
    for i in range(40):
        alone = conv_kernel(x[i : i + 1], g[i : i + 1], window=window, groups=1)
        np.testing.assert_allclose(together[i], alone, rtol=0, atol=1e-12)
    y = conv2d(one_image[0], np.tile(k, (40, 1, 1, 1)), padding=1, groups=40)
    np.testing.assert_allclose(y.reshape(40, 3, 5, 5), conv2d(x, k, padding=1), rtol=0, atol=1e-12)


def test_blocks_cover_every_patch_once_and_stay_small():
    rng = np.random.default_rng(4)
    for groups, n in ((1, 5), (4, 2), (6, 1)):
        x = rng.normal(size=(n, 2 * groups, 9, 7))
        patches = convolution._patches(x, Window((9, 7), (3, 2), (2, 1), (1, 1)), groups)
        whole = patches.reshape(groups, -1, 3 * 2 * 2)
        line = patches[0, 0, 0].size * 8
        for block in (1, line, 3 * line, 7 * line, 10 * line, 25 * line, 10**6):
            again = np.full_like(whole, np.nan)
            with mock.patch.object(convolution, "BLOCK", block):
                for some, at, matrices in convolution._blocks(patches):
                    assert matrices.nbytes <= max(block, line)
                    assert np.isnan(again[some, at]).all()
                    again[some, at] = matrices
            np.testing.assert_array_equal(again, whole)


def test_arguments_of_any_memory_order_and_not_written_into():
    rng = np.random.default_rng(5)
    x, k = rng.normal(size=(2, 4, 6, 5)), rng.normal(size=(4, 2, 3, 3))
    expected = conv2d(x, k, padding=1, groups=2)
    wide = np.full((4, 8, 12, 10), np.nan)
    wide[::2, ::2, ::2, ::2] = x
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for other in (wide[::2, ::2, ::2, ::2], np.asfortranarray(x), last, x[::-1].copy()[::-1]):
        before = other.copy()
        for kernel in (k, np.asfortranarray(k), k[..., ::-1].copy()[..., ::-1]):
            y = conv2d(other, kernel, padding=1, groups=2)
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(other, before)
    y, pullback = ms.vjp(lambda x, k: conv2d(x, k, groups=2), x, k)
    frozen = [np.ones_like(y), x, k]
    for a in frozen:
        a.flags.writeable = False
    pullback(frozen[0])


def test_strides_of_axes_of_length_one_are_arbitrary():
    x = np.arange(16.0).reshape(4, 4)
    odd = np.lib.stride_tricks.as_strided(x, (1, 1, 4, 4), (7, 12345678, 32, 8))
    expected = x[:-1, :-1] + x[:-1, 1:] + x[1:, :-1] + x[1:, 1:]
    np.testing.assert_array_equal(conv2d(odd, np.ones((1, 1, 2, 2)))[0, 0], expected)


def test_the_result_is_channels_last_in_memory():
    x, k = np.ones((2, 3, 5, 4), np.float32), np.ones((6, 3, 3, 3), np.float32)
    y, pullback = ms.vjp(lambda x: conv2d(x, k, padding=1), x)
    for array in (y, pullback(y)):
        assert array.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize(
    ("x", "k", "y"),
    [
        ((0, 2, 3, 3), (4, 2, 2, 2), (0, 4, 2, 2)),
        ((2, 0, 3, 3), (4, 0, 2, 2), (2, 4, 2, 2)),
        ((2, 3, 3, 3), (0, 3, 2, 2), (2, 0, 2, 2)),
    ],
)
def test_axes_of_length_zero(x, k, y):
    x, k = np.ones(x), np.ones(k)
    for stride in (1, 2):
        value, pullback = ms.vjp(lambda x, k, s=stride: conv2d(x, k, s), x, k)
        assert not value.any()
        gx, gk = pullback(np.ones_like(value))
        assert gx.shape == x.shape
        assert gk.shape == k.shape
        assert not gx.any()
        assert not gk.any()
    assert conv2d(x, k).shape == y


def test_float32_stays_and_is_not_mixed():
    x, k = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 2, 2), np.float32)
    y, pullback = ms.vjp(conv2d, x, k)
    assert {a.dtype for a in (y, *pullback(y))} == {np.dtype(np.float32)}
    with pytest.raises(TypeError, match="mixes float32 with an array of float64"):
        ms.vjp(lambda x: conv2d(x, k.astype(np.float64)), x)


def test_float32_error_is_rounding():
    rng = np.random.default_rng(6)
    x, k = rng.normal(size=(2, 16, 12, 12)), rng.normal(size=(8, 16, 3, 3))
    y = conv2d(x.astype(np.float32), k.astype(np.float32), padding=1)
    magnitude = conv2d(np.abs(x), np.abs(k), padding=1)
    terms = math.prod(k.shape[1:])
    assert np.all(np.abs(y - conv2d(x, k, padding=1)) <= terms * 2.0**-24 * magnitude)


@pytest.mark.parametrize(
    ("shapes", "how", "message"),
    [
        (
            ((3, 5, 5), (4, 3, 3, 3)),
            {},
            "conv2d: images of shape (3, 5, 5); expected (N, C, H, W). Did you mean x[None]?",
        ),
        (
            ((1, 1, 5, 5), (3, 3)),
            {},
            "conv2d: a kernel of shape (3, 3); expected (O, C / groups, kh, kw). Did you mean "
            "k[None, None]?",
        ),
        (
            ((1, 1, 4, 9), (1, 1, 5, 2)),
            {},
            "conv2d: a window of (5, 2) does not fit into images (1, 1, 4, 9) with padding (0, 0). "
            "Use a smaller window or more padding.",
        ),
        (
            ((1, 3, 5, 5), (4, 2, 3, 3)),
            {},
            "conv2d: images (1, 3, 5, 5) have 3 channels, but the kernel (4, 2, 3, 3) with "
            "groups=1 reads 2. Use a kernel of shape (4, 3, 3, 3).",
        ),
        (
            ((1, 4, 5, 5), (3, 2, 3, 3)),
            {"groups": 2},
            "conv2d: groups=2 does not divide the 4 channels of images (1, 4, 5, 5) and the 3 "
            "outputs of the kernel (3, 2, 3, 3). Use a common divisor of both.",
        ),
        (
            ((1, 3, 5, 5), (2, 3, 3, 3)),
            {"groups": 0},
            "conv2d: groups=0 does not divide the 3 channels of images (1, 3, 5, 5) and the 2 "
            "outputs of the kernel (2, 3, 3, 3). Use a common divisor of both.",
        ),
    ],
)
def test_shape_errors(shapes, how, message):
    x, k = map(np.ones, shapes)
    for call in (lambda: conv2d(x, k, **how), lambda: ms.vjp(lambda x: conv2d(x, k, **how), x)):
        with pytest.raises(ms.ShapeError) as error:
            call()
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ({"stride": 0}, ValueError, "conv2d: stride must be at least 1, got 0."),
        ({"padding": (0, -1)}, ValueError, "conv2d: padding must be at least 0, got (0, -1)."),
        (
            {"stride": 1.5},
            TypeError,
            "conv2d: stride must be an int or a pair of them, got 1.5.",
        ),
        (
            {"padding": (1, 1, 1)},
            TypeError,
            "conv2d: padding must be an int or a pair of them, got (1, 1, 1).",
        ),
    ],
)
def test_parameter_errors(how, kind, message):
    with pytest.raises(kind) as error:
        conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2)), **how)
    assert str(error.value) == message
