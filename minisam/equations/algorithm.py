"""Algorithm 1 and what its steps do: on batches, on quadratics, in ASAM's metric."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from minisam import nn, sam
from minisam.autodiff.transforms import grad
from minisam.equations.entry import equation
from minisam.equations.objective import quadratic
from minisam.equations.problems import (
    EXPONENTS,
    RHO,
    SMOOTH,
    Exponentials,
    Loss,
    Real,
    apart,
    classification,
    exponentials,
    norm,
)
from minisam.optimizers import SGD

LR = 0.05
ALGORITHM = "SAM paper (Foret et al. 2021), Algorithm 1"


def batches(steps: int = 6) -> tuple[list[Exponentials], Real]:
    """Return one batch of three examples for each step, and where to start."""
    example, w = exponentials(examples=12)
    rng = np.random.default_rng(8)
    return [Exponentials(example.b[rng.permutation(12)[:3]]) for _ in range(steps)], w


def run(method: sam.Method, steps: list[Loss], w: Real, lr: float = LR) -> Iterator[Real]:
    """Yield the parameters after each step of a method with plain SGD."""
    optimizer = SGD(lr)
    state, memory = method.init(w), optimizer.init(w)
    for t, losses in enumerate(steps):
        before, counted = w.tobytes(), []

        def counting(v: Real, losses: Loss = losses, counted: list[None] = counted) -> Real:
            counted.append(None)
            return np.asarray(losses(v)) if isinstance(v, np.ndarray) else losses(v)

        step = method.gradient(counting, w, state, t, len(steps))
        if w.tobytes() != before:
            raise AssertionError(f"{method.name} did not restore w bit for bit")
        if len(counted) != step.evaluations:
            raise AssertionError(f"{method.name} took {len(counted)} passes, not the count it gave")
        state = step.state
        w, memory = optimizer.step(w, step.g, memory, lr)
        yield w
