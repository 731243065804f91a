"""A function of another engine as a primitive of minisam, so that `check_grads` can look at it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.primitive import Primitive

Pullback = Callable[[Array], tuple[Array, ...]]


class Engine(Protocol):
    """What must be known of an engine; ``jvp`` and ``order`` may be there, too.

    Examples
    --------
    >>> import minisam as ms
    >>> class Itself:
    ...     functions = {"sin": np.sin}
    ...     vjp = staticmethod(ms.vjp)
    """

    functions: Mapping[str, Callable[..., Any]]

    def vjp(self, f: Callable[..., Any], *args: Array) -> tuple[Array, Pullback]:
        """Return the value and the pullback."""


def as_primitive(engine: Engine, f: Callable[..., Any], name: str) -> Primitive:
    """Wrap a function of another engine.

    Its pullback is a function of that engine, too, and wrapped in the same way; so `check_grads`
    goes through all orders without knowing whose derivatives they are. Results are copied: whether
    an engine shares memory with its callers is its own affair.

    Parameters
    ----------
    engine : Engine
        The adapter.
    f : callable
        The function, of the engine's arrays alone.
    name : str
        For messages.

    Returns
    -------
    Primitive
        One that is not registered.

    Examples
    --------
    >>> import minisam as ms
    >>> class Itself:
    ...     vjp = staticmethod(ms.vjp)
    >>> sine = as_primitive(Itself(), np.sin, "their sine")
    >>> ms.check_grads(sine, (np.array([0.3, -1.2]),), order=3, modes=("reverse",))
    """
    return _wrapped(engine, f, lambda *args: engine.vjp(f, *args)[0], name)


def _wrapped(
    engine: Engine, f: Callable[..., Any], value: Callable[..., Array], name: str
) -> Primitive:
    """Wrap f, whose value at plain arrays is known: an engine may have no derivative of it."""

    def forward(*args: Array) -> Array:
        return np.array(value(*args))

    def pull(i: int, ct: Array, y: Array, *args: Array) -> Array:
        def pulled(*given: Array) -> Array:
            found = engine.vjp(f, *given[:-1])[1](given[-1])
            return (found if isinstance(found, tuple | list) else (found,))[i]

        return _wrapped(engine, pulled, pulled, name)(*args, ct)

    def push(tangents: list[Array | None], y: Array, *args: Array) -> Array:
        moving = [i for i, t in enumerate(tangents) if t is not None]

        def pushed(*given: Array) -> Array:
            n = len(args)
            directions = [np.zeros(np.shape(x)) for x in args]
            for i, t in zip(moving, given[n:], strict=True):
                directions[i] = t
            jvp: Any = getattr(engine, "jvp")  # noqa: B009 (an engine may have none)
            tangent: Array = jvp(f, given[:n], tuple(directions))[1]
            return tangent

        return _wrapped(engine, pushed, pushed, name)(*args, *(tangents[i] for i in moving))

    return Primitive(name, forward, pull, push, domain=lambda rng: [])
