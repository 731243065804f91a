"""``minisam batchsizes``: which measure of sharpness predicts the generalisation gap."""

import json
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minisam import sam
from minisam.cli import axes, preparing
from minisam.cli.parser import Refused
from minisam.cli.running import run_missing
from minisam.data import symmetric_noise
from minisam.experiments import Cell, Experiment, Results, grid, run_cells
from minisam.experiments.batchsizes import CHUNK, run_to_target
from minisam.experiments.correlation import Correlation, correlate
from minisam.experiments.summary import spread
from minisam.optimizers import SGD
from minisam.text import aligned
from minisam.training.checkpoint import replace_file

WIDTH = 100
MEASURES = {
    "norm": "‖w‖",
    "first_order": "first order",
    "one_step": "one step (SAM's)",
    "ball_maximum": "ball maximum",
    "average_case": "average case",
    "adaptive": "adaptive ball",
    "m_sharpness": "m-sharpness",
    "lambda_1": "λmax",
    "trace": "tr H",
    "noise_trace": "tr Σ",
}
ENDS = {
    "epochs": ("epochs", "{:.0f}"),
    "train_loss": ("train loss", "{:.4f}"),
    "train_accuracy": ("train accuracy, %", "{:.2f}"),
    "test_loss": ("test loss", "{:.3f}"),
    "test_accuracy": ("test accuracy, %", "{:.1f}"),
    "gap": ("test − train loss", "{:.3f}"),
}


def run(args: Namespace) -> int:
    """Train with each batch size and seed, and print what sharpness has to do with the gap.

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
        An argument is out of range, or the folder is of an experiment with other settings.
    OSError, ImportError
        A file or a library is missing, or the results cannot be written.
    Refused
        The user interrupted, workers were lost, or too few runs reached the target.
    """
    sizes, seeds = _sizes(args.batch_sizes), axes.seeds(args.seeds)
    cells = grid([sam.ERM()], seeds, [args.noise])
    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {args.jobs}.")
    for name in ("target", "rho"):
        if not 0 < getattr(args, name) < np.inf:
            raise ValueError(f"--{name} must be positive and finite, got {getattr(args, name):g}.")
    data = preparing.examples(args, 0)
    measured = preparing.measured(args.model, data)
    if measured < 2 * CHUNK:
        raise ValueError(
            f"the m-sharpness is of two or more chunks of {CHUNK} examples, of which there are "
            f"{measured}. Raise --train to at least {2 * CHUNK}."
        )
    experiments = {size: _experiment(args, size, measured) for size in sizes}
    out = preparing.writable(Path(args.out or Path("runs", folder_name(args))))
    settings = experiments[sizes[0]].settings(data) | _settings(args)
    found = _run_missing(args, experiments, cells, out, settings)
    runs = [each for each in found if each.get("reached")]
    if len({each["seed"] for each in runs}) < 2 or len({each["batch"] for each in runs}) < 2:
        raise Refused(
            f"minisam batchsizes: {len(runs)} of {len(found)} runs reached 100% and a loss of "
            f"{args.target:g}, not two seeds and batch sizes. Raise --epochs, --target or --lr.",
            1,
        )
    correlations = {name: _correlations(runs, name) for name in MEASURES}
    tables = [_ends(runs, sizes), _correlation_table(correlations)]
    print(*tables, _notes(args, len(found), runs), sep="\n\n")
    text = json.dumps({"settings": _settings(args), "runs": found}, indent=1)
    replace_file(out / "batchsizes.json", f"{text}\n".encode())
    figure = _figure(args, runs, out)
    if not args.quiet:
        print(f"\n{figure}\nRuns: {out / 'batchsizes.json'}")
    return 0


def folder_name(args: Namespace) -> str:
    """Name the results after the settings; batch sizes and seeds may change, and add to them.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    str
        Data and model, and whatever else is not as by default.

    Examples
    --------
    >>> from minisam.cli.arguments import parse
    >>> folder_name(parse(["batchsizes", "--noise", "0.4"]))
    'batchsizes-digits-mlp-noise0.4'
    """
    aside = {"batch_sizes", "seeds", "jobs", "data", "model"}
    return "-".join(["batchsizes", args.data, args.model, *preparing.unusual(args, aside)])


