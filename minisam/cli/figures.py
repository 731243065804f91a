"""``minisam figures``: the figures of the sources, from networks trained for them."""

import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from minisam import data, nn, optimizers, plots, sam
from minisam.arrays import Array
from minisam.cli import preparing
from minisam.cli.methods import MAKE
from minisam.data import Dataset
from minisam.nn.layer import Layer
from minisam.plots.page import load_matplotlib
from minisam.progress import with_progress
from minisam.sam import Method
from minisam.training import Run, train
from minisam.training.examples import Examples
from minisam.training.loop import MASKS, PARAMETERS

BATCH_SIZE = 60
BATCHES = 1000
"""Mini-batches at one w. From one draw of these to another, skewness still varies by about 0.2."""
TWICE = "ERM, twice the epochs"


def run(args: Namespace) -> int:
    """Train what the figures need, draw them, and print what they show.

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
        An argument is out of range.
    OSError, ImportError
        A file or a library is missing, or the figures cannot be written.
    DivergedError
        As `minisam.train`.
    """
    load_matplotlib()  # minutes of training would be lost without it
    if args.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {args.seeds}.")
    wanted = args.figures or list(DRAW)
    preparing.refuse_idle(args, _idle(wanted))
    out = preparing.writable(Path(args.out))
    out.mkdir(parents=True, exist_ok=True)
    laboratory = _Laboratory(args)
    for name in wanted:
        words = preparing.unusual(args, {"figures", *_idle([name])})
        file = "-".join([name, *words]) + ".png"
        shown, (png, svg) = DRAW[name](laboratory, out / file)
        print(f"{name}: {png}, {svg.name}", *shown, sep="\n  ", flush=True)
    return 0


@dataclass
class _Laboratory:
    """The networks of one command; each is trained when it is first asked for."""

    args: Namespace
    done: dict[tuple[str, int], Run] = field(default_factory=dict)

    @cached_property
    def data(self) -> list[Dataset]:
        """The examples of each seed."""
        args, found = self.args, []
        for seed in range(args.seed, args.seed + args.seeds):
            examples = data.load(
                args.data, root=args.root, train=args.train, test=args.test, seed=seed
            )
            y = data.symmetric_noise(examples.y_train, examples.classes, args.noise, seed).y
            found.append(replace(examples, y_train=y))
        return found

    @cached_property
    def model(self) -> Layer:
        """The network that ``minisam train`` trains by default."""
        inputs = math.prod(self.data[0].x_train.shape[1:])
        return nn.mlp([inputs, 64, 64, self.data[0].classes])

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every method by its name, as it is by default but for ρ."""
        rho = self.args.rho
        every = [make(**({"rho": rho} if "rho" in takes else {})) for make, takes in MAKE.values()]
        # Bit for bit the same, and they record the norms of their gradients.
        recording = {
            "SAM": sam.AESAM(rho, -math.inf, -math.inf),
            "ERM": sam.AESAM(rho, math.inf, math.inf),
        }
        return {method.name: method for method in every} | recording

    def runs(self, what: str, names: Sequence[str], seeds: int) -> dict[str, list[Run]]:
        """Return a run of each method for each of the first seeds."""
        wanted = [(name, i) for name in names for i in range(seeds)]
        todo = [key for key in wanted if key not in self.done]
        show = not self.args.quiet and bool(todo)
        for k in with_progress(range(len(todo)), len(todo), what, show, "run"):
            self.done[todo[k]] = self._trained(*todo[k])
        return {name: [self.done[name, i] for i in range(seeds)] for name in names}

    def _trained(self, name: str, i: int) -> Run:
        twice = name == TWICE
        return train(
            self.model,
            self.data[i],
            self.methods["ERM" if twice else name],
            optimizers.SGD(optimizers.cosine(0.1), 0.9, weight_decay=5e-4),
            epochs=self.args.epochs * (1 + twice),
            batch_size=BATCH_SIZE,
            seed=self.args.seed + i,
            progress=False,
        )

    def losses(self) -> Iterator[Examples]:
        """Yield the losses of independent mini-batches of the first seed's training examples."""
        examples, seed = self.data[0], self.args.seed
        n = len(examples.x_train)
        for i in range(BATCHES):
            rows = np.random.default_rng((seed, i)).choice(n, min(BATCH_SIZE, n), replace=False)
            yield Examples(self.model, nn.cross_entropy, examples, (seed, MASKS, i), rows)

    def title(self, seeds: int) -> str:
        """Say what was trained."""
        args = self.args
        noise = f", {args.noise:.0%} wrong labels" if args.noise else ""
        which = f"{seeds} seeds" if seeds > 1 else f"seed {args.seed}"
        return f"{args.data}{noise}, ρ = {args.rho:g}, {which}"


