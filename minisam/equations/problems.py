"""What the equations are checked on, and the rulers they are measured with.

Two losses: a small tanh network, the real thing; and a sum of exponentials, whose gradient and
Hessian are known in closed form, so that it is an oracle for the engine too. Neither has a
direction in which matrices commute by accident, so a wrong order of factors shows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam import nn
from minisam.arrays import Array
from minisam.autodiff.numerical import central_difference

Real: TypeAlias = NDArray[np.float64]
Loss: TypeAlias = Callable[[Array], Array]

RHO = 0.5
"""Large enough that the terms of higher order in ρ are of order one."""

EXPONENTS = (1.0, 1.01, 1.25, 1.5, 2.0, 3.0, 4.0, 10.0, math.inf)
"""The balls on which equation (2) is checked."""

SMOOTH = (1.25, 1.5, 2.0, 3.0, 4.0)
"""Those of them on which ε̂ has a derivative that is neither 0 nor dominated by rounding."""


@dataclass(frozen=True, eq=False)
class Exponentials:
    """L(w) = mean_i exp(b_iᵀw), with ∇L = mean_i exp(b_iᵀw) b_i and so on."""

    b: Real

    def losses(self, w: Array) -> Array:
        """Return exp(b_iᵀw), one for each example."""
        return np.exp(self.b @ w)

    def loss(self, w: Array) -> Array:
        """Return L(w)."""
        return np.mean(self.losses(w))

    def gradient(self, w: Real) -> Real:
        """Return ∇L(w), written out."""
        return np.asarray(np.mean(np.exp(self.b @ w)[:, None] * self.b, axis=0))

    def hessian(self, w: Real) -> Real:
        """Return ∇²L(w), written out."""
        return np.asarray((np.exp(self.b @ w)[:, None] * self.b).T @ self.b / len(self.b))


def exponentials(examples: int = 6, d: int = 4) -> tuple[Exponentials, Real]:
    """Return the loss and a point where SAM's two terms are of one size, none near 0."""
    rng = np.random.default_rng(12)
    return Exponentials(rng.normal(size=(examples, d))), rng.normal(size=d) / 2


def classification() -> tuple[nn.Sequential, Real, Real, NDArray[np.intp]]:
    """Return a tanh network with 31 parameters, a point, and 12 examples of three classes."""
    rng = np.random.default_rng(1)
    model = nn.mlp([3, 4, 3], nn.Tanh)
    w = model.init(0, "float64") + 0.3 * rng.normal(size=model.size)
    x = rng.normal(size=(12, 3))
    return model, w, x, np.argmax(x**2, axis=1)


def network() -> tuple[Loss, Real]:
    """Return the network's mean loss as a function of its parameters, and a point."""
    model, w, x, labels = classification()
    return lambda w: np.mean(nn.cross_entropy(model(w, x), labels)), w


def losses() -> list[tuple[Loss, Real]]:
    """Return both losses, each with its point."""
    example, w = exponentials()
    return [network(), (example.loss, w)]


def gradients() -> list[Real]:
    """Return vectors for the perturbation: components of both signs, equal ones, a wide range."""
    rng = np.random.default_rng(2)
    wide = rng.normal(size=9) * 10.0 ** rng.integers(-3, 4, size=9)
    return [np.array([3.0, -1.0, 2.0, -3.0]), rng.normal(size=7), wide]


def norm(x: Array, p: float) -> float:
    """Return ‖x‖_p of a vector."""
    return float(np.linalg.norm(x, p))


def apart(found: Array, expected: Array) -> float:
    """Return the largest difference relative to the largest expected entry."""
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def differences(f: Callable[[Real], Array], w: Real) -> Real:
    """Return the gradient of f at w from its values alone."""

    def slope(d: Real) -> float:
        return float(central_difference(lambda t: f(w + t * d), 2**-9).value)

    return np.array([slope(d) for d in np.eye(w.size)])


def limit(quotient: Callable[[float], Array], h: float) -> Array:
    """Return the limit of a(h) as h → 0+, its term linear in h removed."""
    return 2 * quotient(h / 2) - quotient(h)
