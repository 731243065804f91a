"""How much higher the loss is within a ball around w: the worst case, and two models of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import as_variable, grad, value_and_grad
from minisam.progress import with_progress
from minisam.sam.perturbation import conjugate, epsilon_hat
from minisam.sam.projection import PROJECTED, project
from minisam.sharpness.streaming import Loss

ENOUGH = 1e-4
"""Of the rise that the slope promises, the part that a step must bring (Armijo's rule)."""

ROUNDING = 8
"""By how many units in the last place of the loss its differences are taken to be wrong."""


def one_step(loss: Loss, w: Array, rho: float, p: float = 2, **ball: Any) -> float:
    """Compute SAM's own measure of sharpness, L(w + ε̂) - L(w).

    A lower bound of the maximum over the ball, because ε̂ maximises only the linearised loss.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    rho, p, **ball
        As for `minisam.sam.epsilon_hat`.

    Returns
    -------
    float
        In the units of the loss.

    Examples
    --------
    >>> import numpy as np
    >>> round(one_step(lambda w: np.sum(w**2), np.array([1.0, 0.0]), rho=0.1), 4)
    0.21
    """
    value, g = value_and_grad(loss)(w)
    return float(loss(w + epsilon_hat(g, rho, p, **ball))) - float(value)


def first_order(loss: Loss, w: Array, rho: float, p: float = 2, **ball: Any) -> float:
    """Compute what the linearised loss rises by in the ball: ρ‖∇L(w)‖_q.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    rho, p, **ball
        As for `minisam.sam.epsilon_hat`.

    Returns
    -------
    float
        gᵀε̂, which is ρ‖g‖_q, 1/p + 1/q = 1; with a metric T, ρ‖T g‖_q.

    Examples
    --------
    >>> round(first_order(lambda w: np.sum(w**2), np.array([1.0, 0.0]), rho=0.1), 4)
    0.2
    """
    g = grad(loss)(w)
    return float((g * epsilon_hat(g, rho, p, **ball)).sum())


@dataclass(frozen=True, eq=False)
class BallMaximum:
    """The highest point that was found in a ball.

    Parameters
    ----------
    value : float
        L(w + ε) - L(w) there: the sharpness. Not below 0, because w itself is in the ball.
    epsilon : array, (d,)
        The way there from w.
    starts : tuple of float
        What the climb from each start came to, SAM's ε̂ first: if they differ, the loss has
        several local maxima in the ball, and more starts may find a higher one.
    gap : float
        By how much the linearised loss could still rise within the ball from there: 0 at a local
        maximum.
    gradients : int
        What it cost, in gradients.

    Examples
    --------
    See `ball_maximum`.
    """

    value: float
    epsilon: Array
    starts: tuple[float, ...]
    gap: float
    gradients: int


def ball_maximum(
    loss: Loss,
    w: Array,
    rho: float,
    p: float = 2,
    *,
    metric: Array | None = None,
    restarts: int = 3,
    steps: int = 100,
    tol: float = 1e-6,
    seed: int = 0,
    progress: bool = False,
) -> BallMaximum:
    r"""Maximise L(w + ε) - L(w) over ‖ε‖_p <= ρ, by projected gradient ascent.

    .. math::
        \epsilon \leftarrow \epsilon + t\,(\Pi(\epsilon + a\,g) - \epsilon), \qquad
        g = \nabla L(w + \epsilon), \quad 0 < t \le 1,

    with Π the projection onto the ball. The length a is that of Barzilai & Borwein (1988), and
    infinite where the loss does not bend downward; t is halved until the loss rises enough (Birgin,
    Martínez & Raydan 2000). An infinitely long step projected is ε̂ of equation (2), the best point
    for the linearised loss: so it is for p other than 1, 2 and inf, whose projection no formula
    gives (the method of Frank & Wolfe 1956).

    The first start is SAM's ε̂, so that the result is never below `one_step`; the others are drawn
    uniformly from the ball. The best objective is kept.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    rho : float
        Radius ρ > 0, in the units of the parameters.
    p : float
        Exponent of the ball, in [1, inf].
    metric : array, (d,), optional
        T >= 0 of ASAM, for example `minisam.sam.asam_metric`: the ball is ‖ε/T‖_p <= ρ.
    restarts : int
        Random starts beside SAM's.
    steps : int
        Most ascent steps from each start.
    tol : float
        A climb ends when a step has brought less than this fraction of the rise so far, or can
        bring no more to first order; differences lost in rounding end it, too.
    seed : int
        Of the random starts.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    BallMaximum
        The sharpness as ``value``: a lower bound of the true maximum, as is anything that a climb
        on a loss that is not concave can find.

    Raises
    ------
    ValueError
        ρ is not positive and finite, p < 1, restarts < 0, steps < 1, or a bad metric.
    ShapeError
        The loss is not a scalar, or the metric has another shape than ``w``.

    Examples
    --------
    >>> import numpy as np
    >>> loss = lambda w: np.sum(np.array([1.0, 3.0]) * w**2)
    >>> found = ball_maximum(loss, np.zeros(2), rho=0.1)
    >>> round(found.value, 6), abs(found.epsilon).round(3)    # SAM's ε̂ is 0 here
    (0.03, array([0. , 0.1]))
    """
    conjugate(p)
    if not 0 < rho < np.inf:
        raise ValueError(f"ball_maximum: rho must be positive and finite, got {rho}.")
    if restarts < 0 or steps < 1:
        raise ValueError(
            f"ball_maximum: {restarts} restarts of {steps} steps; at least 0 of at least 1."
        )
    w = as_variable(w)
    value, g = value_and_grad(loss)(w)
    first = epsilon_hat(g, rho, p, metric=metric)
    scale = 1 if metric is None else metric  # in the coordinates ε/T the ball is a plain one
    counted = 1

    def rise(e: Array) -> tuple[float, Array]:
        nonlocal counted
        counted += 1
        found, g = value_and_grad(loss)(w + scale * e)
        return float(found) - float(value), scale * g

    rng = np.random.default_rng(seed)
    noise = ROUNDING * float(np.finfo(w.dtype).eps) * abs(float(value))
    climbed = [(0.0, np.zeros_like(w), float((g * first).sum()))]
    for i in with_progress(range(restarts + 1), restarts + 1, "ball", progress, "start"):
        e = _uniform(rng, w, rho, p) if i else epsilon_hat(scale * g, rho, p)
        climbed.append(_climb(rise, e, rho, p, steps, tol, noise))
    best, e, gap = max(climbed, key=lambda found: found[0])
    starts = tuple(found[0] for found in climbed[1:])
    return BallMaximum(best, scale * e, starts, gap, counted)


def _climb(
    rise: Callable[[Array], tuple[float, Array]],
    e: Array,
    rho: float,
    p: float,
    steps: int,
    tol: float,
    noise: float,
) -> tuple[float, Array, float]:
    """Ascend from a point of the ball; return the value, where, and the gap that is left."""
    value, g = rise(e)
    length = np.inf
    gained = np.inf
    for step in range(steps + 1):
        gap = float((g * (epsilon_hat(g, rho, p) - e)).sum())
        worth = max(tol * abs(value), noise)
        if min(gap, gained) <= worth or step == steps:
            break
        target = project(e + length * g, rho, p) if length < np.inf else epsilon_hat(g, rho, p)
        along = target - e
        slope, t = float((g * along).sum()), 1.0
        while t * slope > worth:
            there, g_there = rise(e + t * along)
            if there >= value + ENOUGH * t * slope:
                break
            t /= 2
        else:
            break
        bend = -t * float((along * (g_there - g)).sum())
        if bend > 0 and p in PROJECTED:
            length = t * t * float((along * along).sum()) / bend
        else:
            length = np.inf
        gained = there - value
        e, value, g = e + t * along, there, g_there
    return value, e, gap


def _uniform(rng: np.random.Generator, w: Array, rho: float, p: float) -> Array:
    """Draw a point uniformly from the ball (Barthe, Guédon, Mendelson & Naor 2005)."""
    if p == np.inf:
        e = rng.uniform(-rho, rho, size=w.shape)
    else:
        size = rng.gamma(1 / p, size=w.shape) ** (1 / p)
        e = size * rng.choice([-1.0, 1.0], size=w.shape)
        e = e * (rho * rng.uniform() ** (1 / w.size) / np.linalg.norm(e, p))
    return np.asarray(e, dtype=w.dtype, like=w)
