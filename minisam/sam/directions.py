"""Climbs beyond the sources: along another direction (F-SAM, MSAM), or to another end (GSAM)."""

from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.sam.ball import Ball
from minisam.sam.batch import Batch, Draw
from minisam.sam.climb import Start, State
from minisam.sam.perturbation import epsilon_hat


@dataclass(frozen=True)
class GapAscent:
    """GSAM: SAM's climb, then away from the part of g that is orthogonal to what was found.

    Parameters
    ----------
    alpha : float
        Weight α of the orthogonal part.

    Examples
    --------
    >>> GapAscent(0.1)
    GapAscent(alpha=0.1)
    """

    alpha: float

    def init(self, w: Array) -> State:
        """Return nothing: each step is for itself."""
        return {}

    def check(self, ball: Ball) -> None:
        """Refuse an α that is not finite."""
        check_finite(ball.name, "alpha", self.alpha)

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the plain gradient."""
        value, g = batch.value_and_grad(w)

        def finish() -> Array:
            g_p = batch.grad(w + ball.epsilon(g, w))
            return g_p - self.alpha * rejection(g, g_p)

        return Start(value, g, finish, {})


@dataclass(frozen=True)
class FriendlyAscent:
    """F-SAM: climb along g - σ m, where m is the mean of the gradients before.

    Parameters
    ----------
    sigma : float
        Weight σ of the mean.
    decay : float
        Decay λ of the mean, in [0, 1).

    Examples
    --------
    >>> sorted(FriendlyAscent(1.0, 0.9).init(np.zeros(2)))
    ['mean', 'steps']
    """

    sigma: float
    decay: float

    def init(self, w: Array) -> State:
        """Return a mean of nothing."""
        return {"mean": np.zeros_like(w), "steps": np.zeros((), "int64")}

    def check(self, ball: Ball) -> None:
        """Refuse a decay outside [0, 1)."""
        check_finite(ball.name, "sigma", self.sigma)
        check_decay(ball.name, "decay", self.decay)

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the plain gradient, and move the mean towards it."""
        value, g = batch.value_and_grad(w)
        m = state["mean"]
        after = self.decay * m + (1 - self.decay) * g if state["steps"] else g.copy()

        def finish() -> Array:
            return batch.grad(w + ball.epsilon(g - self.sigma * m, w))

        return Start(value, g, finish, {"mean": after, "steps": np.asarray(state["steps"] + 1)})


@dataclass(frozen=True)
class MomentumAscent:
    """MSAM: one pass, at w moved by ρ against the momentum of the gradients before.

    Parameters
    ----------
    mu : float
        Decay μ of the momentum, in [0, 1).

    Examples
    --------
    >>> MomentumAscent(0.9).init(np.zeros(2))
    {'momentum': array([0., 0.])}
    """

    mu: float

    def init(self, w: Array) -> State:
        """Return no momentum."""
        return {"momentum": np.zeros_like(w)}

    def check(self, ball: Ball) -> None:
        """Refuse a decay outside [0, 1)."""
        check_decay(ball.name, "mu", self.mu)

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the only gradient, where the momentum points away from."""
        value, g = batch.value_and_grad(w - ball.epsilon(state["momentum"], w))
        return Start(value, g, lambda: g, {"momentum": self.mu * state["momentum"] + g})


def rejection(a: Array, b: Array) -> Array:
    """Return the part of ``a`` that is orthogonal to ``b``: a - (aᵀb/‖b‖²) b.

    Parameters
    ----------
    a, b : array, (d,)
        Vectors.

    Returns
    -------
    array, (d,)
        0 where there is nothing but rounding: for parallel vectors, and for b = 0, which has no
        direction.

    Examples
    --------
    >>> rejection(np.array([3.0, 4.0]), np.array([0.0, 2.0]))
    array([3., 0.])
    >>> rejection(np.array([0.3]), np.array([0.7]))
    array([0.])
    """
    unit = epsilon_hat(b, 1.0)
    rest = a - (a * unit).sum() * unit
    # The direction of rounding errors is no direction, however long it is made.
    above = abs(rest).max() > 16 * float(np.finfo(a.dtype).eps) * abs(a).max()
    return np.where(above & unit.any(), rest, 0)


def check_finite(owner: str, name: str, value: float) -> None:
    """Refuse a weight that is NaN or infinite."""
    if not np.isfinite(value):
        raise ValueError(f"{owner}: {name} must be a finite number, got {value}.")


def check_decay(owner: str, name: str, value: float) -> None:
    """Refuse a decay rate outside [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{owner}: {name} must be in [0, 1), got {value}.")
