"""Functions that move elements without changing them: linear, each the transpose of another."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from minisam.arrays import Array
from minisam.autodiff.primitive import jointly_linear, linear, unbroadcast
from minisam.autodiff.tensor import Tensor, value_of
from minisam.ops.domains import cases

reshape_op = linear(
    "reshape",
    lambda x, shape: np.reshape(x, shape),
    lambda ct, x, shape: np.reshape(ct, x.shape),
    domain=cases(((2, 3), {"shape": (3, 2)}), ((2, 3), {"shape": (-1,)}), ((), {"shape": (1, 1)})),
)
transpose_op = linear(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    lambda ct, x, axes: np.transpose(ct, axes and tuple(np.argsort([a % x.ndim for a in axes]))),
    domain=cases(
        ((2, 3, 4), {"axes": None}),
        ((2, 3, 4), {"axes": (1, 2, 0)}),
        ((2, 3, 4), {"axes": (-1, 0, 1)}),
        ((0, 2), {"axes": None}),
    ),
)
broadcast_op = linear(
    "broadcast_to",
    lambda x, shape: np.broadcast_to(x, shape),
    lambda ct, x, shape: unbroadcast(ct, x),
    domain=cases(((3, 1), {"shape": (2, 3, 4)}), ((), {"shape": (2,)}), ((2,), {"shape": (2,)})),
)
flip_op = linear(
    "flip",
    lambda x, axis: np.flip(x, axis),
    lambda ct, x, axis: np.flip(ct, axis),
    domain=cases(((2, 3), {"axis": None}), ((2, 3), {"axis": -1}), ((2, 3), {"axis": (0, 1)})),
)
pad_op = linear(
    "pad",
    lambda x, width: np.pad(x, width),
    lambda ct, x, width: ct[tuple(slice(a, -b or None) for a, b in width)],
    domain=cases(((2, 3), {"width": ((1, 0), (2, 1))}), ((3,), {"width": ((0, 2),)})),
    doc="The array with zeros around it.",
)


def _concatenate_part(i: int, ct: Array, *arrays: Array, axis: int) -> Array:
    axis %= ct.ndim
    start = 0
    for a in arrays[:i]:
        start += a.shape[axis]
    return ct[(slice(None),) * axis + (slice(start, start + arrays[i].shape[axis]),)]


concatenate_op = jointly_linear(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis=axis),
    _concatenate_part,
    domain=cases(
        (((2, 3), (4, 3)), {"axis": 0}),
        (((2, 3), (2, 0), (2, 1)), {"axis": -1}),
        (((2,),), {"axis": 0}),
    ),
)
stack_op = jointly_linear(
    "stack",
    lambda *arrays, axis: np.stack(arrays, axis=axis),
    lambda i, ct, *arrays, axis: ct[(slice(None),) * (axis % ct.ndim) + (i,)],
    domain=cases(
        (((2, 3),) * 3, {"axis": 0}), (((2,), (2,)), {"axis": -1}), (((), ()), {"axis": 0})
    ),
)


def _as_tuple(x: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(x) if isinstance(x, Sequence) else (operator.index(x),)


def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """Give an array another shape of the same size, in row-major order.

    Parameters
    ----------
    x : array
        Any shape.
    shape : int or sequence of int
        The new one; one entry may be -1.

    Returns
    -------
    array
        The same elements.

    Examples
    --------
    >>> import numpy as np
    >>> reshape(np.arange(4.0), (2, -1))
    array([[0., 1.],
           [2., 3.]])
    """
    return reshape_op(x, shape=_as_tuple(shape))


def ravel(x: Array) -> Array:
    """Flatten to one axis, in row-major order.

    Examples
    --------
    >>> import numpy as np
    >>> ravel(np.ones((2, 2)))
    array([1., 1., 1., 1.])
    """
    return reshape_op(x, shape=(-1,))


def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """Permute the axes; reverse them for None.

    Examples
    --------
    >>> import numpy as np
    >>> transpose(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return transpose_op(x, axes=None if axes is None else tuple(axes))


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Exchange two axes.

    Examples
    --------
    >>> import numpy as np
    >>> swapaxes(np.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    axes = list(range(np.ndim(x)))
    i, j = (normalize_axis_index(a, len(axes)) for a in (axis1, axis2))
    axes[i], axes[j] = j, i
    return transpose_op(x, axes=tuple(axes))


def moveaxis(x: Array, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Move axes to other places; the others keep their order.

    Examples
    --------
    >>> import numpy as np
    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    n = np.ndim(x)
    old, new = (normalize_axis_tuple(axes, n) for axes in (source, destination))
    places = dict(zip(new, old, strict=True))
    others = iter([a for a in range(n) if a not in places.values()])
    return transpose_op(x, axes=tuple(places[i] if i in places else next(others) for i in range(n)))


def expand_dims(x: Array, axis: int | Sequence[int]) -> Array:
    """Insert axes of length 1 at these places of the result.

    Examples
    --------
    >>> import numpy as np
    >>> expand_dims(np.zeros((2, 3)), (0, -1)).shape
    (1, 2, 3, 1)
    """
    n = np.ndim(x) + len(_as_tuple(axis))
    at = normalize_axis_tuple(axis, n)
    old = iter(np.shape(x))
    return reshape_op(x, shape=tuple(1 if i in at else next(old) for i in range(n)))


def squeeze(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Remove axes of length 1: these, or all for None.

    Examples
    --------
    >>> import numpy as np
    >>> squeeze(np.zeros((1, 2, 1)), 0).shape
    (2, 1)
    """
    shape = np.shape(x)
    if axis is None:
        return reshape_op(x, shape=tuple(n for n in shape if n != 1))
    gone = normalize_axis_tuple(axis, len(shape))
    if any(shape[a] != 1 for a in gone):
        raise ValueError(f"squeeze: axis {axis} of shape {shape} has length other than 1.")
    return reshape_op(x, shape=tuple(n for a, n in enumerate(shape) if a not in gone))


def broadcast_to(x: Array, shape: int | Sequence[int]) -> Array:
    """Repeat an array along new and length-1 axes.

    Examples
    --------
    >>> import numpy as np
    >>> broadcast_to(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    return broadcast_op(x, shape=_as_tuple(shape))


def full_like(
    x: Array, fill_value: Array, dtype: Any = None, *, shape: int | Sequence[int] | None = None
) -> Array:
    """Fill an array of x's shape, or of another one, with a value; it may be a Tensor.

    Examples
    --------
    >>> import numpy as np
    >>> full_like(np.zeros((2, 2)), 3.0)
    array([[3., 3.],
           [3., 3.]])
    """
    if type(fill_value) is Tensor and dtype is None:
        return broadcast_to(fill_value, np.shape(x) if shape is None else shape)
    if shape is not None and not np.size(shape):  # CuPy takes () for no shape at all
        return np.full_like(value_of(x), fill_value, dtype, shape=(1,)).reshape(())
    return np.full_like(value_of(x), fill_value, dtype, shape=shape)


def flip(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Reverse the order along axes; along all for None.

    Examples
    --------
    >>> import numpy as np
    >>> flip(np.array([1.0, 2.0]))
    array([2., 1.])
    """
    return flip_op(x, axis=axis)


def diff(x: Array, n: int = 1, axis: int = -1) -> Array:
    """Subtract neighbours along an axis, n times.

    Parameters
    ----------
    x : array
        Of at least one axis.
    n : int
        How often, at least 0.
    axis : int
        Along which.

    Returns
    -------
    array
        ``x[1:] - x[:-1]``, shorter by n along the axis.

    Examples
    --------
    >>> import numpy as np
    >>> diff(np.array([1.0, 4.0, 9.0])), diff(np.array([1.0, 4.0, 9.0]), n=2)
    (array([3., 5.]), array([2.]))
    """
    ahead = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = x[(*ahead, slice(1, None))] - x[(*ahead, slice(None, -1))]
    return x


def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Array:
    """Put a constant border around an array.

    Parameters
    ----------
    x : array
        Any shape.
    pad_width : int, pair or sequence of pairs
        As for `numpy.pad`.
    mode : str
        Only ``"constant"``.
    constant_values : float
        The border's value.

    Returns
    -------
    array
        The larger array.

    Examples
    --------
    >>> import numpy as np
    >>> pad(np.array([1.0]), 1)
    array([0., 1., 0.])
    """
    if mode != "constant":
        raise ValueError(f"pad: mode {mode!r} has no derivative rule; only 'constant' has.")
    width = tuple((int(a), int(b)) for a, b in np.broadcast_to(pad_width, (np.ndim(x), 2)))
    out = pad_op(x, width=width)
    if constant_values:
        border = np.ones_like(value_of(x), dtype=bool)
        out = np.where(np.pad(border, width), out, constant_values)
    return out


def concatenate(arrays: Sequence[Array], axis: int | None = 0) -> Array:
    """Join arrays along an axis; flattened for None.

    Examples
    --------
    >>> import numpy as np
    >>> concatenate([np.array([1.0]), np.array([2.0, 3.0])])
    array([1., 2., 3.])
    """
    if axis is None:
        return concatenate_op(*map(ravel, arrays), axis=0)
    return concatenate_op(*arrays, axis=axis)


def vstack(arrays: Sequence[Array]) -> Array:
    """Join arrays along their first axis; vectors are rows.

    Examples
    --------
    >>> import numpy as np
    >>> vstack([np.zeros(2), np.ones((1, 2))])
    array([[0., 0.],
           [1., 1.]])
    """
    return concatenate([atleast_2d(a) for a in arrays])


def hstack(arrays: Sequence[Array]) -> Array:
    """Join arrays along their second axis; vectors and numbers along their only one.

    Examples
    --------
    >>> import numpy as np
    >>> hstack([np.zeros((2, 1)), np.ones((2, 2))])
    array([[0., 1., 1.],
           [0., 1., 1.]])
    """
    arrays = [atleast_1d(a) for a in arrays]
    return concatenate(arrays, axis=min(1, np.ndim(arrays[0]) - 1))


def atleast_1d(*arrays: Array) -> Any:
    """Make vectors of numbers; a tuple if several arrays are given.

    Examples
    --------
    >>> atleast_1d(2.0)
    array([2.])
    """
    out = tuple(reshape(a, (1,)) if np.ndim(a) == 0 else a for a in arrays)
    return out[0] if len(out) == 1 else out


def atleast_2d(*arrays: Array) -> Any:
    """Make rows of vectors and numbers; a tuple if several arrays are given.

    Examples
    --------
    >>> import numpy as np
    >>> atleast_2d(np.ones(2))
    array([[1., 1.]])
    """
    out = tuple(reshape(a, (1, -1)) if np.ndim(a) < 2 else a for a in arrays)
    return out[0] if len(out) == 1 else out


def matrix_transpose(x: Array) -> Array:
    """Exchange the last two axes.

    Examples
    --------
    >>> import numpy as np
    >>> matrix_transpose(np.zeros((2, 3, 4))).shape
    (2, 4, 3)
    """
    return swapaxes(x, -1, -2)


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays of one shape along a new axis.

    Examples
    --------
    >>> import numpy as np
    >>> stack([np.zeros(2), np.ones(2)], axis=1)
    array([[0., 1.],
           [0., 1.]])
    """
    return stack_op(*arrays, axis=axis)