_Drawn = tuple[list[str], tuple[Path, Path]]


def _gradient_norms(laboratory: _Laboratory, path: Path) -> _Drawn:
    seeds, epochs = laboratory.args.seeds, laboratory.args.epochs
    runs = laboratory.runs("gradient-norms", ("SAM", "ERM"), seeds)
    norms = {
        name: np.array([plots.epoch_means(run.steps["s"], epochs) for run in group])
        for name, group in runs.items()
    }
    shown = [
        f"{name}: mean ‖g_B‖² {values[:, -1].mean():.3g} in the last epoch, "
        f"{values[:, epochs // 2].mean():.3g} in epoch {epochs // 2 + 1}"
        for name, values in norms.items()
    ]
    return shown, plots.gradient_norms_figure(norms, path, title=laboratory.title(seeds))


def _normality(laboratory: _Laboratory, path: Path) -> _Drawn:
    args = laboratory.args
    (after,) = laboratory.runs("normality", ("AE-SAM",), 1)["AE-SAM"]
    points: dict[str, Array] = {
        "before training": laboratory.model.init((args.seed, PARAMETERS), after.w.dtype),
        f"after {args.epochs} epochs": after.w,
    }
    samples = {name: plots.squared_norms(laboratory.losses(), w) for name, w in points.items()}
    shown = []
    for name, sample in samples.items():
        found = plots.normality_test(sample)
        shown.append(
            f"{name}, {sample.size:,} batches: skewness {found.skewness:.2f}, "
            f"excess kurtosis {found.kurtosis:.2f}, Jarque–Bera {found.jarque_bera:,.0f}, "
            f"Q–Q correlation {found.correlation:.3f}"
        )
    return shown, plots.normality_figure(samples, path, title=f"AE-SAM: {laboratory.title(1)}")


def _decisions(laboratory: _Laboratory, path: Path) -> _Drawn:
    (run,) = laboratory.runs("decisions", ("AE-SAM",), 1)["AE-SAM"]
    observed, predicted = plots.climbed_fraction(run.steps)
    shown = f"climbed {observed[-1]:.1%} of {observed.size:,} steps, predicted {predicted[-1]:.1%}"
    title = f"AE-SAM: {laboratory.title(1)}"
    return [shown], plots.decisions_figure(run.steps, path, title=title)


def _cost(laboratory: _Laboratory, path: Path) -> _Drawn:
    seeds = laboratory.args.seeds
    names = (*laboratory.methods, TWICE)  # the fair rival of whatever costs two gradients
    rows = [
        {
            "method": name,
            "test_accuracy": run.history[-1]["test_accuracy"],
            "evaluations": run.evaluations,
        }
        for name, group in laboratory.runs("cost", names, seeds).items()
        for run in group
    ]
    shown = [
        f"on the front: {cost.method}, {cost.accuracy:.2%} ± {100 * cost.deviation:.2f} "
        f"for {cost.evaluations:,.0f} gradients"
        for cost in plots.pareto_front(plots.costs(rows))
    ]
    return shown, plots.cost_figure(rows, path, title=laboratory.title(seeds))


def _schematic(_: _Laboratory, path: Path) -> _Drawn:
    return [], plots.schematic_figure(path)


DRAW = {
    "gradient-norms": _gradient_norms,
    "normality": _normality,
    "decisions": _decisions,
    "cost": _cost,
    "schematic": _schematic,
}


def _idle(wanted: Sequence[str]) -> dict[str, str]:
    """Return the options that none of these figures depends on, with the reason."""
    idle = {}
    if set(wanted) <= {"normality", "decisions", "schematic"}:
        idle["seeds"] = f"{' and '.join(wanted)} needs one seed at most, that of --seed"
    if set(wanted) == {"schematic"}:
        trains = ("data", "train", "test", "root", "noise", "rho", "epochs", "seed", "seeds")
        idle |= dict.fromkeys(trains, "for schematic nothing is trained")
    return idle
