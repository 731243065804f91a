"""Plain NumPy on Tensors: every function that has a rule gives what NumPy gives on the value."""

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff.tensor import NUMPY_RULES, value_of

DTYPES = (np.float32, np.float64)
X = np.array([[0.3, 1.7, 0.9], [2.2, 0.6, 1.1]])
Y = np.array([[0.5, 0.4, 2.5], [1.4, 0.7, 0.2]])
MASK = X > 1
ROW = np.array([1, 2, 3])
UNARY = (
    "reciprocal exp expm1 log log2 log10 log1p sqrt square sin cos tan arctan sinh cosh tanh sign"
)
PREDICATES = (
    "isnan isinf isfinite signbit floor ceil rint zeros_like ones_like iscomplexobj isrealobj "
    "count_nonzero nonzero"
)


def like(x, y):
    """A constant in the dtype of x."""
    return np.asarray(y, dtype=x.dtype)


def square(x):
    """A regular matrix without symmetry."""
    return x[:, :2] + like(x, 2 * np.eye(2))


def batch(x):
    """Two such matrices."""
    return np.stack([square(x), 3 * square(x)])


def gram(x):
    """A positive definite matrix with distinct eigenvalues."""
    return x @ x.T + like(x, np.eye(2))


def unary(function):
    return [function, lambda x: function(x[0]), lambda x: function(x[0, 0])]


def binary(function):
    return [
        lambda x: function(x, like(x, Y)),
        lambda x: function(like(x, Y), x),
        lambda x: function(x, x[0]),
        lambda x: function(x[:, :1], x[0]),
        lambda x: function(x, 2),
        lambda x: function(2.5, x),
        lambda x: function(x[0, 0], x),
    ]


def along(function, name=None, of_one=True):
    """A reduction, as a function and as a method; of a single number too unless told not to."""
    method = name and (lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs))
    cases = []
    for f in (function, method) if name else (function,):
        cases += [
            lambda x, f=f: f(x),
            lambda x, f=f: f(x, 0),
            lambda x, f=f: f(x, axis=-1),
            lambda x, f=f: f(x, axis=1, keepdims=True),
            lambda x, f=f: f(x, axis=(0, -1)),
            lambda x, f=f: f(x, axis=(1,), keepdims=True),
            lambda x, f=f: f(x, keepdims=True),
            lambda x, f=f: f(x[None], axis=(0, 2)),
        ]
        if of_one:
            cases.append(lambda x, f=f: f(x[0, 0]))
    return cases


