"""Saddles: which algorithms are drawn into one, and how long they take to leave it.

On f = ½xᵀHx the ODE of USAM is ẋ = -H(I + ρH)x: along an eigenvector it contracts where
λ(1 + ρλ) > 0, which holds for a negative λ if ρ > 1/|λ|. The ODE of SAM and DNSAM is
ẋ = -H(I + ρH/‖Hx‖)x: the same rule with ρ/‖Hx‖ for ρ. So USAM is drawn in from everywhere or not
at all, SAM from ‖Hx‖ < ρ min|λ₋|, for every ρ, and never gets out by itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.sde.algorithms import ALGORITHMS, Algorithm
from minisam.sde.noise import Noise
from minisam.sde.problems import Problem, symmetric
from minisam.sde.processes import discrete, stopped
from minisam.sde.simulation import Simulation, simulate


def usam_attracts(hessian: Array, rho: float) -> bool:
    """Tell whether USAM's ODE is drawn into the critical point: ρ > 1/|λ| for every λ < 0.

    Parameters
    ----------
    hessian : array_like, (d, d)
        H at the critical point.
    rho : float
        ρ.

    Returns
    -------
    bool
        True also for a minimum.

    Examples
    --------
    >>> usam_attracts(np.diag([1.0, -1.0]), rho=0.5), usam_attracts(np.diag([1.0, -1.0]), rho=1.5)
    (False, True)
    """
    negative = _negative(hessian)
    return bool((rho * np.abs(negative) > 1).all())


def sam_trap(hessian: Array, rho: float) -> float:
    """Return the ‖Hx‖ below which the ODE of SAM and DNSAM is drawn into the saddle: ρ min|λ₋|.

    Parameters
    ----------
    hessian : array_like, (d, d)
        H at the critical point.
    rho : float
        ρ.

    Returns
    -------
    float
        Infinite for a minimum.

    Examples
    --------
    >>> sam_trap(np.diag([1.0, -1.0, -4.0]), rho=0.5)
    0.5
    """
    negative = _negative(hessian)
    return float(rho * np.abs(negative).min(initial=np.inf))


def _negative(hessian: Array) -> Array:
    values = np.linalg.eigvalsh(symmetric(hessian, "the Hessian"))
    return values[values < 0]


def escape(
    problem: Problem,
    noise: Noise,
    *,
    eta: float,
    rho: float,
    radius: float,
    steps: int,
    paths: int,
    algorithms: Iterable[Algorithm] = ALGORITHMS,
    every: int = 1,
    seed: int = 0,
    tick: Callable[[int], Any] | None = None,
) -> Simulation:
    """Measure how many paths have not yet left the ball ‖x‖ <= R, at every step.

    Parameters
    ----------
    problem : Problem
        With a critical point at 0; paths begin at its start.
    noise : Gaussian or MiniBatches
        γ.
    eta, rho : float
        Step size and radius of the climb.
    radius : float
        R, more than ‖start‖.
    steps, paths, every, seed, tick
        As for `simulate`.
    algorithms : iterable of Algorithm
        Which; all of them by default.

    Returns
    -------
    Simulation
        ``mean(algorithm.name, "inside")`` is the fraction left, which never rises.

    Raises
    ------
    ValueError
        The paths start outside.

    Examples
    --------
    >>> from minisam.sde import SGD, USAM, Gaussian, saddle
    >>> noise = Gaussian.isotropic(0.1, 2)
    >>> left = escape(saddle(), noise, eta=0.1, rho=1.5, radius=1.0, steps=100, paths=500,
    ...               algorithms=[SGD, USAM])
    >>> float(left.mean("SGD", "inside")[-1]), float(left.mean("USAM", "inside")[-1])
    (0.0, 1.0)
    """
    if not np.linalg.norm(problem.start) < radius:
        raise ValueError(
            f"paths start at ‖x‖ = {np.linalg.norm(problem.start):g}, not inside of radius = "
            f"{radius:g}. Raise radius, or start nearer."
        )

    def inside(x: Array) -> Any:
        return np.sum(x * x, axis=1) <= radius**2

    return simulate(
        problem,
        noise,
        {
            algorithm.name: stopped(discrete(algorithm, problem, noise, eta, rho), inside)
            for algorithm in algorithms
        },
        steps=steps,
        paths=paths,
        observe={"inside": lambda x: inside(x).astype(float)},
        every=every,
        seed=seed,
        tick=tick,
    )
