"""Run cells that no file has yet, so that an interruption costs only those that were running."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from minisam.cli import preparing
from minisam.cli.parser import Refused
from minisam.experiments import Cell, Results, WorkersLostError
from minisam.progress import progress_bar

Runner: TypeAlias = Callable[[Sequence[Cell]], Iterable[tuple[Cell, dict[str, Any]]]]


def run_missing(
    args: Namespace, cells: Sequence[Cell], runners: Mapping[Results, Runner], where: Path
) -> None:
    """Fill files of results, with a progress line; say in one line what was done.

    Parameters
    ----------
    args : argparse.Namespace
        Of the command.
    cells : sequence of Cell
        What each of the files is to have.
    runners : mapping from Results to callable
        For each file, what runs cells: `minisam.experiments.run_cells` of an experiment.
    where : pathlib.Path
        Where the user finds what is finished, if not all is.

    Raises
    ------
    Refused
        The user interrupted, or workers were lost; it says how to go on.
    """

    def finished() -> int:
        return sum(cell in results for cell in cells for results in runners)

    total, before, began = len(cells) * len(runners), finished(), time.perf_counter()
    try:
        with progress_bar(total, args.command, not args.quiet, "run", initial=before) as tick:
            for results, runner in runners.items():
                for cell, result in runner([cell for cell in cells if cell not in results]):
                    results.append(cell, result)
                    tick(1)
    except (KeyboardInterrupt, WorkersLostError) as error:
        why, code = ("interrupted", 130) if isinstance(error, KeyboardInterrupt) else (error, 1)
        raise Refused(
            f"minisam {args.command}: {why}. {finished()} of {total} runs are finished and kept "
            f"in {where}; to go on: {preparing.again(args)}",
            code,
        ) from error
    if not args.quiet:
        spent = f"{total - before} runs in {time.perf_counter() - began:.1f} s"
        print(f"{spent}, {before} before." if before else f"{spent}.", file=sys.stderr)
