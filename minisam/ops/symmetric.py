"""Symmetric matrices: the Cholesky factor, eigenvalues and eigenvectors.

As in NumPy, of each argument only the lower triangle is read. The derivatives are those of that
function: they hold for any perturbation, and the gradient above the diagonal is 0. Along symmetric
perturbations this is the derivative every convention gives; where the gradient itself should be
symmetric, differentiate ``cholesky((a + a.T) / 2)``.

The rules are those of Murray (2016), "Differentiation of the Cholesky decomposition"
(arXiv:1602.07527), and Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation". A dot marks tangents, a bar cotangents.
"""

from typing import NamedTuple

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.primitive import Params, primitive
from minisam.autodiff.tensor import value_of
from minisam.ops.linalg import checked, inv_op, transposed


def _spread_domain(rng: Random) -> list[tuple[tuple[Array, ...], Params]]:
    """Lower triangles of positive definite matrices with distinct eigenvalues."""
    sizes = ((2, 2), (3, 3), (1, 1), (2, 2, 2), (0, 2, 2))
    return [
        ((rng.uniform(-0.3, 0.3, shape) + np.diag(1.0 + 2 * np.arange(shape[-1])),), {})
        for shape in sizes
    ]


def _from_lower(a: Array) -> Array:
    """Build the symmetric matrix with this lower triangle."""
    return np.tril(a) + transposed(np.tril(a, -1))


def _to_lower(s: Array) -> Array:
    """Transpose the map `_from_lower`."""
    return np.tril(s) + np.tril(transposed(s), -1)


def _half_lower(x: Array) -> Array:
    """Apply Murray's Φ: keep the lower triangle, with half of the diagonal."""
    return 0.5 * (np.tril(x) + np.tril(x, -1))


# A = L Lᵀ, so Ȧ = L̇ Lᵀ + L L̇ᵀ, and L⁻¹ L̇ is the lower half of L⁻¹ Ȧ L⁻ᵀ.


def _cholesky_pull(i: int, ct: Array, y: Array, a: Array) -> Array:
    inverse = inv_op(y)
    return _to_lower(transposed(inverse) @ _half_lower(transposed(y) @ ct) @ inverse)


def _cholesky_push(tangents: list[Array], y: Array, a: Array) -> Array:
    inverse = inv_op(y)
    return y @ _half_lower(inverse @ _from_lower(tangents[0]) @ transposed(inverse))


cholesky_op = primitive(
    "cholesky",
    np.linalg.cholesky,
    _cholesky_pull,
    _cholesky_push,
    domain=_spread_domain,
    smooth=False,  # with complex numbers it factors a Hermitian matrix, which is not analytic
    doc="The lower triangular L with L Lᵀ = A; of A only the lower triangle is read.",
)


# A V = V Λ, so λ̇ = diag(Vᵀ Ȧ V), and V̇ = V (F ∘ Vᵀ Ȧ V) with F_ij = 1/(λ_j - λ_i) off the
# diagonal. Rows of one array hold λ and V, because a primitive has one output.


def _inverse_gaps(values: Array) -> Array:
    # Where eigenvalues tie F is 0: right for every function that has a derivative there, such as
    # the largest eigenvalue of a matrix that has 0 many times.
    gaps = values[..., None, :] - values[..., :, None]
    tied = value_of(gaps) == 0
    return np.where(tied, 0, 1 / np.where(tied, 1, gaps))


def _eigh_pull(i: int, ct: Array, y: Array, a: Array) -> Array:
    values, v = y[..., 0, :], y[..., 1:, :]
    values_bar, v_bar = ct[..., :1, :], ct[..., 1:, :]
    inner = (v * values_bar) + v @ (_inverse_gaps(values) * (transposed(v) @ v_bar))
    return _to_lower(inner @ transposed(v))


def _eigh_push(tangents: list[Array], y: Array, a: Array) -> Array:
    values, v = y[..., 0, :], y[..., 1:, :]
    inner = transposed(v) @ _from_lower(tangents[0]) @ v
    row = np.diagonal(inner, axis1=-2, axis2=-1)[..., None, :]
    return np.concatenate([row, v @ (_inverse_gaps(values) * inner)], axis=-2)


def _eigh(a: Array) -> Array:
    values, vectors = np.linalg.eigh(a)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


eigh_op = primitive(
    "eigh",
    _eigh,
    _eigh_pull,
    _eigh_push,
    domain=_spread_domain,
    smooth=False,
    doc="The eigenvalues of A as row 0, the matrix of its eigenvectors below.",
)


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and the matrix with the eigenvectors as columns."""

    eigenvalues: Array
    eigenvectors: Array


def cholesky(a: Array) -> Array:
    """Factor positive definite matrices into L Lᵀ with L lower triangular.

    Parameters
    ----------
    a : array, (..., n, n)
        Positive definite; only the lower triangle is read.

    Returns
    -------
    array, (..., n, n)
        The factors L.

    Raises
    ------
    ShapeError
        The matrices are not square.
    numpy.linalg.LinAlgError
        A matrix is not positive definite.

    Notes
    -----
    ``L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ)`` with Φ the lower triangle and half of the diagonal (Murray, eq. 8).

    Examples
    --------
    >>> import numpy as np
    >>> cholesky(np.array([[4.0, 2.0], [2.0, 2.0]]))
    array([[2., 0.],
           [1., 1.]])
    """
    return checked("cholesky", cholesky_op, a)


def eigh(a: Array) -> EighResult:
    """Eigenvalues and eigenvectors of symmetric matrices with distinct eigenvalues.

    Parameters
    ----------
    a : array, (..., n, n)
        Symmetric; only the lower triangle is read.

    Returns
    -------
    eigenvalues : array, (..., n)
        In ascending order; λ has gradient ``v vᵀ``, read from the lower triangle.
    eigenvectors : array, (..., n, n)
        Orthonormal columns. Their signs are LAPACK's choice: use functions that do not change
        with them.

    Notes
    -----
    Where eigenvalues coincide, the derivative treats their vectors as if they did not turn into
    each other. That is right for functions that have a derivative there.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> a = np.array([[2.0, 0.0], [0.0, 5.0]])
    >>> ms.grad(lambda a: np.linalg.eigh(a).eigenvalues[-1])(a)
    array([[0., 0.],
           [0., 1.]])
    """
    both = checked("eigh", eigh_op, a)
    return EighResult(both[..., 0, :], both[..., 1:, :])


def eigvalsh(a: Array) -> Array:
    """Eigenvalues of symmetric matrices in ascending order; see `eigh`.

    Examples
    --------
    >>> import numpy as np
    >>> eigvalsh(np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([-1.,  1.])
    """
    return checked("eigvalsh", eigh_op, a)[..., 0, :]
