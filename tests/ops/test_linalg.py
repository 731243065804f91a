"""Small linear algebra: NumPy's values, textbook derivatives, every order, and what holds where."""

import numpy as np
import pytest

import minisam as ms
from minisam.ops import determinants, linalg, symmetric

DTYPES = (np.float32, np.float64)
A = np.array([[2.0, -0.4, 0.3], [0.5, 1.5, -0.6], [-0.2, 0.7, 1.8]])
B = np.array([[1.0, -0.5], [0.4, 2.0], [-1.2, 0.3]])
S = np.array([[2.0, 0.3, -0.4], [0.3, 4.0, 0.5], [-0.4, 0.5, 7.0]])


def close(actual, expected, rtol=1e-12):
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-13)


# Values are NumPy's, also on plain arrays.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (2,), (2, 1), (0,)])
@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (linalg.inv, np.linalg.inv),
        (determinants.det, np.linalg.det),
        (lambda a: determinants.slogdet(a).logabsdet, lambda a: np.linalg.slogdet(a).logabsdet),
        (lambda a: determinants.slogdet(a).sign, lambda a: np.linalg.slogdet(a).sign),
        (symmetric.cholesky, np.linalg.cholesky),
        (symmetric.eigvalsh, np.linalg.eigvalsh),
        (lambda a: symmetric.eigh(a).eigenvectors, lambda a: np.linalg.eigh(a).eigenvectors),
    ],
)
def test_values_and_dtypes(ours, numpys, batch, dtype):
    a = np.broadcast_to(S, (*batch, 3, 3)).astype(dtype)
    expected = numpys(a)
    assert ours(a).dtype == expected.dtype == dtype
    close(ours(a), expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("shape_a", "shape_b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (3, 1)),
        ((5, 3, 3), (3,)),
        ((5, 3, 3), (3, 2)),
        ((3, 3), (5, 3, 2)),
        ((4, 1, 3, 3), (5, 3, 2)),
        ((0, 3, 3), (3,)),
        ((0, 0), (0,)),
        ((3, 3), (3, 0)),
    ],
)
def test_solve_reads_b_as_numpy_does(shape_a, shape_b):
    """One axis is a vector, whatever the batch of a; else matrices."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=shape_a) + 4 * np.eye(shape_a[-1])
    b, v = rng.normal(size=(2, *shape_b))
    expected = np.linalg.solve(a, b)
    value, tangent = ms.jvp(lambda b: np.linalg.solve(a, b), (b,), (v,))
    close(value, expected)
    close(tangent, np.linalg.solve(a, v))
    ct = rng.normal(size=expected.shape)
    a_bar, b_bar = ms.vjp(np.linalg.solve, a, b)[1](ct)
    assert a_bar.shape == a.shape
    close(np.vdot(b_bar, v), np.vdot(ct, tangent))


def test_the_textbook_gradients():
    ct = np.array([0.3, -1.1, 0.7])
    x = np.linalg.solve(A, ct)
    a_bar, b_bar = ms.vjp(np.linalg.solve, A, B[:, 0])[1](ct)
    close(b_bar, np.linalg.solve(A.T, ct))
    close(a_bar, -np.outer(b_bar, np.linalg.solve(A, B[:, 0])))
    close(ms.grad(lambda a: np.linalg.slogdet(a)[1])(A), np.linalg.inv(A).T)
    close(ms.grad(np.linalg.det)(A), np.linalg.det(A) * np.linalg.inv(A).T)
    close(ms.grad(lambda a: np.trace(np.linalg.inv(a)))(A), -np.linalg.matrix_power(x_inv(A), 2).T)
    close(ms.grad(lambda a: ct @ np.linalg.inv(a) @ ct)(A), -np.outer(x_inv(A).T @ ct, x))


def x_inv(a):
    return np.linalg.inv(a)


# Every order, both modes, both precisions; the primitives' own domains are checked elsewhere.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda a, b: np.linalg.solve(a, b), (A[:2, :2], B[:2, 0])),
        (lambda a: np.linalg.solve(a, a.T), (A[:2, :2],)),
        (lambda a: np.linalg.slogdet(a)[1] * a, (-A[:2, :2],)),
        (lambda a: np.log(np.linalg.det(a @ a.T)), (A[:2],)),
        (lambda a: np.linalg.cholesky(a @ a.T) @ a, (A[:2, :2],)),
        (lambda a: np.linalg.eigvalsh(a @ a.T), (A[:2],)),
        (lambda a: np.linalg.norm(np.linalg.inv(a)), (A[:2, :2],)),
    ],
)
def test_compositions_to_third_order(f, args, dtype):
    ms.check_grads(f, tuple(a.astype(dtype) for a in args), order=3, analytic=False)


# Determinants of singular matrices.


def test_first_derivative_of_det_at_rank_one_less_than_full():
    a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    cofactors = [[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]
    close(ms.grad(np.linalg.det)(a), cofactors, rtol=1e-14)


def test_third_derivative_of_det_at_zero_is_exact():
    """For 3 × 3 matrices it is the product of two Levi-Civita symbols."""
    epsilon = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        epsilon[i, j, k], epsilon[k, j, i] = 1, -1
    zero = np.zeros((3, 3))
    close(ms.grad(np.linalg.det)(zero), zero)
    close(ms.hessian(np.linalg.det)(zero), np.zeros((3,) * 4))
    third = ms.jacobian(ms.hessian(np.linalg.det))(zero)
    close(third, np.einsum("ace,bdf->abcdef", epsilon, epsilon))


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_det_is_linear_in_each_row(n):
    rng = np.random.default_rng(n)
    a = rng.normal(size=(n, n))
    value, gradient = ms.value_and_grad(np.linalg.det)(a)
    close(value, np.linalg.det(a))
    close(np.sum(gradient * a, axis=1), np.full(n, value))


def test_sign_of_a_determinant_is_a_constant():
    def f(a):
        sign, logabsdet = np.linalg.slogdet(a)
        assert not isinstance(sign, ms.Tensor)
        return sign * np.exp(logabsdet)

    close(ms.grad(f)(-A), ms.grad(np.linalg.det)(-A))


def test_slogdet_does_not_overflow():
    a = 1e30 * np.eye(40)
    close(ms.grad(lambda a: np.linalg.slogdet(a).logabsdet)(a), 1e-30 * np.eye(40))


# Symmetric matrices: only the lower triangle is read.


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.cholesky,
        np.linalg.eigvalsh,
        lambda a: np.linalg.eigh(a).eigenvectors,
    ],
)
def test_only_the_lower_triangle_is_read(f):
    disturbed = np.tril(S) + np.triu(np.full((3, 3), 9.0), 1)
    jacobian = ms.jacobian(f)(S)
    close(jacobian, ms.jacobian(f)(disturbed))
    assert not np.any(jacobian[..., [0, 0, 1], [1, 2, 2]])


@pytest.mark.parametrize("f", [np.linalg.cholesky, np.linalg.eigvalsh])
def test_a_symmetric_gradient_by_symmetrizing(f):
    ct = np.random.default_rng(0).normal(size=f(S).shape)
    lower = ms.vjp(f, S)[1](ct)
    symmetric_one = ms.vjp(lambda a: f((a + a.T) / 2), S)[1](ct)
    close(symmetric_one, symmetric_one.T)
    # Both give the same slope along symmetric directions, which is all there is to agree on.
    v = np.array([[1.0, 2.0, 3.0], [2.0, -1.0, 0.5], [3.0, 0.5, 4.0]])
    close(np.sum(lower * v), np.sum(symmetric_one * v))


def test_three_ways_to_the_log_determinant():
    """Gaussian likelihood: by Cholesky, by slogdet and by eigenvalues, to second order."""
    ways = (
        lambda x: 2 * np.sum(np.log(np.diagonal(np.linalg.cholesky(x @ x.T)))),
        lambda x: np.linalg.slogdet(x @ x.T).logabsdet,
        lambda x: np.sum(np.log(np.linalg.eigvalsh(x @ x.T))),
    )
    for derivative in (ms.grad, ms.hessian):
        one, two, three = (derivative(f)(A) for f in ways)
        close(one, two, rtol=1e-10)
        close(three, two, rtol=1e-10)


def test_eigenvalues_move_with_their_vectors():
    _, vectors = np.linalg.eigh(S)
    jacobian = ms.jacobian(np.linalg.eigvalsh)(S)
    expected = np.einsum("in,jn->nij", vectors, vectors)
    close(jacobian, np.tril(expected) + np.tril(expected, -1))


def test_where_eigenvalues_tie_symmetric_functions_keep_their_derivative():
    """The sum of the eigenvalues is the trace, whatever they are."""
    close(ms.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(3)), np.eye(3))


def test_second_derivative_of_the_largest_eigenvalue_of_a_matrix_of_low_rank():
    """λ'' = 2 Σ_j (v_jᵀ Ȧ v)² / (λ - λ_j): the ties among the others, at 0, do not matter."""
    a = np.zeros((4, 4))
    a[0, 0] = 2.0
    v = np.random.default_rng(1).normal(size=(4, 4))
    v = v + v.T
    largest = lambda a: np.linalg.eigvalsh(a)[-1]  # noqa: E731
    close(np.sum(v * ms.hvp(largest, a, v)), 2 * np.sum(v[0, 1:] ** 2) / 2.0)


def test_eigenvectors_stay_orthonormal():
    v = np.random.default_rng(2).normal(size=(3, 3))
    vectors, moved = ms.jvp(lambda a: np.linalg.eigh(a).eigenvectors, (S,), (v,))
    close(vectors.T @ moved, -(vectors.T @ moved).T)


# Errors.

MATRIX_NORM = r"norm: ord=.* is a matrix norm.*np\.ravel"


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (np.linalg.inv, ms.ShapeError, r"inv: needs square matrices .*got \(2, 3\)"),
        (np.linalg.det, ms.ShapeError, r"det: .*\(2, 3\)"),
        (np.linalg.slogdet, ms.ShapeError, r"slogdet: .*\(2, 3\)"),
        (np.linalg.cholesky, ms.ShapeError, r"cholesky: .*\(2, 3\)"),
        (np.linalg.eigh, ms.ShapeError, r"eigh: .*\(2, 3\)"),
        (np.linalg.eigvalsh, ms.ShapeError, r"eigvalsh: .*\(2, 3\)"),
        (lambda x: np.linalg.inv(x[0]), ms.ShapeError, r"inv: .*got \(3,\)"),
        (lambda x: np.linalg.solve(x, x[:, 0]), ms.ShapeError, r"solve: .*\(2, 3\)"),
        (lambda x: np.linalg.solve(x[0], x), ms.ShapeError, r"solve: .*got \(3,\)"),
        (
            lambda x: np.linalg.solve(np.eye(4), x),
            ms.ShapeError,
            r"solve: a of shape \(4, 4\) needs b of shape \(4,\) or \(\.\.\., 4, k\), got \(2, 3\)",
        ),
        (lambda x: np.linalg.solve(np.eye(4), x[0]), ms.ShapeError, r"got \(3,\)"),
        (
            lambda x: np.linalg.inv(0 * x.T @ x),
            np.linalg.LinAlgError,
            "inv: singular matrix.*ridge",
        ),
        (lambda x: np.linalg.cholesky(-x @ x.T), np.linalg.LinAlgError, "not positive definite"),
        (lambda x: np.linalg.norm(x, 2), ValueError, MATRIX_NORM),
        (lambda x: np.linalg.norm(x, 1), ValueError, MATRIX_NORM),
        (lambda x: np.linalg.norm(x, "nuc"), ValueError, MATRIX_NORM),
        (lambda x: np.linalg.norm(x[None], 2, axis=(1, 2)), ValueError, MATRIX_NORM),
        (lambda x: np.linalg.norm(x[0], 0.5), ValueError, "p must be in"),
    ],
)
def test_errors(f, kind, message):
    x = np.array([[1.0, 2.0, 4.0], [2.0, 2.0, 1.0]])
    with pytest.raises(kind, match=message):
        ms.linearize(f, x)


def test_a_singular_matrix_has_a_value_but_no_derivative_of_its_logarithm():
    singular = np.ones((2, 2))
    assert determinants.slogdet(singular) == (0.0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError):
        ms.grad(lambda a: np.linalg.slogdet(a).logabsdet)(singular)


def test_two_precisions_are_not_mixed():
    with pytest.raises(TypeError, match="solve: mixes float32"):
        ms.linearize(lambda b: np.linalg.solve(A, b), B.astype(np.float32))
