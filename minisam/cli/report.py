"""What ``minisam compare`` says: tables, rankings and how it was measured, in four formats."""

import json
import os
import platform
import shlex
import textwrap
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from minisam.cli.methods import Named, methods
from minisam.cli.presets import TABLES
from minisam.experiments.published import TABLE1, TABLE2
from minisam.experiments.ranking import against_published, order, printed_order, verdict
from minisam.experiments.summary import Row
from minisam.experiments.tables import Printed, noise_text, tables, to_csv, to_data

WIDTH = 100
PUBLISHED: dict[str | None, tuple[Printed, str]] = {
    None: ({}, ""),
    "table1": (TABLE1, "Table 1 (ResNet-18 on CIFAR-10)"),
    "table2": (TABLE2, "Table 2 (CIFAR-10 with label noise)"),
}


@dataclass(frozen=True)
class Report:
    """A finished comparison.

    Parameters
    ----------
    args : argparse.Namespace
        Of its command.
    settings : dict
        Of its experiment.
    named : sequence of Named
        Its methods.
    seeds : sequence of int
        Its seeds.
    rows : sequence of Row
        Its numbers.
    """

    args: Namespace
    settings: Mapping[str, Any]
    named: Sequence[Named]
    seeds: Sequence[int]
    rows: Sequence[Row]

    def as_text(self) -> str:
        """Write it for a terminal."""
        parts = [table.as_text() for table in tables(self.rows, self.printed)]
        notes = [textwrap.fill(f"{head}: {text}", WIDTH) for head, text in self._notes().items()]
        return "\n\n".join([*parts, *map(_ranking_text, self._rankings()), "\n".join(notes)])

    def as_markdown(self) -> str:
        """Write it for a page."""
        parts = [table.as_markdown() for table in tables(self.rows, self.printed)]
        parts += [f"```\n{_ranking_text(ranking)}\n```" for ranking in self._rankings()]
        notes = [f"- {head}: {text}" for head, text in self._notes().items()]
        return "\n\n".join([*parts, "\n".join(notes)]) + "\n"

    def as_csv(self) -> str:
        """Write its numbers, a line for each method and noise rate."""
        return to_csv(to_data(self.rows, self.printed))

    def as_json(self) -> str:
        """Write all of it, with the accuracy of each seed."""
        numbers = to_data(self.rows, self.printed)
        for entry, row in zip(numbers, self.rows, strict=True):
            entry["accuracy_percent_by_seed"] = dict(row.accuracies)
        content = {
            "methods": {each.name: each.call for each in self.named},
            "rows": numbers,
            "rankings": self._rankings(),
            "notes": self._notes(),
            "settings": dict(self.settings),
        }
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @property
    def printed(self) -> Printed:
        """Published numbers by the names of our methods."""
        found = PUBLISHED[self.args.table][0]
        # What has options of its own in --methods is not the method that was published.
        asked = {**vars(self.args), "methods": TABLES[self.args.table]["methods"]}
        usual = {each.call for each in methods(Namespace(**asked))} if found else set()
        return {each.name: found[each.method.name] for each in self.named if each.call in usual}

    def _rankings(self) -> list[dict[str, Any]]:
        """Say who is better, for each noise rate; nothing of one method alone."""
        rankings: list[dict[str, Any]] = []
        for rate in dict.fromkeys(row.noise for row in self.rows):
            ours = {row.method: row.accuracies for row in self.rows if row.noise == rate}
            theirs = {
                name: by_rate[rate].accuracy
                for name, by_rate in self.printed.items()
                if rate in by_rate
            }
            ranking = {"noise": rate, "here": order(ours)}
            if len(theirs) > 1:
                ranking["published"] = printed_order(theirs)
                ranking["verdict"] = verdict(against_published(ours, theirs))
            rankings.append(ranking)
        return rankings if len(self.named) > 1 else []

    def _notes(self) -> dict[str, str]:
        """Say how it was measured."""
        have, seeds = self.settings, ", ".join(map(str, self.seeds))
        notes = {
            "Trained": f"{have['model']} on {have['data']}; {have['optimizer']}; {have['epochs']} "
            f"epochs, batches of {have['batch_size']}.",
            "Methods": "; ".join(each.call for each in self.named) + ".",
            "Accuracy": "of the test examples, whose labels are true, after the last epoch; mean ± "
            f"standard deviation (ddof = 1) over n = {len(self.seeds)} seeds ({seeds}). Guessing "
            f"gives {100 / have['classes']:.3g} %. A seed decides the examples, their wrong "
            "labels, the first parameters and the batches, for all methods alike.",
            "Ranking": "≈ is a tie, within one standard error of the differences paired by seed: a "
            "weak test, by which a third of the pairs that are equal in truth, or more, differ.",
        }
        wrong = {row.noise: 100 * row.effective_noise for row in self.rows if row.noise}
        if wrong:
            rates = ", ".join(f"{rate:.4g}" for rate in wrong.values())
            notes["Noise"] = f"{have['noise']}; in effect {rates} % of the training labels."
        notes["%SAM"] = "the steps that climbed; predicted for AE-SAM's thresholds from normal s."
        notes["Gradients"] = "of a whole batch; of half of it 1/2. Passes without one do not count."
        where = "the cluster" if self.args.cluster else f"a machine of {os.cpu_count()} cores"
        notes["Seconds"] = "of one run in one process with one BLAS thread, tests after each epoch "
        notes["Seconds"] += f"included, on {where}."
        notes["λmax"] = "the largest eigenvalue of the Hessian of the loss, over "
        notes["λmax"] += f"{have['measured']:,} training examples with the labels trained on."
        if self.printed:
            notes["Published"] = (
                f"AE-SAM poster (Jiang et al. 2023), {PUBLISHED[self.args.table][1]}"
            )
            notes["Published"] += ": at another scale, and nothing here is tuned to agree."
        notes["Command"] = shlex.join(["minisam", *self.args.argv])
        notes["Versions"] = f"minisam {_version()}, NumPy {np.__version__}, "
        notes["Versions"] += f"Python {platform.python_version()}, {platform.platform()}."
        return notes


def _ranking_text(ranking: Mapping[str, Any]) -> str:
    lines = [f"Ranking by accuracy, {noise_text(ranking['noise'])}"]
    if "published" in ranking:
        lines.append(f"  published  {ranking['published']}")
    lines.append(f"  here       {ranking['here']}")
    return "\n".join([*lines, *([ranking["verdict"]] if "verdict" in ranking else [])])


def _version() -> str:
    try:
        return version("minisam")
    except PackageNotFoundError:
        return "without being installed"
