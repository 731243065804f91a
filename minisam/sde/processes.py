"""What moves paths from step to step: an algorithm, or an SDE by Euler-Maruyama."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array
from minisam.sde.algorithms import DNSAM, Algorithm, check_step, step
from minisam.sde.models import SDE
from minisam.sde.noise import Gaussian, Noise
from minisam.sde.problems import Problem

Process: TypeAlias = Callable[[Array, Any, Array], Array]
"""``(x, γ, ξ) -> x``, a step of size η later. Algorithms use γ, SDEs ξ of (substeps, paths, d)."""


def discrete(
    algorithm: Algorithm, problem: Problem, noise: Noise, eta: float, rho: float = 0.0
) -> Process:
    """Return an algorithm as a process.

    Parameters
    ----------
    algorithm, problem, noise
        What is run.
    eta, rho : float
        Step size and radius, both positive; SGD has no radius.

    Returns
    -------
    callable
        For `simulate`.

    Raises
    ------
    ValueError
        η or ρ is not positive and finite, or the noise is not for this problem.

    Warns
    -----
    RuntimeWarning
        η is above the limit of stability.

    Examples
    --------
    >>> from minisam.sde import SGD, Gaussian, cosh
    >>> sgd = discrete(SGD, cosh(), Gaussian([[1.0]]), eta=0.5)
    >>> sgd(np.zeros((2, 1)), np.array([[1.0], [-2.0]]), None).ravel()
    array([-0.5,  1. ])
    """
    noise.check(problem)
    check_step(algorithm, problem, eta, rho)

    # For DNSAM with additive noise ∇f(x) is needed twice, to climb and to divide by.
    shared = algorithm is DNSAM and isinstance(noise, Gaussian)

    def process(x: Array, gamma: Any, xi: Array) -> Array:
        gradient = noise.gradient(problem, gamma)
        if not shared:
            return step(algorithm, gradient, problem.gradient, x, eta, rho)
        g = problem.gradient(x)
        climbed = x + rho * algorithm.direction(g + gamma, lambda: g)
        return x - eta * gradient(climbed)

    return process


def euler_maruyama(model: SDE, eta: float) -> Process:
    """Return an SDE as a process: Euler-Maruyama steps of h = η/r, as many as there are draws.

    Each is X + h b(X) + √(ηh) S(X) ξ: the SDE's diffusion is √η S, and a Brownian increment √h ξ.

    Parameters
    ----------
    model : SDE
        Drift and diffusion.
    eta : float
        The step size of the algorithm that it models.

    Returns
    -------
    callable
        For `simulate`, whose ``substeps`` is r.

    Examples
    --------
    >>> pull = SDE("pull", lambda x, t, w: -t * x + w)
    >>> euler_maruyama(pull, 0.1)(np.ones((1, 1)), None, np.zeros((2, 1, 1)))
    array([[0.9025]])
    """
    if not 0 < eta < np.inf:
        raise ValueError(f"eta must be positive and finite, got {eta}.")

    def process(x: Array, gamma: Any, xi: Array) -> Array:
        h = eta / len(xi)
        for draw in xi:
            x = x + model.increment(x, h, np.sqrt(eta * h) * draw)
        return x

    return process


def stopped(process: Process, inside: Callable[[Array], NDArray[np.bool_]]) -> Process:
    """Return a process whose paths stay where they are once they have left a region.

    Parameters
    ----------
    process : callable
        What moves them.
    inside : callable
        ``(paths, d) -> (paths,)`` of bool.

    Returns
    -------
    callable
        For `simulate`: the fraction inside at a step is the fraction that never left.

    Examples
    --------
    >>> grow = stopped(lambda x, gamma, xi: 2 * x, lambda x: x[:, 0] < 3)
    >>> grow(np.array([[1.0], [5.0]]), None, None)
    array([[2.],
           [5.]])
    """
    return lambda x, gamma, xi: np.where(inside(x)[:, None], process(x, gamma, xi), x)
