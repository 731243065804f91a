"""One function's derivatives compared in all their numbers: the heart of `check_grads`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.contracts import Named, Report
from minisam.autodiff.numerical import RTOL, Real, Slope, complex_step, difference
from minisam.autodiff.transforms import Function, linearize, vjp

ACCURACY = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 1e-4}
"""Relative error allowed to a derivative of this dtype, beyond that of what it is compared with.

It is relative to the element compared, never to the array: more elements buy no tolerance."""

ADJOINT = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}
"""Error allowed to ⟨ū, J v⟩ = ⟨Jᵀ ū, v⟩, relative to the sum of the terms' magnitudes."""

FULL = 32
"""Up to this many variables (and outputs) all of the Jacobian is compared; beyond it random
directions are, and only a failure is traced to its coordinate."""

Failure: TypeAlias = tuple[str, str, str]
"""The check, the derivative and the details, as `Report.fail` wants them."""


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

    def where(self, mode: str) -> str:
        """Say which derivative it is, such as "forward over reverse"."""
        return " over ".join((mode, *reversed(self.history)))


def is_float_array(a: Any) -> bool:
    """Whether it is an array of real floats, and so a variable."""
    return getattr(getattr(a, "dtype", None), "kind", "") == "f"


def draw(rng: np.random.Generator, like: Array) -> Array:
    """Draw an array of the same shape and dtype from ±[0.5, 1.5]: no element is tiny."""
    signs = rng.choice([-1.0, 1.0], like.shape)
    return np.asarray(signs * rng.uniform(0.5, 1.5, like.shape), like.dtype)


def flat(arrays: Any) -> Real:
    """Write all arrays into one vector of float64."""
    return np.concatenate([np.zeros(0), *(np.ravel(a) for a in as_tuple(arrays))])


def as_tuple(found: Any) -> tuple[Array, ...]:
    """What a pullback returns, as a tuple also when there is one variable."""
    return found if isinstance(found, tuple) else (found,)


def split(vector: Real, like: tuple[Array, ...]) -> tuple[Array, ...]:
    """Undo `flat`: arrays of these shapes and dtypes."""
    ends = np.cumsum([x.size for x in like])[:-1]
    parts = np.split(vector, ends)
    return tuple(np.asarray(p.reshape(x.shape), x.dtype) for p, x in zip(parts, like, strict=True))


