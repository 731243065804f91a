"""Where rules go wrong although they hold on any domain: tails, bounds, infinities, bad axes."""

import math
from unittest import mock

import numpy as np
import pytest

import minisam as ms
from minisam.ops import sigmoid, silu, softplus
from minisam.ops.elementwise import power

ONES = np.ones((2, 3))


# Norms.


def test_norm_is_smooth_where_an_entry_is_zero():
    np.testing.assert_array_equal(
        ms.hessian(np.linalg.norm)(np.array([1.0, 0.0])), [[0, 0], [0, 1]]
    )


@pytest.mark.parametrize("order", [None, 1, 2, 3])
def test_norm_of_infinite_and_of_no_elements(order):
    def norm(x):
        return np.linalg.norm(x, order)

    assert ms.linearize(norm, np.array([np.inf, 1.0]))[0] == np.inf
    assert ms.linearize(norm, np.zeros(0))[0] == 0


def test_norm_of_subnormal_numbers():
    x = np.array([3e-320, 4e-320])
    np.testing.assert_allclose(ms.grad(np.linalg.norm)(x), [0.6, 0.8], rtol=1e-3)


# Clipping.


def test_clip_with_bounds_that_broadcast_or_vary():
    x, low = np.array(5.0), np.array([0.0, 6.0])
    assert ms.grad(lambda x: np.sum(np.clip(x, low, 9)))(x) == 1.0
    assert ms.grad(lambda b: np.clip(x, 0, b))(1.0) == 1.0
    assert ms.grad(lambda b: np.clip(x, 0, b))(7.0) == 0.0
    for bound in (0.0, 1.0):
        assert ms.grad(lambda x: np.clip(x, 0.0, 1.0))(bound) == 1.0


def test_clip_keeps_float32():
    x = np.array([0.5, 2.0], dtype=np.float32)
    g = ms.grad(lambda x: np.sum(np.clip(x, np.float64(0), np.float64(1)) ** 2))(x)
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g, [1, 0])


def test_full_like_of_a_variable():
    assert ms.grad(lambda t: np.sum(np.full_like(t * ONES, t * t)))(3.0) == 36.0


# The logistic functions in their tails.


def test_sigmoid_keeps_its_tails():
    assert sigmoid(np.float32(-20)) == pytest.approx(2.0611537e-9, rel=1e-6)
    tail = np.exp(-40.0)
    for f in (sigmoid, softplus, ms.grad(sigmoid), ms.grad(softplus), ms.grad(ms.grad(sigmoid))):
        assert f(-40.0) == pytest.approx(tail, rel=1e-14)
    assert ms.grad(ms.grad(ms.grad(sigmoid)))(-40.0) == pytest.approx(tail, rel=1e-14)
    assert ms.grad(sigmoid)(40.0) == pytest.approx(tail, rel=1e-14)
    assert ms.grad(lambda x: np.log(sigmoid(x)))(-40.0) == pytest.approx(1, rel=1e-14)
    assert silu(-40.0) == pytest.approx(-40 * tail, rel=1e-14)
    second = ms.grad(ms.grad(lambda a: np.logaddexp(a, 0.0)))
    assert second(40.0) == pytest.approx(tail, rel=1e-14)
    assert second(-40.0) == pytest.approx(tail, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logistic_functions_do_not_overflow(dtype):
    x = np.array([-1000, 1000], dtype=dtype)
    with np.errstate(over="raise", invalid="raise"):
        for f, value, slope in (
            (sigmoid, [0, 1], [0, 0]),
            (softplus, [0, 1000], [0, 1]),
            (silu, [0, 1000], [0, 1]),
        ):
            y, pullback = ms.vjp(f, x)
            np.testing.assert_array_equal(y, value)
            np.testing.assert_array_equal(pullback(np.ones_like(y)), slope)


def test_logsumexp_of_nothing_but_minus_infinity():
    x = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(ms.ops.logsumexp(x, axis=1), [-np.inf, 0])


# Axes and positions that NumPy refuses.


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.prod(x, axis=2),
        lambda x: np.prod(x, axis=(0, 0)),
        lambda x: np.prod(x[0, 0], axis=1),
        lambda x: np.take(x, 0, axis=2),
        lambda x: np.take(x[0, 0], 0, axis=1),
        lambda x: np.repeat(x, 2, axis=-3),
        lambda x: np.repeat(x, [1, 2], axis=2),
        lambda x: np.squeeze(x[None], axis=3),
        lambda x: np.squeeze(x[None], axis=(0, 0)),
        lambda x: np.expand_dims(x, 3),
        lambda x: np.expand_dims(x, (0, 0)),
        lambda x: np.moveaxis(x, 0, 2),
        lambda x: np.moveaxis(x, (0, 0), (0, 1)),
        lambda x: np.moveaxis(x[0, 0], 0, 0),
        lambda x: np.swapaxes(x, 0, 2),
        lambda x: np.diagonal(x, 0, 0, 2),
        lambda x: np.trace(x, 0, -3, 1),
        lambda x: np.tensordot(x, x, ([2], [0])),
        lambda x: np.tensordot(x[0, 0], x, 1),
        lambda x: np.split(x, 1, axis=2),
        lambda x: np.concatenate([x, x], axis=2),
        lambda x: np.sum(x, axis=(0, 0)),
    ],
)
def test_axes_that_are_not_there(f):
    with pytest.raises((ValueError, IndexError)):
        f(ONES)
    with pytest.raises((ValueError, IndexError)):
        ms.linearize(f, ONES)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_numbers_have_the_axes_of_a_vector_in_reductions(name):
    assert ms.grad(lambda x: getattr(np, name)(x, axis=-1))(2.0) == 1.0


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std"])
def test_a_third_position_is_refused(name):
    with pytest.raises(TypeError, match="positional"):
        ms.linearize(lambda x: getattr(np, name)(x, 0, None), ONES)


