"""How far a step goes: the learning rate as a function of the step and of the number of all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from minisam.optimizers.checks import LR_HINT, in_range, set_fields

Schedule: TypeAlias = Callable[[int, int], float]
"""A learning rate for step t = 0, 1, …, total - 1: any function ``(t, total) -> lr``."""


@dataclass(frozen=True)
class constant:
    """The same learning rate at every step: lr(t) = lr.

    Parameters
    ----------
    lr : float
        The learning rate, >= 0.

    Raises
    ------
    ValueError
        If lr is negative or not finite.

    Examples
    --------
    >>> constant(0.1)(7, 100)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        set_fields(self, lr=in_range("constant: lr", self.lr, LR_HINT))

    def __call__(self, t: int, total: int) -> float:
        """Return lr(t), the formula above."""
        return self.lr


@dataclass(frozen=True)
class step_decay:
    """Drop by a factor at milestones: lr(t) = lr · gammaᵏ, k = number of milestones <= t / total.

    Parameters
    ----------
    lr : float
        The learning rate before the first milestone, >= 0.
    milestones : sequence of float
        Fractions of the run, in (0, 1), so that one schedule serves short and long runs.
    gamma : float
        The factor, in [0, 1).

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> schedule = step_decay(0.8, milestones=(0.5, 0.75), gamma=0.5)
    >>> [schedule(t, 8) for t in range(8)]
    [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    lr: float
    milestones: Sequence[float]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        set_fields(self, lr=in_range("step_decay: lr", self.lr, LR_HINT))
        set_fields(self, milestones=tuple(float(m) for m in self.milestones))
        hint = "It is the factor at each milestone; 0.1 is usual."
        set_fields(self, gamma=in_range("step_decay: gamma", self.gamma, hint, below=1.0))
        for m in self.milestones:
            if not 0 < m < 1:
                raise ValueError(
                    f"step_decay: a milestone is a fraction of the run in (0, 1), got {m}. "
                    "For a step number write step / total."
                )

    def __call__(self, t: int, total: int) -> float:
        """Return lr(t), the formula above."""
        # t / total is rounded as the literal is, so a milestone at 0.07 is step 7 of 100 exactly;
        # m * total would give 7.000000000000001.
        return self.lr * self.gamma ** sum(m <= t / total for m in self.milestones)


@dataclass(frozen=True)
class cosine:
    """Half a cosine: lr(t) = c lr + (1 − c) final, c = (1 + cos(π t / total)) / 2.

    It is lr at t = 0 and would be final at t = total, one step after the last; it stays there.

    Parameters
    ----------
    lr : float
        The learning rate at the start, >= 0.
    final : float
        The learning rate at the end, >= 0.

    Raises
    ------
    ValueError
        If a number is negative or not finite.

    Examples
    --------
    >>> schedule = cosine(0.8)
    >>> [round(schedule(t, 4), 3) for t in range(5)]
    [0.8, 0.683, 0.4, 0.117, 0.0]
    """

    lr: float
    final: float = 0.0

    def __post_init__(self) -> None:
        set_fields(self, lr=in_range("cosine: lr", self.lr, LR_HINT))
        set_fields(self, final=in_range("cosine: final", self.final, "It is a learning rate too."))

    def __call__(self, t: int, total: int) -> float:
        """Return lr(t), the formula above."""
        c = (1 + math.cos(math.pi * min(t / total, 1.0))) / 2
        return c * self.lr + (1 - c) * self.final


@dataclass(frozen=True)
class warmup:
    """Start gently: lr(t) = schedule(t, total) · min(1, (t + 1) / steps).

    The first step has 1 / steps of the schedule's value and step number ``steps`` (t = steps − 1)
    all of it; from there on nothing is changed, so milestones and the end stay where they were.

    Parameters
    ----------
    schedule : float or Schedule
        What to warm up; a number is a constant.
    steps : int
        Length of the warm-up in steps, >= 1.

    Raises
    ------
    ValueError
        If ``steps`` is below 1, or a number given as the schedule is negative or not finite.

    Examples
    --------
    >>> schedule = warmup(0.8, steps=4)
    >>> [round(schedule(t, 100), 3) for t in range(6)]
    [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]
    """

    schedule: float | Schedule
    steps: int

    def __post_init__(self) -> None:
        set_fields(self, schedule=checked_lr(self.schedule, "warmup"))
        if not self.steps >= 1:
            raise ValueError(
                f"warmup: steps must be at least 1, got {self.steps}. "
                "For no warm-up use the schedule itself."
            )

    def __call__(self, t: int, total: int) -> float:
        """Return lr(t), the formula above."""
        return lr_at(self.schedule, t, total) * min(1.0, (t + 1) / self.steps)


def lr_at(lr: float | Schedule, t: int, total: int) -> float:
    """Evaluate a schedule, or a constant, at step t of total."""
    return float(lr(t, total) if callable(lr) else lr)


def checked_lr(lr: float | Schedule, owner: str) -> float | Schedule:
    """Return a schedule as it is, and a number as a Python float."""
    return lr if callable(lr) else in_range(f"{owner}: lr", lr, LR_HINT)
