"""``minisam compare``: methods × seeds × noise rates, as a table in the poster's form."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from minisam.cli import axes, preparing
from minisam.cli.methods import Named, methods
from minisam.cli.report import Report
from minisam.cli.running import run_missing
from minisam.data import NoisyLabels, pair_noise, symmetric_noise
from minisam.experiments import Experiment, Results, grid, run_cells
from minisam.experiments.summary import summarize
from minisam.sam import Never
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
    preparing.refuse_idle(args, _idle(named, rates))
    cells = grid([each.method for each in named], seeds, rates)
    if args.cluster is not None and args.jobs is not None:
        raise ValueError("--jobs is for this machine; a cluster has its workers.")
    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {args.jobs}.")
    data = preparing.examples(args, 0)
    experiment = _experiment(args, preparing.measured(args.model, data))
    settings = experiment.settings(data)
    out = preparing.writable(Path(args.out or Path("runs", folder_name(args))))
    with Results(out / FILE, settings) as results:
        runner = partial(run_cells, experiment, jobs=args.jobs, cluster=args.cluster)
        run_missing(args, cells, {results: runner}, results.path)
        by_name = {each.name: each.method for each in named}
        rows = summarize(by_name, seeds, rates, results.__getitem__)
    report = Report(args, settings, named, seeds, rows)
    forms = {"md": report.as_markdown, "csv": report.as_csv, "json": report.as_json}
    for suffix, form in forms.items():
        replace_file(out / f"table.{suffix}", form().encode())
    print(report.as_text())
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


def _idle(named: Sequence[Named], rates: Sequence[float]) -> dict[str, str]:
    """Return the options that would change nothing, with the reason."""
    idle: dict[str, str] = {}
    if all(isinstance(each.method.policy, Never) for each in named):
        idle |= dict.fromkeys(("rho", "p"), "ERM does not climb")
    if not any(rates):
        idle["noise-kind"] = "without --noise no label is made wrong"
    return idle


def _experiment(args: Namespace, measured: int) -> Experiment:
    return Experiment(
        load=preparing.loader(args),
        build=partial(preparing.network, args.model, args.hidden),
        optimizer=preparing.optimizer(args),
        epochs=args.epochs,
        batch_size=args.batch_size,
        corrupt=CORRUPT[args.noise_kind],
        measured=measured,
    )
