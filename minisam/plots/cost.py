"""Accuracy against what it costs: who is best for how many gradients."""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minisam.plots.looks import looks
from minisam.plots.page import write

MARKERS = "os^DvPX<>p*hd8H"


class Cost(NamedTuple):
    """A method's accuracy and cost over its seeds."""

    method: str
    """Its name."""
    accuracy: float
    """Mean test accuracy, in [0, 1]."""
    deviation: float
    """Standard deviation of the accuracy over the seeds (n - 1 in the denominator); 0 for one."""
    evaluations: float
    """Mean number of gradients of a batch."""


def costs(rows: Iterable[Mapping[str, Any]]) -> list[Cost]:
    """Average accuracy and cost over the seeds of each method.

    Parameters
    ----------
    rows : iterable of dict
        One for each run: ``method``, ``test_accuracy``, ``evaluations``; more is ignored.

    Returns
    -------
    list of Cost
        One for each method, the most accurate first.

    Raises
    ------
    ValueError
        An accuracy is not in [0, 1], or a cost not positive and finite.

    Examples
    --------
    >>> runs = [("SAM", 0.9, 20), ("SAM", 0.8, 20), ("ERM", 0.8, 10)]
    >>> for cost in costs(dict(zip(("method", "test_accuracy", "evaluations"), r)) for r in runs):
    ...     print(cost.method, round(cost.accuracy, 3), round(cost.deviation, 3), cost.evaluations)
    SAM 0.85 0.071 20.0
    ERM 0.8 0.0 10.0
    """
    runs: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        run = float(row["test_accuracy"]), float(row["evaluations"])
        if not (0 <= run[0] <= 1 and 0 < run[1] < math.inf):
            raise ValueError(
                f"costs: a run of {row['method']} has accuracy {run[0]} and {run[1]} gradients; "
                "give accuracies in [0, 1], and leave out runs that did not finish."
            )
        runs.setdefault(row["method"], []).append(run)
    found = []
    for method, pairs in runs.items():
        accuracy, evaluations = np.array(pairs).T
        deviation = float(accuracy.std(ddof=1)) if len(pairs) > 1 else 0.0
        found.append(Cost(method, float(accuracy.mean()), deviation, float(evaluations.mean())))
    return sorted(found, key=lambda cost: (-cost.accuracy, cost.evaluations))


def pareto_front(found: Iterable[Cost]) -> list[Cost]:
    """Return the methods that no other beats: as cheap and as accurate, and better in one of both.

    Parameters
    ----------
    found : iterable of Cost
        From `costs`.

    Returns
    -------
    list of Cost
        The cheapest, and so the least accurate, first.

    Examples
    --------
    >>> three = Cost("A", 0.8, 0.0, 10.0), Cost("B", 0.7, 0.0, 15.0), Cost("C", 0.9, 0.0, 20.0)
    >>> [cost.method for cost in pareto_front(three)]
    ['A', 'C']
    """
    every = sorted(found, key=lambda cost: cost.evaluations)
    return [cost for cost in every if not any(_beats(other, cost) for other in every)]


def _beats(one: Cost, other: Cost) -> bool:
    more, less = one.accuracy - other.accuracy, other.evaluations - one.evaluations
    return more >= 0 and less >= 0 and more + less > 0


