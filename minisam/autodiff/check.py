"""check_grads: is this derivative the derivative of this function?

A function of arrays, its pullback and its pushforward are checked against each other and against
values alone (`minisam.autodiff.numerical`). Order k needs no further idea: the pullback
(x, ct) ↦ Jᵀ(x) ct and the pushforward (x, t) ↦ J(x) t are functions of arrays themselves, so
their own derivatives are checked in the same way. The cotangent and the tangent are variables
there: a rule that treats them as constants is right until it is composed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.contracts import Report, flat, is_like, layouts, restored
from minisam.autodiff.numerical import RTOL, Real, Slope, complex_step, difference
from minisam.autodiff.tensor import Tensor
from minisam.autodiff.transforms import Function, jvp, linearize, vjp

ACCURACY = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 1e-4}
"""Relative error allowed to a derivative of this dtype, beyond the error of what it is compared to.

It is relative to the element compared, never to the array: more elements buy no tolerance."""

ADJOINT = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}
"""Error allowed to ⟨ū, J v⟩ = ⟨Jᵀ ū, v⟩, relative to the sum of the terms' magnitudes."""

FULL = 32
"""Up to this many variables (and outputs) the whole Jacobian is compared, coordinate by coordinate;
beyond it random directions are, and only a failure is traced to its coordinate."""


def check_grads(
    f: Function,
    args: tuple[Any, ...],
    order: int = 2,
    modes: Iterable[str] = ("reverse", "forward"),
    *,
    analytic: bool | None = None,
    seed: int = 0,
) -> None:
    """Raise unless the derivatives of f are its derivatives, up to an order.

    Parameters
    ----------
    f : callable
        ``f(*args)`` returns one array of floats, of any shape.
    args : tuple
        Where to check. The arrays of floats are the variables, all of one dtype (float32 or
        float64); everything else is passed as it is. Keep away from kinks.
    order : int
        The highest derivative to check, at least 1.
    modes : iterable of str
        ``"reverse"``, ``"forward"`` or both; for order k every mix of k of them is checked.
    analytic : bool, optional
        Whether f takes complex numbers and is analytic, so that a complex step gives its first
        derivative to full precision: True requires it, False does not try, None tries. The
        difference quotient is always computed too, and a complex step that disagrees with it is
        never believed.
    seed : int
        For the random cotangents and tangents. Their elements lie in ±[0.5, 1.5]: no tiny ones,
        which would hide an error, and not all ones, which a missing transpose leaves as they are.

    Raises
    ------
    GradientError
        The first check that failed, with the coordinate, both numbers and how to run it again.
    TypeError
        The variables are of a dtype other than float32 and float64, or of two.
    ValueError
        There is nothing to check: no variable, no mode, or order below 1.

    Notes
    -----
    For every derivative function up to the order:

    - *value*: f gives the same on plain arrays as while it is being differentiated;
    - *wrong derivative*: Jacobian-vector and vector-Jacobian products agree with a complex step
      where f is analytic and with an extrapolated difference quotient elsewhere, with each
      argument as the only variable and with all together. For float32 the quotient is taken in
      float64 where f allows it;
    - *kink*: the slopes on both sides of the point differ, so that there is no derivative to
      compare with. That is an error, and not agreement with either side: move the point, and
      test the convention at the kink by itself;
    - *adjoint*: ⟨ū, J v⟩ = ⟨Jᵀ ū, v⟩ to rounding;
    - *symmetry*: ⟨u, H v⟩ = ⟨v, H u⟩ to rounding, from order 2;
    - *zero*: a zero cotangent or tangent gives zero;
    - *dtype*, *shape*: those of the argument (reverse) or the value (forward);
    - *mutation*: arguments, cotangents, tangents and values are not written into;
    - *aliasing*: a derivative shares no memory with them or with another result;
    - *layout*: strided and contiguous arguments give the same.

    Arrays without elements are checked for shapes and dtypes, which is all they have.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> check_grads(lambda x, y: np.sin(x) * y, (np.array([0.3, 0.4]), np.array(2.0)))
    >>> cut = lambda x: np.sin(x) * x.value if type(x) is ms.Tensor else np.sin(x) * x
    >>> check_grads(cut, (np.array([0.3, 0.4]),))
    Traceback (most recent call last):
    ...
    minisam.autodiff.errors.GradientError: <lambda>: wrong derivative (reverse): argument 0 at (0,):
    Expect 0.582121..., Actual 0.286600...
    """
    modes = tuple(modes)
    if order < 1 or not modes or not set(modes) <= {"reverse", "forward"}:
        raise ValueError(
            f"check_grads: order={order}, modes={modes}: nothing to check. The order must be at "
            "least 1, and modes some of 'reverse' and 'forward'."
        )
    level = _first_level(f, args)
    report = Report(f, args, order, modes, seed)
    _check_recorded(level, report)
    checker = _Checker(report, modes, analytic, np.random.default_rng(seed))
    checker.layouts(level)
    checker.level(level, order)
    if order > 1:
        checker.symmetry(level)


