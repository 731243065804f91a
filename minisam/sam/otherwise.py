"""What to do when the policy says no: the plain gradient, or what an earlier climb has taught."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minisam.arrays import Array
from minisam.sam.ball import Ball
from minisam.sam.climb import State
from minisam.sam.directions import check_finite, rejection
from minisam.sam.perturbation import Groups, epsilon_hat


class Otherwise(Protocol):
    """What is done at steps that do not climb."""

    def init(self, w: Array) -> State:
        """Return the state before the first step."""

    def check(self, ball: Ball) -> None:
        """Refuse settings out of range."""

    def learn(self, g: Array, g_s: Array) -> State:
        """Return the state after a climb that turned ``g`` into ``g_s``."""

    def gradient(self, g: Array, state: State) -> Array:
        """Return the gradient of a step that does not climb."""


@dataclass(frozen=True)
class Plain:
    """Step with the plain gradient.

    Examples
    --------
    >>> Plain().gradient(np.ones(2), {})
    array([1., 1.])
    """

    def init(self, w: Array) -> State:
        """Return nothing."""
        return {}

    def check(self, ball: Ball) -> None:
        """Accept everything: there are no settings."""

    def learn(self, g: Array, g_s: Array) -> State:
        """Return nothing."""
        return {}

    def gradient(self, g: Array, state: State) -> Array:
        """Return ``g`` itself."""
        return g


@dataclass(frozen=True)
class Reuse:
    """Step with g + α ‖g‖ ĝ_v, where g_v is the part of the last SAM gradient orthogonal to its g.

    Parameters
    ----------
    alpha : float
        Weight α.
    tensors : sequence of slice, optional
        Decompose, and take norms, in each of these slices of ``w`` separately.

    Examples
    --------
    >>> reuse = Reuse(0.5)
    >>> state = reuse.learn(np.array([2.0, 0.0]), np.array([2.0, 3.0]))
    >>> reuse.gradient(np.array([4.0, 0.0]), state)
    array([4., 2.])
    """

    alpha: float
    tensors: Groups | None = None

    def init(self, w: Array) -> State:
        """Return no direction: until the first climb a step is plain."""
        return {"direction": np.zeros_like(w)}

    def check(self, ball: Ball) -> None:
        """Refuse an α that is not finite."""
        check_finite(ball.name, "alpha", self.alpha)

    def learn(self, g: Array, g_s: Array) -> State:
        """Keep the direction of g_v; 0 if g_s has no part orthogonal to g."""
        parts = self.tensors or (slice(0, g.size),)
        g_v = np.concatenate([rejection(g_s[part], g[part]) for part in parts])
        return {"direction": epsilon_hat(g_v, 1.0, groups=parts)}

    def gradient(self, g: Array, state: State) -> Array:
        """Add α ‖g‖ times the direction."""
        units = epsilon_hat(g, 1.0, groups=self.tensors)
        reused = np.empty_like(g)
        for part in self.tensors or (slice(None),):
            length = (g[part] * units[part]).sum()  # ‖g‖ without overflow
            reused[part] = g[part] + self.alpha * length * state["direction"][part]
        return reused
