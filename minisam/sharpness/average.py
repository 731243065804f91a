"""Averages in place of the worst case: over Gaussian perturbations, and over chunks of the data."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import as_variable
from minisam.progress import with_progress
from minisam.sharpness.ball import one_step
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.streaming import Loss, Losses


def average_case(
    loss: Loss,
    w: Array,
    sigma: float,
    *,
    metric: Array | None = None,
    pairs: int = 50,
    seed: int = 0,
    progress: bool = False,
) -> Estimate:
    r"""Estimate how much higher the loss is on average near w.

    .. math::
        \mathbb{E}_{z \sim N(0, I)}\, L(w + \sigma z) - L(w)
        = \frac{\sigma^2}{2}\,\mathrm{tr} H + O(\sigma^4)

    Draws come in pairs ±z, in which the slope and all odd terms cancel.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    sigma : float
        Standard deviation σ > 0 of each coordinate; for a length of about ρ take ρ/√d.
    metric : array, (d,), optional
        Standard deviations relative to σ: with `minisam.sam.asam_metric` the adaptive average.
    pairs : int
        Pairs ±z, at least two; two losses each.
    seed : int
        Of the draws.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Estimate
        The mean over the pairs and its standard error. Negative at a maximum.

    Raises
    ------
    ValueError
        σ is not positive and finite, or there are fewer than two pairs.

    Examples
    --------
    >>> import numpy as np
    >>> print(average_case(lambda w: np.sum(w**2), np.ones(1000), sigma=0.1))
    10.028 ± 0.059
    """
    if not 0 < sigma < np.inf:
        raise ValueError(f"average_case: sigma must be positive and finite, got {sigma}.")
    w = as_variable(w)
    value, rng = float(loss(w)), np.random.default_rng(seed)
    rises = []
    for _ in with_progress(range(pairs), pairs, "average", progress, "pair"):
        e = np.asarray(sigma * rng.standard_normal(w.shape), dtype=w.dtype, like=w)
        if metric is not None:
            e = metric * e
        rises.append((float(loss(w + e)) - value) / 2 + (float(loss(w - e)) - value) / 2)
    return Estimate.of(rises)


def m_sharpness(
    parts: Sequence[Losses],
    w: Array,
    rho: float,
    p: float = 2,
    *,
    measure: Callable[..., float] = one_step,
    progress: bool = False,
    **ball: Any,
) -> Estimate:
    """Average the sharpness of chunks of m examples, each with a perturbation of its own.

    Parameters
    ----------
    parts : sequence of callable
        Each ``w -> (m,)``, for example ``batched(model, x, y, size=m)``.
    w : array, (d,)
        Where.
    rho, p, **ball
        As for `measure`.
    measure : callable
        ``(loss, w, rho, p, **ball) -> float``; by default SAM's own, `one_step`, which the SAM
        paper uses. For the maximum in the ball: ``lambda *a, **b: ball_maximum(*a, **b).value``.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Estimate
        The mean, in which every example counts once, and its standard error if the chunks are
        seen as a sample of all that could be drawn.

    Raises
    ------
    ValueError
        There are fewer than two chunks.

    Examples
    --------
    >>> import numpy as np
    >>> slopes = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, 3.0]])
    >>> parts = [lambda w, g=g: g @ w for g in (slopes[:2], slopes[2:])]
    >>> print(m_sharpness(parts, np.zeros(2), rho=0.1))    # ρ · mean(0, 3)
    0.15 ± 0.15
    """
    values, sizes = [], []
    for i in with_progress(range(len(parts)), len(parts), "m-sharpness", progress, "chunk"):
        part = parts[i]
        values.append(measure(lambda w, part=part: part(w).mean(), w, rho, p, **ball))
        sizes.append(part(w).size)
    # The last chunk may be smaller: a weighted mean, and the error of a ratio of two means.
    weights, sharpness = np.array(sizes) / np.mean(sizes), np.array(values)
    mean = float(np.mean(weights * sharpness))
    return replace(Estimate.of(weights * (sharpness - mean)), value=mean)
