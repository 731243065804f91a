"""Training loss and test accuracy against what they cost."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minisam.plots.looks import looks
from minisam.plots.page import write


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

    def draw(figure: Any) -> None:
        loss, accuracy = figure.subplots(1, 2)
        _curves(loss, histories, "loss", 1.0)
        _curves(accuracy, histories, "test_accuracy", 100.0)
        if all(entry["loss"] > 0 for history in histories.values() for entry in history):
            loss.set_yscale("log")
        loss.set_ylabel("training loss, mean of each epoch (nats)")
        accuracy.set_ylabel("test accuracy (%)")
        handles, names = loss.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names))
        if title:
            figure.suptitle(title)

    return write(path, draw, (9.0, 3.7))


def _curves(
    axes: Any, histories: Mapping[str, Sequence[Mapping[str, float]]], key: str, scale: float
) -> None:
    shown = looks(histories)
    for name, history in histories.items():
        axes.plot(
            [entry["evaluations"] for entry in history],
            [scale * entry[key] for entry in history],
            marker="o",
            markevery=[-1],  # where the run ends; a lone epoch would be no line
            label=name,
            **shown[name],
        )
    axes.set_xlabel("gradient evaluations (batches)")
    axes.set_xlim(left=0)
