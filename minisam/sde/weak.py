"""Weak error: how far the mean of a statistic is from its SDE's, and how that falls with η.

A model is of weak order α if max_k |E φ(x_k) - E φ(X_kη)| <= C η^α for k up to T/η. The SDE paper's
theorems say α = 1, for ρ = O(√η) (the poster leaves that out). A wrong model shows as a smaller
slope - or not at all: with ρ ~ √η SAM's correction of the *noise* is of order ηρ, and the SDE that
leaves it out is of order 1, too. Slopes see the drift; covariances need a test of their own.
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


def slope(etas: Array, errors: Array, standard_errors: Array | None = None) -> tuple[float, float]:
    """Fit errors ~ η^α by least squares in logarithms.

    Parameters
    ----------
    etas, errors : array_like, (n,)
        At least two, positive.
    standard_errors : array_like, (n,), optional
        Of the errors, independent of each other; 0 by default.

    Returns
    -------
    slope, standard_error : float
        α, and what the standard errors make of it to first order.

    Raises
    ------
    ValueError
        Fewer than two points, or one that is not positive.

    Examples
    --------
    >>> order, error = slope([0.1, 0.2, 0.4], [0.01, 0.04, 0.16])
    >>> round(order, 12), error
    (2.0, 0.0)
    """
    x, y = np.asarray(etas, dtype=float), np.asarray(errors, dtype=float)
    if x.shape != y.shape or x.size < 2 or not (x > 0).all() or not (y > 0).all():
        raise ValueError(
            f"slope needs two or more positive points, got {x.tolist()}, {y.tolist()}."
        )
    x = np.log(x)
    weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    spread = np.zeros(x.size) if standard_errors is None else np.asarray(standard_errors) / y
    return float(weights @ np.log(y)), float(np.sqrt(np.sum((weights * spread) ** 2)))


@dataclass(frozen=True, eq=False)
class WeakError:
    """Weak errors of several models.

    Attributes
    ----------
    etas : array, (n,)
        Step sizes.
    errors, standard_errors : dict from str to array, (n,)
        By model: the largest difference over all steps, and its standard error.
    """

    etas: Array
    errors: dict[str, Array]
    standard_errors: dict[str, Array]

    def slope(self, model: str) -> tuple[float, float]:
        """Return a model's weak order and its standard error."""
        return slope(self.etas, self.errors[model], self.standard_errors[model])


def weak_error(
    algorithm: Algorithm,
    problem: Problem,
    noise: Noise,
    models: Mapping[str, Callable[[float], SDE]],
    etas: Sequence[float],
    *,
    rho: Callable[[float], float],
    time: float,
    paths: int,
    statistic: Callable[[Array], Array],
    substeps: int = 8,
    seed: int = 0,
    tick: Callable[[int], Any] | None = None,
) -> WeakError:
    """Measure weak errors of models of an algorithm, by simulating both with the same noise.

    Parameters
    ----------
    algorithm, problem, noise
        What is modelled.
    models : mapping from str to callable
        ``ρ -> SDE``, by name.
    etas : sequence of float
        Step sizes, each dividing ``time``.
    rho : callable
        ``η -> ρ``; for the theorems ρ = c√η.
    time : float
        T.
    paths : int
        How many; the standard error of a difference falls as their root.
    statistic : callable
        φ, ``(paths, d) -> (paths,)``.
    substeps : int
        Euler-Maruyama steps r in each η; the SDE's own error is about 1/r of the measured one.
    seed : int
        Of the noise; each η has its own.
    tick : callable, optional
        As for `simulate`.

    Returns
    -------
    WeakError
        For each model and η.

    Raises
    ------
    ValueError
        ``time`` is no multiple of an η, or a model has the algorithm's name.

    Examples
    --------
    >>> from minisam.sde import USAM, Gaussian, additive, quadratic
    >>> bowl, noise = quadratic([[1.0]]), Gaussian([[0.25]])
    >>> found = weak_error(
    ...     USAM,
    ...     bowl,
    ...     noise,
    ...     {"USAM SDE": lambda rho: additive(USAM, bowl, noise, rho)},
    ...     [0.25, 0.125],
    ...     rho=np.sqrt,
    ...     time=1.0,
    ...     paths=4000,
    ...     statistic=lambda x: x[:, 0] ** 2,
    ... )
    >>> order, error = found.slope("USAM SDE")
    >>> bool(abs(order - 1) < 0.4), bool(error < 0.1)
    (True, True)
    """
    if algorithm.name in models:
        raise ValueError(f"{algorithm.name} is the algorithm's name; give its model another one.")
    errors: dict[str, list[float]] = {name: [] for name in models}
    standard: dict[str, list[float]] = {name: [] for name in models}
    for i, eta in enumerate(etas):
        steps = round(time / eta)
        if not np.isclose(steps * eta, time):
            raise ValueError(f"time = {time:g} is no multiple of eta = {eta:g}.")
        processes = {algorithm.name: discrete(algorithm, problem, noise, eta, rho(eta))}
        for name, model in models.items():
            processes[name] = euler_maruyama(model(rho(eta)), eta)
        runs = simulate(
            problem,
            noise,
            processes,
            steps=steps,
            paths=paths,
            substeps=substeps,
            observe={"φ": statistic},
            seed=[seed, i],
            tick=tick,
        )
        for name in models:
            gap, error = runs.difference(algorithm.name, name, "φ")
            worst = int(np.abs(gap).argmax())
            errors[name].append(float(abs(gap[worst])))
            standard[name].append(float(error[worst]))
    return WeakError(
        np.array(etas, dtype=float),
        {name: np.array(found) for name, found in errors.items()},
        {name: np.array(found) for name, found in standard.items()},
    )
