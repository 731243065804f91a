"""Small linear algebra: solve, inverse, determinant and norms.

The rules are those of Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation". Each follows from differentiating the defining equation, which
stands above it. A dot marks tangents, a bar cotangents; all act on the last two axes.
"""

from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import Params, Primitive, primitive, unbroadcast
from minisam.autodiff.tensor import value_of
from minisam.ops import reductions, shapes


def transposed(x: Array) -> Array:
    """Transpose each matrix.

    Examples
    --------
    >>> import numpy as np
    >>> transposed(np.zeros((2, 3, 4))).shape
    (2, 4, 3)
    """
    return np.swapaxes(x, -1, -2)


def _scale(ct: Array, matrix: Array) -> Array:
    """Multiply each matrix by its number."""
    return ct[..., None, None] * matrix


def _regular(rng: np.random.Generator, *shape: int) -> Array:
    """Random matrices far from singular ones, without symmetry."""
    return rng.uniform(-0.5, 0.5, shape) + 1.5 * np.eye(shape[-1])


def _regular_domain(rng: np.random.Generator) -> list[tuple[tuple[Array, ...], Params]]:
    sizes = ((2, 2), (3, 3), (1, 1), (2, 2, 2), (0, 2, 2))
    return [((_regular(rng, *shape),), {}) for shape in sizes]


# A X = B, so Ẋ = A⁻¹(Ḃ - Ȧ X).


def _solve_pull(i: int, ct: Array, y: Array, a: Array, b: Array) -> Array:
    b_bar = solve_op(transposed(a), ct)
    return unbroadcast(b_bar, b) if i == 1 else unbroadcast(-b_bar @ transposed(y), a)


def _solve_push(tangents: list[Array | None], y: Array, a: Array, b: Array) -> Array:
    ta, tb = tangents
    if ta is None:
        return solve_op(a, tb)
    return solve_op(a, -ta @ y if tb is None else tb - ta @ y)


solve_op = primitive(
    "solve",
    np.linalg.solve,
    _solve_pull,
    _solve_push,
    domain=lambda rng: [
        ((_regular(rng, *a), rng.normal(size=b)), {})
        for a, b in (
            ((2, 2), (2, 1)),
            ((3, 3), (3, 2)),
            ((2, 2, 2), (2, 1)),
            ((2, 2), (2, 2, 1)),
            ((2, 1, 2, 2), (2, 2, 1)),
            ((2, 2), (2, 0)),
        )
    ],
    doc="The matrix X with A X = B.",
)

# A Y = I, so Ẏ = -Y Ȧ Y.

inv_op = primitive(
    "inv",
    np.linalg.inv,
    lambda i, ct, y, a: -transposed(y) @ ct @ transposed(y),
    lambda tangents, y, a: -y @ tangents[0] @ y,
    domain=_regular_domain,
)


def _cofactors(a: Array) -> Array:
    """∂ det A / ∂A: ± the determinant of A without row i and column j.

    Not det(A) A⁻ᵀ, which is the same only while A has an inverse: cofactors are polynomials, and
    being determinants they can be differentiated by the same rule, to every order.
    """
    n = a.shape[-1]
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=int)
    others = others.reshape(n, max(n - 1, 0))
    minors = det_op(a[..., others[:, None, :, None], others[None, :, None, :]])
    i = np.arange(n, dtype=a.dtype, like=value_of(a))
    return minors * (1 - 2 * ((i[:, None] + i) % 2))


det_op = primitive(
    "det",
    np.linalg.det,
    lambda i, ct, y, a: _scale(ct, _cofactors(a)),
    lambda tangents, y, a: (_cofactors(a) * tangents[0]).sum(axis=(-2, -1)),
    domain=lambda rng: [
        *_regular_domain(rng),
        ((np.zeros((2, 2)),), {}),
        ((rng.normal(size=(3, 2)) @ rng.normal(size=(2, 3)),), {}),
        ((rng.normal(size=(4, 4)),), {}),
    ],
    doc="Determinant; its derivative is right for singular matrices, too.",
)

# Jacobi's formula: d log|det A| = tr(A⁻¹ Ȧ).

logdet_op = primitive(
    "logdet",
    lambda a: np.linalg.slogdet(a)[1],
    lambda i, ct, y, a: _scale(ct, transposed(inv_op(a))),
    lambda tangents, y, a: (transposed(inv_op(a)) * tangents[0]).sum(axis=(-2, -1)),
    domain=_regular_domain,
    smooth=False,  # with complex numbers it is log|det A|, which is not analytic
    doc="log|det A|.",
)


class SlogdetResult(NamedTuple):
    """Sign and logarithm of the absolute value of a determinant."""

    sign: Array
    logabsdet: Array


