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
from minisam.progress import progress_bar
from minisam.sde import DNSAM, SAM, SDE, SGD, USAM, Gaussian, MiniBatches, Problem, Simulation
from minisam.text import aligned

MAKE: dict[str, Callable[..., Problem]] = {
    "quadratic": lambda: sde.quadratic([[1.0]], [2.0]),
    "quadratic-10": lambda: sde.random_quadratic(10),
    "saddle": sde.saddle,
    "embedded-saddle": sde.embedded_saddle,
    "wavy": lambda: sde.wavy(2.5),
    "cosh": lambda: sde.cosh(2.0),
    "two-wells": sde.two_wells,
    "autoencoder": sde.linear_autoencoder,
    "teacher-student": sde.teacher_student,
    "digits": sde.digits_mlp,
    "logistic": sde.logistic,
    "logistic-iris": lambda **more: sde.logistic("iris", **more),
    "deep-linear": sde.deep_linear,
    "deep-linear-iris": lambda **more: sde.deep_linear("iris", **more),
    "deep-sigmoid": sde.deep_sigmoid,
    "deep-sigmoid-iris": lambda **more: sde.deep_sigmoid("iris", **more),
}
ALGORITHMS = {"sam": SAM, "usam": USAM, "dnsam": DNSAM, "sgd": SGD}
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
    job = _Job(args)
    experiment = {
        "paths": _paths,
        "weak": _weak,
        "stationary": _stationary,
        "escape": _escape,
    }[args.experiment]
    with warnings.catch_warnings():
        warnings.simplefilter("default", RuntimeWarning)
        warnings.showwarning = _warn  # type: ignore[assignment]
        lines, draw, what = experiment(job)
    out.mkdir(parents=True, exist_ok=True)
    print(job.title, *lines, sep="\n")
    try:
        name = f"sde-{args.problem}-{args.method}-{args.experiment}"
        png, svg = draw(*what, out / name, title=job.title)
    except ImportError as error:
        print(f"No figure. {error}", file=sys.stderr)
    else:
        print(f"Figure: {png}, {svg.name}")
    return 0


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"minisam sde: warning: {message}", file=sys.stderr)


class _Job:
    """What the command line says, made."""

    def __init__(self, args: Namespace) -> None:
        self.args, self.algorithm = args, ALGORITHMS[args.method]
        self.problem = MAKE[args.problem]()
        self.noise: Gaussian | MiniBatches = Gaussian.isotropic(args.sigma, self.problem.d)
        noise = f"σ = {args.sigma:g}"
        if args.batch is not None:
            self._cut(args.batch)
            noise = f"batches of {args.batch}"
        every = args.experiment == "escape"
        radius = "" if self.algorithm is SGD and not every else f", ρ = {args.rho:g}"
        who = ", ".join(a.name for a in sde.ALGORITHMS) if every else self.algorithm.name
        self.title = (
            f"{who} on {self.problem.name}: η = {args.eta:g}{radius}, {noise},\n"
            f"{args.steps:,} steps, {args.paths:,} paths, seed {args.seed}"
        )

    def _cut(self, b: int) -> None:
        """Cut as many examples into batches as fill them."""
        name, n = self.args.problem, self.problem.examples
        if not 1 <= b <= n:
            what = f"has {n}" if n else "is no mean over examples"
            raise ValueError(f"--batch {b} needs as many examples, but {name} {what}.")
        if n % b:
            if name in ("autoencoder", "teacher-student", "digits"):
                raise ValueError(f"--batch must divide the {n} examples of {name}, got {b}.")
            self.problem = MAKE[name](examples=n - n % b)
        self.noise = MiniBatches(sde.one_epoch(self.problem.examples, b, self.args.seed))

    def model(self, rho: float) -> SDE:
        """Return the algorithm's SDE."""
        return sde.model(self.algorithm, self.problem, self.noise, rho)

    def models(self) -> dict[str, Callable[[float], SDE]]:
        """Return that, and the wrong ones it is compared with."""
        plain = sde.model(SGD, self.problem, self.noise)
        models: dict[str, Callable[[float], SDE]] = {f"{self.algorithm.name} SDE": self.model}
        if self.algorithm is not SGD:
            models["its drift only"] = lambda rho: sde.combine(self.model(rho), plain)
            models["SGD SDE"] = lambda rho: plain
        if self.algorithm in (SAM, DNSAM):
            models["USAM SDE"] = lambda rho: sde.model(USAM, self.problem, self.noise, rho)
        return models

    def progress(self, simulations: int = 1) -> Any:
        """Return a bar for so many simulations."""
        args = self.args
        return progress_bar(args.paths * simulations, args.problem, not args.quiet, "path")


def _paths(job: _Job) -> Shown:
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


def _weak(job: _Job) -> Shown:
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
    lines = ["weak error of E‖x‖², largest over all steps, ρ ~ √η", aligned(table)]
    return lines, plots.weak_error_figure, (found,)


def _stationary(job: _Job) -> Shown:
    args = job.args
    rhos = [args.rho * part for part in (0.25, 0.5, 1.0)]
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


def _escape(job: _Job) -> Shown:
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


def _square(x: Array) -> Array:
    return np.sum(x * x, axis=1)


def _rows(runs: Simulation) -> list[int]:
    """Return which of the recorded steps a table shows."""
    return sorted({round(k) for k in np.linspace(0, len(runs.steps) - 1, ROWS + 1)})


def _number(value: float, error: float, sign: str = "") -> str:
    error = 0.0 if error < 1e-12 * abs(value) else error  # all paths start alike
    return f"{value:{sign}.4g} ± {error:.1g}"