class Comparison:
    """The derivatives of one function with respect to its variables, against its values.

    Parameters
    ----------
    level : Level
        The function.
    modes : tuple of str
        Of ``"reverse"`` and ``"forward"``.
    report : Report
        Where failures go.
    analytic : bool or None
        See `check_grads`.
    rng : numpy.random.Generator
        For cotangents and tangents.
    """

    def __init__(
        self,
        level: Level,
        modes: tuple[str, ...],
        report: Report,
        analytic: bool | None,
        rng: np.random.Generator,
    ) -> None:
        self.level, self.modes, self.report, self.rng = level, modes, report, rng
        self.analytic = analytic and None if level.history else analytic
        self.size = sum(x.size for x in level.variables)
        self.value = self._value()
        self.wide = self._wide()
        self.cotangents = self._cotangents()
        self.pulled: Real | None = None
        self.push: Callable[..., Array] | None = None

    def check(self) -> Array:
        """Raise if anything is wrong; return the function's value."""
        for mode in self.modes:
            self._contracts(mode)
        for direction in self._directions():
            if found := self._mismatch(direction):
                for part in self._narrowed(direction, found):
                    found = self._mismatch(part) or found
                self.report.fail(*found)
        if self.pulled is not None and self.push is not None:
            self._adjoint(self.pulled[0], self.push)
        return self.value

    # What is compared.

    def _value(self) -> Array:
        level, where = self.level, " over ".join(("value", *reversed(self.level.history)))
        value = self.report.run(where, lambda: level.call(*level.variables), level.named)
        value = np.asarray(value)
        self.report.like(where, "the value", value, np.empty(value.shape, level.variables[0].dtype))
        return value

    def _wide(self) -> Level:
        """The function in float64 where it can be computed so, for differences that bite."""
        wide = self.level.cast(np.float64)
        try:
            if np.asarray(wide.call(*wide.variables)).dtype == np.float64:
                return wide
        except Exception:  # it holds constants of another dtype: then its own dtype must do
            pass
        return self.level

    def _cotangents(self) -> Real:
        rows = [flat(draw(self.rng, self.value))]
        if not self.level.history and self.size <= FULL and self.value.size <= FULL:
            rows += list(np.eye(self.value.size))
        return np.stack(rows)

    def _directions(self) -> Iterator[Real]:
        if not self.level.history and len(self.level.free) == 1 and self.size <= FULL:
            yield from np.eye(self.size)
        else:
            yield flat(tuple(draw(self.rng, x) for x in self.level.variables))

    def _contracts(self, mode: str) -> None:
        level, report, where = self.level, self.report, self.level.where(mode)
        transform = vjp if mode == "reverse" else linearize
        value, linear = report.run(
            where, lambda: transform(level.call, *level.variables), level.named
        )
        report.like(where, "the value", value, self.value)
        eps = np.finfo(self.value.dtype).eps
        if not _close(self.value, value, 0.0, 64 * eps * _largest(self.value)).all():
            report.fail("value", where, f"Expect {self.value} (on plain arrays), Actual {value}.")
        known = level.named | {"the value": value}
        if mode == "reverse":
            inputs = {"the cotangent": draw(self.rng, self.value)}
            report.linear_map(
                where, lambda ct: as_tuple(linear(ct)), inputs, level.named, known
            )
            self.pulled = np.stack([flat(linear(self._as_value(row))) for row in self.cotangents])
        else:
            inputs = {f"the tangent of {k}": draw(self.rng, x) for k, x in level.named.items()}
            outputs = {"the tangent of the value": self.value}
            report.linear_map(where, lambda *ts: (linear(*ts),), inputs, outputs, known)
            self.push = linear

    def _as_value(self, row: Real) -> Array:
        return split(row, (self.value,))[0]

    # The comparison along one direction.

    def _mismatch(self, direction: Real) -> Failure | None:
        slope = self._slope(direction)
        if slope.kinked.any():
            return self._kink(slope, direction)
        slope, rtol, method, failure = self._refined(slope, direction)
        if failure:
            return failure
        rtol = max(rtol, ACCURACY[self.value.dtype])
        eps = float(np.finfo(self.value.dtype).eps)
        floor = 4 * eps * _largest(self.value)
        expect, error = np.ravel(slope.value), 4 * np.ravel(slope.error)
        along = f"{self._coordinates(direction)}, {method}"
        if self.push is not None:
            where = self.level.where("forward")
            actual = np.ravel(self.push(*split(direction, self.level.variables)))
            tolerance = error + 64 * eps * _largest(expect) + floor
            ok = _close(expect, actual, rtol, tolerance)
            if not ok.all():
                i = int(np.argmin(ok))
                return "wrong derivative", where, self._numbers(along, i, expect[i], actual[i])
        if self.pulled is not None:
            where = self.level.where("reverse")
            rows = np.abs(self.cotangents)
            scale = rows @ np.abs(expect)
            tolerance = rows @ error + 64 * eps * _largest(scale) + floor
            expects, actuals = self.cotangents @ expect, self.pulled @ direction
            ok = _close(expects, actuals, rtol, tolerance)
            if not ok.all():
                k = len(ok) - 1 - int(np.argmin(ok[::-1]))  # basis cotangents name an output
                i = k - 1 if k else None
                return "wrong derivative", where, self._numbers(along, i, expects[k], actuals[k])
        return None

    def _curve(self, direction: Real) -> Callable[[Any], Array]:
        wide = self.wide
        parts = split(direction, wide.variables)

        def curve(t: Any) -> Array:
            moved = (np.asarray(x + t * d) for x, d in zip(wide.variables, parts, strict=True))
            return wide.call(*moved)

        return curve

    def _slope(self, direction: Real) -> Slope:
        moving = [x for x, d in zip(self.wide.variables, split(direction, self.wide.variables)) if d.any()]
        size = max([1.0, *(_largest(x) for x in moving)])
        return difference(self._curve(direction), size, self.wide.variables[0].dtype)