def checked(name: str, op: Primitive, a: Array, *b: Array) -> Array:
    """Apply a primitive to square matrices; if LAPACK refuses, say which shapes it got and why.

    Parameters
    ----------
    name : str
        What to call it.
    op : Primitive
        What to apply.
    a : array, (..., n, n)
        The matrices.
    *b : array, (..., n, k)
        Right-hand sides, if it takes them.

    Returns
    -------
    array
        ``op(a, *b)``.
    """
    try:
        return op(a, *b)
    except ValueError as error:  # LinAlgError is one
        shape = np.shape(a)
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ShapeError(f"{name}: needs square matrices (..., n, n), got {shape}.") from None
        if isinstance(error, np.linalg.LinAlgError):
            raise np.linalg.LinAlgError(
                f"{name}: {str(error).lower()}, of shape {shape}. A small multiple of the identity "
                f"added to it may help: a + ridge * np.eye({shape[-1]}, dtype=a.dtype)."
            ) from None
        raise


def solve(a: Array, b: Array) -> Array:
    """Solve the linear equations A x = b.

    Parameters
    ----------
    a : array, (..., n, n)
        Regular matrices.
    b : array, (n,) or (..., n, k)
        A vector if it has one axis, else matrices, as in NumPy 2; leading axes broadcast.

    Returns
    -------
    array, (..., n) or (..., n, k)
        The solutions. With x̄ given, ``b̄ = A⁻ᵀ x̄`` and ``Ā = -b̄ xᵀ``.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    numpy.linalg.LinAlgError
        A matrix is singular.

    Examples
    --------
    >>> import numpy as np
    >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    array([1. , 0.5])
    """
    if np.ndim(b) == 1:
        return solve(a, shapes.expand_dims(b, -1))[..., 0]
    if np.ndim(a) > 1 and np.shape(b)[-2:-1] != np.shape(a)[-1:]:
        raise ShapeError(
            f"solve: a of shape {np.shape(a)} needs b of shape ({np.shape(a)[-1]},) or "
            f"(..., {np.shape(a)[-1]}, k), got {np.shape(b)}."
        )
    return checked("solve", solve_op, a, b)


def inv(a: Array) -> Array:
    """Invert matrices; where ``inv(a) @ b`` is wanted, ``solve(a, b)`` is faster and more accurate.

    Parameters
    ----------
    a : array, (..., n, n)
        Regular matrices.

    Returns
    -------
    array, (..., n, n)
        The inverses Y; ``Ā = -Yᵀ Ȳ Yᵀ``.

    Examples
    --------
    >>> import numpy as np
    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return checked("inv", inv_op, a)


def det(a: Array) -> Array:
    """Compute determinants, of singular matrices too, with all their derivatives.

    Parameters
    ----------
    a : array, (..., n, n)
        Any square matrices.

    Returns
    -------
    array, (...,)
        The determinants.

    Notes
    -----
    The derivative is the matrix of cofactors, n² determinants of size n - 1: it is right for every
    matrix, to every order, and takes n⁵ operations and n⁴ memory. For n beyond about 30 use
    `slogdet`, whose derivative is one inverse.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])).round(6)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return checked("det", det_op, a)


def slogdet(a: Array) -> SlogdetResult:
    """Compute signs and logarithms of determinants, without overflow.

    Parameters
    ----------
    a : array, (..., n, n)
        Square matrices; for a singular one the logarithm is -inf, and has no derivative.

    Returns
    -------
    sign : array, (...,)
        1, 0 or -1: a constant.
    logabsdet : array, (...,)
        log|det A|; its gradient is A⁻ᵀ.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(lambda a: np.linalg.slogdet(a).logabsdet)(np.array([[2.0, 2.0], [1.0, 2.0]]))
    array([[ 1. , -0.5],
           [-1. ,  1. ]])
    """
    logabsdet = checked("slogdet", logdet_op, a)
    return SlogdetResult(np.linalg.slogdet(value_of(a))[0], logabsdet)


def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Vector p-norm, or Frobenius norm of a matrix: `minisam.ops.reductions.norm`.

    What NumPy means by ``ord`` for a matrix (sums of columns, singular values) is an error.

    Examples
    --------
    >>> import numpy as np
    >>> float(norm(np.array([[3.0, 0.0], [0.0, 4.0]])))
    5.0
    """
    axes = np.ndim(x) if axis is None else np.size(axis)
    if axes != 1 and ord is not None and not (axes == 2 and ord == "fro"):
        raise ValueError(
            f"norm: ord={ord!r} over {axes} axes is a matrix norm, which has no derivative rule. "
            "For the norm of all elements as one vector write np.linalg.norm(np.ravel(t), ord)."
        )
    return reductions.norm(x, ord, axis, keepdims)
