"""``minisam sharpness``: trained models in every measure of sharpness, side by side."""

import json
import textwrap
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minisam.cli import preparing
from minisam.cli.measuring import Column, Measured, chunk, measure, used
from minisam.cli.parser import Refused
from minisam.cli.restoring import Restored, checkpoints, restore
from minisam.cli.sharpness_figures import draw
from minisam.plots.page import load_matplotlib
from minisam.progress import progress_bar
from minisam.sam.perturbation import conjugate
from minisam.sharpness import Estimate
from minisam.text import aligned
from minisam.training import CheckpointError
from minisam.training.checkpoint import replace_file
from minisam.training.loop import threads_for

WIDTH = 100
STEPS = 13
"""Of the progress line for each model, beside one for each eigenvalue."""


def run(args: Namespace) -> int:
    """Measure each checkpoint, and print what was found.

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
        A file or a library is missing, or the results cannot be written.
    Refused
        A file is no checkpoint, or not one of a model and data that can be restored.
    """
    if args.examples is not None and args.examples < 2:
        raise ValueError(f"--examples must be at least 2, got {args.examples}.")
    for name in ("rho", "adaptive_rho"):
        if not 0 < getattr(args, name) < np.inf:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} must be positive and finite, got {getattr(args, name):g}.")
    conjugate(args.p)
    if not args.noise:
        preparing.refuse_idle(args, {"noise-kind": "without --noise no label was made wrong"})
    if args.out is not None:
        load_matplotlib()  # all the measuring would be lost without it
        preparing.writable(Path(args.out))
    if args.json not in (None, "-"):
        if Path(args.json).is_dir():
            raise IsADirectoryError(f"--json {args.json} is a folder; name a file in it.")
        preparing.writable(Path(args.json).parent, "--json")
    try:
        paths = [path for given in args.checkpoints for path in checkpoints(Path(given))]
        models = [
            restore(path, args.data, args.root, args.noise, args.noise_kind) for path in paths
        ]
        groups = _groups(models)
    except CheckpointError as error:
        raise Refused(f"minisam sharpness: {error}", 1) from error
    for each in models:
        chunk(args, each)
        if not 1 <= args.k <= each.w.size:
            raise ValueError(
                f"--k must be in [1, {each.w.size}], the number of parameters; got {args.k}."
            )
    total = len(models) * (STEPS + args.k)
    with (
        np.errstate(all="ignore"),  # what is not finite is found, and named
        progress_bar(total, "sharpness", not args.quiet, "measure") as tick,
    ):
        columns = [
            Column(name, [_measured(args, each, tick) for each in group])
            for name, group in groups.items()
        ]
    if args.json == "-":
        print(_json(args, columns))
    else:
        print(_table(args, columns), *_notes(args, columns), sep="\n")
    if args.json not in (None, "-"):
        replace_file(Path(args.json), f"{_json(args, columns)}\n".encode())
    if args.out is not None:
        firsts = {name: group[0] for name, group in groups.items()}
        files = draw(args, firsts, Path(args.out))
        if args.json != "-":
            print("Figures:", *files, sep="\n  ")
    return 0


def _measured(args: Namespace, restored: Restored, tick: Callable[[int], Any]) -> Measured:
    with threads_for(restored.model, restored.data):
        return measure(args, restored, tick)


def _groups(models: Sequence[Restored]) -> dict[str, list[Restored]]:
    """Gather runs that differ in nothing but the seed, under short names of their own."""
    groups: dict[str, list[Restored]] = {}
    for each in models:
        aside = ("seed", "fingerprint")
        same = {key: value for key, value in each.settings.items() if key not in aside}
        groups.setdefault(json.dumps([same, each.epoch]), []).append(each)
    for group in groups.values():
        for seed, count in Counter(each.settings["seed"] for each in group).items():
            if count > 1:
                raise CheckpointError(
                    f"the same run twice, with seed {seed}: "
                    f"{', '.join(str(e.path) for e in group if e.settings['seed'] == seed)}."
                )
    firsts = [group[0] for group in groups.values()]
    for name in (
        lambda each: each.method.split()[0],
        lambda each: each.method,
        lambda each: f"{each.method}, {each.epoch} epochs",
        lambda each: f"{each.method}, {each.path}",
    ):
        names = [name(each) for each in firsts]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, groups.values(), strict=True))


def _rows(args: Namespace) -> dict[str, str]:
    """Name the rows of the table, by the names of the measures."""
    return {
        "train_loss": "train loss",
        "train_error": "train error",
        "test_loss": "test loss",
        "test_error": "test error",
        "gap": "gap, test − train loss",
        "norm": "‖w‖",
        "first_order": "first order, ρ‖g‖_q",
        "one_step": "one step, L(w + ε̂) − L(w)",
        "ball_maximum": "ball maximum",
        "average_case": "average case",
        "adaptive": "adaptive ball maximum",
        "m_sharpness": "m-sharpness",
        **{f"lambda_{i}": f"λ{i}" for i in range(1, args.k + 1)},
        "ratio": f"λ1/λ{args.k}",
        "lambda_min": "λmin",
        "trace": "tr H",
        "noise_trace": "tr Σ",
        "alignment": "alignment of Σ and H",
        "highest": "PAC-Bayes: largest error in ball",
        "bound_norm": "PAC-Bayes: norm term",
        "bound_confidence": "PAC-Bayes: confidence term",
        "bound_grid": "PAC-Bayes: grid term",
        "bound_h": "PAC-Bayes: h, root of their sum",
        "bound": "PAC-Bayes: bound on the error",
    }