class _Level(NamedTuple):
    """A function to check: f itself, or a derivative of it."""

    function: Function
    variables: tuple[Array, ...]
    names: tuple[str, ...]
    history: tuple[str, ...] = ()
    """The modes by which f was differentiated to give it, in that order."""

    def only(self, k: int) -> _Level:
        """Hold all variables fixed but one."""
        before, after = self.variables[:k], self.variables[k + 1 :]
        return self._replace(
            function=lambda x: self.function(*before, x, *after),
            variables=(self.variables[k],),
            names=(self.names[k],),
        )

    def where(self, mode: str) -> str:
        """Say which derivative: "reverse", or "forward over reverse"."""
        return " over ".join((mode, *reversed(self.history)))

    @property
    def size(self) -> int:
        return sum(x.size for x in self.variables)


def _first_level(f: Function, args: tuple[Any, ...]) -> _Level:
    places = [i for i, a in enumerate(args) if getattr(getattr(a, "dtype", None), "kind", "") == "f"]
    if not places:
        raise ValueError(
            "check_grads: nothing to check: args holds no array of floats. Write "
            "args=(np.array(1.0),) for a number."
        )
    variables = tuple(np.asarray(args[i]) for i in places)
    dtypes = {x.dtype for x in variables}
    if len(dtypes) > 1 or not dtypes <= set(ACCURACY):
        raise TypeError(
            f"check_grads: variables of {', '.join(sorted(map(str, dtypes)))}; it takes float64 "
            "or float32, one for all."
        )

    def function(*xs: Array) -> Array:
        given = list(args)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return f(*given)

    return _Level(function, variables, tuple(f"argument {i}" for i in places))


def _check_recorded(level: _Level, report: Report) -> None:
    """A function that ignores its arguments, or cuts them off, would agree with anything."""
    kinds = []

    def probe(*xs: Array) -> Array:
        kinds.append(type(y := level.function(*xs)))
        return y

    linearize(probe, *level.variables)
    if kinds != [Tensor]:
        report.fail(
            "vacuous",
            "order 1",
            f"it returned {kinds[0].__name__} instead of a Tensor: its value does not depend on "
            "its arguments, or t.value cut the dependence off.",
        )


class _Checker:
    """The state of one call of check_grads: where the randomness and the messages come from."""

    def __init__(
        self,
        report: Report,
        modes: tuple[str, ...],
        analytic: bool | None,
        rng: np.random.Generator,
    ) -> None:
        self.report = report
        self.modes = modes
        self.analytic = analytic
        self.rng = rng

    def draw(self, like: Array) -> Array:
        """Draw an array of the same shape and dtype from ±[0.5, 1.5]."""
        magnitude = self.rng.uniform(0.5, 1.5, like.shape)
        return np.asarray(self.rng.choice([-1.0, 1.0], like.shape) * magnitude, like.dtype)

    def level(self, level: _Level, order: int) -> None:
        """Check one function: in each variable alone, in all together; then its derivatives."""
        n = len(level.variables)
        if n > 1:  # a rule that gets no tangent for a constant takes another way through the code
            for k in range(n):
                Block(self, level.only(k)).check()
        value = Block(self, level).check()
        if order > 1:
            for mode in self.modes:
                self.level(self.derivative(level, mode, value), order - 1)
