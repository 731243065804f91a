"""Products of arrays with many axes, each a matrix product between two reshapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.ops import shapes
from minisam.ops.products import matmul


def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Sum products over axes of a paired with axes of b.

    Parameters
    ----------
    a, b : array
        Any shapes.
    axes : int or pair of int or pair of sequences of int
        The number of last axes of ``a`` paired with as many first axes of ``b``; or which axes of
        each.

    Returns
    -------
    array
        The other axes of a, then those of b.

    Raises
    ------
    ShapeError
        Paired axes differ in length.

    Examples
    --------
    >>> import numpy as np
    >>> tensordot(np.ones((2, 3)), np.ones((3, 4)), 1).shape
    (2, 4)
    """
    if not hasattr(axes, "__len__"):
        axes = (range(-axes, 0), range(axes))
    shape_a, shape_b = np.shape(a), np.shape(b)
    paired_a, paired_b = (
        [normalize_axis_index(i, len(shape), "tensordot") for i in np.atleast_1d(paired).tolist()]
        for shape, paired in zip((shape_a, shape_b), axes, strict=True)
    )
    fits = [shape_a[i] for i in paired_a] == [shape_b[i] for i in paired_b]
    if not fits or len(set(paired_a)) < len(paired_a) or len(set(paired_b)) < len(paired_b):
        raise ShapeError(
            f"tensordot: axes {paired_a} of shape {shape_a} do not pair with axes {paired_b} "
            f"of shape {shape_b}: each pair must have one length, and no axis may occur twice."
        )
    free_a = [i for i in range(len(shape_a)) if i not in paired_a]
    free_b = [i for i in range(len(shape_b)) if i not in paired_b]
    rows, columns = [shape_a[i] for i in free_a], [shape_b[i] for i in free_b]
    inner = int(np.prod([shape_a[i] for i in paired_a], dtype=int))
    left = shapes.reshape(shapes.transpose(a, free_a + paired_a), (int(np.prod(rows)), inner))
    right = shapes.reshape(shapes.transpose(b, paired_b + free_b), (inner, int(np.prod(columns))))
    return shapes.reshape(matmul(left, right), rows + columns)


def inner(a: Array, b: Array) -> Array:
    """Sum products over the last axes of both; the plain product if one is a number.

    Examples
    --------
    >>> import numpy as np
    >>> float(inner(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    11.0
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return tensordot(a, b, (-1, -1))


def dot(a: Array, b: Array) -> Array:
    """Sum products over the last axis of a and the last but one of b (the only one of a vector).

    For matrices and vectors this is ``a @ b``; with more axes `matmul` pairs the leading ones,
    and dot does not.

    Examples
    --------
    >>> import numpy as np
    >>> dot(np.ones((5, 2, 3)), np.ones((4, 3, 2))).shape
    (5, 2, 4, 2)
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return matmul(a, b) if np.ndim(b) < 3 else tensordot(a, b, (-1, -2))


def outer(a: Array, b: Array) -> Array:
    """Multiply every element of a (rows) by every element of b (columns); both flattened.

    Examples
    --------
    >>> import numpy as np
    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    return shapes.reshape(a, (-1, 1)) * shapes.reshape(b, (1, -1))


def kron(a: Array, b: Array) -> Array:
    """Kronecker product: blocks of b, each scaled by an element of a.

    Examples
    --------
    >>> import numpy as np
    >>> kron(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([ 1., 10.,  2., 20.])
    """
    n = max(np.ndim(a), np.ndim(b))
    m = (1,) * (n - np.ndim(a)) + np.shape(a)
    k = (1,) * (n - np.ndim(b)) + np.shape(b)
    blocks = shapes.reshape(a, _alternate(m, (1,) * n)) * shapes.reshape(b, _alternate((1,) * n, k))
    return shapes.reshape(blocks, [i * j for i, j in zip(m, k, strict=True)])


def _alternate(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [n for pair in zip(first, second, strict=True) for n in pair]
