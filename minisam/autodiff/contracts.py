"""What a derivative must keep to besides its numbers: shapes, dtypes, and other people's memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import GradientError

Named: TypeAlias = dict[str, Array]
"""Arrays by what messages call them."""

FACTORS = (-(2.0**10), 2.0**10)
"""By which a linear map must commute, exactly: powers of 2 round nothing. Of both signs, because a
rule may treat the positive and the negative differently, and large, because it may clip."""


class Report:
    """How a failure is told: whose, where, and how to see it again.

    Parameters
    ----------
    f : callable
        The function that is checked.
    args : tuple
        Its arguments.
    order : int
        Highest order.
    modes : tuple of str
        Modes.
    seed : int
        Seed of the random directions.
    """

    def __init__(
        self, f: Any, args: tuple[Any, ...], order: int, modes: tuple[str, ...], seed: int
    ) -> None:
        self.name = name_of(f)
        shapes = ", ".join(map(brief, args))
        self.again = (
            f"minisam.check_grads({self.name}, args, order={order}, modes={modes}, seed={seed}) "
            f"with args = ({shapes})"
        )

    def fail(self, check: str, where: str, detail: str, cause: Exception | None = None) -> NoReturn:
        """Raise the GradientError of one check."""
        message = f"{self.name}: {check} ({where}): {detail}\nReproduce: {self.again}."
        raise GradientError(message) from cause

    def run(self, where: str, call: Callable[[], Any], arrays: Named) -> Any:
        """Call something that may neither fail nor write into any of the arrays."""
        with self.untouched(where, arrays):
            try:
                return call()
            except Exception as error:
                self.fail("error", where, f"{type(error).__name__}: {error}", error)

    @contextmanager
    def untouched(self, where: str, arrays: Named) -> Iterator[None]:
        """Fail if any of the arrays is written into meanwhile."""
        before = {name: np.array(a, copy=True) for name, a in arrays.items()}
        yield
        for name, a in arrays.items():
            if not np.array_equal(a, before[name], equal_nan=True):
                self.fail("mutation", where, f"{name} was written into.")

    def like(self, where: str, name: str, result: Array, pattern: Array) -> None:
        """Require a result to have the shape and dtype of a pattern, and finite elements."""
        shape, dtype = np.shape(result), getattr(result, "dtype", type(result).__name__)
        if shape != pattern.shape:
            self.fail("shape", where, f"{name}: Expect {pattern.shape}, Actual {shape}.")
        if dtype != pattern.dtype:
            self.fail("dtype", where, f"{name}: Expect {pattern.dtype}, Actual {dtype}.")
        if not np.all(np.isfinite(result)):
            self.fail("not finite", where, f"{name} has NaN or infinite elements: {result}.")

    def linear_map(
        self,
        where: str,
        apply: Callable[..., tuple[Array, ...]],
        inputs: Named,
        outputs: Named,
        others: Named,
    ) -> tuple[Array, ...]:
        """Check a pullback or pushforward for everything but its numbers.

        Parameters
        ----------
        where : str
            For messages.
        apply : callable
            Takes arrays as ``inputs``, gives a tuple of arrays.
        inputs : dict of array
            Random cotangent or tangents.
        outputs : dict of array
            What the results must be like.
        others : dict of array
            What else may not be written into or handed out.

        Returns
        -------
        tuple of array
            ``apply(*inputs)``.
        """
        ones = {name: np.ones_like(x) for name, x in inputs.items()}
        firsts = []
        for given in (inputs, ones):  # some rules hand their memory out when the cotangent is 1
            run = partial(self.run, where, arrays=given | others)
            results = run(partial(apply, *given.values()))
            for (name, pattern), result in zip(outputs.items(), results, strict=True):
                self.like(where, name, result, pattern)
            first = tuple(np.array(r, copy=True) for r in results)
            firsts.append(first)
            again = run(partial(apply, *given.values()))
            for name, kept, one, two in zip(outputs, first, results, again, strict=True):
                if not np.array_equal(kept, one):
                    self.fail("aliasing", where, f"{name}: a second call changed the result.")
                if not np.array_equal(kept, two):
                    self.fail("mutation", where, f"{name}: a second call gives another result.")
            known = given | others | {"the last result": again[0]}
            for name, other in shared(dict(zip(outputs, results, strict=True)), known):
                self.fail("aliasing", where, f"{name}: its derivative is the memory of {other}.")
            for r in results:
                if isinstance(r, np.ndarray):
                    r[...] = np.nan  # it is the caller's: no later result may feel it
            for name, kept, r in zip(
                outputs, first, run(partial(apply, *given.values())), strict=True
            ):
                if not np.array_equal(kept, r):
                    self.fail("aliasing", where, f"{name}: its derivative is memory of the rule.")
        zeros = [np.zeros_like(x) for x in inputs.values()]
        for name, r in zip(outputs, run(partial(apply, *zeros)), strict=True):
            if np.any(r != 0):
                self.fail("zero", where, f"{name}: zero in gives {r} instead of zero.")
        for factor in FACTORS:
            scaled = run(partial(apply, *(factor * x for x in inputs.values())))
            for name, kept, r in zip(outputs, firsts[0], scaled, strict=True):
                expect = np.asarray(factor * kept)
                if not np.all(np.abs(r - expect) <= factor**2 * np.finfo(kept.dtype).tiny):
                    detail = f"{name}: {factor:g} times as much in: Expect {expect}, Actual {r}."
                    self.fail("linear", where, detail)
        return firsts[0]


def shared(fresh: Named, known: Named) -> Iterator[tuple[str, str]]:
    """Find arrays that are not as fresh as they should be.

    Parameters
    ----------
    fresh : dict of array
        These should share no memory with the known ones or with each other.
    known : dict of array
        Existing arrays.

    Yields
    ------
    (str, str)
        The names of two that share memory.

    Examples
    --------
    >>> x = np.zeros(3)
    >>> list(shared({"view": x[1:], "copy": x.copy()}, {"x": x}))
    [('view', 'x')]
    """
    seen = dict(known)
    for name, array in fresh.items():
        for other, memory in seen.items():
            if np.shares_memory(array, memory):
                yield name, other
        seen[f"the derivative of {name}"] = array


def strided(x: Array) -> Array:
    """Copy an array into every other element of a larger one in Fortran order, NaN between.

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    array
        Equal to x, contiguous along no axis; a 0-d array stays as it is.

    Examples
    --------
    >>> x = strided(np.array([[1.0, 2.0]]))
    >>> x, x.strides
    (array([[1., 2.]]), (16, 32))
    """
    wide = np.full([2 * n for n in x.shape], np.nan, dtype=x.dtype, order="F")
    view = wide[(slice(None, None, 2),) * x.ndim] if x.ndim else wide
    view[...] = x
    return view


def contiguous(x: Array) -> Array:
    """Copy an array into row-major order."""
    return np.array(x, order="C", copy=True)


def name_of(f: Any) -> str:
    """Name a function for messages; a partial application by what it applies.

    Examples
    --------
    >>> name_of(np.sin), name_of(partial(np.sum, axis=0))
    ('sin', 'sum(axis=0)')
    """
    if isinstance(f, partial):
        given = [*map(brief, f.args), *(f"{k}={brief(v)}" for k, v in f.keywords.items())]
        return name_of(f.func) + (f"({', '.join(given)})" if given else "")
    return str(getattr(f, "name", None) or getattr(f, "__name__", type(f).__name__))


def brief(x: Any) -> str:
    """Describe an argument in a few words: an array by its dtype and shape.

    Examples
    --------
    >>> brief(np.zeros((2, 3))), brief(2)
    ('float64[2, 3]', '2')
    """
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "shape") else repr(x)
