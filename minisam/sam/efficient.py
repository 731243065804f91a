"""ESAM's climb: perturb some of the weights, and descend on some of the examples."""

import math
from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.sam.ball import Ball
from minisam.sam.batch import Batch, Draw, generator
from minisam.sam.climb import Start, State
from minisam.sam.perturbation import Groups


@dataclass(frozen=True)
class Selective:
    """Stochastic weight perturbation and sharpness-sensitive data selection.

    Parameters
    ----------
    beta : float
        Probability β that a weight is perturbed, in (0, 1].
    gamma : float
        Fraction γ of the batch that the second gradient is taken of, in (0, 1].
    tensors : sequence of slice, optional
        Keep or drop each of these slices of ``w`` as a whole, instead of each coordinate.

    Examples
    --------
    >>> Selective(beta=0.5).gamma
    1.0
    """

    beta: float = 1.0
    gamma: float = 1.0
    tensors: Groups | None = None

    def init(self, w: Array) -> State:
        """Return nothing: each step is for itself."""
        return {}

    def check(self, ball: Ball) -> None:
        """Refuse fractions outside (0, 1]."""
        for name, value in (("beta", self.beta), ("gamma", self.gamma)):
            if not 0 < value <= 1:
                raise ValueError(f"{ball.name}: {name} must be in (0, 1], got {value}.")

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the plain gradient, and keep the single losses."""
        value, g = batch.value_and_grad(w)
        before = batch.each

        def finish() -> Array:
            up = w + ball.epsilon(g, w) * self._mask(w, ball.name, draw) / self.beta
            if self.gamma == 1:
                return batch.grad(up)
            # Rounded, because 0.07 · 100 is 7.000000000000001, which is meant to be 7.
            kept = math.ceil(round(self.gamma * batch.size, 9))
            rise = batch.forward(up) - before
            order = np.argsort(-rise, kind="stable")[:kept]
            return batch.grad(up, np.sort(order))

        return Start(value, g, finish, {})

    def _mask(self, w: Array, name: str, draw: Draw) -> Array:
        """Return 1 for what is perturbed, drawn on the host, so that a GPU draws the same."""
        if self.beta == 1:
            return np.ones_like(w)
        rng = generator(draw, name)
        if self.tensors is None:
            kept = rng.random(w.size) < self.beta
        else:
            kept = np.zeros(w.size, bool)
            for part, one in zip(self.tensors, rng.random(len(self.tensors)), strict=True):
                kept[part] = one < self.beta
        mask: Array = np.asarray(kept, like=w).astype(w.dtype)
        return mask
