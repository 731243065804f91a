"""Mean and covariance of one step of an algorithm, to first order in ρ."""

from typing import NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import grad, linearize
from minisam.sde.algorithms import Algorithm
from minisam.sde.noise import Gaussian, MiniBatches, Noise
from minisam.sde.problems import Problem


class Moments(NamedTuple):
    """Mean and covariance of a step's direction of descent, for every row.

    Parameters
    ----------
    drift : array, (paths, d)
        b, the mean.
    covariance : array, (paths, d, d)
        Σ; one path's noise has covariance η² Σ in a step.
    """

    drift: Array
    covariance: Array


def step_moments(
    algorithm: Algorithm, problem: Problem, noise: Noise, rho: float, x: Array
) -> Moments:
    """Return b and Σ + ρ(Σ̃ + Σ̃ᵀ), as in `general`, in every row.

    Parameters
    ----------
    algorithm, problem, noise, rho
        As for `general`.
    x : array, (paths, d)
        Where.

    Returns
    -------
    Moments
        Drift (paths, d) and covariance (paths, d, d), which may be indefinite.

    Examples
    --------
    SAM on a maximum: where curvature is negative, the climb takes noise away, here all of it.

    >>> from minisam.sde.algorithms import SAM
    >>> from minisam.sde.landscapes import quadratic
    >>> hill, noise = quadratic([[-1.0]]), Gaussian([[0.01]])
    >>> step_moments(SAM, hill, noise, 0.1, np.zeros((1, 1))).covariance.round(4)
    array([[[-0.006]]])
    """
    noise.check(problem)
    expand = _gaussian if isinstance(noise, Gaussian) else _batches
    return expand(algorithm, problem, noise, rho, x)  # type: ignore[arg-type]


def _gaussian(
    algorithm: Algorithm, problem: Problem, noise: Gaussian, rho: float, x: Array
) -> Moments:
    g, product = problem.linearize(x)
    roots = np.broadcast_to(noise.root[:, None, :], (noise.d, *x.shape))  # C^½ e_j in rows
    mean, along = algorithm.expected(g, roots, noise)
    # Column j of H J C^½; times the root once more it is H J C = Σ̃ᵀ.
    hjr = np.stack([product(v) for v in along], axis=-1)
    cross = hjr @ noise.root
    covariance = noise.covariance + rho * (cross + np.swapaxes(cross, -1, -2))
    return Moments(-(g + rho * product(mean)), covariance)


def _batches(
    algorithm: Algorithm, problem: Problem, noise: MiniBatches, rho: float, x: Array
) -> Moments:
    batches, (n, d) = len(noise.rows), x.shape
    # All batches at all points at once: one row for each pair.
    rows = np.repeat(noise.rows, n, axis=0)
    everywhere = np.tile(x, (batches, 1))
    g, product = linearize(grad(lambda x: np.sum(problem.batch_losses(x, rows))), everywhere)
    v = algorithm.direction(g, lambda: np.tile(problem.gradient(x), (batches, 1)))
    hv = product(v).reshape(batches, n, d)
    g = g.reshape(batches, n, d)
    mean, mean_hv = g.mean(axis=0), hv.mean(axis=0)
    covariance = np.einsum("mni,mnj->nij", g - mean, g - mean) / batches
    cross = np.einsum("mni,mnj->nij", g - mean, hv - mean_hv) / batches
    covariance = covariance + rho * (cross + np.swapaxes(cross, -1, -2))
    return Moments(-(mean + rho * mean_hv), covariance)
