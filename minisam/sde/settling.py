"""Where an algorithm settles: the test of a model's noise that weak orders are blind to.

For ρ ~ √η the climb's part in the noise is of higher order, so no slope can tell whether it is
right. At a fixed ρ it is not: on a quadratic it changes the variance in which the iterates settle
by a factor, (1 + ρλ)² for USAM.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.sde.algorithms import Algorithm
from minisam.sde.models import SDE
from minisam.sde.noise import Noise
from minisam.sde.problems import Problem
from minisam.sde.processes import discrete, euler_maruyama
from minisam.sde.simulation import simulate


@dataclass(frozen=True, eq=False)
class Stationary:
    """Long-run means of a statistic, for each ρ.

    Attributes
    ----------
    rhos : array, (n,)
        Radii.
    values, standard_errors : dict from str to array, (n,)
        By process: the mean of the statistic at the last step.
    ratios, ratio_errors : dict from str to array, (n,)
        By model: its mean over the algorithm's, and the standard error of that.
    """

    rhos: Array
    values: dict[str, Array]
    standard_errors: dict[str, Array]
    ratios: dict[str, Array]
    ratio_errors: dict[str, Array]


def stationary(
    algorithm: Algorithm,
    problem: Problem,
    noise: Noise,
    models: Mapping[str, Callable[[float], SDE]],
    rhos: Sequence[float],
    *,
    eta: float,
    time: float,
    paths: int,
    statistic: Callable[[Array], Array],
    substeps: int = 1,
    seed: int = 0,
    tick: Callable[[int], Any] | None = None,
) -> Stationary:
    """Run an algorithm and models of it for long, with the same noise, at several fixed ρ.

    Parameters
    ----------
    algorithm, problem, noise, models, statistic, seed, tick
        As for `weak_error`.
    rhos : sequence of float
        Radii.
    eta : float
        Step size.
    time : float
        How long; several times 1/λ.
    paths : int
        How many.
    substeps : int
        Euler-Maruyama steps in each η. With 1 the SDE is discretised as coarsely as the algorithm
        is, so that only the coefficients tell them apart.

    Returns
    -------
    Stationary
        For each process and ρ.

    Examples
    --------
    >>> from minisam.sde import SAM, Gaussian, additive, quadratic
    >>> bowl, noise = quadratic([[1.0]]), Gaussian([[1.0]])
    >>> found = stationary(
    ...     SAM,
    ...     bowl,
    ...     noise,
    ...     {"SAM SDE": lambda rho: additive(SAM, bowl, noise, rho)},
    ...     [0.1],
    ...     eta=0.05,
    ...     time=5.0,
    ...     paths=4000,
    ...     statistic=lambda x: x[:, 0] ** 2,
    ... )
    >>> bool(abs(found.ratios["SAM SDE"][0] - 1) < 0.02)
    True
    """
    if algorithm.name in models:
        raise ValueError(f"{algorithm.name} is the algorithm's name; give its model another one.")
    names = [algorithm.name, *models]
    table = np.empty((4, len(names), len(rhos)))
    for i, rho in enumerate(rhos):
        processes = {algorithm.name: discrete(algorithm, problem, noise, eta, rho)}
        for name, model in models.items():
            processes[name] = euler_maruyama(model(rho), eta)
        steps = max(1, round(time / eta))
        runs = simulate(
            problem,
            noise,
            processes,
            steps=steps,
            paths=paths,
            substeps=substeps,
            observe={"φ": statistic},
            every=steps,
            seed=[seed, i],
            tick=tick,
        )
        mean, covariance = runs.means[-1, 0], runs.covariances[-1, 0]
        ratio = mean / mean[0]
        count = paths if paths > 1 else np.nan  # one path says nothing of the others
        # Var(a/b) to first order, of means that vary together.
        variance = np.diag(covariance) - 2 * ratio * covariance[0] + ratio**2 * covariance[0, 0]
        table[:, :, i] = (
            mean,
            np.sqrt(np.diag(covariance) / count),
            ratio,
            np.sqrt(np.maximum(variance, 0) / count) / abs(mean[0]),
        )
    values, errors, ratios, ratio_errors = (dict(zip(names, rows, strict=True)) for rows in table)
    del ratios[algorithm.name], ratio_errors[algorithm.name]
    return Stationary(np.array(rhos, dtype=float), values, errors, ratios, ratio_errors)
