"""A sum of functions that is never recorded as a whole: memory for one of them at a time.

The derivative of a sum is the sum of the derivatives, again a sum of functions. So the primitive
below is closed under differentiation, and in every order only one summand is recorded at a time,
and forgotten before the next. The price is that each traversal runs the summands once more.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.primitive import Params, primitive
from minisam.autodiff.tensor import Tensor
from minisam.autodiff.transforms import jvp, vjp

Summand: TypeAlias = Callable[..., Array]


def _add(*args: Array, functions: Sequence[Summand]) -> Array:
    total = functions[0](*args)
    for f in functions[1:]:
        total = total + f(*args)
    if type(total) is Tensor:  # of a differentiation outside, which would not be recorded
        raise TypeError(
            "sum_of: a summand depends on a Tensor that is not among its arguments, and would be "
            "differentiated wrongly. Make it an argument of all summands, or use a plain sum."
        )
    return total


def _pull(i: int, ct: Array, y: Array, *args: Array, functions: Sequence[Summand]) -> Array:
    return sum_of(*args, ct, functions=[_pulled(f, i) for f in functions])


def _pulled(f: Summand, i: int) -> Summand:
    """Return the function (args, ct) ↦ cotangent of argument i."""

    def cotangent(*given: Array) -> Array:
        *args, ct = given
        return vjp(lambda x: f(*args[:i], x, *args[i + 1 :]), args[i])[1](ct)

    return cotangent


def _push(tangents: Any, y: Array, *args: Array, functions: Sequence[Summand]) -> Array:
    moving = [i for i, t in enumerate(tangents) if t is not None]
    given = (*args, *(tangents[i] for i in moving))
    return sum_of(*given, functions=[_pushed(f, moving) for f in functions])


def _pushed(f: Summand, moving: list[int]) -> Summand:
    """Return the function (args, tangents of the moving ones) ↦ tangent."""

    def tangent(*given: Array) -> Array:
        n = len(given) - len(moving)
        args, tangents = list(given[:n]), given[n:]

        def of_moving(*xs: Array) -> Array:
            for i, x in zip(moving, xs, strict=True):
                args[i] = x
            return f(*args)

        return jvp(of_moving, tuple(args[i] for i in moving), tangents)[1]

    return tangent


def _domain(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
    one = [lambda x: np.sum(np.sin(x) * x[0]), lambda x: np.sum(x**3), lambda x: x[1] * x[0]]
    yield (rng.normal(size=3),), {"functions": one}
    two = [lambda x, y: np.tanh(x) * y, lambda x, y: x * x + np.exp(y) * x[::-1]]
    yield (rng.normal(size=4), rng.normal(size=4)), {"functions": two}
    yield (rng.normal(size=2), np.array(0.7)), {"functions": [lambda x, y: x * y]}


sum_of = primitive(
    "sum_of",
    _add,
    _pull,
    _push,
    domain=_domain,
    smooth=False,  # as far as it can know: its summands decide
    doc="f₁(*args) + f₂(*args) + …, for functions=[f₁, f₂, …]: functions of the arrays alone, all "
    "with results of one shape. Each is recorded by itself, when a traversal needs it.",
)
