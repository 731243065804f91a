"""Does one number predict another over many runs: rank correlations, with errors over seeds."""

from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.sharpness import Estimate


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation, over all runs and within the seeds.

    Attributes
    ----------
    pooled : Estimate
        Over all runs together, in [-1, 1]; its standard error by the jackknife that leaves out
        one seed at a time, because the runs of one seed, which share examples and labels, are not
        independent; NaN below three seeds, whose jackknife says nothing. NaN if one of the numbers
        never changes, or is not finite.
    within : Estimate or None
        The mean over the seeds of the correlation among the runs of one seed, in which whatever
        differs from seed to seed has no part, with its standard error; None below two seeds in
        which both numbers change.
    """

    pooled: Estimate
    within: Estimate | None


def correlate(x: Array, y: Array, seeds: Array) -> Correlation:
    """Compute rank correlations of two numbers over runs.

    Parameters
    ----------
    x, y : array_like, (runs,)
        The two, for example a measure of sharpness and the generalisation gap.
    seeds : array_like, (runs,)
        Seed of each run; at least two.

    Returns
    -------
    Correlation
        With its uncertainty, which is that of the seeds.

    Raises
    ------
    ValueError
        They are not of one length, or there is only one seed.

    Examples
    --------
    >>> found = correlate([1, 2, 3, 1, 2, 3], [10, 20, 40, 0, 5, 9], [0, 0, 0, 1, 1, 1])
    >>> print(f"{found.pooled.value:.3f}", found.within)
    0.478 1 ± 0
    """
    x, y, seeds = np.asarray(x, float), np.asarray(y, float), np.asarray(seeds)
    known = np.unique(seeds)
    if not x.shape == y.shape == seeds.shape or len(known) < 2:
        raise ValueError(
            f"correlate: {x.shape} and {y.shape} numbers of runs with {len(known)} seeds "
            f"{seeds.shape}; of as many runs each, with at least two seeds."
        )
    inside = np.array([spearman(x[seeds == seed], y[seeds == seed]) for seed in known])
    inside = inside[np.isfinite(inside)]
    without = [spearman(x[seeds != seed], y[seeds != seed]) for seed in known]
    error = np.sqrt((len(known) - 1) * np.var(without)) if len(known) > 2 else np.nan
    pooled = Estimate(spearman(x, y), float(error), len(known))
    return Correlation(pooled, Estimate.of(inside) if len(inside) > 1 else None)


def spearman(x: Array, y: Array) -> float:
    """Compute Spearman's rank correlation: that of the ranks; equal numbers share their mean rank.

    Parameters
    ----------
    x, y : array_like, (n,)
        Numbers, at least one.

    Returns
    -------
    float
        In [-1, 1]; NaN if one of them never changes, or a number is not finite: it has no rank.

    Raises
    ------
    ValueError
        They are not of one length.

    Examples
    --------
    >>> round(spearman([1, 2, 3, 4], [1, 10, 100, 50]), 3)
    0.8
    """
    if np.shape(x) != np.shape(y):
        raise ValueError(
            f"spearman: {np.shape(x)} and {np.shape(y)} numbers; give as many of each."
        )
    if not np.isfinite([x, y]).all():
        return float("nan")
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else float("nan")


def _ranks(x: Array) -> Array:
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
