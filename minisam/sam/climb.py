"""How to climb: from the plain gradient at w to the gradient at the perturbed point."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.sam.ball import Ball
from minisam.sam.batch import Batch, Draw, Rows

State: TypeAlias = dict[str, Array]


class Start(NamedTuple):
    """The first pass of a step, and the way on from it."""

    value: Array
    """Mean loss of the batch, a scalar."""
    g: Array
    """Plain gradient, (d,)."""
    finish: Callable[[], Array]
    """Climbs, and gives the gradient found there; not called when the policy says no."""
    state: State
    """What the climb remembers, whether or not it is finished."""


class Climb(Protocol):
    """A way to climb."""

    def init(self, w: Array) -> State:
        """Return the state before the first step."""

    def check(self, ball: Ball) -> None:
        """Refuse a ball that this climb has no formula for."""

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Make the first pass over the batch."""


@dataclass(frozen=True)
class Ascent:
    r"""SAM's climb: ε̂ of equation (2), or several ascent steps, for the batch or for its chunks.

    With K = ``steps`` > 1, from ε₀ = 0 and with Π the projection onto the ball::

        ε_{k+1} = Π(ε_k + ε̂(∇L(w + ε_k))),    k = 0, …, K - 1

    Every step has the length ρ, so that ε₁ is SAM's ε̂. The projection is exact for p = 2 (also
    with a norm for each group) and p = inf; other exponents, ASAM's metric and second order are
    refused. K + 1 gradients.

    With m = ``chunk``, the batch is cut in consecutive chunks of m examples (the last may be
    smaller), each climbs by its own ε̂, and the gradients found are averaged, weighted by size.
    It costs what it costs without chunks, and a forward pass, which gives the size of the batch.

    Parameters
    ----------
    steps : int
        Ascent steps K >= 1.
    chunk : int, optional
        Examples m per chunk.

    Examples
    --------
    >>> Ascent(steps=3)
    Ascent(steps=3, chunk=None)
    """

    steps: int = 1
    chunk: int | None = None

    def init(self, w: Array) -> State:
        """Return nothing: each step is for itself."""
        return {}

    def check(self, ball: Ball) -> None:
        """Refuse several steps where the projection is not exact."""
        chunk = 1 if self.chunk is None else self.chunk
        for what, number in (("steps", self.steps), ("chunk", chunk)):
            if not isinstance(number, int | np.integer) or number < 1:
                raise ValueError(
                    f"{ball.name}: {what} must be at least 1, got {number}; give a whole number."
                )
        if self.steps > 1 and (ball.p not in (2, np.inf) or ball.eta is not None):
            raise ValueError(
                f"{ball.name}: several ascent steps are projected onto the ball, which is exact "
                f"for p=2 and p=inf without eta; got p={ball.p}, eta={ball.eta}. Use steps=1."
            )
        if self.steps > 1 and ball.order == 2:
            raise ValueError(f"{ball.name}: order=2 differentiates one ascent step; use steps=1.")

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the plain gradient, of all chunks if there are any."""
        if self.chunk is not None:
            value, n = batch.forward(w).mean(), batch.size
            if n > self.chunk:
                rows = [slice(i, min(i + self.chunk, n)) for i in range(0, n, self.chunk)]
                return self._chunks(batch, w, ball, value, rows)
        return Start(*self._one(batch, w, ball, None), {})

    def _chunks(self, batch: Batch, w: Array, ball: Ball, value: Array, rows: list[slice]) -> Start:
        parts = [self._one(batch, w, ball, each) for each in rows]
        weights = [(each.stop - each.start) / batch.size for each in rows]

        def average(gradients: list[Array]) -> Array:
            total = np.zeros_like(w)
            for weight, g in zip(weights, gradients, strict=True):
                total = total + weight * g
            return total

        return Start(
            value,
            average([g for _, g, _ in parts]),
            lambda: average([finish() for *_, finish in parts]),
            {},
        )

    def _one(
        self, batch: Batch, w: Array, ball: Ball, rows: Rows
    ) -> tuple[Array, Array, Callable[[], Array]]:
        """Start for one chunk, or for the whole batch."""
        # At ρ = 0 the climb ends where it began, and second order adds nothing.
        if ball.order == 2 and ball.rho > 0:
            value, g, product = batch.linearize(w, rows)

            def finish_second() -> Array:
                g_a = batch.grad(w + ball.epsilon(g, w), rows)
                return g_a + product(ball.jacobian_product(g, g_a, w))

            return value, g, finish_second
        value, g = batch.value_and_grad(w, rows)

        def finish() -> Array:
            e = ball.epsilon(g, w)
            for _ in range(self.steps - 1):
                e = ball.project(e + ball.epsilon(batch.grad(w + e, rows), w))
            return batch.grad(w + e, rows)

        return value, g, finish


@dataclass(frozen=True)
class Unnormalised:
    """USAM's climb ε = ρ g; with ``by_full`` DNSAM's, ε = ρ g / ‖∇L‖ of the whole training set.

    Parameters
    ----------
    by_full : bool
        Divide by the norm of the full gradient.

    Examples
    --------
    >>> Unnormalised()
    Unnormalised(by_full=False)
    """

    by_full: bool = False

    def init(self, w: Array) -> State:
        """Return nothing: each step is for itself."""
        return {}

    def check(self, ball: Ball) -> None:
        """Accept any radius."""

    def start(self, batch: Batch, w: Array, ball: Ball, state: State, draw: Draw) -> Start:
        """Compute the plain gradient."""
        value, g = batch.value_and_grad(w)

        def finish() -> Array:
            e = ball.rho * g
            if self.by_full:
                full = batch.full_grad(w)
                # ‖∇L‖ = Σ ∇L ⊙ ∇L/‖∇L‖; where it is 0 there is no direction, and ε is 0.
                length = (full * Ball("", 1.0).epsilon(full, w)).sum()
                e = e / np.where(length == 0, np.inf, length)
            return batch.grad(w + e)

        return Start(value, g, finish, {})
