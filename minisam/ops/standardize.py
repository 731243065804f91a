"""To mean 0 and variance 1: what batch norm and layer norm have in common."""

from collections.abc import Iterator

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.primitive import Params, Primitive, primitive
from minisam.autodiff.sums import CHANNELS, by_channel, sum_of_products, sum_over
from minisam.autodiff.tensor import Tensor
from minisam.ops.reductions import count


def _mean(x: Array, axis: tuple[int, ...]) -> Array:
    if type(x) is Tensor:
        return np.mean(x, axis=axis, keepdims=True)
    return sum_over(x, axis, keepdims=True) / count(x.shape, axis)


def _mean_product(x: Array, y: Array, axis: tuple[int, ...]) -> Array:
    if Tensor in (type(x), type(y)):
        return _mean(x * y, axis)
    return sum_of_products(x, y, axis) / count(x.shape, axis)


def _centred(x: Array, axis: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """Give x less its mean, and one over its standard deviation."""
    centred = by_channel(np.subtract, x, _mean(x, axis))
    return centred, 1 / np.sqrt(_mean_product(centred, centred, axis) + eps)


def _standardize(x: Array, axis: tuple[int, ...], eps: float) -> Array:
    return by_channel(np.multiply, *_centred(x, axis, eps), in_place=True)


def _jacobian(t: Array, y: Array, x: Array, axis: tuple[int, ...], eps: float) -> Array:
    """Multiply by ∂y/∂x = s (I - 11ᵀ/n - yyᵀ/n), which is symmetric; 1/s is the deviation.

    It is formed from x, not from a saved s, so that its own derivative is right.
    """
    _, s = _centred(x, axis, eps)
    along = by_channel(np.multiply, y, _mean_product(t, y, axis))
    if Tensor in (type(t), type(y), type(x)):
        return (t - _mean(t, axis) - along) * s
    z = by_channel(np.add, along, _mean(t, axis), in_place=True)
    return by_channel(np.multiply, np.subtract(t, z, out=z), s, in_place=True)


def _domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
    for shape, axis in (
        ((3, 2, 2, 4), CHANNELS),
        ((4, 3), (0,)),
        ((2, 3, 4), (-1,)),
        ((2, 2), (0, 1)),
    ):
        yield (rng.normal(size=shape),), {"axis": axis, "eps": 0.1}
    last = rng.normal(size=(3, 4, 2, 2)).transpose(0, 3, 1, 2)
    yield (last,), {"axis": CHANNELS, "eps": 1e-5}


standardize: Primitive = primitive(
    "standardize",
    _standardize,
    lambda i, ct, y, x, **params: _jacobian(ct, y, x, **params),
    lambda tangents, y, x, **params: _jacobian(tangents[0], y, x, **params),
    domain=_domain,
    doc="(x - mean) / √(variance + eps) over the axes, recorded as one operation.",
)
