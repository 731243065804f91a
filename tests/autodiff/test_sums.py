"""Channel sums by BLAS against NumPy's, and their place in derivatives."""

from unittest import mock

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff import sums
from minisam.autodiff.sums import by_channel, sum_of_products, sum_over
from minisam.ops.standardize import standardize

SHAPES = [(3, 2, 5, 4), (1, 3, 1, 1), (0, 2, 3, 3), (2, 0, 3, 3)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_numpy_is_the_reference_in_any_layout(shape, dtype, keepdims):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    n, c, h, w = shape
    last = np.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
    last[...] = x
    for axis in ((0, 2, 3), (1, 2, 3), (0, 1, 2), 0, None):
        expected = x.sum(axis=axis, keepdims=keepdims)
        for each in (x, last):
            found = sum_over(each, axis, keepdims)
            assert found.dtype == dtype
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=0, atol=30 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(70, 60), (3, 41, 35), (1, 4097), (2, 4097), (5000, 1), (4098,)])
def test_sums_of_many_rows(shape, dtype):
    x = np.random.default_rng(5).normal(0, 3, size=shape).astype(dtype)
    for axis in (-1, len(shape) - 1, (-1,), (len(shape) - 1,)):
        for keepdims in (False, True):
            for each in (x, np.asfortranarray(x), x[::-1]):
                expected = each.sum(axis=axis, keepdims=keepdims)
                found = sum_over(each, axis, keepdims)
                assert found.dtype == expected.dtype
                assert found.shape == expected.shape
                eps = 0 if dtype == np.int64 else np.finfo(dtype).eps
                np.testing.assert_allclose(found, expected, rtol=0, atol=1000 * eps)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool])
def test_sums_of_whole_numbers_do_not_wrap(dtype):
    x = np.full((8, 8, 8, 64), True if dtype is bool else np.iinfo(dtype).max, dtype)
    for each, axis in ((x, (-1,)), (x.transpose(0, 3, 1, 2), (0, 2, 3))):
        expected = each.sum(axis=axis, keepdims=True)
        for found in (sum_over(each, axis, True), sum_of_products(each, np.ones_like(each), axis)):
            assert found.dtype == expected.dtype != dtype
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [*SHAPES, (4, 5, 7, 9)])
@pytest.mark.parametrize("axis", [(0, 2, 3), (-1,), (1, 2)])
def test_sums_of_products(axis, shape, dtype):
    rng = np.random.default_rng(6)
    x, y = rng.normal(0, 3, size=(2, *shape)).astype(dtype)
    last, other = (
        np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for a in (x, y)
    )
    expected = (x.astype(float) * y).sum(axis=axis, keepdims=True)
    for a, b in ((x, y), (last, other), (last, y), (last, other.astype(float))):
        found = sum_of_products(a, b, axis)
        assert found.dtype == (a * b).dtype
        assert found.shape == expected.shape
        eps = 0 if dtype == np.int64 else np.finfo(dtype).eps
        np.testing.assert_allclose(found, expected, rtol=0, atol=2000 * eps)


IMAGES = [(64, 3, 32, 32), (64, 16, 32, 32), (1, 3, 224, 224), (9, 3, 37, 41), (4096, 64, 1, 1)]
IMAGES += [(1, 64, 65536, 1), (3, 64, 4999, 1)]


@pytest.mark.parametrize("shape", IMAGES)
def test_sums_of_many_pixels_are_exact_in_single_precision(shape):
    """In one chain sums over these images are wrong by 1e-6 to 1e-5, of BLAS or of products."""
    images = np.random.default_rng(8).uniform(900, 1100, size=(2, *shape)).astype(np.float32)
    x, y = np.ascontiguousarray(images.transpose(0, 1, 3, 4, 2)).transpose(0, 1, 4, 2, 3)
    found = sum_over(x, (0, 2, 3), keepdims=True), sum_of_products(x, y, (0, 2, 3))
    x = x.astype(float)
    for each, terms in zip(found, (x, x * y), strict=True):
        assert each.dtype == np.float32
        np.testing.assert_allclose(each, terms.sum(axis=(0, 2, 3), keepdims=True), rtol=1e-6)