DIFFERENTIABLE = {
    "getitem": [
        lambda x: x[0],
        lambda x: x[-1, ::-2],
        lambda x: x[..., None, 1],
        lambda x: x[[0, 0, 1]],
        lambda x: x[MASK],
        lambda x: x[np.array([1, 0]), [2, -1]],
        lambda x: list(x)[1],
    ],
    # Elementwise.
    np.add: [*binary(np.add), lambda x: x + 1, lambda x: 1.5 + x, lambda x: like(x, Y) + x],
    np.subtract: [*binary(np.subtract), lambda x: x - 1, lambda x: 1 - x, lambda x: like(x, Y) - x],
    np.multiply: [*binary(np.multiply), lambda x: x * 2, lambda x: 2 * x, lambda x: like(x, Y) * x],
    np.divide: [*binary(np.divide), lambda x: x / 2, lambda x: 2 / x, lambda x: like(x, Y) / x],
    np.power: [
        *binary(np.power),
        lambda x: x**0,
        lambda x: x**2,
        lambda x: x**0.5,
        lambda x: x**-1,
        lambda x: 2**x,
        lambda x: x**x,
        lambda x: like(x, Y) ** x,
    ],
    np.negative: [*unary(np.negative), lambda x: -x, lambda x: +x],
    np.absolute: [*unary(np.abs), lambda x: abs(x - 1), lambda x: np.abs(1 - x)],
    np.positive: unary(np.positive),
    np.maximum: [*binary(np.maximum), lambda x: np.maximum(x, x)],
    np.minimum: [*binary(np.minimum), lambda x: np.minimum(x, x)],
    np.logaddexp: binary(np.logaddexp),
    np.arctan2: binary(np.arctan2),
    np.arcsin: [lambda x: np.arcsin(x / 3), lambda x: np.arcsin(x[0, 0] / 3)],
    np.arccos: [lambda x: np.arccos(x / 3), lambda x: np.arccos(x[0, 0] / 3)],
    np.diff: [
        np.diff,
        lambda x: np.diff(x, axis=0),
        lambda x: np.diff(x, 2),
        lambda x: np.diff(x, n=0, axis=-2),
        lambda x: np.diff(x, n=9),
    ],
    np.clip: [
        lambda x: np.clip(x, 0.5, 1.5),
        lambda x: np.clip(x, None, 1.5),
        lambda x: np.clip(x, a_min=1, a_max=None),
        lambda x: np.clip(x, like(x, Y), 2),
        lambda x: x.clip(0.5, 1),
    ],
    np.where: [
        lambda x: np.where(MASK, x, 0),
        lambda x: np.where(MASK, 1.5, x),
        lambda x: np.where(x > 1, x, -x),
        lambda x: np.where(ROW > 1, x, x[:, :1]),
        lambda x: np.where(x[0], x, 0),
    ],
    **{getattr(np, name): unary(getattr(np, name)) for name in UNARY.split()},
    # Reductions.
    np.sum: along(np.sum, "sum"),
    np.mean: along(np.mean, "mean"),
    np.max: along(np.max, "max"),
    np.min: along(np.min, "min"),
    np.amax: along(np.amax),
    np.amin: along(np.amin),
    np.prod: along(np.prod, "prod"),
    np.var: [*along(np.var, "var"), lambda x: np.var(x, axis=0, ddof=1), lambda x: x.var(ddof=1)],
    np.std: [
        *along(np.std, "std", of_one=False),
        lambda x: np.std(x, axis=1, ddof=1),
        lambda x: x.std(ddof=1),
    ],
    np.cumsum: [
        np.cumsum,
        lambda x: np.cumsum(x, 0),
        lambda x: np.cumsum(x, axis=-1),
        lambda x: x.cumsum(axis=1),
    ],
    np.linalg.norm: [
        *along(lambda x, *axis, **how: np.linalg.norm(x, None, *axis, **how)),
        *(lambda x, p=p: np.linalg.norm(x[0], p) for p in (1, 1.5, 2, 3, np.inf, None)),
        *(lambda x, p=p: np.linalg.norm(x, ord=p, axis=-1) for p in (1, 2.5, np.inf)),
        lambda x: np.linalg.norm(x, "fro"),
        lambda x: np.linalg.norm(x, ord="fro", axis=(0, 1), keepdims=True),
    ],
    # Shapes.
    np.reshape: [
        lambda x: np.reshape(x, (3, 2)),
        lambda x: np.reshape(x, -1),
        lambda x: np.reshape(x, [2, -1]),
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape((3, -1)),
        lambda x: x.reshape(-1),
        lambda x: x[0, 0].reshape(()),
    ],
    np.ravel: [np.ravel, lambda x: x.ravel(), lambda x: x.T.ravel(), lambda x: np.ravel(x[0, 0])],
    np.transpose: [
        np.transpose,
        lambda x: x.T,
        lambda x: x[0].T,
        lambda x: x.transpose(),
        lambda x: x.transpose(1, 0),
        lambda x: x.transpose((1, 0)),
        lambda x: np.transpose(x[None], (1, -1, 0)),
        lambda x: np.transpose(x, axes=[1, 0]),
    ],
    np.swapaxes: [lambda x: np.swapaxes(x, 0, -1), lambda x: x[None].swapaxes(1, 2)],
    np.moveaxis: [lambda x: np.moveaxis(x, 0, -1), lambda x: np.moveaxis(x[None], -1, 1)],
    np.expand_dims: [
        lambda x: np.expand_dims(x, 1),
        lambda x: np.expand_dims(x, axis=-1),
        lambda x: np.expand_dims(x, (0, -1)),
    ],
    np.squeeze: [
        lambda x: np.squeeze(x[None, :, :1]),
        lambda x: np.squeeze(x[None], axis=0),
        lambda x: x[None, :, :1].squeeze((0, -1)),
        lambda x: x.squeeze(),
    ],
    np.broadcast_to: [
        lambda x: np.broadcast_to(x, (4, 2, 3)),
        lambda x: np.broadcast_to(x[0, 0], 2),
        lambda x: np.broadcast_to(x[:, :1], shape=(2, 3)),
    ],
    np.flip: [np.flip, lambda x: np.flip(x, 0), lambda x: np.flip(x, axis=(0, -1))],
    np.pad: [
        lambda x: np.pad(x, 1),
        lambda x: np.pad(x, (1, 2)),
        lambda x: np.pad(x, ((0, 1), (2, 0)), mode="constant"),
        lambda x: np.pad(x, 1, constant_values=2.5),
    ],
    np.concatenate: [
        lambda x: np.concatenate([x, x]),
        lambda x: np.concatenate((like(x, Y), x), axis=-1),
        lambda x: np.concatenate([x, x[:, :1]], 1),
        lambda x: np.concatenate([x, x[0]], axis=None),
    ],
    np.stack: [
        lambda x: np.stack([x, like(x, Y)]),
        lambda x: np.stack((x, x), axis=-1),
        lambda x: np.stack([x[0, 0], x[1, 1]]),
    ],
    np.vstack: [
        lambda x: np.vstack([x, x[0]]),
        lambda x: np.vstack((x[0], like(x, Y))),
        lambda x: np.vstack([x[0, 0], x[:1, 0]]),
    ],
    np.hstack: [
        lambda x: np.hstack([x, like(x, Y)]),
        lambda x: np.hstack((x[0], x[0, 0])),
        lambda x: np.hstack([x[None], x[None]]),
    ],
    np.atleast_1d: [np.atleast_1d, lambda x: np.atleast_1d(x[0, 0])],
    np.atleast_2d: [np.atleast_2d, lambda x: np.atleast_2d(x[0]), lambda x: np.atleast_2d(x[0, 0])],
    np.matrix_transpose: [np.matrix_transpose, lambda x: np.matrix_transpose(x[None])],
    np.linalg.matrix_transpose: [np.linalg.matrix_transpose],
    np.full_like: [lambda x: np.full_like(x, 2) * x, lambda x: x + np.full_like(x, 1, shape=(3,))],
    np.copy: [np.copy, lambda x: x.copy()],
    # Indexing.
    np.take: [
        lambda x: np.take(x, [0, 5, 0]),
        lambda x: np.take(x, -1),
        lambda x: np.take(x, [[1, 0], [1, 1]], axis=0),
        lambda x: np.take(x, 2, axis=-1),
        lambda x: x.take([0, 2], axis=1),
        lambda x: np.take(x, [True, False]),
        lambda x: np.take(x, []),
    ],
    np.take_along_axis: [
        lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1),
        lambda x: np.take_along_axis(x, np.array([[0, 1, 1]]), axis=0),
        lambda x: np.take_along_axis(x, np.array([5, 0]), axis=None),
    ],
    np.sort: [
        np.sort,
        lambda x: np.sort(x, 0),
        lambda x: np.sort(x, axis=None),
        lambda x: np.sort(x, axis=-1, kind="stable"),
    ],
    np.repeat: [
        lambda x: np.repeat(x, 2),
        lambda x: np.repeat(x, 0, axis=1),
        lambda x: np.repeat(x, [1, 2], axis=0),
        lambda x: np.repeat(x[0, 0], 3),
        lambda x: x.repeat(2, axis=-1),
        lambda x: np.repeat(x, np.array([2]), axis=1),
    ],
    np.tile: [
        lambda x: np.tile(x, 2),
        lambda x: np.tile(x, (2, 1)),
        lambda x: np.tile(x[0], (2, 3)),
        lambda x: np.tile(x, [3, 1, 2]),
        lambda x: np.tile(x[0, 0], 2),
    ],
    np.roll: [
        lambda x: np.roll(x, 1),
        lambda x: np.roll(x, -4, axis=1),
        lambda x: np.roll(x, (1, 2), axis=(0, 1)),
        lambda x: np.roll(x, 1, axis=(0, 1)),
    ],
    np.split: [
        lambda x: np.split(x, 3, axis=1),
        lambda x: np.split(x, [1]),
        lambda x: np.split(x, [2, 1], axis=-1),
    ],
    np.diag: [np.diag, lambda x: np.diag(x[0]), lambda x: np.diag(x[0], k=-1)],
    np.diagonal: [
        np.diagonal,
        lambda x: np.diagonal(x, offset=1),
        lambda x: np.diagonal(x[None], 0, -1, 1),
        lambda x: x.diagonal(-1),
    ],
    np.trace: [np.trace, lambda x: np.trace(x, offset=-1), lambda x: x[None].trace(0, 1, 2)],
    np.tril: [np.tril, lambda x: np.tril(x, 1), lambda x: np.tril(x[None], k=-1)],
    np.triu: [np.triu, lambda x: np.triu(x, 1), lambda x: np.triu(x[0])],
    # Products.
    np.matmul: [
        lambda x: np.matmul(x, x.T),
        lambda x: x @ like(x, Y).T,
        lambda x: like(x, Y).T @ x,
        lambda x: x @ x[0],
        lambda x: x[0] @ x[1],
        lambda x: [[True, False]] @ x,
        lambda x: x[None] @ x.T,
    ],
    np.linalg.matmul: [lambda x: np.linalg.matmul(x, x.T)],
    np.dot: [
        lambda x: np.dot(x, x.T),
        lambda x: x.dot(like(x, Y[0])),
        lambda x: np.dot(like(x, Y[:, 0]), x),
        lambda x: np.dot(x, like(x, 2.0)),
        lambda x: np.dot(x[0, 0], x),
        lambda x: np.dot(batch(x), batch(x)),
    ],
    np.vdot: [lambda x: np.vdot(x, x), lambda x: np.vdot(like(x, Y), x)],
    np.inner: [
        lambda x: np.inner(x, x),
        lambda x: np.inner(x[0], like(x, Y)),
        lambda x: np.inner(x, x[0, 0]),
    ],
    np.outer: [lambda x: np.outer(x, x), lambda x: np.outer(like(x, Y), x[0])],
    np.kron: [lambda x: np.kron(x, x), lambda x: np.kron(x[0], like(x, Y))],
    np.tensordot: [
        lambda x: np.tensordot(x, x),
        lambda x: np.tensordot(x, x, 0),
        lambda x: np.tensordot(x, x.T, axes=1),
        lambda x: np.tensordot(x, like(x, Y), ([1, 0], [1, 0])),
        lambda x: np.tensordot(like(x, Y), x, axes=((-1,), (1,))),
    ],
    np.einsum: [
        lambda x: np.einsum("ij,kj->ik", x, x),
        lambda x: np.einsum("ij,jk", x, x.T),
        lambda x: np.einsum("i...->...i", x),
        lambda x: np.einsum("ii", square(x)),
        lambda x: np.einsum("bii->bi", batch(x), optimize="greedy"),
        lambda x: np.einsum("ij,kj,k->i", x, like(x, Y), x[:, 0], optimize=True),
    ],
    # Linear algebra.
    np.linalg.solve: [
        lambda x: np.linalg.solve(square(x), x),
        lambda x: np.linalg.solve(square(x), x[:, 0]),
        lambda x: np.linalg.solve(batch(x), like(x, [1, 2])),
        lambda x: np.linalg.solve(like(x, Y[:, :2]), x),
    ],
    np.linalg.inv: [lambda x: np.linalg.inv(square(x)), lambda x: np.linalg.inv(batch(x))],
    np.linalg.det: [lambda x: np.linalg.det(square(x)), lambda x: np.linalg.det(batch(x))],
    np.linalg.slogdet: [
        lambda x: np.linalg.slogdet(square(x)),
        lambda x: np.linalg.slogdet(-batch(x)),
        lambda x: np.linalg.slogdet(square(x)).logabsdet,
    ],
    np.linalg.cholesky: [
        lambda x: np.linalg.cholesky(gram(x)),
        lambda x: np.linalg.cholesky(np.stack([gram(x), gram(x)])),
    ],
    np.linalg.eigh: [
        lambda x: np.linalg.eigh(gram(x)),
        lambda x: np.linalg.eigh(gram(x)).eigenvalues,
    ],
    np.linalg.eigvalsh: [lambda x: np.linalg.eigvalsh(gram(x))],
}
CONSTANT = {
    np.greater: [lambda x: x > 1, lambda x: like(x, Y) > x, lambda x: np.float64(1) > x],
    np.greater_equal: [lambda x: x >= x, lambda x: np.float64(1) >= x],
    np.less: [lambda x: x < x[0], lambda x: np.less(x, 1)],
    np.less_equal: [lambda x: x <= 1, lambda x: like(x, X) <= x],
    np.equal: [lambda x: x == x, lambda x: like(x, X) == x],
    np.not_equal: [lambda x: x != x, lambda x: like(x, Y) != x],
    np.argmax: [np.argmax, lambda x: x.argmax(axis=0), lambda x: np.argmax(x, 1, keepdims=True)],
    np.argmin: [np.argmin, lambda x: x.argmin(-1)],
    np.argsort: [np.argsort, lambda x: x.argsort(axis=0), lambda x: np.argsort(x, kind="stable")],
    np.shape: [np.shape, lambda x: x.shape],
    np.ndim: [np.ndim, lambda x: x.ndim, lambda x: len(x)],
    np.size: [np.size, lambda x: x.size, lambda x: np.size(x, 1)],
    np.empty_like: [lambda x: np.empty_like(x).shape],
    np.any: [lambda x: np.any(x), lambda x: np.any(x > 1, axis=0)],
    np.all: [lambda x: np.all(x), lambda x: np.all(x > 1, axis=0)],
    np.array_equal: [lambda x: np.array_equal(x, x), lambda x: np.array_equal(like(x, Y), x)],
    np.allclose: [lambda x: np.allclose(x, X, rtol=1e-3), lambda x: np.allclose(Y, x)],
    np.isclose: [lambda x: np.isclose(x, 0.9, rtol=1e-3)],
    np.may_share_memory: [lambda x: np.may_share_memory(x, Y)],
    np.shares_memory: [lambda x: np.shares_memory(x, x)],
    np.result_type: [lambda x: np.result_type(x, np.float16)],
    np.searchsorted: [lambda x: np.searchsorted(np.array([0.5, 1.5]), x)],
    **{getattr(np, name): [getattr(np, name)] for name in PREDICATES.split()},
}


