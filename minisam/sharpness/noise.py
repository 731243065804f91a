"""The noise of stochastic gradients: where it is largest, and whether the loss is sharp there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.progress import with_progress
from minisam.sam.perturbation import NonFiniteError
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.lanczos import lanczos
from minisam.sharpness.products import covariance_product, hessian_product
from minisam.sharpness.streaming import Losses, parts_of, streamed


def noise_eigenvalues(
    losses: Losses | Sequence[Losses], w: Array, k: int = 1, **options: Any
) -> Array:
    """Compute the k largest eigenvalues of the covariance of the examples' gradients.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, or several of them for the parts of a data set, for example from `batched`.
    w : array, (d,)
        Where.
    k : int
        How many, in [1, d].
    **options
        ``starts``, ``seed``, ``tol``, ``max_products`` and ``progress`` of `lanczos`.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In falling order; of Σ as in `covariance_product`, the noise of a single example.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    >>> noise_eigenvalues(lambda w: x @ w, np.zeros(2), k=2)
    array([4.5, 0.5])
    """
    return lanczos(*covariance_product(losses, w), k, **options)[0]


def alignment(
    losses: Losses | Sequence[Losses],
    w: Array,
    probes: int = 50,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Estimate:
    r"""Estimate the cosine between the gradient noise and the Hessian, as matrices.

    .. math::
        \frac{\mathrm{tr}(\Sigma H)}{\|\Sigma\|_F \|H\|_F}, \qquad
        \mathrm{tr}(\Sigma H) = \mathbb{E}\,(\Sigma z)^\top (H z), \quad
        \|\Sigma\|_F^2 = \mathbb{E}\,\|\Sigma z\|^2, \quad \|H\|_F^2 = \mathbb{E}\,\|H z\|^2

    for z with random signs: one product with each matrix per probe serves all three means. Where
    few directions dominate both matrices the three rise and fall together, and most of their
    noise cancels in the ratio.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, or several of them for the parts of a data set, for example from `batched`.
    w : array, (d,)
        Where.
    probes : int
        Random vectors z, at least two.
    seed : int
        Of the probes.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Estimate
        In [-1, 1]: 1 if the noise is largest where the loss is sharpest, in proportion. Its
        standard error by the jackknife.

    Raises
    ------
    ValueError
        Fewer than two probes.
    NonFiniteError
        One of the matrices is 0, and their cosine 0/0.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> x = np.random.default_rng(0).normal(size=(500, 5)) * np.array([3.0, 1, 1, 0.1, 0.1])
    >>> y = np.random.default_rng(1).normal(size=500)
    >>> print(alignment(lambda w: 0.5 * (x @ w - y) ** 2, np.zeros(5)))
    0.9994... ± 0.0000...
    """
    parts = parts_of(losses)
    covariance, d = covariance_product(parts, w)
    mean = streamed(parts) if len(parts) > 1 else lambda w: parts[0](w).mean()
    hessian, _ = hessian_product(mean, w)
    if probes < 2:
        raise ValueError(f"an error bar needs at least 2 probes, got {probes}.")
    rng = np.random.default_rng(seed)
    rows = []
    for _ in with_progress(range(probes), probes, "alignment", progress, "probe"):
        z = rng.choice([-1.0, 1.0], size=d)
        a, b = covariance(z), hessian(z)
        rows.append((a @ b, a @ a, b @ b))
    each = np.array(rows)
    total = each.sum(axis=0)
    if not total[1:].all():
        raise NonFiniteError(
            "alignment: the gradient noise or the Hessian is 0: it has no direction."
        )
    without = _cosine(total - each)
    error = np.sqrt((probes - 1) * np.var(without))
    return Estimate(float(_cosine(total)), float(error), probes)


def _cosine(sums: Array) -> Array:
    cosine: Array = sums[..., 0] / np.sqrt(sums[..., 1] * sums[..., 2])
    return cosine
