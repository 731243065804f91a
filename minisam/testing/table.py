"""The table: primitives by orders, each checked on its whole domain."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff import PRIMITIVES, GradientError, check_grads
from minisam.testing.engine import Engine, as_primitive

THIRD = 3
"""On how many of a primitive's cases the third order is checked: the smallest."""


class Check(NamedTuple):
    """One field of the table: a primitive of an engine, up to an order.

    Examples
    --------
    >>> import minisam as ms
    >>> class Itself:
    ...     functions = {"sin": np.sin}
    ...     vjp = staticmethod(ms.vjp)
    ...     order = 2
    >>> [str(check) for check in checks(Itself())]
    ['sin-order1', 'sin-order2']
    >>> checks(Itself())[1].run()
    """

    engine: Engine
    name: str
    order: int

    def __str__(self) -> str:
        return f"{self.name}-order{self.order}"

    def cases(self) -> list[tuple[tuple[Array, ...], dict[str, Any]]]:
        """Return the arguments and parameters to check at, smallest first, the empty ones last."""
        found = [*PRIMITIVES[self.name].domain(np.random.default_rng(0))]
        found.sort(key=lambda case: sum(a.size for a in case[0]) or np.inf)
        return found[: THIRD if self.order > 2 else None]

    def failures(self) -> list[str]:
        """Return a message for each case that fails."""
        modes = ("reverse", "forward") if hasattr(self.engine, "jvp") else ("reverse",)
        found = []
        for args, params in self.cases():
            # Constants such as labels are parameters; what is an argument is a variable.
            theirs = partial(self.engine.functions[self.name], **params)
            function = as_primitive(self.engine, theirs, self.name)
            try:
                check_grads(function, args, self.order, modes)
            except GradientError as error:
                found.append(f"{_shown(args, params)}: {str(error).partition(chr(10))[0]}")
            except Exception as error:  # their engine may raise anything
                found.append(f"{_shown(args, params)}: {type(error).__name__}: {error}")
        return found

    def run(self) -> None:
        """Raise a GradientError that lists the cases that fail."""
        found = self.failures()
        if found:
            count = f"{len(found)} of {len(self.cases())} cases fail"
            raise GradientError("\n".join([f"{self.name}, order {self.order}: {count}", *found]))


def _shown(args: tuple[Array, ...], params: dict[str, Any]) -> str:
    words = [f"{a.dtype}{list(a.shape)}" for a in args]
    words += [f"{key}={value!r}" for key, value in params.items()]
    return f"({', '.join(words)})"


def checks(engine: Engine) -> list[Check]:
    """List the checks of an engine: of each function that it offers, order by order.

    Parameters
    ----------
    engine : Engine
        The adapter; see `minisam.testing`.

    Returns
    -------
    list of Check
        In the order of minisam's primitives.

    Raises
    ------
    TypeError
        The adapter lacks something, offers no functions, or names one that is no primitive of
        minisam.

    Examples
    --------
    >>> import minisam as ms
    >>> class Itself:
    ...     functions = {"exp": np.exp, "sin": np.sin}
    ...     vjp = staticmethod(ms.vjp)
    >>> len(checks(Itself()))
    6
    """
    import_module("minisam.nn")  # its fused primitives are in the table, too
    for name in ("functions", "vjp"):
        if not hasattr(engine, name):
            raise TypeError(f"the adapter {engine!r} has no {name!r}; see help(minisam.testing).")
    if not engine.functions:
        raise TypeError(f"the adapter {engine!r} offers no functions: there is nothing to check.")
    unknown = [name for name in engine.functions if name not in PRIMITIVES]
    if unknown:
        raise TypeError(
            f"the adapter offers {', '.join(unknown)}, which minisam has no domain for. Its "
            f"primitives are {', '.join(PRIMITIVES)}."
        )
    orders = range(1, getattr(engine, "order", 3) + 1)
    offered = [name for name in PRIMITIVES if name in engine.functions]
    return [Check(engine, name, order) for name in offered for order in orders]


def by_name(module: Any) -> dict[str, Callable[..., Any]]:
    """Take what a module offers under NumPy's names.

    Where minisam's primitive takes a parameter by another name or place than NumPy's function,
    the function is called as NumPy's is.

    Parameters
    ----------
    module : module or object
        Such as ``autograd.numpy``; with ``linalg``, if it has that.

    Returns
    -------
    dict
        For an adapter's ``functions``.

    Examples
    --------
    >>> found = by_name(np)
    >>> found["sin"], found["where"](1.0, 2.0, condition=False).item()
    (<ufunc 'sin'>, 2.0)
    """
    import_module("minisam.nn")
    found = {name: getattr(module, name) for name in PRIMITIVES if hasattr(module, name)}
    found.pop("identity", None)  # NumPy's makes a matrix
    others: dict[str, Callable[..., Any]] = {
        "where": lambda a, b, condition: module.where(condition, a, b),
        "pad": lambda x, width: module.pad(x, width, mode="constant"),
        "broadcast_to": lambda x, shape: module.broadcast_to(x, shape),
        "concatenate": lambda *xs, axis: module.concatenate(xs, axis=axis),
        "stack": lambda *xs, axis: module.stack(xs, axis=axis),
        "einsum": lambda *xs, subscripts: module.einsum(subscripts, *xs),
        "take_along_axis": lambda x, chosen, axis: module.take_along_axis(x, chosen, axis),
    }
    found |= {name: function for name, function in others.items() if name in found}
    linalg = getattr(module, "linalg", None)
    for name in ("solve", "inv", "det", "cholesky"):
        if hasattr(linalg, name):
            found[name] = getattr(linalg, name)
    return found
