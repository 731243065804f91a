"""Measures of sharpness against the generalisation gap, in colours of the batch size."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.plots.page import write

COLUMNS = 4


def predictors_figure(
    measured: Mapping[str, Sequence[float] | Array],
    gap: Sequence[float] | Array,
    batch_sizes: Sequence[int] | Array,
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw the gap of each run against each measure of it, a panel for each measure.

    Parameters
    ----------
    measured : mapping from str to sequence of float, (runs,)
        By the title of the panel; on a logarithmic scale if all are positive.
    gap : sequence of float, (runs,)
        Test loss minus training loss.
    batch_sizes : sequence of int, (runs,)
        What gives a run its colour.
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
    ValueError
        There is no measure, or the runs differ in number.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = predictors_figure({"λ1": [1.0, 2.0]}, [0.5, 0.6], [8, 64], f"{folder}/gap")
    ...     [file.name for file in found]
    ['gap.png', 'gap.svg']
    """
    gap, sizes = np.asarray(gap), np.asarray(batch_sizes)
    values = {name: np.asarray(each) for name, each in measured.items()}
    if not values or any(each.shape != gap.shape for each in (*values.values(), sizes)):
        raise ValueError("predictors_figure: give at least one measure, and each for all runs.")
    across = min(COLUMNS, len(values))
    down = -(-len(values) // across)

    def draw(figure: Any) -> None:
        from matplotlib.ticker import LogLocator, MaxNLocator

        panels = figure.subplots(down, across, sharey=True, squeeze=False)
        known = np.unique(sizes)
        colours = _ramp(len(known))
        for i, axes in enumerate(panels.ravel()):
            if i >= len(values):
                axes.set_visible(False)
                continue
            name = list(values)[i]
            for size, colour in zip(known, colours, strict=True):
                rows = sizes == size
                axes.plot(
                    values[name][rows],
                    gap[rows],
                    color=colour,
                    linestyle="none",
                    marker="o",
                    label=f"{size}",
                )
            if (values[name] > 0).all() and np.ptp(np.log(values[name])) > 1:
                axes.set_xscale("log")
                decade = values[name].max() >= 10 * values[name].min()
                ticks = LogLocator(subs=(1.0, 3.0)) if decade else MaxNLocator(3)
                axes.xaxis.set_major_locator(ticks)
                axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
                axes.xaxis.set_minor_formatter(lambda *_: "")
            axes.set_title(name)
        for axes in panels[:, 0]:
            axes.set_ylabel("test − train loss (nats)")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            title="batch size",
            loc="outside lower center",
            ncols=len(known),
            handletextpad=0,
        )
        figure.suptitle(title)

    return write(path, draw, (2.3 * across + 0.6, 2.3 * down + 1.0))


def _ramp(n: int) -> Array:
    """Return colours from light to dark: an order that is seen without any hue."""
    from matplotlib import colormaps

    ramp: Array = colormaps["viridis_r"](np.linspace(0.1, 1, n))
    return ramp
