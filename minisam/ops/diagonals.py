"""Diagonals and triangles of matrices: read, placed, summed, kept."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.parts import assemble, getitem
from minisam.autodiff.primitive import linear, unbroadcast
from minisam.autodiff.tensor import value_of
from minisam.ops import shapes
from minisam.ops.domains import cases

_TRIANGLES = cases(
    ((3, 3), {"k": 0}),
    ((2, 3), {"k": 1}),
    ((2, 3, 2), {"k": -1}),
    ((3,), {"k": 0}),
    ((0, 2), {"k": 0}),
)
# A vector stands for the matrix with that row repeated, as in NumPy: hence unbroadcast.
tril_op = linear(
    "tril",
    lambda x, k: np.tril(x, k),
    lambda ct, x, k: unbroadcast(np.tril(ct, k), x),
    domain=_TRIANGLES,
)
triu_op = linear(
    "triu",
    lambda x, k: np.triu(x, k),
    lambda ct, x, k: unbroadcast(np.triu(ct, k), x),
    domain=_TRIANGLES,
)


def _diagonal_places(n: int, m: int, offset: int, like: Array) -> tuple[Array, Array]:
    """Rows and columns of a diagonal of an n × m matrix, where ``like`` is."""
    length = max(0, min(n + min(offset, 0), m - max(offset, 0)))
    i = np.arange(length, like=value_of(like))
    return i + max(-offset, 0), i + max(offset, 0)


def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Read a diagonal of each matrix in an array.

    Parameters
    ----------
    x : array
        At least two axes.
    offset : int
        Which diagonal: 0 the main one, above it positive.
    axis1, axis2 : int
        The axes of the rows and of the columns.

    Returns
    -------
    array
        Without those two axes, and with the diagonal as its last.

    Examples
    --------
    >>> import numpy as np
    >>> diagonal(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    """
    n = np.ndim(x)
    last = [normalize_axis_index(axis, n) for axis in (axis1, axis2)] if n > 1 else [0, 0]
    if last[0] == last[1]:
        raise ShapeError(
            f"diagonal: needs two different axes, got axis1={axis1} and axis2={axis2} of an "
            f"array of shape {np.shape(x)}."
        )
    x = shapes.transpose(x, [a for a in range(n) if a not in last] + last)
    rows, columns = np.shape(x)[-2:]
    return getitem(x, (..., *_diagonal_places(rows, columns, offset, x)))


def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Sum a diagonal of each matrix in an array; parameters as for `diagonal`.

    Examples
    --------
    >>> import numpy as np
    >>> float(trace(np.array([[1.0, 2.0], [3.0, 4.0]])))
    5.0
    """
    return np.sum(diagonal(x, offset, axis1, axis2), axis=-1)


def diag(x: Array, k: int = 0) -> Array:
    """Make a matrix of its diagonal, or read the diagonal of a matrix.

    Parameters
    ----------
    x : array, (n,) or (n, m)
        The diagonal or the matrix.
    k : int
        Which diagonal: 0 the main one, above it positive.

    Returns
    -------
    array, (n + abs(k), n + abs(k)) or 1-D
        The matrix, zero elsewhere; or the diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> diag(np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    if np.ndim(x) == 2:
        return diagonal(x, k)
    if np.ndim(x) != 1:
        raise ShapeError(
            f"diag: needs a vector or a matrix, got shape {np.shape(x)}. For the diagonals of "
            "several matrices use np.diagonal(t, axis1=-2, axis2=-1)."
        )
    size = len(x) + abs(k)
    like = np.zeros_like(value_of(x), shape=(size, size))
    return assemble(x, indices=(_diagonal_places(size, size, k, x),), like=like)


def tril(x: Array, k: int = 0) -> Array:
    """Keep the lower triangle of each matrix, up to diagonal k, and set the rest to 0.

    Examples
    --------
    >>> import numpy as np
    >>> tril(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return tril_op(x, k=k)


def triu(x: Array, k: int = 0) -> Array:
    """Keep the upper triangle of each matrix, from diagonal k, and set the rest to 0.

    Examples
    --------
    >>> import numpy as np
    >>> triu(np.ones((2, 2)), 1)
    array([[0., 1.],
           [0., 0.]])
    """
    return triu_op(x, k=k)