def test_derivatives_of_a_factor_for_each_channel():
    """As batch norm's scale; and of one for each image and of a single one, which are none."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2, 2, 3, 4)).transpose(0, 3, 1, 2)
    for shape in ((1, 4, 1, 1), (4, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1)):
        ms.check_grads(lambda x, b: np.sin(x) * b, (x, rng.normal(size=shape)), order=3)
        ms.check_grads(lambda b, x: b * np.sin(x), (rng.normal(size=shape), x), order=2)
        single = x.astype(np.float32), rng.normal(size=shape).astype(np.float32)
        ms.check_grads(np.multiply, single, order=1)


def test_what_is_not_finite_stays_so():
    x = np.ones((2, 2, 2, 3))
    x[0, 0, 1, 0], x[1, 0, 0, 0] = np.nan, np.inf
    for array in (sum_over(x.transpose(0, 3, 1, 2), (0, 2, 3)), x.sum(axis=(0, 1, 2))):
        np.testing.assert_array_equal(array, [np.nan, 8, 8])


def test_derivatives_with_channels_last():
    rng = np.random.default_rng(1)
    x, b = rng.normal(size=(2, 2, 3, 2)).transpose(0, 3, 1, 2), rng.normal(size=(2, 1, 1))

    def loss(x, b):
        return np.sum(np.mean((x * x + b) * x, axis=(0, 2, 3)) ** 2)

    ms.check_grads(loss, (x, b), order=3, analytic=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [*SHAPES, (8, 16, 24, 24), (3, 6, 67, 71)])
@pytest.mark.parametrize("op", [np.subtract, np.divide])
def test_arithmetic_by_channel(op, shape, dtype):
    """Against NumPy in either layout, with one number per channel, per image and per place.

    The large shapes are cut into long lines, the odd one is not: it has no fitting divisor.
    """
    rng = np.random.default_rng(2)
    n, c, h, w = shape
    x = rng.normal(size=(n, h, w, c)).astype(dtype).transpose(0, 3, 1, 2)
    for other in ((1, c, 1, 1), (n, 1, 1, 1), (1, 1, h, w), (c, 1, 1), (1,), (), shape):
        v = rng.uniform(1, 2, size=other).astype(dtype)
        for each in (x, np.ascontiguousarray(x)):
            found = by_channel(op, each, v)
            np.testing.assert_array_equal(found, op(each, v))
            assert found.dtype == dtype
            if min(shape) > 1:  # else strides are arbitrary
                assert found.strides == op(each, v).strides
            own = each.copy(order="K")
            written = by_channel(op, own, v, in_place=True)
            assert written.size == 0 or np.shares_memory(written, own)
            np.testing.assert_array_equal(written, found)


def test_arithmetic_by_channel_is_by_long_lines_if_there_are_many():
    """At least 8192 numbers, at least 8 lines; where no number of lines fits, those of images."""
    op, v = mock.Mock(wraps=np.add), np.ones((1, 8, 1, 1))
    for shape, lines in {
        (8, 32, 32, 8): (8, 8192),
        (9, 32, 31, 8): (8, 8928),
        (5, 80, 80, 8): (25, 10240),
        (7, 1031, 1, 8): (7217, 8),
        (3, 67, 71, 8): (201, 568),
        (16, 8, 9, 8): (128, 72),
        (16, 8, 8, 8): (16, 8, 8, 8),
        (16, 32, 32, 1): (16, 1, 32, 32),
    }.items():
        x = np.zeros(shape).transpose(0, 3, 1, 2)
        by_channel(op, x, v[:, : x.shape[1]])
        assert op.call_args.args[0].shape == lines
        by_channel(op, x, v[0, : x.shape[1]], in_place=True)
        assert op.call_args.args[0].shape == lines
        assert np.all(x == 1)
        by_channel(op, x.copy(), v[:, : x.shape[1]])
        assert op.call_args.args[0].shape == x.shape


def test_batch_norm_is_the_formula():
    rng = np.random.default_rng(3)
    x = 1e4 + rng.normal(size=(4, 3, 2, 5)) * np.array([1.0, 1e-3, 30.0]).reshape(3, 1, 1)
    for each in (x, x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
        mean, var = (
            each.mean(axis=(0, 2, 3), keepdims=True),
            each.var(axis=(0, 2, 3), keepdims=True),
        )
        found = standardize(each, axis=(0, 2, 3), eps=1e-9)
        np.testing.assert_allclose(found, (each - mean) / np.sqrt(var + 1e-9), rtol=1e-7, atol=1e-7)
    rows = x[0, 0]
    expected = (rows - rows.mean(-1, keepdims=True)) / rows.std(-1, keepdims=True)
    np.testing.assert_allclose(standardize(rows, axis=(-1,), eps=0.0), expected, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [(0, 2, 3), (-1,), (0,), (0, 1)])
@pytest.mark.parametrize("orders", ["CC", "CL", "LC", "LL"])
def test_the_derivative_of_batch_norm_is_the_formula(orders, axis, dtype):
    """On plain arrays it works in place, and neither on its arguments, nor less exactly."""
    rng = np.random.default_rng(4)
    x, t = rng.normal(2, 3, size=(2, 4, 5, 3, 6)).astype(dtype)
    x, t = (
        np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if o == "L" else a
        for a, o in zip((x, t), orders, strict=True)
    )
    y, pullback = ms.vjp(lambda x: standardize(x, axis=axis, eps=0.1), x)
    for a in (x, t, y):
        a.flags.writeable = False

    def mean(a):
        return np.mean(a.astype(float), axis=axis, keepdims=True)

    s = 1 / np.sqrt(mean((x - mean(x)) ** 2) + 0.1)
    expected = (t - mean(t) - y * mean(t * y)) * s
    pushed = ms.jvp(lambda x: standardize(x, axis=axis, eps=0.1), (x,), (t,))[1]
    for found in (pullback(t), pushed):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=30 * np.finfo(dtype).eps)
        assert not np.shares_memory(found, y)
        assert not np.shares_memory(found, t)


def test_constant_rows_become_zero():
    for n in (3, 300, 768):
        for value in (1000.0, 0.1, -3e5):
            x = np.full((2, n), value, np.float32)
            np.testing.assert_allclose(standardize(x, axis=(-1,), eps=1e-5), 0, atol=1e-3)
    whole = np.array([[1, 2, 6]])
    expected = (whole - 3.0) / np.sqrt(14 / 3)
    np.testing.assert_allclose(standardize(whole, axis=(-1,), eps=0.0), expected, rtol=1e-12)


def test_sums_are_of_blas_if_there_are_many_and_in_one_piece():
    """As products with ones: nothing else asks for these."""
    rows, images = np.zeros((65, 64)), np.zeros((2, 5, 4, 3)).transpose(0, 3, 1, 2)
    by_blas = [(rows, -1), (rows, (1,)), (np.zeros((3, 41, 35)), 2), (images, (0, 2, 3))]
    by_numpy = [(rows[:64], -1), (np.asfortranarray(rows), -1), (rows[:, 1:], -1), (rows, 0)]
    by_numpy += [(np.zeros((2, 4097)), -1), (np.zeros((5000, 1)), -1), (rows.astype(int), -1)]
    by_numpy += [(rows.astype(np.float16), -1), (np.ascontiguousarray(images), (0, 2, 3))]
    with mock.patch.object(np, "ones", wraps=np.ones) as ones:
        for x, axis in by_numpy:
            sum_over(x, axis)
        assert ones.call_count == 0
        for i, (x, axis) in enumerate(by_blas):
            sum_over(x, axis)
            assert ones.call_count == i + 1


def test_batch_norm_stores_no_products():
    """Nor does its derivative, nor that of its scale; and the rest is by BLAS and by lines."""
    x, t = np.random.default_rng(11).normal(size=(2, 2, 5, 4, 3)).transpose(0, 1, 4, 2, 3)
    ours = "minisam.ops.standardize"
    with (
        mock.patch(f"{ours}.sum_of_products", wraps=sum_of_products) as products,
        mock.patch(f"{ours}.sum_over", wraps=sum_over) as means,
        mock.patch(f"{ours}.by_channel", wraps=by_channel) as by,
        mock.patch("minisam.ops.elementwise.sum_of_products", wraps=sum_of_products) as scale,
    ):
        _, pullback = ms.vjp(lambda x: standardize(x, axis=(0, 2, 3), eps=0.1), x)
        assert (products.call_count, means.call_count, by.call_count) == (1, 1, 2)
        pullback(t)
        assert (products.call_count, means.call_count, by.call_count) == (3, 3, 6)
        _, pullback = ms.vjp(lambda scale: x * scale, np.ones((1, 3, 1, 1)))
        pullback(t)
        assert scale.call_count == 1


def test_products_of_rows_are_not_stored_unless_they_are_short_or_apart():
    x = np.random.default_rng(10).normal(size=(3, 2, 65))
    fortran, apart = np.asfortranarray(x), np.repeat(x, 2, axis=-1)[..., ::2]
    stored = [(fortran, fortran), (fortran, x), (x, fortran), (apart, apart)]
    stored += [(x, x.astype(np.float32)), (x[..., :63].copy(), x[..., :63].copy())]
    with mock.patch.object(sums, "sum_over", wraps=sums.sum_over) as summed:
        for a, b in ((x, x), (x[..., 1:], x[..., 1:])):
            sum_of_products(a, b, (-1,))
        assert summed.call_count == 0
        for i, (a, b) in enumerate(stored):
            sum_of_products(a, b, (-1,))
            assert summed.call_count == i + 1


def test_products_of_images_are_not_stored_unless_they_are_few_or_their_lines_short():
    def images(*shape):
        return np.ones(shape, np.float32).transpose(0, 3, 1, 2)

    x, y = images(64, 8, 8, 8), images(64, 9, 9, 8)
    stored = [(np.ascontiguousarray(x), x), (x, np.ascontiguousarray(x)), (x, x.astype(float))]
    stored += [(few, few) for few in (images(63, 8, 8, 8), images(600, 9, 9, 7))]
    with mock.patch.object(np, "einsum", wraps=np.einsum) as einsum:
        for a, b in stored:
            sum_of_products(a, b, (0, 2, 3))
        assert einsum.call_count == 0
        for a in (x, y):
            np.testing.assert_array_equal(sum_of_products(a, a, (0, 2, 3)), a.size // 8)
        assert einsum.call_count == 2
