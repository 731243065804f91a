"""Losses in [0, 1], which the PAC-Bayes theorem is about, and how much noise raises them."""

from collections.abc import Sequence

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import as_variable
from minisam.progress import with_progress
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.streaming import Losses, parts_of


def zero_one(logits: Array, labels: Array) -> Array:
    """Return 1 for each example that is classified wrongly, else 0: a loss without a slope.

    Parameters
    ----------
    logits : array, (batch, classes)
        Scores; among equal ones the first counts.
    labels : array of int, (batch,)
        Which class is right.

    Returns
    -------
    array, (batch,)
        Of the logits' dtype.

    Examples
    --------
    >>> zero_one(np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([1, 1]))
    array([0., 1.])
    """
    wrong = logits.argmax(axis=1) != labels
    return wrong.astype(logits.dtype)


def clipped(each: Array, top: float) -> Array:
    """Bring losses into [0, 1]: min(ℓ, top)/top.

    Parameters
    ----------
    each : array, (batch,)
        Losses >= 0.
    top : float
        What counts as the worst; for the cross-entropy for example ln(classes), that of guessing.

    Returns
    -------
    array, (batch,)
        In [0, 1]; with no slope where the loss exceeds ``top``.

    Raises
    ------
    ValueError
        ``top`` is not positive.

    Examples
    --------
    >>> clipped(np.array([0.5, 4.0]), top=2.0)
    array([0.25, 1.  ])
    """
    if not 0 < top < np.inf:
        raise ValueError(f"clipped: top must be positive and finite, got {top}.")
    small: Array = np.minimum(each, top) / top
    return small


def bounded(losses: Losses | Sequence[Losses], w: Array) -> Array:
    """Evaluate the losses of all parts, and refuse any outside of [0, 1].

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (batch,)``.
    w : array, (d,)
        Where.

    Returns
    -------
    numpy.ndarray of float64, (n,)
        One loss for each example.

    Raises
    ------
    ValueError
        There are none, or one of them is outside of [0, 1].

    Examples
    --------
    >>> bounded([lambda w: w[:1], lambda w: w[1:]], np.array([0.0, 1.0, 0.5]))
    array([0. , 1. , 0.5])
    """
    each = np.concatenate([to_numpy(part(w)).astype(np.float64) for part in parts_of(losses)])
    # Written so that NaN is refused.
    if not (each.size and each.min() >= 0 and each.max() <= 1):
        low, high = (each.min(), each.max()) if each.size else (np.nan, np.nan)
        raise ValueError(
            f"the theorem is about losses in [0, 1], but these go from {low:g} to {high:g}. Use "
            "the 0-1 error (zero_one), or clip the loss (clipped)."
        )
    return each


def noise_rise(
    losses: Losses | Sequence[Losses],
    w: Array,
    sigma: float,
    *,
    pairs: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> Estimate:
    """Estimate E L_D(w + ε) - L_D(w) for ε ~ N(0, σ²I): the theorem needs it not to be negative.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, the losses in [0, 1] of examples that were not trained on.
    w : array, (d,)
        Where.
    sigma : float
        Standard deviation σ > 0; `noise_scale`.
    pairs : int
        Pairs ±ε, at least two.
    seed : int
        Of the draws.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Estimate
        Its standard error counts both samples, of the noise and of the examples.

    Raises
    ------
    ValueError
        A loss is outside [0, 1], σ is not positive, or there are fewer than two pairs.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 400)
    >>> estimate = noise_rise(lambda w: np.minimum((w[0] * x) ** 2, 1.0), np.zeros(1), 0.1)
    >>> estimate.value > 4 * estimate.error
    True
    """
    if not 0 < sigma < np.inf:
        raise ValueError(f"noise_rise: sigma must be positive and finite, got {sigma}.")
    w, rng = as_variable(w), np.random.default_rng(seed)
    before = bounded(losses, w)
    of_example, of_pair = np.zeros(before.size), []
    for _ in with_progress(range(pairs), pairs, "condition", progress, "pair"):
        e = np.asarray(sigma * rng.standard_normal(w.shape), dtype=w.dtype, like=w)
        rise = (bounded(losses, w + e) + bounded(losses, w - e)) / 2 - before
        of_example += rise
        of_pair.append(rise.mean())
    noise, examples = Estimate.of(of_pair), Estimate.of(of_example / pairs)
    return Estimate(noise.value, float(np.hypot(noise.error, examples.error)), pairs)
