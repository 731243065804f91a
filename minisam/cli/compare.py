"""``minisam compare``: methods × seeds × noise rates, as a table in the poster's form."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from minisam.cli import axes, preparing
from minisam.cli.methods import methods
from minisam.cli.parser import Refused
from minisam.cli.report import Report
from minisam.data import NoisyLabels, pair_noise, symmetric_noise
from minisam.experiments import Cell, Experiment, Results, WorkersLostError, grid, run_cells
from minisam.experiments.summary import summarize
from minisam.progress import progress_bar
from minisam.training.checkpoint import replace_file

FILE = "cells.jsonl"
CORRUPT: dict[str, Callable[..., NoisyLabels]] = {"symmetric": symmetric_noise, "pair": pair_noise}


def run(args: Namespace) -> int:
    """Run the cells that are not finished, print the tables, write them.

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
        An argument is out of range, does not go with the others, or the folder is of a comparison
        with other settings.
    OSError, ImportError
        A file, a library or a cluster is missing, or the results cannot be written.
    Refused
        The user interrupted, or workers were lost.
    """
    named = methods(args)
    seeds, rates = axes.seeds(args.seeds), axes.rates(args.noise)
    cells = grid([each.method for each in named], seeds, rates)
    if args.cluster is not None and args.jobs is not None:
        raise ValueError("--jobs is for this machine; a cluster has its workers.")
    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {args.jobs}.")
    experiment = _experiment(args)
    settings = experiment.settings()
    out = preparing.writable(Path(args.out or Path("runs", folder_name(args))))
    with Results(out / FILE, settings) as results:
        _run_missing(args, experiment, cells, results)
        by_name = {each.name: each.method for each in named}
        rows = summarize(by_name, seeds, rates, results.__getitem__)
    report = Report(args, settings, named, seeds, rows)
    print(report.as_text())
    forms = {"md": report.as_markdown, "csv": report.as_csv, "json": report.as_json}
    for suffix, form in forms.items():
        replace_file(out / f"table.{suffix}", form().encode())
    if not args.quiet:
        print(f"\nWritten: {out / 'table'}.md, .csv and .json; finished runs: {out / FILE}")
    return 0


def folder_name(args: Namespace) -> str:
    """Name the results after the settings that all cells share, so that a rerun finds them.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    str
        Table, data and model, and whatever else is not as by default. Methods, seeds and noise
        rates may change: cells that are there already are not run again.

    Examples
    --------
    >>> from minisam.cli.arguments import parse
    >>> folder_name(parse(["compare", "table1", "--seeds", "10", "--epochs", "20"]))
    'compare-table1-digits-mlp-epochs20'
    """
    axes = {"methods", "seeds", "noise", "jobs", "cluster"}
    words = ["compare", args.table, args.data, args.model]
    line = [*filter(None, [args.table]), "--model", args.model]
    words += preparing.unusual(args, axes | {"table", "data", "model"}, *line)
    return "-".join(filter(None, words))


def _experiment(args: Namespace) -> Experiment:
    examples = preparing.examples(args, 0)
    return Experiment(
        load=preparing.loader(args),
        build=partial(preparing.network, args.model, args.hidden),
        optimizer=preparing.optimizer(args),
        epochs=args.epochs,
        batch_size=args.batch_size,
        corrupt=CORRUPT[args.noise_kind],
        measured=preparing.measured(args.model, examples),
    )


def _run_missing(
    args: Namespace, experiment: Experiment, cells: Sequence[Cell], results: Results
) -> None:
    """Run what is not in the file; say in one line what was done."""
    missing = [cell for cell in cells if cell not in results]
    before, began = len(cells) - len(missing), time.perf_counter()
    bar = progress_bar(len(cells), "compare", not args.quiet, "run", initial=before)
    try:
        with bar as advance:
            for cell, result in run_cells(
                experiment, missing, jobs=args.jobs, cluster=args.cluster
            ):
                results.append(cell, result)
                advance(1)
    except KeyboardInterrupt:
        raise Refused(_kept("interrupted", args, cells, results), 130) from None
    except WorkersLostError as error:
        raise Refused(_kept(str(error), args, cells, results), 1) from error
    if not args.quiet:
        spent = f"{len(missing)} runs in {time.perf_counter() - began:.1f} s"
        print(f"{spent}, {before} before." if before else f"{spent}.", file=sys.stderr)


def _kept(why: str, args: Namespace, cells: Sequence[Cell], results: Results) -> str:
    kept = f"{sum(cell in results for cell in cells)} of {len(cells)} runs are finished and kept in"
    return f"minisam compare: {why}. {kept} {results.path}; to go on: {preparing.again(args)}"
