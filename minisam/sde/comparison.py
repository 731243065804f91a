"""The SDE paper's experiment: an algorithm, its SDE and SGD's, beside each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.sde.algorithms import SGD, Algorithm
from minisam.sde.models import SDE, model
from minisam.sde.noise import Noise
from minisam.sde.problems import Problem
from minisam.sde.processes import discrete, euler_maruyama
from minisam.sde.simulation import Simulation, observables, simulate

SIZE = "‖∇f‖+‖x‖"
"""The statistic of the paper's metric."""


def compare(
    algorithm: Algorithm,
    problem: Problem,
    noise: Noise,
    *,
    eta: float,
    rho: float = 0.0,
    steps: int,
    paths: int,
    substeps: int = 4,
    every: int = 1,
    seed: int = 0,
    tick: Callable[[int], Any] | None = None,
) -> tuple[Simulation, SDE]:
    """Run an algorithm, its SDE, and for comparison SGD's SDE, from the same start.

    Parameters
    ----------
    algorithm, problem, noise
        What is compared; the SDE is `model`'s.
    eta, rho : float
        Step size and radius.
    steps, paths, substeps, every, seed, tick
        As for `simulate`.

    Returns
    -------
    runs : Simulation
        Processes are named as the algorithm and the SDEs are, for example ``"SAM"``, ``"SAM SDE"``
        and ``"SGD SDE"``; observed are f, ‖x‖, ‖∇f‖ and the sum of the last two.
    own : SDE
        The algorithm's, with its ``clips``.

    Examples
    --------
    >>> from minisam.sde import SAM, Gaussian, wavy
    >>> runs, own = compare(
    ...     SAM, wavy(), Gaussian([[0.04]]), eta=0.05, rho=0.2, steps=20, paths=2000
    ... )
    >>> runs.processes
    ('SAM', 'SAM SDE', 'SGD SDE')
    >>> bool(relative_error(runs, "SAM", "SAM SDE")[0] < relative_error(runs, "SAM", "SGD SDE")[0])
    True
    """
    own, plain = model(algorithm, problem, noise, rho), model(SGD, problem, noise)
    processes = {
        algorithm.name: discrete(algorithm, problem, noise, eta, rho),
        own.name: euler_maruyama(own, eta),
        plain.name: euler_maruyama(plain, eta),  # for SGD the same once more
    }
    seen = observables(problem)

    def size(x: Array) -> Array:
        return seen["‖∇f‖"](x) + seen["‖x‖"](x)

    runs = simulate(
        problem,
        noise,
        processes,
        steps=steps,
        paths=paths,
        substeps=substeps,
        observe={**seen, SIZE: size},
        every=every,
        seed=seed,
        tick=tick,
    )
    return runs, own


def relative_error(runs: Simulation, algorithm: str, model: str) -> tuple[float, float]:
    """Return the SDE paper's metric: max_k |E s(x_k) - E s(X_kη)| over the mean of E s(x_k).

    The statistic is s = ‖∇f‖ + ‖x‖. Read in the authors' code.

    Parameters
    ----------
    runs : Simulation
        From `compare`.
    algorithm, model : str
        Names of two of its processes.

    Returns
    -------
    error, standard_error : float
        Relative.

    Examples
    --------
    See `compare`.
    """
    gap, error = runs.difference(algorithm, model, SIZE)
    scale = float(np.mean(runs.mean(algorithm, SIZE)))
    worst = int(np.abs(gap).argmax())
    return float(abs(gap[worst])) / scale, float(error[worst]) / scale


@dataclass(frozen=True, eq=False)
class Metric:
    """The SDE paper's metric for each ρ.

    Attributes
    ----------
    rhos : array, (n,)
        Radii.
    errors, standard_errors : dict from str to array, (n,)
        By model: as from `relative_error`.
    """

    rhos: Array
    errors: dict[str, Array]
    standard_errors: dict[str, Array]


def metric(
    algorithm: Algorithm, problem: Problem, noise: Noise, rhos: Sequence[float], **options: Any
) -> Metric:
    """Run `compare` and take its `relative_error` at several ρ, as the SDE paper does.

    Parameters
    ----------
    algorithm, problem, noise
        What is compared.
    rhos : sequence of float
        Radii.
    **options
        Of `compare`, but for ``rho``.

    Returns
    -------
    Metric
        Of the algorithm's own SDE and of SGD's.

    Examples
    --------
    >>> from minisam.sde import SAM, Gaussian, wavy
    >>> found = metric(SAM, wavy(), Gaussian([[0.04]]), [0.1, 0.2], eta=0.05, steps=20, paths=500)
    >>> bool((found.errors["SAM SDE"] < found.errors["SGD SDE"]).all())
    True
    """
    rows = []
    for rho in rhos:
        runs, _ = compare(algorithm, problem, noise, rho=rho, **options)
        models = runs.processes[1:]
        rows.append([relative_error(runs, algorithm.name, model) for model in models])
    errors, standard_errors = (
        dict(zip(models, values, strict=True)) for values in np.transpose(rows)
    )
    return Metric(np.array(rhos, dtype=float), errors, standard_errors)
