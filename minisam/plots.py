"""Figures of training runs; the only file that knows matplotlib.

Figures are made with matplotlib's object-oriented interface: no window, no backend to choose, no
state shared with the caller's own pyplot figures.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Okabe & Ito's palette without its yellow: told apart by every common kind of colour vision, on
# paper too; the palest comes last. Line styles tell the curves apart without any colour.
COLOURS = ("#D55E00", "#0072B2", "#000000", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
DASHES = ("-", "--", ":", "-.")
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.w_pad": 0.12,  # inches, so that no label touches the edge
    "figure.dpi": 100,
    "figure.titlesize": 11,
    "font.size": 9.5,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 200,
    "svg.hashsalt": "minisam",  # with no date in the file, one run gives one and the same SVG
}


def training_figure(
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    path: str | os.PathLike[str],
    *,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw training loss and test accuracy against gradient evaluations, a curve for each run.

    The abscissa is what a run costs: at one of its values all runs have done the same work, while
    an epoch of SAM costs two of ERM.

    Parameters
    ----------
    histories : mapping from str to list of dict
        ``history`` of `minisam.training.Run`, by the name that the legend shows.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    title : str
        Above both panels.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        There is no run, or one without an epoch.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> epoch = {"evaluations": 20.0, "loss": 0.5, "test_accuracy": 0.9}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in training_figure({"ERM": [epoch]}, f"{folder}/figure.png")]
    ['figure.png', 'figure.svg']
    """
    if not histories or not all(histories.values()):
        raise ValueError("training_figure: give at least one run, each with at least one epoch.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Figures need matplotlib, which is not installed: pip install 'minisam[plots]'."
        ) from error
    png, svg = (Path(path).with_suffix(suffix) for suffix in (".png", ".svg"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.7), layout="constrained")
        loss, accuracy = figure.subplots(1, 2)
        _curves(loss, histories, "loss", 1.0)
        _curves(accuracy, histories, "test_accuracy", 100.0)
        if all(entry["loss"] > 0 for history in histories.values() for entry in history):
            loss.set_yscale("log")
        loss.set_ylabel("training loss, mean of each epoch (nats)")
        accuracy.set_ylabel("test accuracy (%)")
        accuracy.legend(loc="lower right")
        if title:
            figure.suptitle(title)
        figure.savefig(png)
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def _curves(
    axes: Any, histories: Mapping[str, Sequence[Mapping[str, float]]], key: str, scale: float
) -> None:
    for i, (name, history) in enumerate(histories.items()):
        axes.plot(
            [entry["evaluations"] for entry in history],
            [scale * entry[key] for entry in history],
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)],
            marker="o",
            markevery=[-1],  # where the run ends; a lone epoch would be no line
            label=name,
        )
    axes.set_xlabel("gradient evaluations (batches)")
    axes.set_xlim(left=0)
