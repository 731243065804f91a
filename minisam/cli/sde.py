"""``minisam sde``: an algorithm beside its SDE on a problem, as numbers and as a figure."""

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minisam import plots, sde
from minisam.arrays import Array
from minisam.cli.preparing import writable
from minisam.cli.simulating import Job
from minisam.sde import Simulation
from minisam.text import aligned

SHOWN = ("f", "‖x‖", "‖∇f‖")
ROWS = 5
"""Steps of a table at most, beside the start."""

Shown = tuple[list[str], Callable[..., tuple[Path, Path]], tuple[Any, ...]]


def run(args: Namespace) -> int:
    """Simulate, print what was found, and draw it.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    int
        0; everything else is an exception.

    Raises
    ------
    ValueError
        An argument is out of range, or does not go with the others.
    FloatingPointError
        Paths left the range of floats.
    OSError, ImportError
        The figure cannot be written, or scikit-learn is missing.
    """
    out = writable(Path(args.out))
    job = Job(args)
    experiment = {
        "paths": _paths,
        "metric": _metric,
        "weak": _weak,
        "stationary": _stationary,
        "escape": _escape,
        "cycle": _cycle,
    }[args.experiment]
    with warnings.catch_warnings():
        warnings.simplefilter("default", RuntimeWarning)
        warnings.showwarning = _warn  # type: ignore[assignment]
        lines, draw, what = experiment(job)
    out.mkdir(parents=True, exist_ok=True)
    print(job.title, *lines, sep="\n")
    try:
        png, svg = draw(*what, out / f"{job.name}.png", title=job.title)
    except ImportError as error:
        print(f"No figure. {error}", file=sys.stderr)
    else:
        print(f"Figure: {png}, {svg.name}")
    return 0


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"minisam sde: warning: {message}", file=sys.stderr)