def on_tensor(f, x):
    """What f returns when its argument is a Tensor."""
    results = []

    def record(t):
        results.append(f(t))
        return np.sum(t)

    ms.grad(record)(x)
    return results[0]


def named(table):
    params = []
    for function, cases in table.items():
        name = getattr(function, "__name__", function)
        for i, case in enumerate(cases):
            params.append(pytest.param(case, id=f"{name}-{i}"))
    return params


def assert_same(actual, expected):
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_same(a, e)
        return
    actual = value_of(actual)
    assert np.shape(actual) == np.shape(expected)
    if hasattr(expected, "dtype"):
        assert actual.dtype == expected.dtype
        tolerance = 8 * np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    else:
        assert actual == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", named(DIFFERENTIABLE))
def test_a_tensor_gives_what_numpy_gives(f, dtype):
    x = X.astype(dtype)
    actual = on_tensor(f, x)
    assert_same(actual, f(x))
    for part in actual if isinstance(actual, list) else [actual]:
        assert isinstance(part, ms.Tensor | tuple)


@pytest.mark.parametrize("f", named(DIFFERENTIABLE))
def test_every_form_has_both_derivatives(f):
    """The rule is not only found but differentiable, and its two modes are adjoint."""
    rng = np.random.default_rng(3)

    def first(x):
        y = f(x)
        return y[-1] if isinstance(y, tuple | list) else y

    v = rng.normal(size=X.shape)
    y, tangent = ms.jvp(first, (X,), (v,))
    ct = np.asarray(rng.normal(size=y.shape))
    _, pullback = ms.vjp(first, X)
    assert tangent.shape == y.shape
    assert np.vdot(ct, tangent) == pytest.approx(np.vdot(pullback(ct), v), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", named(CONSTANT))
def test_what_has_no_derivative_gives_plain_arrays(f, dtype):
    x = X.astype(dtype)
    actual = on_tensor(f, x)
    assert not isinstance(actual, ms.Tensor)
    assert_same(actual, f(x))


def test_every_rule_has_a_case():
    assert set(DIFFERENTIABLE) | set(CONSTANT) == set(NUMPY_RULES)


def test_every_method_of_a_tensor_has_a_case():
    methods = "sum mean max min prod var std cumsum reshape ravel transpose swapaxes squeeze clip"
    methods += " repeat take trace diagonal dot argmax argmin argsort copy"
    for name in methods.split():
        assert callable(getattr(ms.Tensor, name)), name


# What differs from NumPy on purpose: the variable's dtype decides.


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.float64(2) * x,
        lambda x: x * np.float64(2),
        lambda x: np.float64(2) ** x,
        lambda x: x ** np.float64(2),
        lambda x: np.float64(1) - x,
        lambda x: x / np.array(3.0),
        lambda x: ROW * x,
        lambda x: x @ ROW,
        lambda x: [1, 2, 3] * x,
        lambda x: x + MASK,
        lambda x: np.where(MASK, x, np.float64(0)),
        lambda x: np.einsum("ij,j->i", x, ROW),
        lambda x: np.linalg.det(square(x)),
        lambda x: np.linalg.norm(x, 3),
    ],
)
def test_float32_stays_float32(f):
    x = X.astype(np.float32)
    x = x[0] if "norm" in f.__code__.co_names else x
    assert on_tensor(f, x).dtype == np.float32
    y, pullback = ms.vjp(f, x)
    assert y.dtype == pullback(np.ones_like(y)).dtype == np.float32


