"""``minisam figures``: the figures of the sources, from networks trained for them."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minisam import plots
from minisam.arrays import Array
from minisam.cli import landscapes, preparing
from minisam.cli.laboratory import TWICE, Laboratory
from minisam.plots.page import load_matplotlib
from minisam.training.loop import PARAMETERS


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
    laboratory = Laboratory(args)
    for name in wanted:
        words = preparing.unusual(args, {"figures", *_idle([name])})
        file = "-".join([name, *words]) + ".png"
        shown, (png, svg) = DRAW[name](laboratory, out / file)
        print(f"{name}: {png}, {svg.name}", *shown, sep="\n  ", flush=True)
    return 0


_Drawn = tuple[list[str], tuple[Path, Path]]


def _gradient_norms(laboratory: Laboratory, path: Path) -> _Drawn:
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


def _normality(laboratory: Laboratory, path: Path) -> _Drawn:
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


def _decisions(laboratory: Laboratory, path: Path) -> _Drawn:
    (run,) = laboratory.runs("decisions", ("AE-SAM",), 1)["AE-SAM"]
    observed, predicted = plots.climbed_fraction(run.steps)
    shown = f"climbed {observed[-1]:.1%} of {observed.size:,} steps, predicted {predicted[-1]:.1%}"
    title = f"AE-SAM: {laboratory.title(1)}"
    return [shown], plots.decisions_figure(run.steps, path, title=title)


def _cost(laboratory: Laboratory, path: Path) -> _Drawn:
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
        f"on the front: {cost.method}, {cost.accuracy:.2%} "
        + (f"± {100 * cost.deviation:.2f} " if seeds > 1 else "")
        + f"for {cost.evaluations:,.0f} gradients"
        for cost in plots.pareto_front(plots.costs(rows))
    ]
    return shown, plots.cost_figure(rows, path, title=laboratory.title(seeds))


def _schematic(_: Laboratory, path: Path) -> _Drawn:
    return [], plots.schematic_figure(path)


DRAW = {
    "gradient-norms": _gradient_norms,
    "normality": _normality,
    "decisions": _decisions,
    "cost": _cost,
    "schematic": _schematic,
    "wells": landscapes.wells,
    "trajectories": landscapes.trajectories,
    "interpolations": landscapes.interpolations,
}


ALONE = {"schematic", "wells"}
"""For which nothing is trained."""


def _idle(wanted: Sequence[str]) -> dict[str, str]:
    """Return the options that none of these figures depends on, with the reason."""
    idle = {}
    if set(wanted) <= {"normality", "decisions", *ALONE, "trajectories", "interpolations"}:
        idle["seeds"] = f"{' and '.join(wanted)} needs one seed at most, that of --seed"
    if set(wanted) <= ALONE:
        trains = ("data", "train", "test", "root", "noise", "rho", "epochs", "seed", "seeds")
        idle |= dict.fromkeys(trains, f"for {' and '.join(wanted)} nothing is trained")
    return idle
