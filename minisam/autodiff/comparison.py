"""One function's derivatives compared in all their numbers: the heart of `check_grads`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.contracts import Report
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.levels import Level, as_tuple, draw, flat, split
from minisam.autodiff.numerical import (
    RTOL,
    Curve,
    Real,
    Slope,
    complex_step,
    difference,
    rounding_noise,
)
from minisam.autodiff.transforms import linearize, vjp

ACCURACY = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 1e-4}
"""Relative error allowed to a derivative of this dtype, beyond that of what it is compared with.

It is relative to the element compared, never to the array: neither more elements nor larger ones
buy any tolerance. What is allowed for rounding comes from the terms that gave the element."""

FLIPS = 4
"""How many random signs are given to a direction to learn how large the terms are whose sum the
derivative along it is."""

ADJOINT = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}
"""Error allowed to ⟨ū, J v⟩ = ⟨Jᵀ ū, v⟩, relative to the sum of the terms' magnitudes."""

FULL = 32
"""Up to this many variables (and outputs) all of the Jacobian is compared. Beyond it a random
direction is, and only a failure is traced to its coordinate: the pushforward still element by
element, the pullback summed over the direction. The adjoint identity, which holds to rounding,
makes up for what that sum hides, so check large arrays in both modes."""


class _Derivative(NamedTuple):
    """A derivative along a direction, from values alone: of f's output, flattened."""

    value: Real
    error: Real
    rtol: float


