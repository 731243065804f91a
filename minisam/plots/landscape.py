"""Loss landscapes: slices, planes seen from above, and the paths that lead through them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.plots.looks import looks
from minisam.plots.page import write
from minisam.sharpness.landscape import Landscape

LEVELS = 15
MANY = 100


def slices_figure(
    slices: Mapping[str, Mapping[str, Landscape]],
    path: str | os.PathLike[str],
    *,
    ylabel: str = "loss (nats)",
    log: bool = True,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw the loss along lines, a panel for each kind of line.

    Parameters
    ----------
    slices : mapping from str to mapping from str to Landscape
        For each panel, by the label of its abscissa: the curves by their names, from
        `minisam.sharpness.landscape` or `minisam.sharpness.interpolation`.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    ylabel : str
        What the values are.
    log : bool
        Whether losses are on a logarithmic scale, which shows those near 0, if all are positive.
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
        There is no panel, or what is to be drawn is no line.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sharpness import landscape
    >>> line = landscape(lambda w: (w * w).sum(), np.ones(1), [1.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in slices_figure({"t": {"w²": line}}, f"{folder}/slices")]
    ['slices.png', 'slices.svg']
    """
    lines = [line for curves in slices.values() for line in curves.values()]
    if not lines or any(line.values.ndim != 1 for line in lines):
        raise ValueError("slices_figure: give at least one panel of landscapes along lines.")
    log = log and all((line.values > 0).all() for line in lines)

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(slices), sharey=True, squeeze=False)[0]
        for axes, (label, curves) in zip(panels, slices.items(), strict=True):
            shown = looks(curves)
            for name, line in curves.items():
                axes.plot(line.steps[0], line.values, label=name, **shown[name])
            axes.set_xlabel(label)
            if log:
                axes.set_yscale("log")
        panels[0].set_ylabel(ylabel)
        panels[-1].legend()
        figure.suptitle(title)

    return write(path, draw, (max(4.8, 3.9 * len(slices)), 3.5))


def planes_figure(
    planes: Mapping[str, Landscape],
    path: str | os.PathLike[str],
    *,
    paths: Mapping[str, Mapping[str, Array]] | None = None,
    labels: tuple[str, str] = ("", ""),
    title: str = "",
) -> tuple[Path, Path]:
    """Draw planes through the parameters from above: lines of equal loss, and paths.

    All panels have the same levels, in equal steps of the logarithm of the loss, so that they can
    be compared.

    Parameters
    ----------
    planes : mapping from str to Landscape
        Each with two directions, by the title of its panel.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    paths : mapping from str to mapping from str to array, (T, 2), optional
        For a panel, by their names in the legend: coordinates, for example those of
        `minisam.sharpness.project_trajectory`. A circle is where a path ends.
    labels : (str, str)
        Of the two directions.
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
        There is no panel, what is to be drawn is no plane, or no loss in it is finite.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sharpness import landscape
    >>> plane = landscape(lambda w: 1 + (w * w).sum(), np.ones(2), np.eye(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in planes_figure({"bowl": plane}, f"{folder}/plane")]
    ['plane.png', 'plane.svg']
    """
    if not planes or any(plane.values.ndim != 2 for plane in planes.values()):
        raise ValueError("planes_figure: give at least one landscape of two directions.")
    values = np.concatenate([plane.values.ravel() for plane in planes.values()])
    values = values[np.isfinite(values)]
    if not values.size:
        raise ValueError("planes_figure: no loss is finite.")
    # Where the loss is 0, the logarithm is not; a 100,000th of the highest is low enough.
    floor = max(float(values.min()), 1e-5 * float(values.max()))
    levels = np.geomspace(floor, max(float(values.max()), 1.001 * floor), LEVELS)

    def draw(figure: Any) -> None:
        from matplotlib.colors import LogNorm

        panels = figure.subplots(1, len(planes), squeeze=False)[0]
        # The pale half of the greys, on which the colours of paths are seen.
        norm = LogNorm(levels[0], levels[-1] ** 2 / levels[0])
        for axes, (name, plane) in zip(panels, planes.items(), strict=True):
            x, y = plane.steps
            z = np.clip(plane.values.T, levels[0], levels[-1])
            shown = axes.contourf(x, y, z, levels, norm=norm, cmap="Greys")
            axes.contour(x, y, z, levels, colors="white", linewidths=0.5)
            ways = (paths or {}).get(name, {})
            colours = {label: look["color"] for label, look in looks(ways).items()}
            for label, points in ways.items():
                line = {"color": colours[label], "linestyle": "-", "linewidth": 1.2}
                # So many points that they would make a band are none to be looked at.
                dots = {"marker": ".", "markersize": 4} if len(points) <= MANY else {}
                axes.plot(*points.T, **line, **dots, label=label)
                axes.plot(*points[-1], color=colours[label], marker="o", linestyle="none")
            axes.set_title(name)
            axes.set_xlabel(labels[0])
            axes.set_xlim(x.min(), x.max())
            axes.set_ylim(y.min(), y.max())
            axes.grid(False)
        panels[0].set_ylabel(labels[1])
        known = {
            label: handle
            for axes in panels
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        if known:
            handles, names = known.values(), known.keys()
            figure.legend(handles, names, loc="outside lower center", ncols=len(known))
        bar = figure.colorbar(shown, ax=list(panels), label="loss")
        bar.ax.minorticks_off()
        ticks = np.geomspace(levels[0], levels[-1], 5)
        bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
        figure.suptitle(title)

    return write(path, draw, (1.4 + 3.4 * len(planes), 3.8))
