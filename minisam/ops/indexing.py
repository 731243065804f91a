"""Picking and repeating elements: take, sort, repeat, tile, roll, split.

All of these are linear once the places are known. Most are compositions of indexing, whose adjoint
adds up what was read twice, and of reshapes.
"""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minisam.arrays import Array, on_host, to_numpy
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.parts import getitem
from minisam.autodiff.primitive import linear, selection
from minisam.autodiff.tensor import value_of
from minisam.ops import shapes
from minisam.ops.domains import cases


def _along(chosen: Array, shape: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    """Index that reads the chosen places along an axis, and every place along the others."""
    ones = (1,) * len(shape)
    index = [
        np.arange(n, like=chosen).reshape((*ones[:i], n, *ones[i + 1 :]))
        for i, n in enumerate(shape)
    ]
    index[axis] = chosen
    return tuple(index)


take_along_axis_op = linear(
    "take_along_axis",
    lambda x, chosen, axis: np.take_along_axis(x, chosen, axis),
    lambda ct, x, chosen, axis: [(_along(chosen, x.shape, axis), ct)],
    domain=cases(
        ((3, 2), {"chosen": np.array([[2, 0], [0, 0], [-1, 1], [2, 0]]), "axis": 0}),
        ((2, 3), {"chosen": np.array([[1], [1]]), "axis": -1}),
        ((1, 3), {"chosen": np.array([[2, 2], [0, 2]]), "axis": 1}),
        ((3,), {"chosen": np.array([0, 0]), "axis": 0}),
        ((2, 0), {"chosen": np.zeros((2, 0), dtype=int), "axis": 1}),
    ),
    doc="x at the chosen places along an axis, for each place along the others.",
)
sort_op = selection(
    "sort",
    lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    lambda y, x, axis: np.argsort(x, axis=axis, kind="stable"),
    take_along_axis_op,
    domain=cases(((4,), {"axis": 0}), ((3, 2), {"axis": 0}), ((2, 3), {"axis": -1})),
)
roll_op = linear(
    "roll",
    lambda x, shift, axis: np.roll(x, shift, axis),
    lambda ct, x, shift, axis: np.roll(ct, tuple(-s for s in shift), axis),
    domain=cases(
        ((2, 3), {"shift": (1,), "axis": None}),
        ((2, 3), {"shift": (1, -2), "axis": (0, 1)}),
        ((3, 2), {"shift": (4,), "axis": -2}),
        ((0, 2), {"shift": (1,), "axis": 0}),
    ),
)


def _whole_numbers(name: str, indices: Any) -> Array:
    """Read indices as integers; True and False are 1 and 0, unlike in ``x[indices]``."""
    indices = value_of(indices)
    if not hasattr(indices, "dtype"):
        indices = np.asarray(indices, dtype=None if np.size(indices) else np.intp)
    if indices.dtype.kind not in "iub":
        raise TypeError(f"{name}: indices have dtype {indices.dtype}; they must be integers.")
    return indices.astype(np.intp)


def take(x: Array, indices: Any, axis: int | None = None) -> Array:
    """Read the elements, or the slices along an axis, at integer places.

    Parameters
    ----------
    x : array
        Any shape.
    indices : array_like of int
        Where; constants of any shape, repeated ones allowed.
    axis : int or None
        Along which axis; None for the flattened array.

    Returns
    -------
    array
        ``x`` with that axis replaced by the axes of ``indices``.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(lambda x: np.sum(np.take(x, [0, 0, 2])))(np.zeros(3))
    array([2., 0., 1.])
    """
    where = _whole_numbers("take", indices)
    if axis is None:
        return getitem(shapes.ravel(x), where)
    return getitem(x, (slice(None),) * normalize_axis_index(axis, np.ndim(x)) + (where,))


def take_along_axis(x: Array, indices: Any, axis: int | None = -1) -> Array:
    """Read along an axis at places that differ from row to row, as `argsort` gives them.

    Parameters
    ----------
    x : array
        Any shape.
    indices : array_like of int
        Of x's number of axes, broadcasting against x on all of them but ``axis``; constants.
    axis : int or None
        Along which axis; None for the flattened array.

    Returns
    -------
    array
        ``out[i, j] = x[i, indices[i, j]]`` for a matrix and ``axis=1``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[3.0, 1.0], [5.0, 7.0]])
    >>> take_along_axis(x, np.array([[1], [0]]), axis=1)
    array([[1.],
           [5.]])
    """
    where = _whole_numbers("take_along_axis", indices)
    if axis is None:
        return take_along_axis_op(shapes.ravel(x), chosen=where, axis=0)
    return take_along_axis_op(x, chosen=where, axis=axis)


def sort(x: Array, axis: int | None = -1, kind: str | None = None) -> Array:
    """Sort along an axis; equal elements keep their order, and so do their derivatives.

    Parameters
    ----------
    x : array
        At least one axis.
    axis : int or None
        Along which axis; None for the flattened array.
    kind : str, optional
        Accepted because NumPy does; the sort is stable whatever it says.

    Returns
    -------
    array
        The same elements in ascending order.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(lambda x: np.sort(x)[0])(np.array([3.0, 1.0, 1.0]))
    array([0., 1., 0.])
    """
    return sort_op(shapes.ravel(x), axis=0) if axis is None else sort_op(x, axis=axis)


def repeat(x: Array, repeats: Any, axis: int | None = None) -> Array:
    """Repeat each slice along an axis: all as often, or one count for each; flattened for None.

    Examples
    --------
    >>> import numpy as np
    >>> repeat(np.array([1.0, 2.0]), [2, 1])
    array([1., 1., 2.])
    """
    if axis is None:
        x, axis = shapes.ravel(x), 0
    shape = np.shape(x)
    axis = normalize_axis_index(axis, len(shape))
    if isinstance(repeats, int) and repeats >= 0:
        # Broadcasting repeats, and its adjoint sums without an index.
        lead, n, tail = shape[:axis], shape[axis], shape[axis + 1 :]
        x = shapes.broadcast_to(shapes.expand_dims(x, axis + 1), (*lead, n, repeats, *tail))
        return shapes.reshape(x, (*lead, n * repeats, *tail))
    counts = value_of(repeats)
    counts = counts if on_host(counts) else to_numpy(counts)  # the result's shape depends on them
    return take(x, np.repeat(np.arange(shape[axis]), counts), axis)


def tile(x: Array, reps: int | Sequence[int]) -> Array:
    """Lay copies of an array side by side: so many along each of the last axes.

    Examples
    --------
    >>> import numpy as np
    >>> tile(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]])
    """
    counts, shape = _whole_tuple(reps), np.shape(x)
    n = max(len(counts), len(shape))
    counts = (1,) * (n - len(counts)) + counts
    shape = (1,) * (n - len(shape)) + shape
    pairs = list(zip(counts, shape, strict=True))
    x = shapes.reshape(x, [size for _, m in pairs for size in (1, m)])
    x = shapes.broadcast_to(x, [size for pair in pairs for size in pair])
    return shapes.reshape(x, [count * m for count, m in pairs])


def roll(x: Array, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
    """Shift elements along axes, the last ones round to the front; flattened for None.

    Examples
    --------
    >>> import numpy as np
    >>> roll(np.array([1.0, 2.0, 3.0]), 1)
    array([3., 1., 2.])
    """
    return roll_op(x, shift=_whole_tuple(shift), axis=None if axis is None else _whole_tuple(axis))


def _whole_tuple(n: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(np.atleast_1d(n).tolist())


def split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Cut an array into consecutive parts.

    Parameters
    ----------
    x : array
        At least one axis.
    indices_or_sections : int or sequence of int
        The number of parts of equal length, or where to cut.
    axis : int
        Along which axis.

    Returns
    -------
    list of array
        The parts in order; `numpy.concatenate` undoes it.

    Raises
    ------
    ShapeError
        The axis has no such number of equal parts.

    Examples
    --------
    >>> import numpy as np
    >>> split(np.array([1.0, 2.0, 3.0]), [1])
    [array([1.]), array([2., 3.])]
    """
    axis = normalize_axis_index(axis, np.ndim(x))
    n = np.shape(x)[axis]
    if np.ndim(indices_or_sections) == 0:
        parts = operator.index(indices_or_sections)  # type: ignore[arg-type]
        if n % parts:
            raise ShapeError(
                f"split: axis {axis} of shape {np.shape(x)} cannot be cut into {parts} equal "
                "parts. Give the places to cut instead: np.split(t, [2, 4])."
            )
        inner = [n // parts * i for i in range(1, parts)]
    else:
        inner = list(_whole_tuple(indices_or_sections))
    lead = (slice(None),) * axis
    ends = zip([0, *inner], [*inner, n], strict=True)
    return [getitem(x, (*lead, slice(start, end))) for start, end in ends]
