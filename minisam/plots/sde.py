"""Figures of the SDE models: paths, weak errors, where they settle, saddles and the two-cycle."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minisam.arrays import Array
from minisam.plots.looks import looks
from minisam.plots.page import write
from minisam.sde import Cycle, Metric, Simulation, Stationary, WeakError

WIDE = (7.2, 3.6)
"""Inches: room for a legend beside the axes."""
LAST = 20
"""Steps of a two-cycle that are shown one by one."""


def paths_figure(
    runs: Simulation,
    eta: float,
    observables: Sequence[str],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw means against time, and within one standard deviation of them a band.

    The band is the algorithm's; the edges of its SDE's are thin lines, which should be those of the
    band.

    Parameters
    ----------
    runs : Simulation
        From `minisam.sde.compare`: an algorithm beside its SDEs.
    eta : float
        Step size; step k is at time kη.
    observables : sequence of str
        Which, a panel for each.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    title : str
        Above the panels.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sde import SAM, Gaussian, compare, wavy
    >>> runs, _ = compare(SAM, wavy(), Gaussian([[0.1]]), eta=0.1, rho=0.1, steps=5, paths=50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in paths_figure(runs, 0.1, ["f", "‖x‖"], f"{folder}/p")]
    ['p.png', 'p.svg']
    """

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(observables), squeeze=False)[0]
        time = eta * runs.steps
        shown = looks(runs.processes)
        for axes, observable in zip(panels, observables, strict=True):
            for process in runs.processes:
                axes.plot(time, runs.mean(process, observable), label=process, **shown[process])
            edges = [
                runs.mean(process, observable) + side * runs.std(process, observable)
                for process in runs.processes[:2]
                for side in (-1, 1)
            ]
            band, model = (shown[process]["color"] for process in runs.processes[:2])
            axes.fill_between(time, *edges[:2], color=band, alpha=0.2, linewidth=0)
            for edge in edges[2:]:
                axes.plot(time, edge, color=model, linestyle="-", linewidth=0.6)
            axes.set_xlabel("time (steps × η)")
            axes.set_ylabel(f"mean of {observable}")
        panels[0].legend()
        figure.suptitle(title)

    return write(path, draw, (3.6 * len(observables), 3.4))


