"""Is this derivative the derivative of this function? `check_grads` tells.

A function of arrays, its pullback and its pushforward are checked against each other and against
values alone (`minisam.autodiff.numerical`). Order k needs no further idea: the pullback
(x, ct) ↦ Jᵀ(x) ct and the pushforward (x, t) ↦ J(x) t are functions of arrays themselves, so
their own derivatives are checked in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from minisam.arrays import Array, Random, on_host
from minisam.autodiff.comparison import ACCURACY, ADJOINT, Comparison, largest
from minisam.autodiff.contracts import Report, contiguous, strided
from minisam.autodiff.levels import Level, draw, flat, is_float_array, split
from minisam.autodiff.numerical import Real
from minisam.autodiff.tensor import Tensor
from minisam.autodiff.transforms import Function, jvp, linearize, vjp


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
        Where to check. The NumPy arrays of floats are the variables, all of one dtype (float32
        or float64); everything else is passed as it is. Keep away from kinks. For a device write
        ``lambda x: ms.to_numpy(f(ms.to_device(x, "cuda")))``: what is measured is on the host.
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
    - *kink*: the slopes on both sides of the point differ, or the shape of the output changes
      nearby, so that there is no derivative to compare with. That is an error, and not agreement
      with either side: move the point, and test the convention at the kink by itself;
    - *adjoint*: ⟨ū, J v⟩ = ⟨Jᵀ ū, v⟩ to rounding;
    - *symmetry*: ⟨u, H v⟩ = ⟨v, H u⟩ to rounding, from order 2;
    - *zero*: a zero cotangent or tangent gives zero;
    - *linear*: 1024 times as large a cotangent or tangent, of either sign, gives 1024 times as
      much, exactly;
    - *dtype*, *shape*: those of the argument (reverse) or the value (forward);
    - *mutation*: arguments, cotangents, tangents and values are not written into;
    - *aliasing*: a derivative shares no memory with them or with another result;
    - *layout*: strided and contiguous arguments give the same.

    Numbers must agree to 1e-11 with a complex step, to 1e-8 and the estimated error with a
    difference quotient, and to 1e-4 in float32: relative to the element, whatever the size of the
    array and of its other elements, but for the rounding of the terms that gave this one. Arrays
    without elements are checked for shapes and dtypes, which is all they have.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> check_grads(lambda x, y: np.sin(x) * y, (np.array([0.3, 0.4]), np.array(2.0)))
    >>> cut = lambda x: np.sin(x) * x.value if type(x) is ms.Tensor else np.sin(x) * x
    >>> check_grads(cut, (np.array([0.3, 0.4]),))
    Traceback (most recent call last):
    ...
    minisam.autodiff.errors.GradientError: <lambda>: wrong derivative (forward): argument 0 at (0,),
    complex step, output at (0,): Expect 0.582121..., Actual 0.286600...
    """
    if not isinstance(args, tuple | list):
        raise TypeError(f"check_grads: args is a tuple, as (w,); got a {type(args).__name__}.")
    modes = tuple(modes)
    if order < 1 or not modes or not set(modes) <= {"reverse", "forward"}:
        raise ValueError(
            f"check_grads: order={order}, modes={modes}: nothing to check. The order must be at "
            "least 1, and modes some of 'reverse' and 'forward'."
        )
    report = Report(f, args, order, modes, seed)
    rng = np.random.default_rng(seed)
    level = _first_level(f, args)
    _check_recorded(level, report)

    def check(level: Level, left: int) -> None:
        if len(level.free) > 1:  # rules get no tangent for a constant: another way through them
            for k in level.free:
                Comparison(level._replace(free=(k,)), modes, report, analytic, rng).check()
        value = Comparison(level, modes, report, analytic, rng).check()
        for mode in modes if left > 1 else ():
            like = (value,) if mode == "reverse" else level.variables
            given = tuple(draw(rng, x) for x in like)
            check(level.differentiated(mode, given), left - 1)

    check(level, order)
    _check_layouts(level, modes, report, rng)
    if order > 1:
        _check_symmetry(level, modes, report, rng)


