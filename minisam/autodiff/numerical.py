"""Derivatives from values alone, each with an estimate of its own error.

Everything here differentiates a *curve*: a function t ↦ c(t) of one number that returns an array,
such as ``lambda t: f(x + t * d)``. Its derivative at 0 is the directional derivative of f.

The difference quotients at the steps h, h/2 and h/4 are extrapolated to h = 0 (Richardson): the
central ones give the slope, and how much they still change gives its error. The one-sided ones
give the *jump*, the slope to the right minus the slope to the left: zero where the curve is
smooth. At a kink the central quotient is a fine number that means nothing, so a jump is reported
and never averaged away.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam.autodiff.errors import ShapeError

Real: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = Callable[[Any], Any]

STEPS = {
    np.dtype(np.float64): (2.0**-6, 2.0**-9, 2.0**-13, 2.0**-17),
    np.dtype(np.float32): (2.0**-2, 2.0**-4),
}
"""Steps to try, by the dtype in which the curve is evaluated: the first is the most accurate for a
curve that is smooth at that scale, the later ones are for a point that is close to a kink."""

RTOL = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-2}
"""Relative accuracy that the extrapolated difference has, by the dtype of the evaluation."""


class Slope(NamedTuple):
    """The derivative of a curve at 0, and how far it can be trusted."""

    value: Real
    """The derivative."""
    error: Real
    """Estimate of the value's error, element by element."""
    left: Real
    """The slope on the left side, from the smallest step."""
    right: Real
    """The slope on the right side, from the smallest step."""
    scale: Real
    """The size of the slopes that a jump is compared with."""
    kinked: NDArray[np.bool_]
    """Where the sides disagree, or the quotients do not converge: there is no derivative."""


def central_difference(
    curve: Curve, step: float, dtype: Any = np.float64, noise: Any = 0.0, scale: Any = 0.0
) -> Slope:
    """Differentiate a curve at 0 from its values at 0, ±step, ±step/2 and ±step/4.

    Parameters
    ----------
    curve : callable
        ``t -> array``.
    step : float
        The largest step.
    dtype : dtype
        In which the curve is evaluated: it gives the size of rounding errors.
    noise : array
        Rounding errors of the curve's values, where they may exceed those of one operation.
    scale : array
        Size of the slopes found with larger steps: what is small against it is no jump.

    Returns
    -------
    Slope
        Exact for polynomials up to degree 6, but for rounding. Every element is judged by itself,
        whatever the size of the others.

    Raises
    ------
    ShapeError
        The curve's shape changes within the step.

    Examples
    --------
    >>> slope = central_difference(np.sin, 2**-6)
    >>> abs(float(slope.value) - 1) < 1e-11, bool(slope.kinked)
    (True, False)
    >>> bool(central_difference(np.abs, 2**-6).kinked)
    True
    """
    steps = (step, step / 2, step / 4)
    with np.errstate(all="ignore"):  # a side may leave the domain; NaN says so
        centre, *sides = (
            np.asarray(curve(h), dtype=np.float64) for h in (0.0, *steps, *(-h for h in steps))
        )
        if len({y.shape for y in (centre, *sides)}) > 1:
            raise ShapeError(f"the shape {centre.shape} of a curve changes within {step:.3g}.")
        right = [(y - centre) / h for y, h in zip(sides[:3], steps, strict=True)]
        left = [(centre - y) / h for y, h in zip(sides[3:], steps, strict=True)]
        # (right + left)/2 = slope + a·h² + b·h⁴ + …;  right - left = jump + a·h + b·h³ + …
        c0, c1, c2 = ((r + q) / 2 for r, q in zip(right, left, strict=True))
        once, more = (4 * c1 - c0) / 3, (4 * c2 - c1) / 3
        value = (16 * more - once) / 15
        g0, g1, g2 = (r - q for r, q in zip(right, left, strict=True))
        jump = np.abs(8 * (2 * g2 - g1) - (2 * g1 - g0)) / 7
        size = _largest(centre, sides[0], sides[3])
        least = 8 * float(np.finfo(dtype).eps) * size / steps[-1]
        rounding = np.maximum(least, 8 * noise / steps[-1])
        error = np.abs(value - more) + rounding
        # Slopes below 1e-12 count as zero: those of t**7 at 0 are nothing but extrapolation error.
        own = np.maximum(_largest(*right, *left), 1e-12)
        scale = np.fmax(scale, np.where(np.isfinite(own), own, 0.0))
        rtol = RTOL[np.dtype(dtype)]
        # Written so that NaN counts as a kink.
        smooth = jump <= 100 * (rtol * scale + least) + rounding
        kinked = ~(smooth & (error <= rtol * own + 2 * rounding))
    return Slope(value, error, left[-1], right[-1], scale, kinked)


