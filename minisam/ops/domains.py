"""Where each primitive is checked: shapes that broadcast, are empty, 0-d, strided or odd."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.primitive import Domain, Params

SHAPES = ((), (3,), (2, 3), (0, 2), (1, 1))
PAIRS = (
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((4, 1, 2), (3, 1)),
    ((0, 3), (3,)),
)


def draw(rng: Random, shape: tuple[int, ...], low: float, high: float) -> Array:
    """Draw a uniform array; 0-d for the empty shape.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        Its shape.
    low, high : float
        Bounds.

    Returns
    -------
    numpy.ndarray
        Of float64.
    """
    return np.asarray(rng.uniform(low, high, shape))


def unary(low: float = -2.0, high: float = 2.0) -> Domain:
    """One argument with values in an interval, in every shape and memory order.

    Parameters
    ----------
    low, high : float
        The interval.

    Returns
    -------
    callable
        A domain.
    """

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for shape in SHAPES:
            yield (draw(rng, shape, low, high),), {}
        yield (draw(rng, (3, 4), low, high).T[::2],), {}
        yield (draw(rng, (3, 1), low, high)[::-1],), {}

    return domain


def binary(low: float = -2.0, high: float = 2.0, low2: float = -2.0, high2: float = 2.0) -> Domain:
    """Two arguments that broadcast against each other, either way.

    Parameters
    ----------
    low, high, low2, high2 : float
        The intervals of the first and of the second.

    Returns
    -------
    callable
        A domain.
    """

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for (a, b), flipped in product(PAIRS, (False, True)):
            shapes = (b, a) if flipped else (a, b)
            yield (draw(rng, shapes[0], low, high), draw(rng, shapes[1], low2, high2)), {}
        yield (draw(rng, (3, 4), low, high).T[::2], draw(rng, (2, 6), low2, high2)[:, ::2]), {}

    return domain


def along_axes(
    low: float = -2.0, high: float = 2.0, *, empty: bool = True, tuples: bool = True
) -> Domain:
    """One argument reduced over every kind of axis, kept and not.

    Parameters
    ----------
    low, high : float
        The interval of the values.
    empty : bool
        Include an axis of length 0.
    tuples : bool
        Include several axes at once, all of them and no axis argument.

    Returns
    -------
    callable
        A domain, with parameters ``axis`` and ``keepdims``.
    """
    axes: tuple[int | tuple[int, ...] | None, ...] = (0, -1, 1)
    if tuples:
        axes = (None, *axes, (0, 2), (-1, 1), (0, 1, 2))

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for axis, keepdims in product(axes, (False, True)):
            yield (draw(rng, (2, 3, 4), low, high),), {"axis": axis, "keepdims": keepdims}
        yield (draw(rng, (4, 3), low, high).T,), {"axis": 0, "keepdims": False}
        if tuples:
            yield (draw(rng, (), low, high),), {"axis": None, "keepdims": False}
        if empty:
            yield (draw(rng, (0, 3), low, high),), {"axis": 0, "keepdims": False}

    return domain


def cases(*specs: tuple[Any, Params]) -> Domain:
    """Standard normal arguments of the given shapes with the given parameters.

    Parameters
    ----------
    *specs : (shape or tuple of shapes, params)
        One per case.

    Returns
    -------
    callable
        A domain.
    """

    def domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
        for shapes, params in specs:
            several = bool(shapes) and isinstance(shapes[0], tuple)
            listed = shapes if several else (shapes,)
            yield tuple(np.asarray(rng.normal(size=s)) for s in listed), params

    return domain