def _paths(job: Job) -> Shown:
    args, name = job.args, job.algorithm.name
    with job.progress() as tick:
        runs, model = sde.compare(
            job.algorithm,
            job.problem,
            job.noise,
            eta=args.eta,
            rho=args.rho,
            steps=args.steps,
            paths=args.paths,
            substeps=args.substeps,
            every=max(1, args.steps // 100),
            seed=args.seed,
            tick=tick,
        )
    others = runs.processes[1:]
    table = [["", "step", name, *(f"{other} - {name}" for other in others)]]
    for observable in SHOWN:
        for k in _rows(runs):
            mean = runs.mean(name, observable)[k]
            cells = [_number(mean, runs.standard_error(name, observable)[k])]
            for other in others:
                gap, error = runs.difference(other, name, observable)
                cells.append(_number(gap[k], error[k], sign="+"))
            table.append([observable if k == 0 else "", str(runs.steps[k]), *cells])
    lines = ["mean ± standard error", aligned(table)]
    for other in others:
        error = _number(*sde.relative_error(runs, name, other))
        lines.append(f"{other}: max_k |difference of mean ‖∇f‖+‖x‖| / mean is {error}")
    if model.clips.total:
        lines.append(f"Covariances of {model.name}: {model.clips}.")
    return lines, plots.paths_figure, (runs, args.eta, SHOWN)


def _metric(job: Job) -> Shown:
    args = job.args
    rhos = job.radii()
    with job.progress(len(rhos)) as tick:
        found = sde.metric(
            job.algorithm,
            job.problem,
            job.noise,
            rhos,
            eta=args.eta,
            steps=args.steps,
            paths=args.paths,
            substeps=args.substeps,
            seed=args.seed,
            tick=tick,
        )
    table = [["", *(f"ρ = {rho:g}" for rho in rhos)]]
    for model, errors in found.errors.items():
        table.append([model, *map(_number, errors, found.standard_errors[model])])
    lines = ["max_k |difference of mean ‖∇f‖+‖x‖| / mean", aligned(table)]
    return lines, plots.metric_figure, (found,)


def _weak(job: Job) -> Shown:
    args = job.args
    etas = [args.eta / 2**i for i in range(4)]
    with job.progress(len(etas)) as tick:
        found = sde.weak_error(
            job.algorithm,
            job.problem,
            job.noise,
            job.models(),
            etas,
            rho=lambda eta: args.rho * float(np.sqrt(eta / args.eta)),
            time=args.eta * args.steps,
            paths=args.paths,
            statistic=_square,
            substeps=args.substeps,
            seed=args.seed,
            tick=tick,
        )
    table = [["", *(f"η = {eta:g}" for eta in etas), "slope"]]
    for model, errors in found.errors.items():
        cells = map(_number, errors, found.standard_errors[model])
        order, error = found.slope(model)
        table.append([model, *cells, f"{order:.3f} ± {error:.1g}"])
    radius = "" if job.algorithm is sde.SGD else ", ρ ~ √η"
    lines = [f"weak error of E‖x‖², largest over all steps{radius}", aligned(table)]
    return lines, plots.weak_error_figure, (found,)


def _stationary(job: Job) -> Shown:
    args = job.args
    rhos = job.radii()
    _refuse_runaway(job.problem)
    with job.progress(len(rhos)) as tick:
        found = sde.stationary(
            job.algorithm,
            job.problem,
            job.noise,
            job.models(),
            rhos,
            eta=args.eta,
            time=args.eta * args.steps,
            paths=args.paths,
            statistic=_square,
            substeps=1,
            seed=args.seed,
            tick=tick,
        )
    name = job.algorithm.name
    table = [["", *(f"ρ = {rho:g}" for rho in rhos)]]
    table.append([name, *map(_number, found.values[name], found.standard_errors[name])])
    for model, ratios in found.ratios.items():
        table.append([f"{model} / {name}", *map(_number, ratios, found.ratio_errors[model])])
    lines = [f"E‖x‖² after {args.steps:,} steps, ρ fixed", aligned(table)]
    return lines, plots.stationary_figure, (found,)


def _escape(job: Job) -> Shown:
    args = job.args
    with job.progress() as tick:
        runs = sde.escape(
            job.problem,
            job.noise,
            eta=args.eta,
            rho=args.rho,
            radius=args.radius,
            steps=args.steps,
            paths=args.paths,
            every=max(1, args.steps // 200),
            seed=args.seed,
            tick=tick,
        )
    table = [["step", *runs.processes]]
    for k in _rows(runs):
        cells = [
            _number(runs.mean(p, "inside")[k], runs.standard_error(p, "inside")[k])
            for p in runs.processes
        ]
        table.append([str(runs.steps[k]), *cells])
    lines = [f"fraction of paths that has not left ‖x‖ <= {args.radius:g}", aligned(table)]
    return lines, plots.escape_figure, (runs, args.eta)


def _cycle(job: Job) -> Shown:
    args = job.args
    found = sde.cycle(job.problem, eta=args.eta, rho=args.rho, steps=args.steps)
    table = [["step", "half its length", "half - amplitude"]]
    for k in _spread(args.steps):
        half = float(found.halves[k])
        table.append([str(k + 1), f"{half:.6g}", f"{half - found.amplitude:+.3g}"])
    formula = f"ηλρ/(2 - ηλ) = {found.amplitude:.6g} with λ = {found.curvature:.4g}"
    lines = [
        f"amplitude of a two-cycle here: {formula}",
        aligned(table),
        f"The last iterate is {found.gap:.2g} away from the last but two.",
    ]
    return lines, plots.cycle_figure, (found,)


def _refuse_runaway(problem: sde.Problem) -> None:
    """Refuse a quadratic that has no minimum; what curves back further out may have a long run."""
    here, far = problem.hessian(np.stack([problem.start, 2 * problem.start + 1]))
    lowest = float(np.linalg.eigvalsh(here)[0])
    if lowest < 0 and np.allclose(here, far):
        raise ValueError(
            f"--experiment stationary: {problem.name} has curvature {lowest:g} everywhere in one "
            "direction, in which paths run away: there is no long-run mean. Try --experiment "
            "escape, or another problem."
        )


def _square(x: Array) -> Array:
    return np.sum(x * x, axis=1)


def _rows(runs: Simulation) -> list[int]:
    """Return which of the recorded steps a table shows."""
    return _spread(len(runs.steps))


def _spread(count: int) -> list[int]:
    """Return the first, the last, and some between of so many."""
    return sorted({round(k) for k in np.linspace(0, count - 1, ROWS + 1)})


def _number(value: float, error: float, sign: str = "") -> str:
    error = 0.0 if error < 1e-12 * abs(value) else error  # all paths start alike
    return f"{value:{sign}.4g} ± {error:.1g}"
