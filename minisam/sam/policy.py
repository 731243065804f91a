"""When to climb: the part of a method that decides, at each step, between SAM and something else.

A decision is a pure function of the plain gradient, the policy's state, the step and the draw, so
a trajectory can be replayed from its records.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.sam.batch import Draw, generator

State: TypeAlias = dict[str, Array]


class Decision(NamedTuple):
    """What a policy says about one step."""

    climbs: bool
    """Whether to climb."""
    state: State
    """The policy's state for the next step."""
    record: dict[str, float]
    """The numbers it was made from, for the run's series; none if there was nothing to decide."""


class Policy(Protocol):
    """Decides whether this step perturbs the parameters."""

    def init(self) -> State:
        """Return the state before the first step."""

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Decide for step ``t`` of ``total``, given the plain gradient ``g``."""


@dataclass(frozen=True)
class Always:
    """Climb at every step: SAM.

    Examples
    --------
    >>> Always().decide(None, {}, 0, 10, None).climbs
    True
    """

    def init(self) -> State:
        """Return nothing."""
        return {}

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Say yes."""
        return Decision(True, {}, {})


@dataclass(frozen=True)
class Never:
    """Never climb: empirical risk minimisation.

    Examples
    --------
    >>> Never().decide(None, {}, 0, 10, None).climbs
    False
    """

    def init(self) -> State:
        """Return nothing."""
        return {}

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Say no."""
        return Decision(False, {}, {})


@dataclass(frozen=True)
class Every:
    """Climb at the steps t = 0, k, 2k, …: LookSAM.

    Parameters
    ----------
    k : int
        Steps from one climb to the next, >= 1.

    Examples
    --------
    >>> [Every(3).decide(None, {}, t, 10, None).climbs for t in range(4)]
    [True, False, False, True]
    """

    k: int

    def __post_init__(self) -> None:
        if not isinstance(self.k, int | np.integer) or self.k < 1:
            raise ValueError(
                f"Every: k must be at least 1, got {self.k}; give a whole number, 1 is every step."
            )

    def init(self) -> State:
        """Return nothing: the step's number is enough."""
        return {}

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Compute t mod k."""
        climbs = t % self.k == 0
        return Decision(climbs, {}, {"climbed": float(climbs)})


@dataclass(frozen=True)
class Bernoulli:
    """Climb with probability p_t: SS-SAM.

    Parameters
    ----------
    probability : float or callable
        p, or ``(t, total) -> p``: see `minisam.sam.piecewise`, `linear`, `trigonometric`.

    Examples
    --------
    >>> Bernoulli(0.5).decide(None, {}, 0, 10, draw=(0, 3, 0)).record
    {'probability': 0.5, 'climbed': 0.0}
    """

    probability: float | Callable[[int, int], float]

    def __post_init__(self) -> None:
        if not callable(self.probability):
            _checked_probability(self.probability)

    def init(self) -> State:
        """Return nothing: the draw comes with the step."""
        return {}

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Draw one number; it does not depend on the gradient."""
        p = self.probability
        p = _checked_probability(p(t, total) if callable(p) else p)
        climbs = bool(generator(draw, "SS-SAM").random() < p)
        return Decision(climbs, {}, {"probability": p, "climbed": float(climbs)})


@dataclass(frozen=True)
class Adaptive:
    r"""Climb where the gradient is large against its past: AE-SAM.

    With s = ‖∇L(B_t; w_t)‖₂², squared, and T = ``total``::

        μ_t  = δ μ_{t-1} + (1 - δ) s                       (μ_{-1} = 0)
        σ_t² = δ σ_{t-1}² + (1 - δ) (s - μ_t)²             (σ_{-1}² = e⁻¹⁰)
        c_t  = (t/T) λ₁ + (1 - t/T) λ₂
        climb if s >= μ_t + c_t σ_t

    The deviation is taken from the mean that s has already moved, so σ² is too small: its mean is
    2δ²/(1 + δ) times the variance, 0.853 times at δ = 0.9. Because s - μ_t = δ (s - μ_{t-1}), the
    same factors cancel in the test. Both λ may be -inf (always) or inf (never). The start values
    and Algorithm 1 are recalled from the paper; the poster has the test and the three formulas.

    Parameters
    ----------
    delta : float
        Decay δ of both means, in [0, 1).
    lambda1, lambda2 : float
        Thresholds λ₁ at the end and λ₂ at the start, in standard deviations.

    Examples
    --------
    >>> policy = Adaptive(0.9, -1.0, 1.0)
    >>> decision = policy.decide(np.array([3.0, 4.0]), policy.init(), 0, 10, None)
    >>> {name: round(x, 3) for name, x in decision.record.items()}
    {'s': 25.0, 'mean': 2.5, 'variance': 50.625, 'c': 1.0, 'climbed': 1.0}
    """

    delta: float
    lambda1: float
    lambda2: float

    def __post_init__(self) -> None:
        if not 0 <= self.delta < 1:
            raise ValueError(f"Adaptive: delta must be in [0, 1), got {self.delta}.")
        both = (self.lambda1, self.lambda2)
        if not all(map(math.isfinite, both)) and not self.lambda1 == self.lambda2:
            raise ValueError(
                f"Adaptive: lambda1 and lambda2 must be finite, or both the same infinity; got "
                f"{self.lambda1} and {self.lambda2}."
            )

    def init(self) -> State:
        """Return the start values of μ and σ²."""
        return {"mean": np.zeros(()), "variance": np.asarray(math.exp(-10))}

    def decide(self, g: Array, state: State, t: int, total: int, draw: Draw) -> Decision:
        """Move the statistics, and compare."""
        s = float(np.square(g.astype("float64")).sum())  # a float32 square may overflow
        mean = self.delta * float(state["mean"]) + (1 - self.delta) * s
        variance = self.delta * float(state["variance"]) + (1 - self.delta) * (s - mean) ** 2
        c, at = self.lambda1, t / total
        if self.lambda1 != self.lambda2:  # equal infinities have no weighted mean
            c = at * self.lambda1 + (1 - at) * self.lambda2
        # -inf times a σ that is 0 would be NaN.
        climbs = c == -math.inf or (c < math.inf and s >= mean + c * math.sqrt(variance))
        record = {"s": s, "mean": mean, "variance": variance, "c": c, "climbed": float(climbs)}
        after = {"mean": np.asarray(mean), "variance": np.asarray(variance)}
        return Decision(climbs, after, record)


def _checked_probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"Bernoulli: a probability must be in [0, 1], got {p}.")
    return float(p)
