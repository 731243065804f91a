"""Functions that reduce along axes, and those built on them.

At ties max and min share the cotangent equally, so that the weights sum to 1. A norm has gradient
0 at 0.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minisam.arrays import Array
from minisam.autodiff.primitive import Primitive, linear, primitive, selection
from minisam.autodiff.sums import sum_over
from minisam.autodiff.tensor import Tensor, value_of
from minisam.ops.domains import along_axes, cases

Axis: TypeAlias = int | tuple[int, ...] | None


def restore(reduced: Array, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """Give a reduced array its reduced axes back, with length 1.

    Parameters
    ----------
    reduced : array
        Result of a reduction.
    shape : tuple of int
        Shape of what was reduced.
    axis : int, tuple of int or None
        Over which axes.
    keepdims : bool
        Whether they were kept.

    Returns
    -------
    array
        It broadcasts against ``shape``.
    """
    if keepdims or not shape:
        return reduced
    if axis is None:
        return reduced.reshape((1,) * len(shape))
    if axis in (-1, len(shape) - 1):
        return reduced[..., None]
    return np.expand_dims(reduced, axis)


def spread(ct: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    """Repeat the cotangent of a sum for each of its terms.

    Parameters
    ----------
    ct : array
        Cotangent of the sum of ``x``.
    x : array
        What was summed.
    axis : int, tuple of int or None
        Over which axes.
    keepdims : bool
        Whether they were kept.

    Returns
    -------
    array
        Of x's shape.
    """
    if ct.ndim == 0 and x.size < 1000 and type(ct) is not Tensor:
        out = np.empty_like(value_of(x))  # for so few elements 4 times as fast as np.broadcast_to
        out.fill(ct)
        return out
    return np.broadcast_to(restore(ct, x.shape, axis, keepdims), x.shape)


def count(shape: tuple[int, ...], axis: Axis) -> int:
    """Count the elements that a reduction takes together.

    Examples
    --------
    >>> count((2, 3, 4), (0, -1))
    8
    """
    if axis is None or not shape:
        return math.prod(shape)
    return math.prod(shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


sum_op = linear(
    "sum",
    sum_over,
    lambda ct, x, axis, keepdims: spread(ct, x, axis, keepdims),
    domain=along_axes(),
)
mean_op = linear(
    "mean",
    lambda x, axis, keepdims: sum_over(x, axis, keepdims) / count(x.shape, axis),
    lambda ct, x, axis, keepdims: spread(ct / count(x.shape, axis), x, axis, keepdims),
    domain=along_axes(empty=False),
)
weighted_sum = linear(
    "weighted_sum",
    lambda x, chosen, axis, keepdims: (x * chosen).sum(axis=axis, keepdims=keepdims),
    lambda ct, x, chosen, axis, keepdims: restore(ct, x.shape, axis, keepdims) * chosen,
    domain=lambda rng: [
        (args, {"chosen": rng.random(args[0].shape), **params})
        for args, params in along_axes()(rng)
    ],
    doc="sum(x * chosen) for constant weights: what max and min are, once the choice is made.",
)


def _share_of_ties(y: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    ties = (x == restore(y, x.shape, axis, keepdims)).astype(x.dtype)
    return ties / np.sum(ties, axis=axis, keepdims=True)


max_op = selection(
    "max",
    lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    _share_of_ties,
    weighted_sum,
    domain=along_axes(empty=False),
)
min_op = selection(
    "min",
    lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    _share_of_ties,
    weighted_sum,
    domain=along_axes(empty=False),
)
cumsum_op: Primitive = linear(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis),
    lambda ct, x, axis: np.flip(cumsum_op(np.flip(ct, axis), axis=axis), axis),
    domain=cases(((3, 4), {"axis": 0}), ((3, 4), {"axis": -1}), ((0, 2), {"axis": 0})),
)


def _shifted(x: Array, axis: Axis) -> tuple[Array, Array]:
    # An all -inf slice has maximum -inf; shifting by 0 instead keeps the result -inf, not NaN.
    top = np.real(x).max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    return np.exp(x - top), top


def _logsumexp(x: Array, axis: Axis, keepdims: bool) -> Array:
    e, top = _shifted(x, axis)
    out = np.log(e.sum(axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis)


def _softmax(x: Array, axis: Axis) -> Array:
    e = np.exp(x - x.real.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


def _log_softmax(x: Array, axis: Axis) -> Array:
    top = np.real(x).max(axis=axis, keepdims=True)
    x = x - top
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def _project(t: Array, y: Array, axis: Axis) -> Array:
    """The softmax's Jacobian, which is symmetric: diag(y) - y yᵀ, applied to t."""
    return y * (t - (t * y).sum(axis=axis, keepdims=True))