class _Mismatch(Exception):
    """A check that failed along one direction: the check, the derivative, the details."""


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
        rng: Random,
    ) -> None:
        self.level, self.modes, self.report, self.rng = level, modes, report, rng
        # The engine differentiates real numbers: of its results there is no complex step.
        self.analytic = False if level.history else analytic
        self.size = sum(x.size for x in level.variables)
        self.small = not level.history and self.size <= FULL
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
            found = self._mismatch(direction)
            if found is not None:
                self.report.fail(*self._narrowed(direction, found).args)
        if self.pulled is not None and self.push is not None:
            self._adjoint(self.pulled[0], self.push)
        return self.value

    # What is compared.

    def _value(self) -> Array:
        level, where = self.level, self.level.where("value")
        found = self.report.run(where, lambda: level.call(*level.variables), level.named)
        # On plain arrays NumPy's promotion decides; the variables' dtype only while recording.
        value = np.asarray(found, level.variables[0].dtype)
        self.report.like(where, "the value", value, value)
        return value

    def _wide(self) -> Level:
        """Give the function in float64 where it can be computed so: its differences bite."""
        wide = self.level.cast(np.float64)
        try:
            if np.asarray(wide.call(*wide.variables)).dtype == np.float64:
                return wide
        except TypeError:  # it holds constants of another dtype; then its own dtype must do
            pass
        return self.level

    def _cotangents(self) -> Real:
        random = flat(draw(self.rng, self.value))[None]
        if self.small and self.value.size <= FULL:
            return np.concatenate([random, np.eye(self.value.size)])
        return random

    def _directions(self) -> Iterator[Real]:
        if self.small and len(self.level.free) == 1:
            yield from np.eye(self.size)
        elif self.size:
            yield flat(tuple(draw(self.rng, x) for x in self.level.variables))

    def _contracts(self, mode: str) -> None:
        """Check everything but the numbers; keep the pullbacks and the pushforward."""
        level, report, where = self.level, self.report, self.level.where(mode)
        transform = vjp if mode == "reverse" else linearize
        value, linear = report.run(
            where, lambda: transform(level.call, *level.variables), level.named
        )
        report.like(where, "the value", value, self.value)
        if not _close(self.value, value, 0.0, 64 * _eps(self.value) * largest(self.value)).all():
            report.fail("value", where, f"Expect {self.value} (plain arrays), Actual {value}.")
        known = level.named | {"the value": value}
        if mode == "reverse":
            inputs = {"the cotangent": draw(self.rng, self.value)}
            report.linear_map(where, lambda ct: as_tuple(linear(ct)), inputs, level.named, known)
            rows = (split(row, (self.value,)) for row in self.cotangents)
            self.pulled = np.stack([flat(linear(*row)) for row in rows])
        else:
            inputs = {f"the tangent of {k}": draw(self.rng, x) for k, x in level.named.items()}
            outputs = {"the tangent of the value": self.value}
            report.linear_map(where, lambda *ts: (linear(*ts),), inputs, outputs, known)
            self.push = linear

    def _curve(self, direction: Real) -> tuple[Curve, float]:
        """Give the function along a direction, and the size of the variables that move."""
        xs = self.wide.variables
        parts = split(direction, xs)

        def curve(t: Any) -> Array:
            return self.wide.call(*(np.asarray(x + t * d) for x, d in zip(xs, parts, strict=True)))

        return curve, max(1.0, *(largest(x * (d != 0)) for x, d in zip(xs, parts, strict=True)))

    @cached_property
    def noise(self) -> Real:
        """The rounding error of each element of the value, as it is computed for differences."""
        direction = flat(tuple(draw(self.rng, x) for x in self.level.variables))
        return rounding_noise(*self._curve(direction), self.wide.variables[0].dtype)

    # The comparison along one direction.

    def _mismatch(self, direction: Real) -> _Mismatch | None:
        try:
            derivative, method = self._derivative(direction)
            along = f"{self._coordinates(direction)}, {method}"
            if self.push is not None:
                self._compare_push(derivative, direction, along)
            if self.pulled is not None:
                self._compare_pulled(derivative, direction, along)
        except _Mismatch as found:
            return found
        return None

    def _narrowed(self, direction: Real, found: _Mismatch) -> _Mismatch:
        """Trace a failure to a coordinate: halve the direction while a half alone fails, too."""
        while True:
            halves = np.array_split(np.flatnonzero(direction), 2)
            for half in halves if len(halves[1]) else ():
                part = np.zeros_like(direction)
                part[half] = direction[half]
                again = self._mismatch(part)
                if again is not None and again.args[:2] == found.args[:2]:
                    direction, found = part, again
                    break
            else:
                return found

    def _derivative(self, direction: Real) -> tuple[_Derivative, str]:
        """Differentiate along a direction from values alone, and say how."""
        curve, size = self._curve(direction)
        dtype = self.wide.variables[0].dtype
        try:
            slope = difference(curve, size, dtype, self.noise)
        except ShapeError:
            raise self._no_derivative(direction, "the output's shape changes") from None
        if slope.kinked.any():
            raise self._kink(slope, direction)
        quotient = _Derivative(np.ravel(slope.value), np.ravel(slope.error), RTOL[dtype])
        if self.analytic is False or dtype != np.float64:
            return quotient, "difference quotient"
        try:
            exact, why = np.ravel(complex_step(curve)), "disagrees with the difference quotient"
        except Exception as error:  # f takes no complex numbers, and may say so in any way
            exact, why = np.full_like(quotient.value, np.nan), f"raises {error!r}"
        noise = 4 * (quotient.error + _eps(quotient.value) * np.abs(flat(self.value)))
        if _close(quotient.value, exact, quotient.rtol, noise).all():
            # However wrong a complex f may be, it moves the result by no more than the quotient's
            # own error.
            return _Derivative(exact, np.zeros_like(exact), 0.0), "complex step"
        if self.analytic:
            where = f"{self._coordinates(direction)}: the complex step {why}."
            raise _Mismatch("not analytic", self.level.where("value"), where)
        self.analytic = False
        return quotient, "difference quotient"

    def _kink(self, slope: Slope, direction: Real) -> _Mismatch:
        i = int(np.argmax(slope.kinked))
        left, right = np.ravel(slope.left)[i], np.ravel(slope.right)[i]
        if abs(left - right) > 1e-3 * max(abs(left), abs(right)):
            what = f"slope {left:.10g} on the left and {right:.10g} on the right"
        else:
            what = "difference quotients that do not settle (a kink within 1e-5, or noise)"
        return self._no_derivative(direction, f"{self._output(i)} has {what}")

    def _no_derivative(self, direction: Real, why: str) -> _Mismatch:
        return _Mismatch(
            "kink",
            self.level.where("value"),
            f"at {self._coordinates(direction)}, {why}; so there is no "
            "derivative to compare with. Move the point.",
        )

    def _compare_push(self, derivative: _Derivative, direction: Real, along: str) -> None:
        assert self.push is not None
        signs = self.rng.choice([-1.0, 1.0], (FLIPS, direction.size))
        directions = (direction, *(direction * signs if np.count_nonzero(direction) > 1 else ()))
        xs = self.level.variables
        actual, *flipped = (flat(self.push(*split(d, xs))) for d in directions)
        expect = derivative.value
        terms = np.max(np.abs([expect, *flipped]), axis=0)
        ok = self._agree(derivative, expect, actual, terms, lambda error: error)
        if not ok.all():
            i = int(np.argmin(ok))
            raise self._wrong("forward", f"{along}, {self._output(i)}", expect[i], actual[i])

    def _compare_pulled(self, derivative: _Derivative, direction: Real, along: str) -> None:
        assert self.pulled is not None
        weights = np.abs(self.cotangents)
        expect, actual = self.cotangents @ derivative.value, self.pulled @ direction
        terms = weights @ np.abs(derivative.value) + np.abs(self.pulled) @ np.abs(direction)
        ok = self._agree(derivative, expect, actual, terms, lambda error: weights @ error)
        if not ok.all():
            k = int(np.flatnonzero(~ok)[-1])  # the first cotangent is random, the others a basis
            output = self._output(k - 1) if k else "random cotangent"
            raise self._wrong("reverse", f"{along}, {output}", expect[k], actual[k])

    def _agree(
        self,
        derivative: _Derivative,
        expect: Real,
        actual: Real,
        terms: Real,
        gather: Callable[[Real], Real],
    ) -> Any:
        """Compare numbers: how large their terms are, and how they gather the outputs' errors."""
        eps = _eps(self.value)
        rtol = max(derivative.rtol, ACCURACY[self.value.dtype])
        noise = flat(self.noise) / _eps(self.wide.variables[0])  # in either dtype, relative to eps
        error = derivative.error + eps * np.maximum(np.abs(flat(self.value)), noise)
        return _close(expect, actual, rtol, 4 * gather(error) + 64 * eps * terms)

    def _wrong(self, mode: str, what: str, expect: float, actual: float) -> _Mismatch:
        numbers = f"{what}: Expect {expect:.12g}, Actual {actual:.12g}."
        return _Mismatch("wrong derivative", self.level.where(mode), numbers)

    def _adjoint(self, pulled: Real, push: Callable[..., Array]) -> None:
        tangents = tuple(draw(self.rng, x) for x in self.level.variables)
        forward = self.cotangents[0] * flat(push(*tangents))
        reverse = pulled * flat(tangents)
        gap = abs(forward.sum() - reverse.sum())
        limit = ADJOINT[self.value.dtype] * (np.abs(forward).sum() + np.abs(reverse).sum())
        if self.level.history:  # a derivative of x/|x|, 0 by cancellation, is its rounding
            slopes = np.abs(self.cotangents[0]) @ np.abs(flat(self.value))
            limit += 4 * _eps(self.value) * float(slopes)
        if not gap <= limit:
            self.report.fail(
                "adjoint",
                self.level.where("reverse against forward"),
                f"⟨ū, J v⟩ = {forward.sum()!r}, but ⟨Jᵀ ū, v⟩ = {reverse.sum()!r}: they differ by "
                f"{gap:.3g}, more than {limit:.3g}.",
            )

    # Words for messages.

    def _coordinates(self, direction: Real) -> str:
        parts = zip(self.level.named, split(direction, self.level.variables), strict=True)
        moving = {name: d for name, d in parts if d.any()}
        if np.count_nonzero(direction) == 1:
            ((name, d),) = moving.items()
            return f"{name} at {_place(int(np.argmax(d != 0)), d.shape)}"
        return f"{', '.join(moving)} along {np.count_nonzero(direction)} random coordinates"

    def _output(self, i: int) -> str:
        return f"output at {_place(i, self.value.shape)}"


def largest(x: Array) -> float:
    """Return the largest magnitude of an array's elements; 0 if there are none."""
    return float(np.max(np.abs(x), initial=0.0))


def _place(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(i, shape))


def _eps(x: Array) -> float:
    return float(np.finfo(x.dtype).eps)


def _close(expect: Array, actual: Array, rtol: float, atol: Any) -> Any:
    return np.abs(expect - actual) <= rtol * np.abs(expect) + atol  # NaN is close to nothing
