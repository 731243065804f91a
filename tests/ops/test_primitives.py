"""Every registered primitive on its own domain, and all of them at the values others get wrong."""

import importlib
import pkgutil
from functools import partial

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff import PRIMITIVES
from minisam.autodiff.check import check_grads
from minisam.autodiff.contracts import contiguous, strided
from minisam.autodiff.tensor import value_of

for module in pkgutil.walk_packages(ms.__path__, "minisam."):
    if module.name.startswith(("minisam.ops", "minisam.nn")):
        importlib.import_module(module.name)
NAMES = tuple(PRIMITIVES)

WITHOUT_COMPLEX_STEP = {
    "assemble": "it adds into zeros of the dtype of `like`, which is real",
}
"""Smooth primitives whose forward takes no complex numbers."""

THIRD = 3
"""On how many of a primitive's cases the third order is checked: the smallest."""


def cases(name, dtype=np.float64, seed=0):
    """The domain of a primitive, in a dtype, smallest first, but the empty ones last."""

    def cast(a):
        return a.astype(dtype) if getattr(getattr(a, "dtype", None), "kind", "") == "f" else a

    found = [
        (tuple(map(cast, args)), {key: cast(value) for key, value in params.items()})
        for args, params in PRIMITIVES[name].domain(np.random.default_rng(seed))
    ]
    assert found, f"{name}: its domain is empty, and its tests would say nothing"
    return sorted(found, key=lambda case: sum(a.size for a in case[0]) or np.inf)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name) -> None:
    op = PRIMITIVES[name]
    for i, (args, params) in enumerate(cases(name)):
        check_grads(
            partial(op, **params) if params else op,
            args,
            order=3 if i < THIRD else 2,
            analytic=op.smooth and name not in WITHOUT_COMPLEX_STEP,
        )


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_in_float32(name) -> None:
    op = PRIMITIVES[name]
    for i, (args, params) in enumerate(cases(name, np.float32)):
        f = partial(op, **params) if params else op
        check_grads(f, args, order=3 if i == 0 else 2, seed=1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_same_in_any_layout_and_while_recording(name, dtype) -> None:
    op = PRIMITIVES[name]
    for args, params in cases(name, dtype):
        before = [a.copy() for a in args]
        expected = op.forward(*map(contiguous, args), **params)
        assert expected.dtype == dtype
        for lay in (strided, np.asfortranarray, lambda a: a):
            laid = [lay(a) if a.ndim else a for a in args]
            raw = op(*laid, **params)
            recorded, _ = ms.linearize(partial(op, **params), *laid)
            for result in (raw, recorded):
                assert not isinstance(result, ms.Tensor)
                assert result.dtype == dtype
                assert np.shape(result) == np.shape(expected)
                np.testing.assert_allclose(result, expected, rtol=1e3 * np.finfo(dtype).eps)
        assert all(map(np.array_equal, args, before))


@pytest.mark.parametrize("name", NAMES)
def test_domains_are_worth_the_name(name) -> None:
    op = PRIMITIVES[name]
    assert op.name == name
    shapes = [a.shape for args, _ in cases(name) for a in args]
    assert any(np.prod(shape) > 1 for shape in shapes)
    if isinstance(getattr(np, name, None), np.ufunc) and name != "matmul":
        assert () in shapes, "no 0-d case"
        assert any(0 in shape for shape in shapes), "no empty case"


def test_exceptions_are_needed() -> None:
    for name in WITHOUT_COMPLEX_STEP:
        assert PRIMITIVES[name].smooth
        args, params = cases(name)[-1]
        with pytest.raises(ms.GradientError, match="not analytic"):
            check_grads(partial(PRIMITIVES[name], **params), args, 1, analytic=True)


# Powers at 0, to third order.


def derivatives(f, x, order=3):
    """f, f', f'', … at a number, by reverse mode and then by forward mode."""

    def forward(g):
        return lambda x: ms.jvp(g, (x,), (np.ones_like(value_of(x)),))[1]

    for transform in (ms.grad, forward):
        found, g = [], f
        for _ in range(order + 1):
            found.append(float(g(np.array(x))))
            g = transform(g)
        yield found


@pytest.mark.parametrize("x", [0.0, -0.5, 2.0])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 0.0, 1.0, 2.0, 3.0])
def test_constant_powers_to_third_order(n, x) -> None:
    k = int(n)
    polynomial = np.polynomial.Polynomial([0] * k + [1])
    expected = [float(polynomial.deriv(m)(x)) if m else float(polynomial(x)) for m in range(4)]
    for power in (lambda x: x**n, lambda x: np.power(x, n)):
        for found in derivatives(power, x):
            assert found == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, 3.0])
def test_powers_with_an_array_as_exponent_at_zero(n) -> None:
    polynomial = np.polynomial.Polynomial([0] * int(n) + [1])
    expected = [float(polynomial.deriv(m)(0.0)) if m else float(polynomial(0.0)) for m in range(4)]
    for found in derivatives(lambda x: np.sum(np.power(x, np.array([n, n]))) / 2, 0.0):
        assert found == pytest.approx(expected, rel=1e-15)


