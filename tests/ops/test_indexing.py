"""Picking and placing elements: NumPy's values, and adjoints, over shapes, axes and duplicates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)
MATRICES = st.lists(st.integers(0, 4), min_size=2, max_size=4).map(tuple)


def assert_linear(f, shape, seed=0):
    """F is linear: its derivative is f itself by push, and f's transpose by pull.

    NumPy's f on plain arrays is the reference, so nothing here is compared with itself.
    """
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=shape), rng.normal(size=shape)
    before = x.copy()
    value, tangent = ms.jvp(f, (x,), (v,))
    np.testing.assert_array_equal(value, f(x))
    np.testing.assert_array_equal(tangent, f(v))
    assert value.shape == f(x).shape
    ct = np.asarray(rng.normal(size=value.shape))
    _, pullback = ms.vjp(f, x)
    g = pullback(ct)
    assert g.shape == x.shape
    np.testing.assert_allclose(np.vdot(g, v), np.vdot(ct, f(v)), rtol=1e-12, atol=1e-12)
    assert pullback(ct.astype(np.float64)).dtype == x.dtype
    np.testing.assert_array_equal(x, before)


def indices_for(n, rng, shape):
    return rng.integers(-n, n, size=shape)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_take(shape, seed, data):
    rng = np.random.default_rng(seed)
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    size = data.draw(st.lists(st.integers(0, 3), max_size=2))
    where = indices_for(n, rng, size if n else (0,))
    assert_linear(lambda x: np.take(x, where, axis=axis), shape, seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_take_along_axis(shape, seed, data):
    rng = np.random.default_rng(seed)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    at = list(shape)
    at[axis] = data.draw(st.integers(0, 5)) if shape[axis] else 0
    for i in range(len(shape)):
        if i != axis % len(shape) and data.draw(st.booleans()):
            at[i] = 1  # broadcasts
    where = rng.integers(-shape[axis], max(shape[axis], 1), size=at)
    assert_linear(lambda x: np.take_along_axis(x, where, axis), shape, seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_repeat(shape, seed, data):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    counts = data.draw(st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=n, max_size=n))
    assert_linear(lambda x: np.repeat(x, counts, axis=axis), shape, seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=4))
def test_tile(shape, seed, reps):
    assert_linear(lambda x: np.tile(x, reps), shape, seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_roll(shape, seed, data):
    axes = st.integers(-len(shape), len(shape) - 1)
    axis = data.draw(st.none() | axes | st.lists(axes, min_size=1, max_size=3).map(tuple))
    shift = data.draw(st.integers(-6, 6))
    if isinstance(axis, tuple):
        shift = tuple(range(shift, shift + len(axis)))
    assert_linear(lambda x: np.roll(x, shift, axis=axis), shape, seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_split_and_its_inverse(shape, seed, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[axis]
    equal = st.sampled_from([k for k in range(1, n + 2) if n % k == 0])
    where = data.draw(equal | st.lists(st.integers(0, n)).map(sorted))
    assert_linear(
        lambda x: np.concatenate([2.0 * p for p in np.split(x, where, axis=axis)], axis=axis),
        shape,
        seed,
    )


@settings(deadline=None, max_examples=80)
@given(MATRICES, SEEDS, st.integers(-5, 5), st.data())
def test_diagonal_and_trace(shape, seed, offset, data):
    axis1, axis2 = data.draw(st.permutations(range(len(shape))))[:2]
    axis2 -= len(shape) * data.draw(st.booleans())
    assert_linear(lambda x: np.diagonal(x, offset, axis1, axis2), shape, seed)
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=shape), rng.normal(size=shape)
    f = lambda x: np.trace(x, offset, axis1, axis2)  # noqa: E731
    value, tangent = ms.jvp(f, (x,), (v,))
    np.testing.assert_allclose(value, f(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(tangent, f(v), rtol=1e-13, atol=1e-14)


@settings(deadline=None, max_examples=60)
@given(SHAPES | MATRICES, SEEDS, st.integers(-5, 5))
def test_triangles(shape, seed, k):
    assert_linear(lambda x: np.tril(x, k), shape, seed)
    assert_linear(lambda x: np.triu(x, k), shape, seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 4), st.integers(0, 4), SEEDS, st.integers(-5, 5))
def test_diag_makes_and_reads(n, m, seed, k):
    assert_linear(lambda x: np.diag(x, k), (n,), seed)
    assert_linear(lambda x: np.diag(x, k), (n, m), seed)
    assert_linear(lambda x: np.diag(np.diag(x, k), k), (n,), seed)


@settings(deadline=None, max_examples=60)
@given(SHAPES, SEEDS, st.data())
def test_sort_moves_the_derivative_with_the_element(shape, seed, data):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(seed)
    # Few values, so that many tie.
    x, v = rng.integers(3, size=shape).astype(float), rng.normal(size=shape)
    value, tangent = ms.jvp(lambda x: np.sort(x, axis=axis), (x,), (v,))
    order = np.argsort(x, axis=axis, kind="stable")
    expected = np.take_along_axis(v, order, axis)
    np.testing.assert_array_equal(value, np.sort(x, axis=axis))
    np.testing.assert_array_equal(tangent, expected)
    ct = rng.normal(size=value.shape)
    _, pullback = ms.vjp(lambda x: np.sort(x, axis=axis), x)
    np.testing.assert_allclose(np.vdot(pullback(ct), v), np.vdot(ct, expected), rtol=1e-12)


def test_ties_keep_their_order():
    x = np.array([1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(
        ms.jacobian(np.sort)(x), [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]
    )


def test_nan_sorts_last():
    x = np.array([np.nan, 2.0, 1.0])
    np.testing.assert_array_equal(ms.jacobian(np.sort)(x), [[0, 0, 1], [0, 1, 0], [1, 0, 0]])


def test_duplicates_add_up():
    x = np.array([1.0, 2.0, 3.0])
    ct = np.array([1.0, 10.0, 100.0, 1000.0])
    for f in (
        lambda x: np.take(x, [0, 2, 0, -1]),
        lambda x: np.take_along_axis(x, np.array([0, 2, 0, -1]), 0),
        lambda x: x[[0, 2, 0, -1]],
    ):
        np.testing.assert_array_equal(ms.vjp(f, x)[1](ct), [101, 0, 1010])


def test_true_is_one_for_take_and_a_mask_for_an_index():
    x = np.array([1.0, 2.0])
    mask = np.array([True, False])
    np.testing.assert_array_equal(ms.grad(lambda x: np.take(x, mask) @ x)(x), [4, 2])
    np.testing.assert_array_equal(ms.grad(lambda x: x[mask] @ x[:1])(x), [2, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.take(x**3, [0, 1, 1]),
        lambda x: np.take_along_axis(x**3, np.array([[1, 1], [0, 2]]), 1),
        lambda x: np.sort(x**3, axis=None),
        lambda x: np.repeat(x**3, [2, 0], axis=0),
        lambda x: np.tile(x**3, (2, 1)),
        lambda x: np.roll(x**3, 2),
        lambda x: np.split(x**3, [1], axis=1)[1] * x[:, :1],
        lambda x: np.diag(x[0] ** 3, 1),
        lambda x: np.diag(x**3),
        lambda x: np.trace(x**3) * x,
        lambda x: np.tril(x**3) @ np.triu(x).T,
    ],
)
def test_derivatives_to_third_order(f, dtype):
    x = np.array([[0.5, -0.7, 1.1], [0.9, -0.4, 0.8]], dtype=dtype)
    ms.check_grads(f, (x,), order=3, analytic=False)


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: np.take(x, [0.5]), TypeError, "take: indices have dtype float64"),
        (lambda x: np.take_along_axis(x, np.ones((2, 1)), 1), TypeError, "take_along_axis.*float"),
        (lambda x: np.take(x, x), TypeError, "take: indices"),
        (lambda x: np.take(x, 9), IndexError, "out of bounds"),
        (
            lambda x: np.split(x, 2, axis=1),
            ms.ShapeError,
            r"split: axis 1 of shape \(2, 3\).*2 equal",
        ),
        (lambda x: np.diag(x[None]), ms.ShapeError, r"diag: .*\(1, 2, 3\).*np.diagonal"),
        (lambda x: np.trace(x[0]), ms.ShapeError, r"diagonal: .*\(3,\)"),
        (lambda x: np.diagonal(x, 0, 1, -1), ms.ShapeError, "diagonal: needs two different axes"),
        (lambda x: np.repeat(x, -1), ValueError, "negative"),
        (lambda x: np.repeat(x, [1, 2]), ValueError, "broadcast"),
        (lambda x: np.sort(x[0, 0]), ValueError, "axis"),
    ],
)
def test_errors(f, kind, message):
    with pytest.raises(kind, match=message):
        ms.linearize(f, np.ones((2, 3)))
