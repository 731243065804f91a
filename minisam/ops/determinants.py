"""Determinants and their logarithms; a dot marks tangents, a bar cotangents."""

from typing import NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.primitive import primitive
from minisam.autodiff.tensor import value_of
from minisam.ops.linalg import checked, inv_op, regular_domain, transposed


def _scale(ct: Array, matrix: Array) -> Array:
    """Multiply each matrix by its number."""
    return ct[..., None, None] * matrix


def _cofactors(a: Array) -> Array:
    """∂ det A / ∂A: ± the determinant of A without row i and column j.

    Not det(A) A⁻ᵀ, which is the same only while A has an inverse: cofactors are polynomials, and
    being determinants they can be differentiated by the same rule, to every order.
    """
    n = a.shape[-1]
    rows = [[j for j in range(n) if j != i] for i in range(n)]
    others = np.array(rows, dtype=int, like=value_of(a)).reshape((n, max(n - 1, 0)))
    minors = det_op(a[..., others[:, None, :, None], others[None, :, None, :]])
    i = np.arange(n, dtype=a.dtype, like=value_of(a))
    return minors * (1 - 2 * ((i[:, None] + i) % 2))


det_op = primitive(
    "det",
    np.linalg.det,
    lambda i, ct, y, a: _scale(ct, _cofactors(a)),
    lambda tangents, y, a: (_cofactors(a) * tangents[0]).sum(axis=(-2, -1)),
    domain=lambda rng: [
        *regular_domain(rng),
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
    domain=regular_domain,
    smooth=False,  # with complex numbers it is log|det A|, which is not analytic
    doc="log|det A|.",
)


class SlogdetResult(NamedTuple):
    """Sign and logarithm of the absolute value of a determinant."""

    sign: Array
    logabsdet: Array


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
