"""Products of arrays: matmul, the affine map of a layer, and sums of products by index."""

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.primitive import bilinear, primitive
from minisam.ops.domains import cases


def _t(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _matmul_a(ct: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:
        return np.expand_dims(ct, -1) * b if a.ndim > 1 else ct * b
    if a.ndim == 1:
        return np.matmul(b, np.expand_dims(ct, -1))[..., 0]
    if b.ndim == 2 < a.ndim:  # one large product is faster than many small ones
        return np.reshape(np.matmul(np.reshape(ct, (-1, ct.shape[-1])), _t(b)), a.shape)
    return np.matmul(ct, _t(b))


def _matmul_b(ct: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1:
        return np.expand_dims(a, -1) * np.expand_dims(ct, -2) if b.ndim > 1 else ct * a
    if b.ndim == 1:
        return np.sum(a * np.expand_dims(ct, -1), axis=tuple(range(a.ndim - 1)))
    if b.ndim == 2 < a.ndim:
        rows = np.reshape(a, (-1, a.shape[-1]))
        return np.matmul(_t(rows), np.reshape(ct, (-1, ct.shape[-1])))
    return np.matmul(_t(a), ct)


matmul = bilinear(
    "matmul",
    np.matmul,
    _matmul_a,
    _matmul_b,
    domain=cases(
        (((2, 3), (3, 4)), {}),
        (((3,), (3,)), {}),
        (((3,), (3, 2)), {}),
        (((2, 3), (3,)), {}),
        (((5, 2, 3), (3, 4)), {}),
        (((2, 3), (5, 3, 4)), {}),
        (((5, 1, 2, 3), (4, 3, 2)), {}),
        (((3,), (5, 3, 2)), {}),
        (((5, 2, 3), (3,)), {}),
        (((2, 0), (0, 3)), {}),
    ),
    doc="a @ b with NumPy's rules: 1-D operands, and leading axes broadcast.",
)


def _affine_pull(i: int, ct: Array, y: Array, x: Array, w: Array, b: Array) -> Array:
    if i == 0:
        return ct @ w.T
    if i == 1:
        return x.T @ ct
    return ct.sum(axis=0)


def _affine_push(tangents: list[Array | None], y: Array, x: Array, w: Array, b: Array) -> Array:
    tx, tw, tb = tangents
    terms = [] if tx is None else [tx @ w]
    if tw is not None:
        terms.append(x @ tw)
    if tb is not None:
        terms.append(np.broadcast_to(tb, y.shape))
    out = terms[0]
    for term in terms[1:]:
        out = out + term
    return out


affine_op = primitive(
    "affine",
    lambda x, w, b: x @ w + b,
    _affine_pull,
    _affine_push,
    domain=cases((((5, 3), (3, 2), (2,)), {}), (((1, 1), (1, 4), (4,)), {})),
    doc="x @ w + b for matrices x and w: one record instead of two.",
)


def affine(x: Array, w: Array, b: Array) -> Array:
    """Apply a layer's affine map, ``x @ w + b``.

    Parameters
    ----------
    x : array, (batch, n_in) or (..., n_in)
        Inputs.
    w : array, (n_in, n_out)
        Weight; with leading axes it is one weight per example.
    b : array, (n_out,)
        Bias, with the leading axes of ``w``.

    Returns
    -------
    array, (batch, n_out)
        Outputs.

    Examples
    --------
    >>> import numpy as np
    >>> affine(np.ones((1, 2)), np.eye(2), np.array([1.0, 0.0]))
    array([[2., 1.]])
    """
    if x.ndim == 2 and w.ndim == 2:
        return affine_op(x, w, b)
    return matmul(x, w) + (b if w.ndim == 2 else np.expand_dims(b, -2))
