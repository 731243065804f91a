"""The terms of the PAC-Bayes theorem against the radius ρ."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minisam.plots.page import write
from minisam.sharpness.bound import Bound


def bound_figure(
    bounds: Sequence[Bound], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw what the theorem adds up, and what is under the root of h, against ρ.

    Parameters
    ----------
    bounds : sequence of Bound
        `minisam.sharpness.pac_bayes_bound` of one w, at two or more radii.
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
        There are fewer than two radii.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from minisam.sharpness import complexity
    >>> bounds = [
    ...     Bound(rho, 0.05, 1000, 9, 2.0, 0.1, 0.1 + rho, complexity(4 / rho**2, 1000, 9))
    ...     for rho in (0.1, 0.2)
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in bound_figure(bounds, f"{folder}/bound")]
    ['bound.png', 'bound.svg']
    """
    bounds = sorted(bounds, key=lambda bound: bound.rho)
    rho = [bound.rho for bound in bounds]
    if len(set(rho)) < 2:
        raise ValueError(f"bound_figure: give bounds at two radii or more, got {rho}.")

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(rho, [bound.value for bound in bounds], label="bound on $L_D(w)$")
        left.plot(rho, [bound.terms.h for bound in bounds], label=r"$h(\|w\|^2/\rho^2)$")
        left.plot(rho, [bound.highest for bound in bounds], label="largest $L_S$ in the ball")
        left.plot(rho, [bound.train for bound in bounds], label="$L_S(w)$")
        left.axhline(1, color="black", linewidth=0.8)
        left.set_ylabel("loss in [0, 1]; above the line vacuous")
        left.set_ylim(bottom=0)
        for name in bounds[0].terms._fields:
            values = [getattr(bound.terms, name) for bound in bounds]
            right.plot(rho, values, label=name)
        right.set_yscale("log")
        right.set_ylabel("terms of $h^2$")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel(r"radius $\rho$")
            axes.legend()
        figure.suptitle(title)

    return write(path, draw, (9.0, 3.7))