def weak_error_figure(
    found: WeakError, path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw weak errors against η, both logarithmic, with four standard errors and slopes.

    Parameters
    ----------
    found : WeakError
        From `minisam.sde.weak_error`.
    path, title
        As for `paths_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> found = WeakError(
    ...     np.array([0.1, 0.05]),
    ...     {"SAM SDE": np.array([0.02, 0.01])},
    ...     {"SAM SDE": np.array([0.001, 0.001])},
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in weak_error_figure(found, f"{folder}/weak")]
    ['weak.png', 'weak.svg']
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        labels = {}
        for model in found.errors:
            order, uncertain = found.slope(model)
            labels[model] = f"{model}: slope {order:.2f} ± {uncertain:.1g}"
        _with_bars(axes, found.etas, found.errors, found.standard_errors, labels)
        axes.set_xticks(found.etas, [f"{eta:g}" for eta in found.etas])
        axes.set_xlabel("step size η")
        axes.set_ylabel("weak error, largest over all steps")
        _page(figure, title)

    return write(path, draw, WIDE)


def stationary_figure(
    found: Stationary, path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw what each model makes of the long-run mean, relative to the algorithm's, against ρ.

    Parameters
    ----------
    found : Stationary
        From `minisam.sde.stationary`.
    path, title
        As for `paths_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> one = {"SAM SDE": np.array([0.99, 0.97])}
    >>> found = Stationary(np.array([0.1, 0.2]), one, one, one, {"SAM SDE": np.zeros(2)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in stationary_figure(found, f"{folder}/settled")]
    ['settled.png', 'settled.svg']
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        _with_bars(axes, found.rhos, found.ratios, found.ratio_errors)
        axes.axhline(1, color="0.6", linestyle="-", linewidth=1, zorder=0)
        axes.set_xlabel("radius ρ")
        axes.set_ylabel("long-run mean, model / algorithm")
        _page(figure, title)

    return write(path, draw, WIDE)


def metric_figure(
    found: Metric, path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw the SDE paper's metric against ρ, with four standard errors.

    Parameters
    ----------
    found : Metric
        From `minisam.sde.metric`.
    path, title
        As for `paths_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> one = {"SAM SDE": np.array([0.01, 0.02])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = metric_figure(Metric(np.array([0.1, 0.2]), one, one), f"{folder}/metric")
    ...     [file.name for file in files]
    ['metric.png', 'metric.svg']
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        _with_bars(axes, found.rhos, found.errors, found.standard_errors)
        axes.set_xlabel("radius ρ")
        axes.set_ylabel("max |difference of mean ‖∇f‖+‖x‖| / mean")
        axes.set_ylim(bottom=0)
        _page(figure, title)

    return write(path, draw, WIDE)


def escape_figure(
    runs: Simulation, eta: float, path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw the fraction of paths that has not yet left the ball around a saddle, against time.

    Parameters
    ----------
    runs : Simulation
        From `minisam.sde.escape`.
    eta, path, title
        As for `paths_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sde import Gaussian, escape, saddle
    >>> noise = Gaussian.isotropic(0.1, 2)
    >>> runs = escape(saddle(), noise, eta=0.1, rho=0.1, radius=1.0, steps=5, paths=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in escape_figure(runs, 0.1, f"{folder}/escape")]
    ['escape.png', 'escape.svg']
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        shown = looks(runs.processes)
        for process in runs.processes:
            mean = runs.mean(process, "inside")
            axes.plot(eta * runs.steps, mean, label=process, **shown[process])
        axes.set_xlabel("time (steps × η)")
        axes.set_ylabel("fraction of paths still inside")
        axes.set_ylim(-0.02, 1.02)
        _page(figure, title)

    return write(path, draw, WIDE)


def cycle_figure(
    found: Cycle, path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw how SAM without noise ends in its two-cycle: lengths of steps, and the last iterates.

    Parameters
    ----------
    found : Cycle
        From `minisam.sde.cycle`.
    path, title
        As for `paths_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sde import cycle, quadratic
    >>> found = cycle(quadratic([[1.0]]), eta=0.5, rho=0.3, steps=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in cycle_figure(found, f"{folder}/cycle")]
    ['cycle.png', 'cycle.svg']
    """

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        steps, amplitude = len(found.halves), found.amplitude
        left.semilogy(range(1, steps + 1), found.halves, label="half a step's length")
        left.axhline(amplitude, color="0.4", linestyle="--", label="ηλρ/(2 - ηλ)")
        left.set_xlabel("step")
        left.legend()
        last = range(max(0, steps - LAST), steps + 1)
        right.plot(last, found.coordinates[last.start :], marker="o")
        for side in (amplitude, -amplitude):
            right.axhline(side, color="0.4", linestyle="--")
        right.set_xlabel("step")
        right.set_ylabel("iterate along the last step")
        figure.suptitle(title)

    return write(path, draw, (7.2, 3.4))


def _with_bars(
    axes: Any,
    x: Array,
    values: Mapping[str, Array],
    standard_errors: Mapping[str, Array],
    labels: Mapping[str, str] | None = None,
) -> None:
    """Draw models, ± 4 standard errors; the first wide and pale, seen where another lies on it."""
    wide = {"linestyle": "-", "linewidth": 6, "elinewidth": 1.8, "alpha": 0.35, "zorder": 1}
    for i, (model, look) in enumerate(looks(values).items()):
        shown = look | {"marker": "o", "capsize": 2} | (wide if i == 0 else {})
        label = labels[model] if labels else model
        axes.errorbar(x, values[model], 4 * standard_errors[model], label=label, **shown)


def _page(figure: Any, title: str) -> None:
    """Put the legend beside the axes, where it lies on no curve."""
    figure.axes[0].set_title(title)
    figure.legend(loc="outside right upper")
