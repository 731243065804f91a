"""Tables in the poster's form, as text, Markdown, CSV and JSON."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minisam.experiments.published import Published
from minisam.experiments.summary import Row
from minisam.text import aligned

Printed = Mapping[str, Mapping[float, Published]]
"""Published numbers, by the names that methods have in our table, and by noise rate."""
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Strings in rows and columns.

    Attributes
    ----------
    title : str
        One line.
    head : sequence of str
        Names of the columns.
    rows : sequence of sequence of str
        As many cells each.

    Examples
    --------
    >>> table = Table("Accuracy", ["method", "%"], [["ERM", "97.8"], ["SAM", "98"]])
    >>> print(table.as_text())
    Accuracy
    method     %
    ------------
    ERM     97.8
    SAM       98
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_text(self) -> str:
        """Align the columns: the first to the left, the others to the right."""
        return f"{self.title}\n{aligned([self.head, *self.rows])}"

    def as_markdown(self) -> str:
        """Write it with pipes, the title in bold above."""
        rule = ["---"] + ["---:"] * (len(self.head) - 1)
        lines = (f"| {' | '.join(line)} |" for line in [self.head, rule, *self.rows])
        return "\n".join([f"**{self.title}**", "", *lines])


Column = tuple[str, list[str]]


def tables(rows: Sequence[Row], published: Printed) -> list[Table]:
    """Arrange rows as the poster does: one table at one noise rate, and three at several.

    Parameters
    ----------
    rows : sequence of Row
        From `summarize`.
    published : mapping
        What stands beside ours; may be empty.

    Returns
    -------
    list of Table
        At one rate: accuracy, %SAM, cost and λmax of each method (Table 1). At several: accuracy
        by rate (Table 2), %SAM by rate, and λmax by rate with the cost.

    Examples
    --------
    See `summarize` for how rows are made.
    """
    at = {(row.method, row.noise): row for row in rows}
    names = list(dict.fromkeys(row.method for row in rows))
    rates = list(dict.fromkeys(row.noise for row in rows))

    def ours(head: str, rate: float, form: Callable[[Row], str]) -> Column:
        return head, [form(at[name, rate]) for name in names]

    def theirs(rate: float, form: Callable[[Published], str]) -> list[Column]:
        found = [published.get(name, {}).get(rate) for name in names]
        cells = [NOTHING if each is None else form(each) for each in found]
        return [("published", cells)] if any(found) else []

    def table(title: str, columns: Sequence[Column]) -> Table:
        cells = zip(names, *(column for _, column in columns), strict=True)
        return Table(title, ["method", *(head for head, _ in columns)], list(map(list, cells)))

    accuracy, climbed, cost, sharpness = [], [], [], []
    for rate in rates:
        what = noise_text(rate)
        accuracy += [ours(what, rate, _accuracy), *theirs(rate, _printed)]
        climbed += [ours(what, rate, lambda row: _number(row.climbed.mean, ".1f"))]
        climbed += theirs(rate, lambda printed: f"{printed.climbed:.1f}")
        sharpness += [ours(what, rate, lambda row: _number(row.lambda_max.mean, ".3g"))]
    if any(row.predicted is not None for row in rows):
        climbed += [ours("predicted", rates[0], lambda row: _number(row.predicted, ".1f"))]
    for head, key, form in (("gradients", "evaluations", ",.0f"), ("seconds", "seconds", ".2f")):
        means = [[getattr(at[name, rate], key).mean for rate in rates] for name in names]
        cost += [(head, [_number(math.fsum(each) / len(each), form) for each in means])]
    if len(rates) > 1:
        return [
            table("Test accuracy, %", accuracy),
            table("%SAM: steps that climbed, %", climbed),
            table("λmax; and the cost of a run, mean over the noise rates", sharpness + cost),
        ]
    for column, head in ((accuracy, "accuracy, %"), (climbed, "%SAM"), (sharpness, "λmax")):
        column[0] = (head, column[0][1])
    return [table(noise_text(rates[0]).capitalize(), accuracy + climbed + cost + sharpness)]


def noise_text(rate: float) -> str:
    """Name a noise rate.

    Parameters
    ----------
    rate : float
        In [0, 1).

    Returns
    -------
    str
        For a title or the head of a column.

    Examples
    --------
    >>> noise_text(0), noise_text(0.2)
    ('no noise', 'noise 20 %')
    """
    return f"noise {100 * rate:g} %" if rate else "no noise"


def to_data(rows: Sequence[Row], published: Printed) -> list[dict[str, Any]]:
    """Return rows as plain data, ready for `json.dumps`: with all digits, and what print says.

    Parameters
    ----------
    rows : sequence of Row
        From `summarize`.
    published : mapping
        What stands beside ours; may be empty.

    Returns
    -------
    list of dict
        Strings, numbers and None, in one order of keys; what is not known is None.

    Examples
    --------
    See `summarize` for how rows are made.
    """
    data = []
    for row in rows:
        entry: dict[str, Any] = {
            "method": row.method,
            "noise": row.noise,
            "effective_noise": row.effective_noise,
            "seeds": len(row.accuracies),
            "diverged": row.diverged,
        }
        spreads = {"accuracy_percent": row.accuracy, "sam_percent": row.climbed}
        spreads |= {"gradients": row.evaluations, "seconds": row.seconds}
        for name, over in (spreads | {"lambda_max": row.lambda_max}).items():
            entry |= {f"{name}_mean": _known(over.mean), f"{name}_std": _known(over.std)}
        entry["predicted_sam_percent"] = row.predicted
        printed = published.get(row.method, {}).get(row.noise)
        entry["published_accuracy_percent"] = printed and printed.accuracy
        entry["published_accuracy_std"] = printed and printed.std
        entry["published_sam_percent"] = printed and printed.climbed
        data.append(entry)
    return data


def to_csv(data: Sequence[Mapping[str, Any]]) -> str:
    r"""Write plain data as CSV, a line for each row; None is an empty field.

    Parameters
    ----------
    data : sequence of dict
        From `to_data`.

    Returns
    -------
    str
        With a head line.

    Examples
    --------
    >>> to_csv([{"method": "ERM", "seconds_std": None}])
    'method,seconds_std\nERM,\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(data[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(data)
    return text.getvalue()


def _known(x: float) -> float | None:
    return None if math.isnan(x) else x


def _number(x: float | None, form: str) -> str:
    return NOTHING if x is None or math.isnan(x) else f"{x:{form}}"


def _accuracy(row: Row) -> str:
    if not row.accuracies:
        return "diverged"
    note = f" ({row.diverged} diverged)" if row.diverged else ""
    return _with_std(row.accuracy.mean, _known(row.accuracy.std)) + note


def _printed(printed: Published) -> str:
    return _with_std(printed.accuracy, printed.std)


def _with_std(mean: float, std: float | None) -> str:
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"
