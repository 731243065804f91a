"""The figures of ``minisam sharpness``: spectra, rises in the ball, slices and landscapes."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from minisam import plots
from minisam.arrays import Array
from minisam.cli.measuring import used
from minisam.cli.preparing import SHARPNESS_INPUTS
from minisam.cli.restoring import Restored
from minisam.experiments import measured_losses
from minisam.progress import progress_bar
from minisam.sharpness import (
    ball_maximum,
    filter_normalized,
    first_order,
    landscape,
    one_step,
    spectral_density,
    streamed,
    top_eigenvectors,
)

RADII = np.geomspace(0.1, 10, 9)
"""Of the balls, in units of --rho."""
GRID = np.linspace(-1, 1, 21)


def draw(args: Namespace, models: Mapping[str, Restored], out: Path) -> list[Path]:
    """Draw four figures.

    Parameters
    ----------
    args : argparse.Namespace
        Of ``minisam sharpness``.
    models : mapping from str to Restored
        By the names of the legend; of runs of several seeds, the first.
    out : pathlib.Path
        Folder; made if it is not there.

    Returns
    -------
    list of pathlib.Path
        The PNG files; beside each is an SVG.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    OSError
        The files cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    densities, rises, random, sharpest, planes = {}, {}, {}, {}, {}
    with progress_bar(5 * len(models), "figures", not args.quiet, "part") as tick:
        for name, each in models.items():
            size = max(1, SHARPNESS_INPUTS // each.data.x_train[0].size)
            loss = streamed(measured_losses(each.model, each.data, each.w, used(args, each), size))
            densities[name] = spectral_density(loss, each.w, vectors=4, seed=args.seed)
            tick(1)
            rises[name] = _rises(args, loss, each.w)
            tick(1)
            directions = filter_normalized(each.model, each.w, seed=args.seed)
            random[name] = landscape(loss, each.w, directions[0])
            tick(1)
            sharpest[name] = landscape(loss, each.w, top_eigenvectors(loss, each.w)[1])
            tick(1)
            planes[name] = landscape(loss, each.w, directions, GRID)
            tick(1)
    first = next(iter(models.values()))
    title = f"{first.data.name}, {first.w.size:,} parameters"
    slices = {
        "random filters, in units of their norms": random,
        "along the top eigenvector $v_1$, $\\|v_1\\| = 1$": sharpest,
    }
    labels = "filter-normalised direction 1", "direction 2"
    return [
        plots.spectra_figure(densities, out / "spectrum", title=title)[0],
        plots.rises_figure(args.rho * RADII, rises, out / "ball", title=title)[0],
        plots.slices_figure(slices, out / "slices", title=title)[0],
        plots.planes_figure(planes, out / "landscape", labels=labels, title=title)[0],
    ]


def _rises(args: Namespace, loss: Callable[[Array], Array], w: Array) -> dict[str, list[float]]:
    """Compute the largest rise in balls of several radii, and the two models of it."""
    rho = args.rho * RADII
    return {
        "ball maximum": [
            ball_maximum(loss, w, r, args.p, restarts=1, seed=args.seed).value for r in rho
        ],
        "one step": [one_step(loss, w, r, args.p) for r in rho],
        "first order": [first_order(loss, w, r, args.p) for r in rho],
    }