def difference(curve: Curve, size: float = 1.0, dtype: Any = np.float64, noise: Any = 0.0) -> Slope:
    """Differentiate a curve at 0 with the largest step at which it looks smooth.

    Parameters
    ----------
    curve : callable
        ``t -> array``.
    size : float
        The length of t at which the curve changes: steps are relative to it.
    dtype : dtype
        In which the curve is evaluated.
    noise : array
        See `central_difference`.

    Returns
    -------
    Slope
        ``kinked`` where it is smooth at no step: within about 1e-5 of the size of a kink.

    Examples
    --------
    >>> near_a_kink = lambda t: np.abs(t - 1e-4)
    >>> slope = difference(near_a_kink)
    >>> round(float(slope.value), 8), bool(slope.kinked)
    (-1.0, False)
    """
    scale: Any = 0.0
    for step in STEPS[np.dtype(dtype)]:
        slope = central_difference(curve, step * size, dtype, noise, scale)
        scale = slope.scale
        if not slope.kinked.any():
            break
    return slope


def rounding_noise(curve: Curve, size: float = 1.0, dtype: Any = np.float64) -> Real:
    """Measure the rounding errors of a curve's values near 0, each element by itself.

    They exceed one unit in the last place where large terms cancelled. Second differences show
    them, with steps so small that the curve is straight. Only how much these vary counts: at a
    jump of the curve they are large, but all alike.

    Parameters
    ----------
    curve : callable
        ``t -> array``.
    size : float
        The length of t at which the curve changes.
    dtype : dtype
        In which the curve is evaluated.

    Returns
    -------
    array
        Of the curve's shape.

    Examples
    --------
    >>> noise = rounding_noise(lambda t: np.array([1 + t, 1e6 + np.cos(t + 1) - 1e6]))
    >>> noise < 1e-15, noise > 1e-11
    (array([ True, False]), array([False,  True]))
    """
    step = size * float(np.finfo(dtype).eps) ** 0.5 / 6
    with np.errstate(all="ignore"):
        centre = 2 * np.asarray(curve(0.0), dtype=np.float64)
        seconds = [curve(k * step) - centre + curve(-k * step) for k in range(1, 7)]
        spread = np.ptp(np.asarray(seconds, dtype=np.float64), axis=0)
        return np.where(np.isfinite(spread), spread, 0.0)


def complex_step(curve: Curve) -> Real:
    """Differentiate an analytic curve at 0 to full precision: ``Im c(i·h) / h`` with h = 1e-20.

    Nothing is subtracted, so nothing is lost; but code that is not analytic (a comparison, an
    absolute value, a cast) gives a wrong number without a word. Believe it only as far as a
    difference confirms it.

    Parameters
    ----------
    curve : callable
        ``t -> array`` for complex t.

    Returns
    -------
    array
        The derivative.

    Raises
    ------
    Exception
        Whatever the curve raises on complex numbers; `numpy.exceptions.ComplexWarning` if it
        drops an imaginary part.

    Examples
    --------
    >>> bool(complex_step(lambda t: np.exp(1 + t)) == np.exp(1))
    True
    """
    h = 1e-20
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        return np.asarray(np.imag(curve(1j * h)), dtype=np.float64) / h


def _largest(*arrays: Real) -> Real:
    return np.asarray(np.max(np.abs(arrays), axis=0))
