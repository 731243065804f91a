"""From finished cells to the rows of a table: means and standard deviations over the seeds."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minisam.experiments.cell import Cell
from minisam.sam import Method, expected_fraction
from minisam.sam.policy import Adaptive


class Spread(NamedTuple):
    """Mean and standard deviation; NaN where there are too few numbers for it."""

    mean: float
    """Of all numbers."""
    std: float
    """With n - 1 in the denominator (ddof = 1), so that it takes two numbers."""


def spread(numbers: Iterable[float]) -> Spread:
    """Compute mean and standard deviation.

    Parameters
    ----------
    numbers : iterable of float
        One for each seed.

    Returns
    -------
    Spread
        The two.

    Examples
    --------
    >>> spread([1.0, 2.0, 3.0])
    Spread(mean=2.0, std=1.0)
    >>> spread([1.0])
    Spread(mean=1.0, std=nan)
    """
    values = np.array(list(numbers), "float64")
    mean = float(values.mean()) if len(values) else math.nan
    return Spread(mean, float(values.std(ddof=1)) if len(values) > 1 else math.nan)


@dataclass(frozen=True)
class Row:
    """One method at one noise rate.

    Attributes
    ----------
    method : str
        What it is called in the table.
    noise : float
        Noise rate that was asked for.
    effective_noise : float
        Fraction of the training labels that were wrong, mean over the seeds.
    accuracies : dict from int to float
        Test accuracy in percent, by seed; without the seeds that diverged.
    diverged : int
        How many did.
    accuracy, climbed, evaluations, seconds, lambda_max : Spread
        Over the seeds that did not diverge; accuracy and climbed (%SAM) in percent.
    predicted : float or None
        %SAM that AE-SAM's thresholds give for normal gradient norms (`expected_fraction`).

    Examples
    --------
    See `summarize`.
    """

    method: str
    noise: float
    effective_noise: float
    accuracies: Mapping[int, float]
    diverged: int
    accuracy: Spread
    climbed: Spread
    evaluations: Spread
    seconds: Spread
    lambda_max: Spread
    predicted: float | None


def summarize(
    methods: Mapping[str, Method],
    seeds: Sequence[int],
    noise: Sequence[float],
    result: Callable[[Cell], Mapping[str, Any]],
) -> list[Row]:
    """Average finished cells over their seeds.

    Parameters
    ----------
    methods : mapping from str to Method
        By the names they have in the table.
    seeds : sequence of int
        What is averaged over.
    noise : sequence of float
        Noise rates.
    result : callable
        ``Cell -> dict``, as of `run_cell`; that of `Results`, for example.

    Returns
    -------
    list of Row
        Noise rates in their order, and at each of them the methods.

    Examples
    --------
    >>> import minisam as ms
    >>> common = {"climbed": 0, "evaluations": 8, "seconds": 1, "lambda_max": 2}
    >>> found = {0: 0.96, 1: 0.98}
    >>> (row,) = summarize(
    ...     {"ERM": ms.sam.ERM()},
    ...     seeds=[0, 1],
    ...     noise=[0.0],
    ...     result=lambda cell: {"effective_noise": 0, "accuracy": found[cell.seed], **common},
    ... )
    >>> row.accuracy.mean, round(row.accuracy.std, 4)
    (97.0, 1.4142)
    """
    return [
        _row(name, method, rate, {seed: result(Cell(method, seed, rate)) for seed in seeds})
        for rate in noise
        for name, method in methods.items()
    ]


def _row(name: str, method: Method, rate: float, results: dict[int, Mapping[str, Any]]) -> Row:
    finished = {seed: found for seed, found in results.items() if "diverged" not in found}

    def over_seeds(key: str, unit: float = 1.0) -> Spread:
        return spread(unit * found[key] for found in finished.values())

    return Row(
        method=name,
        noise=rate,
        effective_noise=spread(found["effective_noise"] for found in results.values()).mean,
        accuracies={seed: 100 * found["accuracy"] for seed, found in finished.items()},
        diverged=len(results) - len(finished),
        accuracy=over_seeds("accuracy", 100),
        climbed=over_seeds("climbed", 100),
        evaluations=over_seeds("evaluations"),
        seconds=over_seeds("seconds"),
        lambda_max=over_seeds("lambda_max"),
        predicted=_predicted(method),
    )


def _predicted(method: Method) -> float | None:
    if not isinstance(method.policy, Adaptive):
        return None
    return 100 * expected_fraction(method.policy.lambda1, method.policy.lambda2)