def test_exponents_at_base_zero() -> None:
    found = ms.grad(lambda n: np.sum(np.power(np.array([0.0, 2.0]), n)))(np.array([2.0, 3.0]))
    assert found == pytest.approx([0.0, 8 * np.log(2)])


# Products with zeros.


@pytest.mark.parametrize("zeros", [[1], [0, 2], [0, 1, 3], [0, 1, 2, 3]])
def test_products_with_zeros_to_third_order(zeros) -> None:
    x = np.array([1.5, -2.0, 0.7, 1.1])
    x[zeros] = 0
    check_grads(np.prod, (x,), order=3, analytic=True)
    check_grads(lambda x: np.prod(x, axis=(0, 1)), (x.reshape(2, 2),), order=3)
    others = [np.prod(np.delete(x, i)) for i in range(4)]
    np.testing.assert_allclose(ms.grad(np.prod)(x), others)


# Duplicates.


@pytest.mark.parametrize(
    "index",
    [[0, 0, 2], ([0, 1, 0], [1, 1, 1]), (slice(None), [1, 1]), np.array([[2, 2], [0, 2]])],
    ids=str,
)
def test_duplicate_indices_add_up(index) -> None:
    x = np.random.default_rng(1).uniform(0.5, 1.5, (3, 3))
    check_grads(lambda x: np.sum(x[index] ** 3), (x,), order=3, analytic=True)


# Ties and kinks, where the conventions decide.

TIES = [
    (np.max, [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
    (np.min, [1.0, 1.0, 1.0], [1 / 3] * 3),
    (lambda x: np.maximum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    (lambda x: np.minimum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    (lambda x: np.maximum(x, 0.0).sum(), [0.0, 1.0], [0.5, 1.0]),
    (lambda x: np.max(x.reshape(2, 2), axis=1).sum(), [1.0, 1.0, 0.0, 2.0], [0.5, 0.5, 0, 1]),
    (lambda x: np.max(np.concatenate([x, x])), [1.0, 2.0], [0.0, 1.0]),
]


@pytest.mark.parametrize(("f", "x", "expected"), TIES)
def test_ties_share_one_unit(f, x, expected) -> None:
    x = np.array(x)
    np.testing.assert_allclose(ms.grad(f)(x), expected, rtol=1e-15)
    for i, slope in enumerate(expected):
        direction = np.eye(len(x))[i]
        assert ms.jvp(f, (x,), (direction,))[1] == pytest.approx(slope)
        assert not ms.hvp(f, x, direction).any()


def test_ties_sum_to_one_for_any_tie() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(3, size=(4, 5)).astype(float)
        for f in (np.max, np.min):
            for axis in (0, 1, (0, 1), None):
                g = ms.grad(lambda x, f=f, axis=axis: np.sum(f(x, axis=axis)))(x)
                np.testing.assert_allclose(np.sum(g, axis=axis), 1.0)


@pytest.mark.parametrize("f", [np.abs, np.sign, ms.ops.relu], ids=["abs", "sign", "relu"])
def test_slope_zero_at_a_kink_to_third_order(f) -> None:
    for found in derivatives(f, 0.0):
        assert found == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("order", [None, 1, 1.5, 2, 3, np.inf])
@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_norm_has_gradient_zero_at_zero(order, shape) -> None:
    zeros = np.zeros(shape)
    if len(shape) == 1:
        norm = partial(np.linalg.norm, ord=order)
    else:
        norm = lambda x: np.sum(np.linalg.norm(x, ord=order, axis=1))  # noqa: E731
    assert not ms.grad(norm)(zeros).any()
    assert ms.jvp(norm, (zeros,), (np.ones(shape),))[1] == 0
    mixed = np.zeros(shape)
    mixed.reshape(-1)[-1] = -2.0
    g = ms.grad(norm)(mixed)
    assert float(g.reshape(-1)[-1]) == pytest.approx(-1.0)
    assert np.count_nonzero(g) == 1


# where chooses, it does not mix.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_where_keeps_the_other_branch_out(bad) -> None:
    mask = np.array([True, False, True])
    a, b = np.array([1.0, bad, 3.0]), np.array([bad, 5.0, bad])

    def f(a, b):
        return np.where(mask, a, b) ** 2

    value, pullback = ms.vjp(f, a, b)
    np.testing.assert_array_equal(value, [1, 25, 9])
    for found, expected in zip(pullback(np.ones(3)), ([2, 0, 6], [0, 10, 0]), strict=True):
        np.testing.assert_array_equal(found, expected)
    # As cotangent, and as tangents of what was not chosen, it stays in its branch, too.
    of_a, of_b = ms.vjp(partial(np.where, mask), a, b)[1](np.array([1.0, bad, 1.0]))
    np.testing.assert_array_equal(of_a, [1, 0, 1])
    np.testing.assert_array_equal(of_b, [0, bad, 0])
    tangents = (np.array([1.0, bad, 1.0]), np.array([bad, 1.0, bad]))
    np.testing.assert_array_equal(ms.jvp(f, (a, b), tangents)[1], [2, 10, 6])
    second = ms.hvp(lambda a: np.sum(f(a, b)), a, np.array([1.0, bad, 1.0]))
    np.testing.assert_array_equal(second, [2, 0, 2])
