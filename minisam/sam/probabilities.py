"""How often SS-SAM climbs: its probability as a function of the step.

The families are named after the schedules of SS-SAM's paper, which is recalled and not re-read:
their ends are parameters here, and by default the probability rises from 0 to 1.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class _Ends:
    """Two probabilities: before and after."""

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for name, p in (("start", self.start), ("end", self.end)):
            if not 0 <= p <= 1:
                raise ValueError(f"{type(self).__name__}: {name} must be in [0, 1], got {p}.")


@dataclass(frozen=True)
class piecewise(_Ends):
    """Two constants: p(t) = start while t / total < at, then end.

    Parameters
    ----------
    start, end : float
        Probabilities, in [0, 1].
    at : float
        Fraction of the run where it changes, in [0, 1].

    Examples
    --------
    >>> [piecewise(0.2, 0.8)(t, 4) for t in range(4)]
    [0.2, 0.2, 0.8, 0.8]
    """

    at: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.at <= 1:
            raise ValueError(f"piecewise: at is a fraction of the run in [0, 1], got {self.at}.")

    def __call__(self, t: int, total: int) -> float:
        """Return p(t)."""
        return self.start if t / total < self.at else self.end


@dataclass(frozen=True)
class linear(_Ends):
    """A straight line: p(t) = start + (end - start) t / total.

    Parameters
    ----------
    start, end : float
        Probabilities at t = 0 and at t = total, in [0, 1].

    Examples
    --------
    >>> [linear()(t, 4) for t in range(4)]
    [0.0, 0.25, 0.5, 0.75]
    """

    def __call__(self, t: int, total: int) -> float:
        """Return p(t)."""
        return self.start + (self.end - self.start) * (t / total)


@dataclass(frozen=True)
class trigonometric(_Ends):
    """Half a cosine: p(t) = end + (start - end) (1 + cos(π t / total)) / 2.

    Parameters
    ----------
    start, end : float
        Probabilities at t = 0 and at t = total, in [0, 1].

    Examples
    --------
    >>> [round(trigonometric()(t, 4), 3) for t in range(4)]
    [0.0, 0.146, 0.5, 0.854]
    """

    def __call__(self, t: int, total: int) -> float:
        """Return p(t)."""
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * t / total)) / 2