softmax_op = primitive(
    "softmax",
    _softmax,
    lambda i, ct, y, x, axis: _project(ct, y, axis),
    lambda tangents, y, x, axis: _project(tangents[0], y, axis),
    domain=cases(((2, 3), {"axis": -1}), ((3, 2, 2), {"axis": (0, 2)}), ((4,), {"axis": None})),
    doc="exp(x) / sum(exp(x)) along an axis.",
)
log_softmax_op = primitive(
    "log_softmax",
    _log_softmax,
    lambda i, ct, y, x, axis: ct - np.exp(y) * np.sum(ct, axis=axis, keepdims=True),
    lambda tangents, y, x, axis: (
        tangents[0] - np.sum(np.exp(y) * tangents[0], axis=axis, keepdims=True)
    ),
    domain=cases(((2, 3), {"axis": -1}), ((3, 2, 2), {"axis": (0, 2)}), ((4,), {"axis": None})),
    doc="log(softmax(x)) along an axis, without overflow.",
)


logsumexp_op = primitive(
    "logsumexp",
    _logsumexp,
    lambda i, ct, y, x, axis, keepdims: (
        restore(ct, x.shape, axis, keepdims) * softmax_op(x, axis=axis)
    ),
    lambda tangents, y, x, axis, keepdims: np.sum(
        tangents[0] * softmax_op(x, axis=axis), axis=axis, keepdims=keepdims
    ),
    domain=along_axes(empty=False),
    doc="log(sum(exp(x))) along an axis, without overflow.",
)


def _products_of_others(x: Array, axis: int) -> Array:
    """For each element the product of all the others along the axis: right also at zeros."""
    n = x.shape[axis]
    x = np.moveaxis(x, axis, 0)
    one = np.ones_like(value_of(x)[:1])
    before, after = [one], [one]
    for i in range(n - 1):
        before.append(before[-1] * x[i : i + 1])
        after.append(after[-1] * x[n - 1 - i : n - i])
    return np.moveaxis(np.concatenate(before) * np.concatenate(after[::-1]), 0, axis)


prod_op = primitive(
    "prod",
    lambda x, axis: np.prod(x, axis=axis),
    lambda i, ct, y, x, axis: np.expand_dims(ct, axis) * _products_of_others(x, axis),
    lambda tangents, y, x, axis: np.sum(tangents[0] * _products_of_others(x, axis), axis=axis),
    domain=cases(((2, 3), {"axis": 0}), ((2, 3), {"axis": -1}), ((3, 1), {"axis": 1})),
    doc="Product along one axis; its derivative is right where elements are zero, too.",
)


# NumPy's names and signatures.