def cost_figure(
    rows: Iterable[Mapping[str, Any]], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw test accuracy against gradient evaluations: mean ± standard deviation of each method.

    The line is the Pareto front: left of and above it nothing was found. Its methods are filled.
    Methods of one cost stand side by side, and the legend says so. A method that costs far more
    than the others, or is far below them, stands at the edge, with an arrow and its number; far is
    three interquartile ranges beyond the quartile (Tukey's fence). Bars end at that edge and at
    100%.

    Parameters
    ----------
    rows : iterable of dict
        As for `costs`.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    title : str
        Above the axes.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        There is no run, or one is not as `costs` needs it.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> row = {"method": "ERM", "test_accuracy": 0.9, "evaluations": 100}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = cost_figure([row], f"{folder}/cost.png")
    >>> [file.name for file in files]
    ['cost.png', 'cost.svg']
    """
    found = costs(rows)
    if not found:
        raise ValueError("cost_figure: give at least one run.")
    return write(path, lambda figure: _draw(figure, found, title), (4.8, 4.8))


def _draw(figure: Any, found: list[Cost], title: str) -> None:
    axes, front = figure.subplots(), pareto_front(found)
    right = _near([cost.evaluations for cost in found])
    low = -_near([cost.deviation - cost.accuracy for cost in found])
    wide = right - min(cost.evaluations for cost in found) or right
    edge, foot = right + 0.12 * wide, low - 0.05 * (found[0].accuracy - low)
    names = sorted(cost.method for cost in found)
    stairs, shown = [], looks(names)
    exact = [min(cost.evaluations, edge) for cost in found]
    places = _side_by_side(exact, 0.025 * wide)
    for cost, x in zip(found, places, strict=True):
        far, poor = cost.evaluations > right, cost.accuracy < low
        y = 100 * (foot if poor else cost.accuracy)
        deviation, colour = 100 * cost.deviation, shown[cost.method]["color"]
        spread = f" ± {deviation:.1f}" if deviation else ""
        axes.errorbar(
            x,
            y,
            [[min(deviation, y - 100 * foot)], [min(deviation, 100 - y)]],
            color=colour,
            elinewidth=0.8,
            linestyle="",
            marker=MARKERS[names.index(cost.method) % len(MARKERS)],  # whatever its rank
            markersize=6,
            markerfacecolor=colour if cost in front else "white",
            label=f"{cost.method} {100 * cost.accuracy:.1f}{spread}",
        )
        if cost in front:
            stairs.append((min(cost.evaluations, edge), y))
        if far:
            _beyond(axes, (x, y), (18, 0), f"{cost.evaluations:,.0f}")
        if poor:
            _beyond(axes, (x, y), (0, -18), f"{100 * cost.accuracy:.1f}")
    axes.plot(
        *zip(*sorted(stairs), strict=True), "-", color="0.7", drawstyle="steps-post", zorder=0
    )
    axes.margins(0.12)
    axes.set_xlabel("gradient evaluations (batches)")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title(title)
    moved = "\nnear-equal costs are drawn side by side, the best in place"
    aside = "" if places == exact else moved
    spread = ", mean ± std" if any(cost.deviation for cost in found) else ""
    figure.legend(
        loc="outside lower center",
        ncols=2,
        title=f"test accuracy{spread} (%); filled: on the Pareto front (grey){aside}",
        fontsize="small",
        title_fontsize="small",
    )


def _side_by_side(x: list[float], step: float) -> list[float]:
    """Move each number that is within a step of others before it to their right, or left."""
    moved: list[float] = []
    for i, value in enumerate(x):
        k = sum(abs(value - other) < step for other in x[:i])
        moved.append(value + step * ((k + 1) // 2) * (-1) ** (k + 1))
    return moved


def _near(values: list[float]) -> float:
    """Return the largest value that is not far out on this side."""
    first, third = np.percentile(values, (25, 75))
    fence = third + 3 * (third - first) if third > first else math.inf
    return max(value for value in values if value <= fence)


def _beyond(axes: Any, at: tuple[float, float], away: tuple[float, float], text: str) -> None:
    """Draw an arrow from a point at the edge to where it really is, with that number."""
    how = {"xycoords": "data", "textcoords": "offset points", "annotation_clip": False}
    arrow = {"arrowstyle": "<-", "color": "0.3", "shrinkA": 0, "shrinkB": 4}
    axes.annotate("", at, away, arrowprops=arrow, **how)
    beside = (3, 7) if away[0] else (5, -14)
    axes.annotate(text, at, beside, fontsize="small", color="0.3", **how)
