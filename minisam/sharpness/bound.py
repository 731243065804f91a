"""The PAC-Bayes bound at one w and ρ: its terms, and what it does not say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import as_variable
from minisam.sharpness.ball import ball_maximum
from minisam.sharpness.bounded import bounded, noise_rise
from minisam.sharpness.complexity import Complexity, complexity, noise_scale
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.streaming import Loss, Losses, streamed
from minisam.text import aligned


@dataclass(frozen=True)
class Bound:
    """The theorem at one w and ρ; printed, a statement of what it says and what it does not.

    Parameters
    ----------
    rho, delta : float
        Radius, and the probability with which the bound may fail.
    n, k : int
        Training examples, and parameters.
    norm : float
        ‖w‖₂.
    train : float
        L_S(w).
    highest : float
        The largest L_S(w + ε) that was found in the ball: at most the true maximum.
    terms : Complexity
        Of h(‖w‖²/ρ²).
    condition : Estimate or None
        E L(w + ε) - L(w) on held-out examples: the theorem needs that it is not negative in the
        population.

    Examples
    --------
    See `pac_bayes_bound`.
    """

    rho: float
    delta: float
    n: int
    k: int
    norm: float
    train: float
    highest: float
    terms: Complexity
    condition: Estimate | None = None

    @property
    def value(self) -> float:
        """The right side of the theorem, with the largest training loss that was found."""
        return self.highest + self.terms.h

    @property
    def vacuous(self) -> bool:
        """Whether it says no more than that a loss in [0, 1] is at most 1."""
        return self.value >= 1

    @property
    def verdict(self) -> str:
        """What the sample says about the condition, at two standard errors."""
        if self.condition is None:
            return "not tested"
        value, error = self.condition.value, self.condition.error
        if abs(value) <= 2 * error:
            return "undecided"
        return "holds" if value > 0 else "violated"

    def __str__(self) -> str:
        terms = self.terms
        lines = [
            f"PAC-Bayes bound at ρ = {self.rho:g}: with probability {1 - self.delta:g}, "
            f"L_D(w) <= {self.value:.4g}",
            f"  training loss L_S(w)              {self.train:.4g}",
            f"  largest found in the ball         {self.highest:.4g}",
            f"  h(‖w‖²/ρ²), the root of the sum   {terms.h:.4g}",
            f"    norm        ‖w‖ = {self.norm:<12.4g}  {terms.norm:.4g}",
            f"    confidence  n = {self.n:<14,}  {terms.confidence:.4g}",
            f"    grid        k = {self.k:<14,}  {terms.grid:.4g}",
        ]
        if terms.h >= 1:
            lines.append("Vacuous whatever the training loss: h alone is not below 1.")
        elif self.vacuous:
            lines.append("Vacuous: a loss in [0, 1] is at most 1 anyway.")
        else:
            lines.append(
                "Below 1, if no point of the ball has a larger training loss than was found."
            )
        told = "" if self.condition is None else f": E L(w + ε) - L(w) = {self.condition}"
        lines.append(f"Condition on held-out examples {self.verdict}{told}.")
        return "\n".join(lines)


def pac_bayes_bound(
    losses: Losses | Sequence[Losses],
    w: Array,
    rho: float,
    *,
    delta: float = 0.05,
    climb: Loss | None = None,
    held_out: Losses | Sequence[Losses] | None = None,
    pairs: int = 100,
    seed: int = 0,
    **ascent: Any,
) -> Bound:
    """Evaluate the PAC-Bayes theorem of the SAM paper, term by term.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, the losses in [0, 1] of the training examples, or of parts of them; see
        `zero_one` and `clipped`.
    w : array, (d,)
        Parameters.
    rho : float
        Radius ρ > 0. The theorem wants it fixed before the data are seen: the smallest of several
        bounds is no bound, unless each is computed for its share of ``delta``.
    delta : float
        Probability δ in (0, 1) that the bound may fail.
    climb : callable, optional
        ``w -> scalar``: what is climbed to find a large training loss in the ball; by default
        the mean of the losses. The 0-1 error has no slope: give its surrogate here.
    held_out : callable or sequence of callable, optional
        As ``losses``, for examples that were not trained on: to test the theorem's condition.
    pairs : int
        Pairs ±ε of the test.
    seed : int
        Of the random numbers.
    **ascent
        ``restarts``, ``steps`` and more of `ball_maximum`.

    Returns
    -------
    Bound
        Its terms. The maximum is the largest that was found, so that the number is a lower
        estimate of the theorem's right side; it is exact enough to tell that a bound is vacuous.

    Raises
    ------
    ValueError
        A loss is outside [0, 1], ρ is not positive, δ not in (0, 1), or n < 2.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(20_000, 2))
    >>> losses = lambda w: np.minimum((x @ w - x[:, 0]) ** 2, 1.0)
    >>> print(pac_bayes_bound(losses, np.array([1.0, 0.0]), rho=0.2))
    PAC-Bayes bound at ρ = 0.2: with probability 0.95, L_D(w) <= 0.1289
      training loss L_S(w)              0
      largest found in the ball         0.04051
      h(‖w‖²/ρ²), the root of the sum   0.0884
        norm        ‖w‖ = 1             0.0005565
        confidence  n = 20,000          0.00258
        grid        k = 2               0.004678
    Below 1, if no point of the ball has a larger training loss than was found.
    Condition on held-out examples not tested.
    """
    w = as_variable(w)
    each = bounded(losses, w)
    n, k, norm = each.size, w.size, float(np.linalg.norm(to_numpy(w).astype(float)))
    found = ball_maximum(climb or streamed(losses), w, rho, seed=seed, **ascent)
    terms = complexity((norm / rho) ** 2, n, k, delta)
    train, highest = float(each.mean()), float(bounded(losses, w + found.epsilon).mean())
    condition = None
    if held_out is not None:
        condition = noise_rise(held_out, w, noise_scale(rho, n, k), pairs=pairs, seed=seed)
    return Bound(rho, delta, n, k, norm, train, max(train, highest), terms, condition)


def bound_table(bounds: Iterable[Bound]) -> str:
    """Write the terms of several bounds as a table, a line for each ρ.

    Parameters
    ----------
    bounds : iterable of Bound
        From `pac_bayes_bound`.

    Returns
    -------
    str
        For a terminal.

    Examples
    --------
    >>> bounds = [
    ...     Bound(rho, 0.05, 60_000, 1000, 10.0, 0.0, 0.01, complexity(100 / rho**2, 60_000, 1000))
    ...     for rho in (0.05, 0.5)
    ... ]
    >>> print(bound_table(bounds))
    ρ     L_S(w)  max L_S   norm  confidence     grid      h  bound  condition
    ---------------------------------------------------------------------------
    0.05       0     0.01   0.18    0.000933  0.00171  0.427  0.437  not tested
    0.5        0     0.01  0.103    0.000933  0.00171  0.325  0.335  not tested
    """
    rows = [
        ["ρ", "L_S(w)", "max L_S", "norm", "confidence", "grid", "h", "bound", "condition"],
        *(
            [
                f"{b.rho:g}",
                f"{b.train:.4g}",
                f"{b.highest:.4g}",
                *(f"{term:.3g}" for term in (*b.terms, b.terms.h, b.value)),
                b.verdict + (", vacuous" if b.vacuous else ""),
            ]
            for b in bounds
        ),
    ]
    return aligned(rows, "<>>>>>>><")