def _table(args: Namespace, columns: Sequence[Column]) -> str:
    labels = _rows(args)
    contents = [column.values for column in columns]
    heads = [column.name for column in columns]
    if len(columns) == 2:
        contents.append(columns[1].over(columns[0]))
        heads.append(f"{columns[1].name} − {columns[0].name}")
    rows = [["", *heads]]
    for key, label in labels.items():
        rows.append([label, *(_cell(values.get(key)) for values in contents)])
    rest = [""] * (len(heads) - len(columns))
    rows.append(["  which is", *(_verdict(column.runs) for column in columns), *rest])
    return aligned(rows)


def _cell(value: Estimate | None) -> str:
    if value is None:
        return "–"
    if value.error <= 5e-4 * abs(value.value):  # an error bar that four digits do not show
        return f"{value.value:.4g}"
    small = 0 < abs(value.value) < 1e-4
    return f"{value.value:.3g} ± {value.error:.1g}" if small else str(value)


def _verdict(runs: Sequence[Measured]) -> str:
    vacuous = sum(run.bound.vacuous for run in runs)
    if vacuous == len(runs):
        return "vacuous"
    return f"vacuous for {vacuous} of {len(runs)}" if vacuous else "below 1"


def _notes(args: Namespace, columns: Sequence[Column]) -> list[str]:
    """Say what was measured, on what, and what ± is."""
    notes = []
    for column in columns:
        first = column.runs[0].restored
        seeds = ", ".join(str(run.restored.settings["seed"]) for run in column.runs)
        several = len(column.runs) > 1
        n, of, m = used(args, first), len(first.data.x_train), chunk(args, first)
        more = f" and {len(column.runs) - 1} more" if several else ""
        parts = [
            f"{first.path}{more}, {first.settings['data']}",
            f"d = {first.w.size:,}",
            f"{first.epoch} of {first.settings['epochs']} epochs",
            f"seeds {seeds}, ± over them" if several else f"seed {seeds}, ± within this run",
            f"sharpness and spectra on {n:,} of {of:,} training examples, m = {m}",
            f"held-out errors rise under noise, which the theorem needs: "
            f"{' or '.join(sorted({run.bound.verdict for run in column.runs}))}",
        ]
        notes.append(f"{column.name}: {'; '.join(parts)}.")
    notes += [
        f"ρ = {args.rho:g}, p = {args.p:g}; adaptive ρ = {args.adaptive_rho:g}. H is the Hessian "
        "of the loss, Σ the covariance of the examples' gradients.",
        "The bound is on the 0-1 error, at the same ρ and p = 2, with probability 0.95, on all "
        "training examples; vacuous where it is 1 or more, which is true of every error.",
        _errors(columns),
    ]
    return ["", *(textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in notes)]


def _errors(columns: Sequence[Column]) -> str:
    """Say what ± means, of the two things that it can be of a column."""
    several = [len(column.runs) > 1 for column in columns]
    what = "± is one standard error."
    if any(several):
        what += " Over seeds it is that of their mean"
        paired = len(columns) == 2 and columns[1].paired(columns[0])
        what += ", in the difference of pairs of one seed." if paired else "."
    if not all(several):
        what += (
            " Within a run it is of the examples for losses and errors, of chunks for m-sharpness, "
            "else of random draws; for eigenvalues it is the residual. It does not say how runs "
            "with other seeds differ: for that, give checkpoints of several seeds."
        )
    return what


def _json(args: Namespace, columns: Sequence[Column]) -> str:
    def plain(values: dict[str, Estimate]) -> dict[str, Any]:
        return {name: {"value": x.value, "error": x.error} for name, x in values.items()}

    content = {
        "settings": {key: getattr(args, key) for key in ("rho", "p", "adaptive_rho", "k", "seed")},
        "columns": [
            {
                "name": column.name,
                "checkpoints": [str(run.restored.path) for run in column.runs],
                "settings": [run.restored.settings for run in column.runs],
                "examples": used(args, column.runs[0].restored),
                "chunk": chunk(args, column.runs[0].restored),
                "measures": plain(column.values),
                "vacuous": [run.bound.vacuous for run in column.runs],
                "condition": [run.bound.verdict for run in column.runs],
            }
            for column in columns
        ],
    }
    if len(columns) == 2:
        content["difference"] = plain(columns[1].over(columns[0]))
    text = json.dumps(content)
    # JSON knows no infinity, which p may be, and no NaN: they become strings.
    return json.dumps(json.loads(text, parse_constant=str), indent=1, ensure_ascii=False)
