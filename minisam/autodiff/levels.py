"""A function at a point, as `check_grads` sees it: f itself, then the derivatives of f."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.contracts import Named
from minisam.autodiff.numerical import Real
from minisam.autodiff.transforms import Function, jvp, vjp


class Level(NamedTuple):
    """A function at a point, and its variables: f itself, or a derivative of it."""

    function: Function
    args: tuple[Any, ...]
    names: tuple[str, ...]
    free: tuple[int, ...]
    """The places of the variables; the other arguments are constants."""
    history: tuple[str, ...] = ()
    """The modes by which f was differentiated to give this function, in that order."""

    @property
    def variables(self) -> tuple[Array, ...]:
        """The arguments that vary."""
        return tuple(self.args[k] for k in self.free)

    @property
    def named(self) -> Named:
        """The variables by name."""
        return {self.names[k]: self.args[k] for k in self.free}

    def call(self, *variables: Array) -> Array:
        """Evaluate the function with these variables."""
        args = list(self.args)
        for k, x in zip(self.free, variables, strict=True):
            args[k] = x
        return self.function(*args)

    def cast(self, dtype: Any) -> Level:
        """Give the same function at the same point in another dtype."""
        args = (np.asarray(a, dtype) if is_float_array(a) else a for a in self.args)
        return self._replace(args=tuple(args))

    def where(self, what: str) -> str:
        """Say which derivative it is, such as "forward over reverse" or "value of reverse"."""
        link = " of " if what == "value" else " over "
        done = " over ".join(reversed(self.history))
        return f"{what}{link}{done}" if done else what

    def differentiated(self, mode: str, given: tuple[Array, ...]) -> Level:
        """Give the pullback of ``given``, or the pushforward, as a function of all it depends on.

        That includes the cotangent and the tangents: a rule that takes them for constants is
        right until it is composed.
        """
        n = len(self.free)

        def pulled(*args: Array) -> Array:
            found = as_tuple(vjp(self.call, *args[:n])[1](args[n]))
            return found[0] if n == 1 else np.concatenate([np.reshape(g, (-1,)) for g in found])

        def pushed(*args: Array) -> Array:
            return jvp(self.call, args[:n], args[n:])[1]

        order = len(self.history) + 1
        names = tuple(self.named)
        if mode == "reverse":
            names += (f"cotangent {order}",)
        else:
            names += tuple(f"tangent {order} of {name}" for name in self.named)
        args = (*self.variables, *given)
        function = pulled if mode == "reverse" else pushed
        return Level(function, args, names, tuple(range(len(args))), (*self.history, mode))


def is_float_array(a: Any) -> bool:
    """Whether it is an array of real floats, and so a variable."""
    return getattr(getattr(a, "dtype", None), "kind", "") == "f"


def draw(rng: Random, like: Array) -> Array:
    """Draw an array of the same shape and dtype from ±[0.5, 1.5]: no element is tiny."""
    signs = rng.choice([-1.0, 1.0], like.shape)
    return np.asarray(signs * rng.uniform(0.5, 1.5, like.shape), like.dtype)


def flat(arrays: Any) -> Real:
    """Write all arrays into one vector of float64."""
    return np.concatenate([np.zeros(0), *(np.ravel(a) for a in as_tuple(arrays))])


def as_tuple(found: Any) -> tuple[Array, ...]:
    """Make what a pullback returns a tuple also when there is one variable."""
    return found if isinstance(found, tuple) else (found,)


def split(vector: Real, like: tuple[Array, ...]) -> tuple[Array, ...]:
    """Undo `flat`: arrays of these shapes and dtypes."""
    ends = np.cumsum([x.size for x in like])[:-1]
    parts = np.split(vector, ends)
    return tuple(np.asarray(p.reshape(x.shape), x.dtype) for p, x in zip(parts, like, strict=True))
