"""One batch as a method sees it: passes over all or some of its examples, each one counted."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.tensor import value_of
from minisam.autodiff.transforms import grad, value_and_grad
from minisam.ops.reductions import mean
from minisam.sam.gradient import linearized

Losses: TypeAlias = Callable[..., Array]
"""``(w, rows=None) -> (batch,)``: the losses ℓ(w, x_i, y_i) of a batch, or of these rows."""

Rows: TypeAlias = Any
"""A slice or an array of int: which examples of the batch."""

Draw: TypeAlias = int | Sequence[int] | np.random.SeedSequence | None
"""Where a step's randomness comes from: a seed for `numpy.random.default_rng`."""


class Batch:
    """The losses of a batch, with a count of what was computed from them.

    Parameters
    ----------
    losses : callable
        ``w -> (batch,)``; for passes over a part of the batch ``(w, rows=...) -> (part,)``.
    name : str
        The method's, for errors.
    full : sequence of callable, optional
        Losses of the whole training set, in parts.

    Examples
    --------
    >>> batch = Batch(lambda w: w**2, "SAM")
    >>> batch.grad(np.array([1.0, 3.0])), batch.evaluations
    (array([1., 3.]), 1.0)
    """

    def __init__(self, losses: Losses, name: str, full: Sequence[Losses] | None = None) -> None:
        self.name = name
        self.each: Array = np.zeros(0)
        self.size = self.forwards = 0
        self._losses, self._full = losses, full
        self._examples = self._seen = 0

    @property
    def evaluations(self) -> float:
        """Gradients of the whole batch: counted in examples, so that a half counts as a half."""
        return self._examples / self.size if self.size else 0.0

    def value_and_grad(self, w: Array, rows: Rows = None) -> tuple[Array, Array]:
        """Compute the mean loss and its gradient; keeps the single losses as ``each``."""
        value, g = value_and_grad(self._mean(rows))(w)
        self._examples += self._seen
        return value, g

    def grad(self, w: Array, rows: Rows = None) -> Array:
        """Compute the gradient of the mean loss."""
        g: Array = grad(self._mean(rows))(w)
        self._examples += self._seen
        return g

    def linearize(self, w: Array, rows: Rows = None) -> tuple[Array, Array, Callable[..., Array]]:
        """Compute value, gradient, and v ↦ H v, which counts as two gradients when called."""
        value, g, push = linearized(self._mean(rows), w)
        self._examples += self._seen
        n = self._seen

        def product(v: Array) -> Array:
            self._examples += 2 * n
            return push(v)

        return value, g, product

    def forward(self, w: Array) -> Array:
        """Compute the single losses without a gradient."""
        self.forwards += 1
        return self._single(w, None)

    def full_grad(self, w: Array) -> Array:
        """Compute the gradient of the whole training set's mean loss."""
        if self._full is None:
            raise ValueError(
                f"{self.name} divides by the norm of the full gradient: give full=[losses, ...], "
                "the losses of the whole training set in one or more parts."
            )
        total, n = np.zeros_like(w), 0
        for losses in self._full:
            part = Batch(losses, self.name)
            g = part.grad(w)
            total, n = total + part.size * g, n + part.size
        self._examples += n
        return total / n

    def _mean(self, rows: Rows) -> Callable[[Array], Array]:
        return lambda w: mean(self._single(w, rows))

    def _single(self, w: Array, rows: Rows) -> Array:
        # Without rows as users write it for methods that see whole batches: losses(w).
        each = self._losses(w) if rows is None else self._losses(w, rows=rows)
        if each.size == 0:
            raise ValueError(f"{self.name}: the batch is empty, so it has no mean loss.")
        self.each, self._seen = value_of(each), each.size
        if rows is None:
            self.size = each.size
        return each


def generator(draw: Draw, name: str) -> np.random.Generator:
    """Return the generator of one step.

    Parameters
    ----------
    draw : int, sequence of int or SeedSequence
        Its seed.
    name : str
        The method's, for errors.

    Returns
    -------
    numpy.random.Generator
        The same for the same seed.

    Raises
    ------
    ValueError
        There is no seed.
    """
    if draw is None:
        raise ValueError(
            f"{name} draws at random: give draw=, a seed of this step such as (seed, t), so that "
            "the step can be repeated."
        )
    return np.random.default_rng(draw)
