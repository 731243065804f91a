"""SGD, USAM, DNSAM and SAM: one line tells them apart, the direction in which they climb.

Each step is ``x - η ∇f_γ(x + ρ v)``, with one γ for both gradients (SDE poster)::

    SGD    v = 0
    USAM   v = ∇f_γ(x)
    DNSAM  v = ∇f_γ(x) / ‖∇f(x)‖
    SAM    v = ∇f_γ(x) / ‖∇f_γ(x)‖

DNSAM divides noise by a gradient that has none: where ∇f crosses 0 its steps have no second moment.

What the SDEs need of them, for ∇f_γ = ∇f + Z with Gaussian Z, is v's mean m(∇f) and its mean
Jacobian J = E ∂v/∂Z. The mean is a gradient, m = ∇N, so the drift is that of f̃ = f + ρ N(∇f).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.sde.directions import expected_direction, expected_norm, lengths, over, unit
from minisam.sde.noise import Gaussian
from minisam.sde.problems import Problem

Full: TypeAlias = Callable[[], Array]


@dataclass(frozen=True)
class Algorithm:
    """How an algorithm climbs before it descends.

    Parameters
    ----------
    name : str
        As the literature calls it.
    direction : callable
        ``(g, full) -> v`` of rows: g is ∇f_γ(x), and ``full()`` gives ∇f(x).
    expected : callable
        ``(g, v, noise) -> (m, J v)``: the mean of the direction and its mean Jacobian times v,
        where ∇f = g and the noise is Gaussian.
    penalty : callable
        ``(g, noise) -> N(g)``, (paths,), with ∇N = m; up to a constant.

    Examples
    --------
    >>> SAM.direction(np.array([[3.0, 4.0]]), None)
    array([[0.6, 0.8]])
    """

    name: str
    direction: Callable[[Array, Full], Array]
    expected: Callable[[Array, Array, Gaussian], tuple[Array, Array]]
    penalty: Callable[[Array, Gaussian], Array]


SGD = Algorithm(
    "SGD",
    lambda g, full: np.zeros_like(g),
    lambda g, v, noise: (np.zeros_like(g), np.zeros_like(v)),
    lambda g, noise: 0.0 * g[:, 0],
)
USAM = Algorithm(
    "USAM",
    lambda g, full: g,
    lambda g, v, noise: (g, v),
    lambda g, noise: 0.5 * np.sum(g * g, axis=1),
)
DNSAM = Algorithm(
    "DNSAM",
    lambda g, full: over(g, lengths(full())),
    lambda g, v, noise: (unit(g), over(v, lengths(g))),
    lambda g, noise: np.sqrt(np.sum(g * g, axis=1)),
)
SAM = Algorithm("SAM", lambda g, full: unit(g), expected_direction, expected_norm)

ALGORITHMS = (SGD, USAM, DNSAM, SAM)


def step(
    algorithm: Algorithm,
    gradient: Callable[[Array], Array],
    full: Callable[[Array], Array],
    x: Array,
    eta: float,
    rho: float,
) -> Array:
    """Take one step: x - η ∇f_γ(x + ρ v).

    Parameters
    ----------
    algorithm : Algorithm
        Which v.
    gradient : callable
        ∇f_γ of rows, the same γ at every call.
    full : callable
        ∇f of rows; only DNSAM calls it.
    x : array, (paths, d)
        Where.
    eta, rho : float
        Step size and radius.

    Returns
    -------
    array, (paths, d)
        The next iterate.

    Examples
    --------
    >>> slope = lambda x: 2 * x
    >>> step(SAM, slope, slope, np.array([[3.0, 4.0]]), eta=0.5, rho=1.0)
    array([[-0.6, -0.8]])
    """
    if algorithm is SGD:
        return x - eta * gradient(x)
    climbed = x + rho * algorithm.direction(gradient(x), lambda: full(x))
    return x - eta * gradient(climbed)


def stability_limit(algorithm: Algorithm, curvature: float, rho: float = 0.0) -> float:
    """Return the step size from which on the algorithm runs away on a quadratic.

    USAM's step multiplies an eigenvector's coordinate by 1 - ηλ(1 + ρλ), SGD's by 1 - ηλ. The climb
    of SAM and DNSAM has length ρ, however far away x is, so they diverge where SGD does. (SAM never
    settles: without noise it ends in a two-cycle of amplitude ηλρ/(2 - ηλ), whose size explodes at
    the limit.)

    Parameters
    ----------
    algorithm : Algorithm
        Which.
    curvature : float
        λ, the largest eigenvalue of the Hessian.
    rho : float
        ρ >= 0.

    Returns
    -------
    float
        2/λ, for USAM 2/(λ(1 + ρλ)); infinite if λ <= 0.

    Examples
    --------
    >>> stability_limit(SGD, 4.0), stability_limit(USAM, 4.0, rho=0.25)
    (0.5, 0.25)
    """
    if curvature <= 0:
        return np.inf
    return 2 / (curvature * (1 + rho * curvature if algorithm is USAM else 1))


def check_step(algorithm: Algorithm, problem: Problem, eta: float, rho: float) -> None:
    """Refuse a step size or radius that is none; warn of a step size above the stability limit.

    Parameters
    ----------
    algorithm : Algorithm
        Which.
    problem : Problem
        Its curvature is measured where the paths start.
    eta, rho : float
        Step size and radius.

    Raises
    ------
    ValueError
        η or ρ is not positive and finite. (SGD has no ρ.)

    Warns
    -----
    RuntimeWarning
        η is above the limit; the message has it.

    Examples
    --------
    >>> from minisam.sde.landscapes import cosh
    >>> check_step(SAM, cosh(), eta=0.1, rho=0.0)
    Traceback (most recent call last):
    ...
    ValueError: rho must be positive and finite, got 0.0: without a climb SAM is SGD.
    """
    from minisam.sharpness.spectrum import top_eigenvalues

    if not 0 < eta < np.inf:
        raise ValueError(f"eta must be positive and finite, got {eta}.")
    if algorithm is not SGD and not 0 < rho < np.inf:
        raise ValueError(
            f"rho must be positive and finite, got {rho}: without a climb {algorithm.name} is SGD."
        )
    top = float(top_eigenvalues(lambda w: problem.f(w[None])[0], problem.start)[0])
    limit = stability_limit(algorithm, top, rho)
    if eta >= limit:
        warnings.warn(
            f"eta = {eta:g} is not below {limit:.3g}, the limit of stability of {algorithm.name} on"
            f" {problem.name}, whose largest curvature at the start is {top:.3g}.",
            RuntimeWarning,
            stacklevel=3,
        )