def _first_level(f: Function, args: tuple[Any, ...]) -> Level:
    if not all(map(on_host, args)):
        raise TypeError(
            "check_grads measures on the host, but an argument is on a device. Check "
            'lambda x: ms.to_numpy(f(ms.to_device(x, "cuda"))) at an array of the host.'
        )
    free = tuple(i for i, a in enumerate(args) if is_float_array(a))
    if not free:
        raise ValueError(
            "check_grads: nothing to check: args holds no array of floats. A number is "
            "np.array(1.0)."
        )
    dtypes = {args[i].dtype for i in free}
    if len(dtypes) > 1 or not dtypes <= set(ACCURACY):
        raise TypeError(
            f"check_grads: variables of dtype {', '.join(sorted(map(str, dtypes)))}; they must "
            "all be float64 or all float32."
        )
    arrays = tuple(np.asarray(a) if is_float_array(a) else a for a in args)
    return Level(f, arrays, tuple(f"argument {i}" for i in range(len(args))), free)


def _check_recorded(level: Level, report: Report) -> None:
    """Refuse a function that ignores its variables: there would be nothing to get wrong."""
    types = []

    def probe(*xs: Array) -> Array:
        y = level.call(*xs)
        types.append(type(y))
        return y

    with report.untouched("value", level.named), suppress(Exception):
        level.call(*level.variables)  # its own errors are better worded by the engine, below
    linearize(probe, *level.variables)
    if types != [Tensor]:
        report.fail(
            "vacuous",
            "value",
            f"f gave a {types[0].__name__} from Tensors. Its value does not depend on the "
            "variables, or t.value cut the dependence off.",
        )


def _check_layouts(level: Level, modes: tuple[str, ...], report: Report, rng: Random) -> None:
    """Require the same of strided and contiguous arguments, cotangents and tangents."""
    xs = level.variables

    def results(lay: Any, ct: Array, tangents: tuple[Array, ...]) -> dict[str, Any]:
        at = [lay(x) for x in xs]
        found: dict[str, Any] = {"value": level.call(*at)}
        if "reverse" in modes:
            found["reverse"] = vjp(level.call, *at)[1](lay(ct))
        if "forward" in modes:
            found["forward"] = linearize(level.call, *at)[1](*map(lay, tangents))
        return found

    ct = draw(rng, np.asarray(level.call(*xs)))
    tangents = tuple(draw(rng, x) for x in xs)
    expected = results(lambda x: x, ct, tangents)
    accuracy = ACCURACY[xs[0].dtype]
    for lay in (strided, contiguous):
        found = report.run(f"{lay.__name__} layout", partial(results, lay, ct, tangents), {})
        for where, result in found.items():
            expect, actual = flat(expected[where]), flat(result)
            if not np.allclose(expect, actual, accuracy, accuracy * largest(expect)):
                report.fail(
                    "layout",
                    where,
                    f"{lay.__name__} arguments: Expect {expected[where]}, Actual {result}.",
                )


def _check_symmetry(level: Level, modes: tuple[str, ...], report: Report, rng: Random) -> None:
    """⟨u, H v⟩ = ⟨v, H u⟩ for the Hessian H of ⟨ct, f⟩."""
    xs, n = level.variables, len(level.free)
    ct = draw(rng, np.asarray(level.call(*xs)))
    inner = "reverse" if "reverse" in modes else "forward"

    slopes = 0.0

    def terms(u: Real, v: Real) -> Real:
        """Return the products whose sum is uᵀ H v."""
        nonlocal slopes
        given, weights = ((ct,), v) if inner == "reverse" else (split(v, xs), flat(ct))
        field = level.differentiated(inner, given)._replace(free=tuple(range(n)))
        slopes += float(np.abs(weights) @ np.abs(flat(field.call(*xs))))
        if "forward" in modes:
            return weights * flat(jvp(field.call, xs, split(u, xs))[1])
        value, pullback = vjp(field.call, *xs)
        return u * flat(pullback(*split(weights, (value,))))

    u, v = (flat(tuple(draw(rng, x) for x in xs)) for _ in range(2))
    one, other = terms(u, v), terms(v, u)
    limit = ADJOINT[xs[0].dtype] * (np.abs(one).sum() + np.abs(other).sum())
    # Where H is 0 by cancellation, as that of x/|x|, what is left of it is the slopes' rounding.
    limit += 4 * float(np.finfo(xs[0].dtype).eps) * slopes
    if not abs(one.sum() - other.sum()) <= limit:
        report.fail(
            "symmetry",
            "order 2",
            f"⟨u, H v⟩ = {one.sum()!r}, but ⟨v, H u⟩ = {other.sum()!r}: they differ by "
            f"{abs(one.sum() - other.sum()):.3g}, more than {limit:.3g}.",
        )