def _sizes(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    sizes = [int(word) for word in words if word.isdecimal()]
    if len(sizes) < len(words) or 0 in sizes or len(set(sizes)) < max(2, len(sizes)):
        raise ValueError(f"--batch-sizes is {text!r}; write two or more different ones, as 8,64.")
    return sorted(sizes)


def _experiment(args: Namespace, size: int, measured: int) -> Experiment:
    return Experiment(
        load=preparing.loader(args),
        build=partial(preparing.network, args.model, args.hidden),
        optimizer=SGD(args.lr),
        epochs=args.epochs,
        batch_size=size,
        corrupt=symmetric_noise,
        measured=measured,
    )


def _settings(args: Namespace) -> dict[str, float]:
    return {"target": args.target, "rho": args.rho, "chunk": CHUNK}


def _run_missing(
    args: Namespace,
    experiments: dict[int, Experiment],
    cells: Sequence[Cell],
    out: Path,
    settings: dict[str, Any],
) -> list[dict[str, Any]]:
    """Run what is not in the files, one of which each batch size has; give all that was found."""
    measure = partial(run_to_target, target=args.target, rho=args.rho)
    with ExitStack() as stack:
        files = {
            size: stack.enter_context(
                Results(out / f"batch{size}.jsonl", settings | {"batch_size": size})
            )
            for size in experiments
        }
        runners = {
            results: partial(run_cells, experiments[size], jobs=args.jobs, run=measure)
            for size, results in files.items()
        }
        run_missing(args, cells, runners, out)
        return [
            {"batch": size, "seed": cell.seed, **results[cell]}
            for size, results in files.items()
            for cell in cells
        ]


def _ends(runs: Sequence[dict[str, Any]], sizes: Sequence[int]) -> str:
    """Average what came out over the seeds, a column for each batch size."""
    by_size = {size: [run for run in runs if run["batch"] == size] for size in sizes}
    by_size = {size: group for size, group in by_size.items() if group}
    rows = [["batch size", *map(str, by_size)]]
    rows.append(["runs", *(str(len(group)) for group in by_size.values())])
    named = ENDS | {name: (label, "{:.2g}") for name, label in MEASURES.items()}
    for name, (label, form) in named.items():
        cells = []
        for group in by_size.values():
            unit = 100 if label.endswith("%") else 1
            mean, std = spread(unit * run[name] for run in group)
            cells.append(f"{form.format(mean)} ± {form.format(std)}")
        rows.append([label, *cells])
    return "Means ± standard deviations over the seeds\n" + aligned(rows)


def _correlations(runs: Sequence[dict[str, Any]], name: str) -> tuple[Correlation, Correlation]:
    seeds = [run["seed"] for run in runs]
    values = [run[name] for run in runs]
    loss, error = ([run[gap] for run in runs] for gap in ("gap", "error_gap"))
    return correlate(values, loss, seeds), correlate(values, error, seeds)


def _correlation_table(correlations: dict[str, tuple[Correlation, Correlation]]) -> str:
    rows = [["", "gap in loss", "within a seed", "gap in error", "within a seed"]]
    for name, pair in correlations.items():
        row = [MEASURES[name]]
        for found in pair:
            for each in (found.pooled, found.within):
                if each is None or np.isnan(each.value):
                    row.append("–")
                else:
                    error = "–" if np.isnan(each.error) else f"{each.error:.2f}"
                    row.append(f"{each.value:+.2f} ± {error}")
        rows.append(row)
    return "Spearman's rank correlation of sharpness and gap\n" + aligned(rows)


def _notes(args: Namespace, total: int, runs: Sequence[dict[str, Any]]) -> str:
    notes = [
        f"{len(runs)} of {total} runs reached 100% training accuracy and a training loss of "
        f"{args.target:g} within {args.epochs:,} epochs, and are compared at the first epoch that "
        "did.",
        f"Sharpness at ρ = {args.rho:g}, with the labels trained on, of which {args.noise:.0%} are "
        f"wrong; m = {CHUNK}; the adaptive ball has ρ = 0.5.",
        "The gap is test minus train, of all runs together; within a seed, the mean over the seeds "
        "of the correlation among the runs of one, which share examples, labels and first "
        "parameters. ± is one standard error over the seeds, and for all runs together takes "
        "three. A correlation is no cause: batch size "
        "changes the gap and the measures at once.",
    ]
    return "\n".join(textwrap.fill(note, WIDTH) for note in notes)


def _figure(args: Namespace, runs: Sequence[dict[str, Any]], out: Path) -> str:
    from minisam.plots import predictors_figure

    shown = [name for name in MEASURES if name not in ("first_order", "m_sharpness")]
    title = f"{args.model} on {args.train or 'all'} examples of {args.data}"
    title += f", {args.noise:.0%} wrong labels, train loss {args.target:g}" if args.noise else ""
    try:
        png, svg = predictors_figure(
            {MEASURES[name]: [run[name] for run in runs] for name in shown},
            [run["gap"] for run in runs],
            [run["batch"] for run in runs],
            out / "predictors.png",
            title=title,
        )
    except ImportError as error:
        return f"No figure. {error}"
    return f"Figure: {png}, {svg.name}"
