"""Products of arrays: matmul, and the affine map of a layer."""

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.parts import Part
from minisam.autodiff.primitive import Primitive, bilinear, primitive
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


def _explain(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    hint = ""
    if len(a) > 1 and len(b) > 1 and a[-2] == b[-2]:
        hint = " Did you mean a.T @ b?"
    elif len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        hint = " Did you mean a @ b.T?"
    return f"do not fit: inner sizes differ or leading axes do not broadcast: {a} @ {b}.{hint}"


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
    explain=_explain,
)


def _dense(x: Array, w: Array, start: int, middle: int, stop: int) -> Array:
    y = np.dot(x, w[start:middle].reshape((x.shape[1], stop - middle)))
    y += w[middle:stop]
    return y


def _dense_pull(
    i: int, ct: Array, y: Array, x: Array, w: Array, start: int, middle: int, stop: int
) -> Array | list[Part]:
    if i == 0:
        return ct @ w[start:middle].reshape((x.shape[1], stop - middle)).T
    weight, bias = x.T @ ct, ct.sum(axis=0)
    return [(slice(start, middle), weight.reshape(-1)), (slice(middle, stop), bias)]


def _dense_push(
    tangents: list[Array | None], y: Array, x: Array, w: Array, start: int, middle: int, stop: int
) -> Array:
    tx, tw = tangents
    along_w = None if tw is None else dense(x, tw, start=start, middle=middle, stop=stop)
    if tx is None:
        return along_w
    along_x = tx @ w[start:middle].reshape((x.shape[1], stop - middle))
    return along_x if along_w is None else along_x + along_w


dense: Primitive = primitive(
    "dense",
    _dense,
    _dense_pull,
    _dense_push,
    domain=cases(
        (((5, 3), (10,)), {"start": 1, "middle": 7, "stop": 9}),
        (((1, 1), (8,)), {"start": 0, "middle": 4, "stop": 8}),
    ),
    doc="x @ W + b, with W and b read from a parameter vector: a layer in one record, not four.",
)
