"""Pooling: against gathered windows and PyTorch; ties, padding, orders of derivative and errors."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.ops import pooling, tiles
from minisam.ops.pooling import Window, avg_pool2d, global_avg_pool2d, max_pool2d


def gathered(x, size, stride, padding, border):
    """Every window, (N, C, steps, steps, kh, kw), from a padded copy: the simple version."""
    frame = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    x = np.pad(x, frame, constant_values=border)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]]


@st.composite
def problems(draw, half=False):
    """Images, often with ties, and keywords for a pool, of every geometry that fits."""
    size, stride = ((draw(st.integers(1, 4)), draw(st.integers(1, 4))) for _ in range(2))
    padding = tuple(draw(st.integers(0, k // 2 if half else k - 1)) for k in size)
    if draw(st.booleans()):  # as most often
        stride, padding = size, (0, 0)
    least = (max(1, k - 2 * p) for k, p in zip(size, padding, strict=True))
    image = tuple(draw(st.integers(n, 7)) for n in least)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(-3, 1, size=(draw(st.integers(0, 2)), draw(st.integers(1, 3)), *image))
    x = x.round(draw(st.sampled_from((0, 8))))
    if draw(st.booleans()):  # channels last
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return x, {"size": size, "stride": stride, "padding": padding}


@settings(deadline=None, max_examples=150)
@given(problems())
def test_the_simple_version(problem):
    x, how = problem
    expected = gathered(x, **how, border=-np.inf).max(axis=(4, 5))
    np.testing.assert_array_equal(max_pool2d(x, **how), expected)
    expected = gathered(x, **how, border=0).mean(axis=(4, 5))
    np.testing.assert_allclose(avg_pool2d(x, **how), expected, rtol=0, atol=1e-14)


@settings(deadline=None, max_examples=150)
@given(problems(), st.integers(0, 2**32 - 1))
def test_gradients_of_the_simple_version(problem, seed):
    """The cotangent of a maximum in equal shares to its ties; of an average, to everything."""
    x, how = problem
    y, max_pullback = ms.vjp(lambda x: max_pool2d(x, **how), x)
    g = np.random.default_rng(seed).normal(size=y.shape)
    by_max, by_mean = np.zeros((2, *x.shape))
    windows = gathered(x, **how, border=-np.inf)
    pixel = np.arange(x.size).reshape(x.shape)
    origin = gathered(pixel, **how, border=-1)
    for at in np.ndindex(y.shape):
        inside = origin[at] >= 0
        here = origin[at][inside]
        best = windows[at][inside] == y[at]
        by_max.ravel()[here] += g[at] * best / best.sum()
        by_mean.ravel()[here] += g[at] / windows[at].size
    np.testing.assert_allclose(max_pullback(g), by_max, rtol=0, atol=1e-13)
    _, mean_pullback = ms.vjp(lambda x: avg_pool2d(x, **how), x)
    np.testing.assert_allclose(mean_pullback(g), by_mean, rtol=0, atol=1e-13)


@settings(deadline=None, max_examples=60)
@given(problems(half=True), st.integers(0, 2**32 - 1))
def test_torch(problem, seed):
    """PyTorch gives a tie to one pixel, and pads by at most half a window: neither happens here."""
    torch = pytest.importorskip("torch", reason="the reference; not a dependency")
    x, how = problem
    x = x + np.linspace(0, 1e-3, x.size).reshape(x.shape)
    for ours, name in ((max_pool2d, "max_pool2d"), (avg_pool2d, "avg_pool2d")):
        y, pullback = ms.vjp(lambda x, pool=ours: pool(x, **how), x)
        if not y.size:
            continue
        g = np.random.default_rng(seed).normal(size=y.shape)
        tx = torch.tensor(x, requires_grad=True)
        pool = getattr(torch.nn.functional, name)
        ty = pool(tx, how["size"], how["stride"], how["padding"])
        expected = ty.detach(), torch.autograd.grad(ty, tx, torch.tensor(g))[0]
        for a, b in zip((y, pullback(g)), expected, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-13)


def test_stride_is_the_size_by_default():
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    for pool in (max_pool2d, avg_pool2d):
        assert pool(x, (2, 3)).shape == (2, 3, 3, 2)
        np.testing.assert_array_equal(pool(x, 2), pool(x, (2, 2), (2, 2), (0, 0)))


def test_padding_is_never_the_maximum():
    x = -1 - np.random.default_rng(1).random((2, 2, 4, 4))
    y, pullback = ms.vjp(lambda x: max_pool2d(x, 3, 2, 1), x)
    assert np.all(y <= -1)
    assert pullback(np.ones_like(y)).sum() == y.size


def test_all_minus_infinity_shares_only_among_pixels():
    x = np.full((1, 1, 2, 2), -np.inf)
    y, pullback = ms.vjp(lambda x: max_pool2d(x, 3, 3, 1), x)
    assert y.item() == -np.inf
    np.testing.assert_array_equal(pullback(np.ones_like(y)), np.full_like(x, 0.25))


def test_integers_pool_too():
    x = np.arange(-16, 0).reshape(1, 1, 4, 4)
    y = max_pool2d(x, 2, 2, 1)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y[0, 0], [[-16, -14, -13], [-8, -6, -5], [-4, -2, -1]])


@pytest.mark.parametrize("padding", [0, 1])
def test_a_mask_pools_too(padding):
    x = np.arange(16).reshape(1, 1, 4, 4) % 5 == 0
    found = max_pool2d(x, 2, padding=padding)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, max_pool2d(x.astype(int), 2, padding=padding) == 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
@pytest.mark.parametrize("how", [(2,), (2, 2, 1), (3, 1)])
def test_averages_of_whole_numbers_are_those_of_numpy(how, dtype):
    """The sums of a window do not fit into a byte, and even less into a bit."""
    x = np.random.default_rng(9).integers(100, 228, size=(2, 4, 5, 3)).astype(dtype)
    x[0] = 200 if dtype == np.uint8 else 1
    for each in (x.transpose(0, 3, 1, 2), x.transpose(0, 3, 1, 2).copy()):
        found = avg_pool2d(each, *how)
        assert found.dtype == np.mean(each).dtype == np.float64
        np.testing.assert_array_equal(found, avg_pool2d(each.astype(float), *how))
    assert avg_pool2d(x[:1].transpose(0, 3, 1, 2), 2)[0, 0, 0, 0] == x[0, 0, 0, 0]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("size", [2, 15, 16, 17])
def test_all_pixels_tie(size, last):
    """Also more ties than a byte can count."""
    x = np.zeros((1, size, size, 2)).transpose(0, 3, 1, 2) if last else np.zeros((1, 2, size, size))
    gradient = ms.grad(lambda x: np.sum(max_pool2d(x, size)))(x)
    np.testing.assert_allclose(gradient, 1 / size**2, rtol=1e-15)


def test_a_nan_stays_in_its_windows():
    x = np.arange(32.0).reshape(1, 2, 4, 4)
    x[0, 0, 0, 0] = np.nan
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for each in (x, last):
        y, pullback = ms.vjp(lambda x: max_pool2d(x, 2), each)
        np.testing.assert_array_equal(np.isnan(y[0, 0]), [[True, False], [False, False]])
        gradient = pullback(np.ones_like(y))
        np.testing.assert_array_equal(gradient[0, :, 1::2, 1::2], [[[0, 1], [1, 1]], [[1, 1]] * 2])
        assert gradient.sum() == 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3), (2, 1)])
@pytest.mark.parametrize("few", [1, 3, 7])
def test_tiles_are_the_strided_views(size, dtype, few, monkeypatch):
    """A few images at a time, the last time fewer; and any order of what comes back."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(7, 7, 6, 5)).round(0).astype(dtype).transpose(0, 3, 1, 2)
    monkeypatch.setattr(tiles, "CACHE", few * x[0].nbytes + 1)
    window = Window((7, 6), size, size)
    found = pooling.window_max(x, window=window)
    ties = pooling._share_of_ties(found, x, window)
    assert type(ties) is tiles.Ties
    g = rng.normal(size=found.shape).astype(dtype)
    last = np.ascontiguousarray(g.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    mine = [found, *(pooling._sum(a, window, c) for a in (x, x.copy()) for c in (None, ties))]
    mine += [pooling._spread(a, window, c) for a in (g, last) for c in (None, ties)]
    monkeypatch.setattr(tiles, "suits", lambda x: False)
    ties = pooling._share_of_ties(found, x, window)
    assert type(ties) is tuple
    simple = [pooling._max(x, window)]
    simple += [pooling._sum(a, window, c) for a in (x, x.copy()) for c in (None, ties)]
    simple += [pooling._spread(a, window, c) for a in (g, last) for c in (None, ties)]
    for a, b in zip(mine, simple, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    "op", [pooling.window_sum, pooling.window_spread, pooling.window_max], ids=lambda op: op.name
)
def test_derivatives_over_the_domain(op):
    for args, params in op.domain(np.random.default_rng(2)):
        ms.check_grads(lambda a, p=params: op(a, **p), args, order=3 if args[0].size < 30 else 2)
        single = (args[0].astype(np.float32),)
        ms.check_grads(lambda a, p=params: op(a, **p), single, order=1)


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
@pytest.mark.parametrize("how", [(2,), (3, 2, 1), (2, 3), ((2, 3), (1, 2), (1, 0))])
def test_derivatives_of_a_loss(pool, how):
    """With a curved function before and after the pool, so that higher orders are not zero."""
    x = np.random.default_rng(3).normal(size=(1, 2, 5, 5))
    ms.check_grads(lambda x: np.sum(pool(np.sin(x) * x, *how) ** 3), (x,), order=3)


def test_window_spread_is_the_transpose_of_window_sum():
    rng = np.random.default_rng(4)
    for (x,), params in pooling.window_sum.domain(rng):
        y = pooling.window_sum(x, **params)
        g = rng.normal(size=y.shape)
        terms = y * g, x * pooling.window_spread(g, **params)
        limit = 1e-12 * sum(np.abs(t).sum() for t in terms)
        assert abs(terms[0].sum() - terms[1].sum()) <= limit


def test_the_gather_of_the_choice_is_the_maximum():
    rng = np.random.default_rng(5)
    for (x,), params in pooling.window_max.domain(rng):
        y = pooling.window_max(x, **params)
        chosen = pooling._share_of_ties(y, x, **params)
        np.testing.assert_allclose(pooling.window_sum(x, chosen=chosen, **params), y, atol=1e-15)


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_memory_order_is_kept_and_arguments_are_not_written_into(pool):
    x = np.random.default_rng(6).normal(size=(2, 3, 6, 4)).astype(np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    wide = np.full((4, 6, 12, 8), np.nan, np.float32)
    wide[::2, ::2, ::2, ::2] = x
    for how in ((2,), (3, 2, 1)):
        expected = pool(x, *how)
        for other in (x, last, wide[::2, ::2, ::2, ::2]):
            other.flags.writeable = False
            y, pullback = ms.vjp(lambda x, h=how: pool(x, *h), other)
            g = np.ones_like(y)
            g.flags.writeable = False
            gradient = pullback(g)
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 if pool is avg_pool2d else 0)
            assert y.dtype == gradient.dtype == np.float32
        y, pullback = ms.vjp(lambda x, h=how: pool(x, *h), last)
        for array in (y, pullback(y)):
            assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_global_average():
    x = np.random.default_rng(7).normal(size=(3, 2, 4, 5))
    np.testing.assert_allclose(global_avg_pool2d(x), x.mean(axis=(2, 3)), rtol=1e-15)
    ms.check_grads(lambda x: global_avg_pool2d(x) ** 2, (x[:1],), order=2)
    with pytest.raises(ms.ShapeError, match=r"^global_avg_pool2d: images of shape \(4, 5\)"):
        global_avg_pool2d(x[0, 0])


@pytest.mark.parametrize("image", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_taps_say_who_sees_what(image, size, stride, padding):
    if image + 2 * padding < size:
        return
    window = Window((image, image), (size, 1), (stride, 1), (padding, 0))
    seen = np.zeros((window.steps[0], size), int)
    for i, ((at, _), (rows, _)) in enumerate(window.taps()):
        places, pixels = np.arange(window.steps[0])[at], np.arange(image)[rows]
        assert (rows.start, at.start) >= (0, 0)
        np.testing.assert_array_equal(pixels, places * stride + i - padding)
        seen[places, i] = 1
    where = np.arange(window.steps[0])[:, None] * stride + np.arange(size) - padding
    np.testing.assert_array_equal(seen, (where >= 0) & (where < image))


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
@pytest.mark.parametrize(
    ("shape", "how", "kind", "message"),
    [
        (
            (3, 4, 4),
            (2,),
            ms.ShapeError,
            "images of shape (3, 4, 4); expected (N, C, H, W). Did you mean x[None]?",
        ),
        (
            (1, 1, 4, 2),
            (3,),
            ms.ShapeError,
            "a window of (3, 3) does not fit into images (1, 1, 4, 2) with padding (0, 0). "
            "Use a smaller window or more padding.",
        ),
        ((1, 1, 4, 4), (0,), ValueError, "size must be at least 1, got 0."),
        ((1, 1, 4, 4), (2, 0), ValueError, "stride must be at least 1, got 0."),
        ((1, 1, 4, 4), (2, 2, -1), ValueError, "padding must be at least 0, got -1."),
        ((1, 1, 4, 4), ("2",), TypeError, "size must be an int or a pair of them, got '2'."),
    ],
)
def test_errors(pool, shape, how, kind, message):
    with pytest.raises(kind) as error:
        pool(np.ones(shape), *how)
    assert str(error.value) == f"{pool.__name__}: {message}"


def test_a_maximum_over_padding_alone_is_an_error():
    with pytest.raises(ValueError) as error:
        max_pool2d(np.ones((1, 1, 4, 4)), 2, 2, (0, 2))
    assert str(error.value) == (
        "max_pool2d: with padding (0, 2) some windows of (2, 2) see no pixel. Use less padding."
    )
    assert avg_pool2d(np.ones((1, 1, 4, 4)), 2, 2, (0, 2))[0, 0, 0, 0] == 0


def test_windows_side_by_side_go_by_lines_if_channels_are_last():
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).transpose(0, 3, 1, 2)
    calls = []
    with (
        mock.patch.object(tiles, "joined", wraps=tiles.joined) as joined,
        mock.patch.object(tiles, "find_ties", wraps=tiles.find_ties) as find_ties,
        mock.patch.object(tiles, "spread", wraps=tiles.spread) as spread,
    ):
        for images, how in ((np.ascontiguousarray(x), {}), (x, {"stride": 1}), (x, {})):
            y, pullback = ms.vjp(lambda x, how=how: max_pool2d(x, 2, **how), images)
            pullback(y)
            calls.append((joined.call_count, find_ties.call_count, spread.call_count))
    assert calls == [(0, 0, 0), (0, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_windows_that_reach_over_the_border_are_not_tiles(pool):
    x = np.random.default_rng(10).normal(size=(2, 4, 4, 3)).transpose(0, 3, 1, 2)
    (y, pullback), (expected, other) = (
        ms.vjp(lambda x: pool(x, 2, 2, 1), each) for each in (x, np.ascontiguousarray(x))
    )
    np.testing.assert_allclose(y, expected, rtol=1e-14)
    g = np.arange(54.0).reshape(2, 3, 3, 3)
    np.testing.assert_allclose(pullback(g), other(g), rtol=1e-14)


def test_windows_of_one_column_repeat_nothing():
    y = np.ones((2, 3, 4, 5))
    assert np.shares_memory(tiles._repeated(y, 1), y)
