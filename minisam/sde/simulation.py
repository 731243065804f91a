"""Many paths of algorithms and of their SDEs, step by step beside each other.

All processes of a simulation are driven by the same noise: the Gaussian Z of an algorithm's step is
the Brownian increment of the SDE over that step. Each process is as it would be alone, but their
*difference* varies far less than either, and so do estimates of it. For mini-batches, whose noise
no Brownian motion is, they are independent.

Paths are simulated in chunks that fit the processor's cache, chunks in parallel threads, since
NumPy lets go of the interpreter's lock. Only means and covariances of what is observed are kept.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array
from minisam.sde.noise import Noise
from minisam.sde.problems import Problem
from minisam.sde.processes import Process
from minisam.sde.streams import Streams, paths_per_block

Observables: TypeAlias = Mapping[str, Callable[[Array], Array]]

CHUNK = 2**15
"""Floats of one array: with the few arrays of a step in use, what a core's cache holds."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What was observed: means over the paths, and how the processes vary together.

    Attributes
    ----------
    paths : int
        How many.
    steps : array of int, (k,)
        The steps at which it was observed; 0 is the start.
    processes, observables : tuple of str
        Their names.
    means : array, (k, observables, processes)
        Over the paths.
    covariances : array, (k, observables, processes, processes)
        Of the processes' values of one observable; not of the means.
    """

    paths: int
    steps: NDArray[np.intp]
    processes: tuple[str, ...]
    observables: tuple[str, ...]
    means: Array
    covariances: Array

    def mean(self, process: str, observable: str) -> Array:
        """Return the mean at every recorded step, (k,)."""
        i, j = self._at(process, observable)
        return self.means[:, j, i]

    def std(self, process: str, observable: str) -> Array:
        """Return the standard deviation over the paths at every recorded step, (k,)."""
        i, j = self._at(process, observable)
        return np.sqrt(self.covariances[:, j, i, i])

    def standard_error(self, process: str, observable: str) -> Array:
        """Return the standard error of `mean`, (k,)."""
        if self.paths == 1:  # one path says nothing of the others
            return np.full(len(self.steps), np.nan)
        return self.std(process, observable) / np.sqrt(self.paths - 1)

    def difference(self, process: str, other: str, observable: str) -> tuple[Array, Array]:
        """Return how far the means of two processes are apart, and its standard error, (k,)."""
        i, j = self._at(process, observable)
        o, _ = self._at(other, observable)
        c = self.covariances[:, j]
        gap = self.means[:, j, i] - self.means[:, j, o]
        if self.paths == 1:
            return gap, np.full(len(self.steps), np.nan)
        variance = np.maximum(c[:, i, i] + c[:, o, o] - 2 * c[:, i, o], 0)
        return gap, np.sqrt(variance / (self.paths - 1))

    def _at(self, process: str, observable: str) -> tuple[int, int]:
        return self.processes.index(process), self.observables.index(observable)


def observables(problem: Problem) -> dict[str, Callable[[Array], Array]]:
    """Return what the SDE paper shows: f, ‖x‖ and ‖∇f‖.

    Parameters
    ----------
    problem : Problem
        Whose f.

    Returns
    -------
    dict from str to callable
        For `simulate`.

    Examples
    --------
    >>> from minisam.sde.landscapes import cosh
    >>> list(observables(cosh()))
    ['f', '‖x‖', '‖∇f‖']
    """

    def length(x: Array) -> Array:
        return np.sqrt(np.sum(x * x, axis=1))

    return {"f": problem.f, "‖x‖": length, "‖∇f‖": lambda x: length(problem.gradient(x))}


def simulate(
    problem: Problem,
    noise: Noise,
    processes: Mapping[str, Process],
    *,
    steps: int,
    paths: int,
    substeps: int = 1,
    observe: Observables | None = None,
    every: int = 1,
    seed: int | list[int] = 0,
    chunk: int | None = None,
    threads: int | None = None,
    tick: Callable[[int], Any] | None = None,
) -> Simulation:
    """Run processes from the problem's start, with the same noise, and average over paths.

    A path's noise depends on ``seed`` and the path's number only. So results do not depend on
    ``chunk`` and ``threads`` (beyond rounding), and the first paths of a longer run are those of a
    shorter one.

    Parameters
    ----------
    problem : Problem
        Where the paths start.
    noise : Gaussian or MiniBatches
        What γ is; the same as the processes were made with.
    processes : mapping from str to callable
        From `discrete` and `euler_maruyama`, by name.
    steps : int
        Steps of size η.
    paths : int
        How many runs of each process.
    substeps : int
        Euler-Maruyama steps r within each step.
    observe : mapping from str to callable, optional
        ``(paths, d) -> (paths,)`` each; by default those of `observables`.
    every : int
        Observe at every so many steps, and at the last.
    seed : int or sequence of int
        Of the noise.
    chunk : int, optional
        Paths simulated at once in a thread; memory is proportional to it. By default what fits the
        cache.
    threads : int, optional
        One for each core by default.
    tick : callable, optional
        Called with a number of paths whenever so many are finished: for a progress line.

    Returns
    -------
    Simulation
        Means and covariances.

    Raises
    ------
    ValueError
        A number is below 1, there is no process, or the noise is not for this problem.
    FloatingPointError
        Paths left the range of floats.

    Examples
    --------
    >>> from minisam.sde import SAM, Gaussian, additive, cosh, discrete, euler_maruyama
    >>> noise, eta, rho = Gaussian([[0.25]]), 0.1, 0.1
    >>> runs = simulate(
    ...     cosh(),
    ...     noise,
    ...     {
    ...         "SAM": discrete(SAM, cosh(), noise, eta, rho),
    ...         "SDE": euler_maruyama(additive(SAM, cosh(), noise, rho), eta),
    ...     },
    ...     steps=10,
    ...     paths=2000,
    ...     substeps=4,
    ... )
    >>> difference, error = runs.difference("SAM", "SDE", "f")
    >>> bool(abs(difference[-1]) < 0.02), bool(error[-1] < 0.002)
    (True, True)
    """
    for name, value in {
        "steps": steps,
        "paths": paths,
        "substeps": substeps,
        "every": every,
    }.items():
        if value < 1:
            raise ValueError(f"simulate: {name} must be at least 1, got {value}.")
    if not processes:
        raise ValueError("simulate: give at least one process, from discrete or euler_maruyama.")
    noise.check(problem)
    observe = observables(problem) if observe is None else observe
    block = paths_per_block(problem.d)
    if chunk is None:
        chunk = CHUNK // problem.width
    chunk = max(1, chunk // block) * block
    recorded = np.array(sorted({*range(0, steps, every), steps}))
    shape = (len(recorded), len(observe), len(processes))
    run = _Run(problem, noise, processes, observe, set(recorded.tolist()), steps, substeps, seed)
    total = _Sums(0, np.zeros(shape), np.zeros((*shape, shape[-1])))
    pieces = [(first, min(chunk, paths - first)) for first in range(0, paths, chunk)]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool, np.errstate(all="ignore"):
        for sums in pool.map(run.chunk, *zip(*pieces, strict=True)):
            total = total.merged(sums)
            if tick is not None:
                tick(sums.count)
    variances = np.diagonal(total.products, axis1=2, axis2=3)
    if not np.isfinite(variances).all():
        k, _, process = (int(i) for i in np.argwhere(~np.isfinite(variances))[0])
        raise FloatingPointError(
            f"{[*processes][process]} on {problem.name}: paths have left the range of floats by "
            f"step {recorded[k]}. Lower eta (or rho), or raise substeps."
        )
    return Simulation(
        paths, recorded, tuple(processes), tuple(observe), total.means, total.products / paths
    )


@dataclass(frozen=True)
class _Sums:
    """Means, and sums of products of deviations from them, of so many paths."""

    count: int
    means: Array
    products: Array

    def merged(self, other: "_Sums") -> "_Sums":
        """Add other paths; by Chan's formula, since sums of squares would lose small variances."""
        count = self.count + other.count
        gap = other.means - self.means
        weight = self.count * other.count / count
        return _Sums(
            count,
            self.means + gap * (other.count / count),
            self.products + other.products + weight * gap[..., :, None] * gap[..., None, :],
        )


@dataclass(frozen=True)
class _Run:
    problem: Problem
    noise: Noise
    processes: Mapping[str, Process]
    observe: Observables
    recorded: set[int]
    steps: int
    substeps: int
    seed: int | list[int]

    def chunk(self, first: int, count: int) -> _Sums:
        """Simulate consecutive paths."""
        streams = Streams(self.seed, first, count, self.problem.d)
        start = np.tile(self.problem.start, (count, 1))
        xs = [start] * len(self.processes)
        means, products = [], []
        with np.errstate(all="ignore"):  # who leaves the floats is found at the end, and named
            for k in range(self.steps + 1):
                if k in self.recorded:
                    seen = np.array([[look(x) for x in xs] for look in self.observe.values()])
                    mean = seen.mean(axis=-1)
                    seen -= mean[..., None]
                    means.append(mean)
                    products.append(seen @ np.swapaxes(seen, -1, -2))
                if k < self.steps:
                    xi = streams.normals(self.substeps)
                    gamma = self.noise.sample(streams, xi)
                    xs = [
                        move(x, gamma, xi)
                        for move, x in zip(self.processes.values(), xs, strict=True)
                    ]
        return _Sums(count, np.array(means), np.array(products))
