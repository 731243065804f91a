"""Sharpness in pictures: spectra of the Hessian, and how high the loss rises in a ball."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.plots.looks import looks
from minisam.plots.page import write
from minisam.sharpness.density import Density

DEPTH = 1e-6
"""The least density that is shown, beside the largest."""


def spectra_figure(
    densities: Mapping[str, Density], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw how the eigenvalues of Hessians are distributed, on a logarithmic scale.

    Parameters
    ----------
    densities : mapping from str to Density
        `minisam.sharpness.spectral_density` of each model, by its name in the legend. All are
        smoothed by a Gaussian of the same width, 1 % of the widest range.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    title : str
        Above the panel.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        There is no density.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> density = Density(np.array([[0.0, 2.0]]), np.array([[0.75, 0.25]]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in spectra_figure({"ERM": density}, f"{folder}/spectrum")]
    ['spectrum.png', 'spectrum.svg']
    """
    if not densities:
        raise ValueError("spectra_figure: give at least one density.")
    nodes = np.concatenate([density.nodes.ravel() for density in densities.values()])
    width = 0.01 * float(np.ptp(nodes)) or 0.01
    x = np.linspace(nodes.min() - 5 * width, nodes.max() + 5 * width, 1000)

    def draw(figure: Any) -> None:
        axes, shown = figure.subplots(), looks(densities)
        highest = 0.0
        for name, density in densities.items():
            y = density(x, width)
            highest = max(highest, float(y.max()))
            axes.plot(x, y, label=f"{name}: largest {density.nodes.max():.3g}", **shown[name])
        axes.set_yscale("log")
        axes.set_ylim(DEPTH * highest, 3 * highest)
        axes.set_xlabel("eigenvalue of the Hessian (nats per unit²)")
        axes.set_ylabel("density of eigenvalues")
        axes.legend()
        figure.suptitle(title)

    return write(path, draw)


def rises_figure(
    rho: Sequence[float] | Array,
    rises: Mapping[str, Mapping[str, Sequence[float]]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw how much the loss rises in a ball, against its radius.

    Parameters
    ----------
    rho : sequence of float
        Radii.
    rises : mapping from str to mapping from str to sequence of float
        For each model, by what it was measured: a rise at each radius. Models have colours,
        measures styles of line.
    path, title
        As for `spectra_figure`.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Examples
    --------
    >>> import tempfile
    >>> rises = {"SAM": {"ball maximum": [0.2, 0.5], "one step": [0.2, 0.4]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in rises_figure([0.1, 0.2], rises, f"{folder}/ball")]
    ['ball.png', 'ball.svg']
    """

    def draw(figure: Any) -> None:
        axes, shown = figure.subplots(), looks(rises)
        for name, measured in rises.items():
            for (what, values), style in zip(measured.items(), ("-", "--", ":"), strict=False):
                look = shown[name] | {"linestyle": style}
                axes.plot(rho, values, label=f"{name}, {what}", **look)
        axes.set_xscale("log")
        # A minimum that is not quite one may have a point without any rise.
        least = min(min(values) for each in rises.values() for values in each.values())
        axes.set_yscale("log" if least > 0 else "linear")
        axes.set_xlabel(r"radius $\rho$")
        axes.set_ylabel("rise of the loss (nats)")
        axes.legend(fontsize="small")
        figure.suptitle(title)

    return write(path, draw)
