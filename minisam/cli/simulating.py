"""What ``minisam sde`` makes of its arguments before it simulates."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from minisam import sde
from minisam.cli import preparing
from minisam.progress import progress_bar
from minisam.sde import DNSAM, SAM, SDE, SGD, USAM, Gaussian, MiniBatches, Problem

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


class Job:
    """A problem, its noise and an algorithm, made of a command line.

    Parameters
    ----------
    args : argparse.Namespace
        Of ``minisam sde``.

    Raises
    ------
    ValueError
        An option is out of range, does not go with the others, or would change nothing.
    """

    def __init__(self, args: Namespace) -> None:
        preparing.refuse_idle(args, _idle(args))
        self.args, self.algorithm = args, ALGORITHMS[args.method]
        self.problem = MAKE[args.problem]()
        self.noise: Gaussian | MiniBatches = Gaussian.isotropic(args.sigma, self.problem.d)
        if args.batch is not None:
            self._cut(args.batch)

    @property
    def name(self) -> str:
        """Of the figure's files: two that differ in an option are two figures."""
        args, aside = self.args, {"problem", "method", "experiment"}
        method = [] if args.experiment == "escape" else [args.method]
        words = preparing.unusual(args, aside, args.problem)
        return "-".join(["sde", args.problem, *method, args.experiment, *words])

    @property
    def title(self) -> str:
        """What was simulated, in two lines."""
        args, problem = self.args, self.problem.name
        radius = "" if "rho" in _idle(args) else f", ρ = {args.rho:g}"
        noise = f"σ = {args.sigma:g}" if args.batch is None else f"batches of {args.batch}"
        count = f",\n{args.steps:,} steps, {args.paths:,} paths, seed {args.seed}"
        who = self.algorithm.name
        if args.experiment == "escape":
            who = ", ".join(algorithm.name for algorithm in sde.ALGORITHMS)
        if args.experiment == "cycle":
            noise, count = "no noise", f", {args.steps:,} steps"
        return f"{who} on {problem}: η = {args.eta:g}{radius}, {noise}{count}"

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

    def radii(self) -> list[float]:
        """Return the ρ that an experiment goes through, up to that of the command line."""
        if self.algorithm is SGD:
            raise ValueError(
                f"--experiment {self.args.experiment} varies ρ, which SGD has none of."
            )
        return [self.args.rho * part for part in (0.25, 0.5, 1.0)]

    def progress(self, simulations: int = 1) -> Any:
        """Return a bar for so many simulations."""
        args = self.args
        return progress_bar(args.paths * simulations, args.problem, not args.quiet, "path")


def _idle(args: Namespace) -> dict[str, str]:
    """Return the options that would change nothing, with the reason."""
    experiment, idle = args.experiment, {}
    if experiment != "escape":
        idle["radius"] = "it is of the ball that paths leave in --experiment escape"
    if experiment == "escape":
        idle["method"] = "escape runs all four"
        idle["substeps"] = "escape has algorithms only, and no SDE"
    elif args.method == "sgd":
        idle["rho"] = "SGD does not climb"
    if experiment == "stationary":
        idle["substeps"] = "stationary takes as many steps of an SDE as of its algorithm"
    if experiment == "cycle":
        never = ("sigma", "batch", "paths", "substeps", "seed")
        idle |= dict.fromkeys(never, "cycle is one run of SAM without noise")
        idle["method"] = "only SAM ends in a two-cycle"
    elif args.batch is not None:
        idle["sigma"] = "with --batch the noise is that of the batches"
    return idle