def sum(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Sum along axes.

    Parameters
    ----------
    x : array
        Any shape.
    axis : int, tuple of int or None
        Over which axes; None for all.
    keepdims : bool
        Keep them with length 1.

    Returns
    -------
    array
        The sums.

    Examples
    --------
    >>> import numpy as np
    >>> sum(np.ones((2, 3)), axis=0)
    array([2., 2., 2.])
    """
    return sum_op(x, axis=axis, keepdims=keepdims)


def mean(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Average along axes; parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> mean(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([1.5, 3.5])
    """
    return mean_op(x, axis=axis, keepdims=keepdims)


def max(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Maximum along axes; ties share the derivative. Parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(np.max)(np.array([1.0, 3.0, 3.0]))
    array([0. , 0.5, 0.5])
    """
    return max_op(x, axis=axis, keepdims=keepdims)


def min(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Minimum along axes; ties share the derivative. Parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> float(min(np.array([1.0, 3.0])))
    1.0
    """
    return min_op(x, axis=axis, keepdims=keepdims)


def prod(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """Multiply along axes; parameters as for `sum`. Zeros are no problem to any order.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(np.prod)(np.array([0.0, 2.0, 3.0]))
    array([6., 0., 0.])
    """
    shape = np.shape(x)
    if axis is None or not shape:
        normalize_axis_tuple(axis or 0, 1)  # NumPy takes the axes 0 and -1 of a number, too
        out = prod_op(np.reshape(x, (-1,)), axis=0)
    else:
        out = x
        for a in sorted(normalize_axis_tuple(axis, len(shape)), reverse=True):
            out = prod_op(out, axis=a)
    return restore(out, shape, axis, False) if keepdims else out


def var(x: Array, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Array:
    """Variance along axes, mean((x - mean x)²); parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> float(var(np.array([1.0, 3.0])))
    1.0
    """
    centred = x - mean(x, axis, keepdims=True)
    total = sum(centred * centred, axis, keepdims=keepdims)
    return total / (count(np.shape(x), axis) - ddof)


def std(x: Array, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Array:
    """Standard deviation along axes; not differentiable where it is 0. Parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> float(std(np.array([1.0, 3.0])))
    1.0
    """
    return np.sqrt(var(x, axis, ddof=ddof, keepdims=keepdims))


def norm(x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """Vector p-norm along axes (the Frobenius norm of a matrix for ``ord=None``).

    Parameters
    ----------
    x : array
        Any shape. With ``axis=None`` it is taken as one long vector.
    ord : float or None
        The exponent p in [1, inf]; None is 2.
    axis : int, tuple of int or None
        Over which axes.
    keepdims : bool
        Keep them with length 1.

    Returns
    -------
    array
        ‖x‖_p, computed without overflow or underflow, and with gradient 0 at x = 0.

    Raises
    ------
    ValueError
        p < 1, which is not a norm.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> float(norm(np.array([3.0, 4.0]))), ms.grad(np.linalg.norm)(np.zeros(2))
    (5.0, array([0., 0.]))
    """
    p = 2.0 if ord is None or ord == "fro" else float(ord)
    if not p >= 1:
        raise ValueError(f"norm: p must be in [1, inf], got {p}: below 1 it is not a norm.")
    if p == np.inf:
        return max(np.abs(x), axis, keepdims=keepdims)
    if p == 1 or not np.size(x):
        return sum(np.abs(x), axis, keepdims=keepdims)
    top = np.max(np.abs(value_of(x)), axis=axis, keepdims=True)
    smallest = np.finfo(top.dtype).tiny  # of a subnormal number the reciprocal overflows
    scale = np.where((top > 0) & (top < np.inf), np.maximum(top, smallest), 1).astype(top.dtype)
    z = x / scale
    # The square is smooth; |z| ** 2 has no second derivative at 0, and the rules would give 0.
    s = sum(np.square(z) if p == 2 else np.abs(z) ** p, axis, keepdims=keepdims)
    # At x = 0 the root would have infinite slope: give it 1 to differentiate and 0 to return.
    zero = value_of(s) == 0
    root = np.where(zero, 0, np.where(zero, 1, s) ** (1 / p))
    return root * (scale if keepdims else np.reshape(scale, np.shape(root)))


def cumsum(x: Array, axis: int | None = None) -> Array:
    """Sum cumulatively along an axis; of the flattened array for None.

    Examples
    --------
    >>> import numpy as np
    >>> cumsum(np.array([1.0, 2.0, 3.0]))
    array([1., 3., 6.])
    """
    return cumsum_op(np.reshape(x, (-1,)), axis=0) if axis is None else cumsum_op(x, axis=axis)


def softmax(x: Array, axis: Axis = -1) -> Array:
    """exp(x) / sum(exp(x)) along an axis, without overflow.

    Parameters
    ----------
    x : array
        Logits.
    axis : int, tuple of int or None
        Over which axes; None for all.

    Returns
    -------
    array
        Of x's shape, positive, with sum 1 along the axis.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return softmax_op(x, axis=axis)


def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """log(softmax(x)) along an axis, without overflow; parameters as for `softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    return log_softmax_op(x, axis=axis)


def logsumexp(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """log(sum(exp(x))) along axes, without overflow; parameters as for `sum`.

    Examples
    --------
    >>> import numpy as np
    >>> float(logsumexp(np.array([1000.0, 1000.0])).round(4))
    1000.6931
    """
    return logsumexp_op(x, axis=axis, keepdims=keepdims)