def test_lists_are_arrays():
    np.testing.assert_array_equal(value_of(on_tensor(lambda x: [1.0, 2, 3] * x, X)), ROW * X)
    np.testing.assert_array_equal(
        value_of(on_tensor(lambda x: x - [0, 1.5, 0], X)), X - [0, 1.5, 0]
    )


# Errors.


@pytest.mark.parametrize(
    ("f", "word"),
    [
        (lambda x: np.sum(x, dtype=np.float32), "dtype"),
        (lambda x: np.sum(x, where=MASK), "where"),
        (lambda x: np.max(x, initial=0.0), "initial"),
        (lambda x: np.mean(x, out=np.zeros(())), "out"),
        (lambda x: x.sum(dtype=np.float32), "dtype"),
        (lambda x: np.reshape(x, (3, 2), order="F"), "order"),
        (lambda x: np.concatenate([x, x], dtype=np.float32), "dtype"),
        (lambda x: np.take(x, [0], mode="wrap"), "mode"),
        (lambda x: np.linalg.cholesky(gram(x), upper=True), "upper"),
        (lambda x: np.exp(x, out=np.zeros_like(X)), "out"),
        (lambda x: np.add(x, 1, where=MASK), "where"),
        (lambda x: np.exp(x, dtype=np.float32), "dtype"),
        (lambda x: np.matmul(x, x.T, casting="no"), "casting"),
    ],
)
def test_a_keyword_without_a_rule_is_named(f, word):
    with pytest.raises(TypeError, match=rf"\b{word}\b"):
        on_tensor(f, X)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (np.gradient, "numpy.gradient"),
        (np.floor_divide, "numpy.floor_divide"),
        (np.fft.fft, "fft"),
        (lambda x: np.add.reduce(x), "np.add.reduce"),
        (lambda x: np.multiply.outer(x, x), "np.multiply.outer"),
    ],
)
def test_a_function_without_a_rule_is_named(f, name):
    with pytest.raises(TypeError, match=name):
        on_tensor(lambda x: f(x, 2) if f is np.floor_divide else f(x), X)


def test_a_constant_is_not_written_into():
    def add_in_place(x):
        total = np.zeros_like(X)
        total += x
        return total

    with pytest.raises(TypeError, match=r"out=.*a = a \+ t"):
        on_tensor(add_in_place, X)