def test_a_list_beside_a_number():
    assert ms.grad(lambda t: np.sum(t * [1.0, 2.0]))(3.0) == 3.0
    assert ms.grad(lambda t: np.sum((t * t)[..., None][[0, 0]]))(3.0) == 12.0


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "int64"])
def test_whole_numbers_in_smooth_functions(dtype):
    x = np.array([0, 1, 1]).astype(dtype)
    if dtype == "int8":
        x[2] = -128
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(ms.ops.sigmoid(x), exact, rtol=1e-12)
    np.testing.assert_allclose(
        ms.ops.softplus(x), np.log1p(np.exp(x.astype(np.float64))), rtol=1e-12
    )


def test_a_float_exponent_makes_floats():
    x = np.array([3_000_000])
    assert power(x, 3.0) == 2.7e19
    np.testing.assert_array_equal(power(x, 3), x**3)
    assert power(2.0, 3) == 8.0


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_powers_are_repeated_products(n):
    """To the third derivative; cubes and fourth powers to the last bit, for they are products."""
    x = np.random.default_rng(1).uniform(-2, 2, size=200)
    for exponent in (n, float(n)):
        f, factor = (lambda x, n=exponent: power(x, n)), 1
        for order in range(4):
            expected = math.prod([x] * (n - order), start=factor * np.ones(200))
            np.testing.assert_allclose(f(x), expected, rtol=1e-12)
            f, factor = ms.grad(lambda x, f=f: np.sum(f(x))), factor * (n - order)
    if n in (3, 4):
        np.testing.assert_array_equal(power(x, n), x * x * x if n == 3 else (x * x) * (x * x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("n", [3, 3000])
def test_relu_of_few_and_of_many(dtype, n):
    """Many floats are clipped. Whole numbers stay whole; NaN and infinities stay."""
    x = np.random.default_rng(0).normal(0, 3, size=(n, 2)).round(1).astype(dtype)
    if dtype != "int64":
        x[0, 0], x[0, 1], x[1, 0], x[1, 1] = np.nan, -0.0, np.inf, -np.inf
    for each in (x, x[:, ::-1], np.asfortranarray(x)):
        found = ms.ops.relu(each)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.where(each < 0, each.dtype.type(0), each))


def test_many_floats_are_clipped():
    x = np.ones(2049)
    with mock.patch.object(np, "maximum", wraps=np.maximum) as maximum:
        for each in (x[:2048], x.astype(int), x.astype(np.float16)):
            ms.ops.relu(each)
        assert maximum.call_count == 3
        ms.ops.relu(x)
        ms.ops.relu(x.astype(np.float32))
        assert maximum.call_count == 3
