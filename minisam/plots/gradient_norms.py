"""How large the gradients of mini-batches are along training: the AE-SAM poster's Figure 1."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.plots.looks import looks
from minisam.plots.page import write


def epoch_means(s: Array, epochs: int) -> Array:
    """Average the numbers of a run's steps over each epoch.

    Of ``Run.steps["s"]`` this estimates E_B ‖∇L(B; w_t)‖², each batch's at its own w_t. Every run
    of `minisam.sam.AESAM` records it: λ₁ = λ₂ = inf is ERM, -inf is SAM, bit for bit.

    Parameters
    ----------
    s : array, (steps,)
        One number a step.
    epochs : int
        Epochs of the run, all of as many steps.

    Returns
    -------
    array, (epochs,)
        Means.

    Raises
    ------
    ValueError
        The steps are no whole number in each epoch.

    Examples
    --------
    >>> epoch_means(np.array([1.0, 3.0, 0.0, 1.0]), epochs=2)
    array([2. , 0.5])
    """
    if s.ndim != 1 or epochs < 1 or s.size == 0 or s.size % epochs:
        raise ValueError(
            f"epoch_means: numbers of shape {s.shape} are not those of {epochs} epochs, each of "
            "as many steps as the others."
        )
    return np.asarray(s.reshape(epochs, -1).mean(axis=1))


def gradient_norms_figure(
    norms: Mapping[str, Array], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw E_B ‖∇L(B; w_t)‖² against epochs: the mean over seeds, and their range as a band.

    A range, not a standard deviation, because on the logarithmic axis mean - deviation may be
    below zero.

    Parameters
    ----------
    norms : mapping from str to array, (seeds, epochs)
        `epoch_means` of each seed's run, by the method's name; all > 0.
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
        There is no method, or an array is not as above.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = gradient_norms_figure({"ERM": np.array([[4.0, 1.0, 0.1]])}, f"{folder}/norms")
    >>> [file.name for file in files]
    ['norms.png', 'norms.svg']
    """
    if not norms:
        raise ValueError("gradient_norms_figure: give at least one method.")
    for name, values in norms.items():
        if values.ndim != 2 or values.size == 0 or not (values > 0).all():
            raise ValueError(
                f"gradient_norms_figure: {name} needs positive numbers of shape (seeds, epochs), "
                f"got shape {values.shape}."
            )

    def draw(figure: Any) -> None:
        axes, shown = figure.subplots(), looks(norms)
        for name, values in norms.items():
            epochs = np.arange(1, values.shape[1] + 1)
            end = {"marker": "o", "markevery": [-1]}
            axes.plot(epochs, values.mean(axis=0), label=name, **end, **shown[name])
            low, high = values.min(axis=0), values.max(axis=0)
            axes.fill_between(epochs, low, high, color=shown[name]["color"], alpha=0.2, linewidth=0)
        axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(r"$\mathrm{E}_B\,\|\nabla L(B; w_t)\|^2$  (nats²)")
        many = any(len(values) > 1 for values in norms.values())
        axes.legend(title="mean and range of the seeds" if many else None)
        axes.set_title(title)

    return write(path, draw)
