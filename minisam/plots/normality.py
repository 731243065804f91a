"""Are squared gradient norms normal? The AE-SAM poster's Figure 2, with numbers."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.plots.page import write


def squared_norms(losses: Iterable[Callable[[Array], Array]], w: Array) -> Array:
    """Compute ‖∇L(B; w)‖² of each mini-batch B at one and the same w.

    Parameters
    ----------
    losses : iterable of callable
        ``w -> (batch,)``, one for each mini-batch.
    w : array, (d,)
        Parameters.

    Returns
    -------
    array of float64, (batches,)
        The squares.

    Examples
    --------
    >>> squared_norms([lambda w: w, lambda w: 3 * w], np.ones(2))  # means, of slope 1/2 and 3/2
    array([0.5, 4.5])
    """
    gradients = (grad(lambda w, each=each: np.mean(each(w)))(w) for each in losses)
    # A float32 square may overflow.
    return np.array([np.square(g.astype("float64")).sum() for g in gradients])


class Normality(NamedTuple):
    """How far a sample is from normal."""

    skewness: float
    """Mean of z³, z = (x - mean)/σ; 0 if normal, positive with a long tail to the right."""
    kurtosis: float
    """Mean of z⁴ - 3, the excess kurtosis; 0 if normal, positive with heavy tails."""
    jarque_bera: float
    """n (skewness²/6 + kurtosis²/24): if normal, χ² with two degrees of freedom as n → ∞."""
    p_value: float
    """Probability of a Jarque–Bera statistic as large if normal, exp(-JB/2) as n → ∞."""
    correlation: float
    """Of the points in the Q–Q plot; 1 on a straight line."""


def normality_test(x: Array) -> Normality:
    """Measure how far a sample is from normal.

    Parameters
    ----------
    x : array, (n,)
        Independent numbers, at least two of them different. The p-value needs many: hundreds.

    Returns
    -------
    Normality
        Skewness, excess kurtosis, the Jarque–Bera test and the Q–Q plot's correlation.

    Raises
    ------
    ValueError
        The numbers are not finite, or all the same.

    Examples
    --------
    >>> found = normality_test(np.random.default_rng(0).exponential(size=1000))
    >>> round(found.skewness, 1), round(found.jarque_bera)
    (2.2, 3455)
    """
    z = _standardized(x)
    skewness, kurtosis = float(np.mean(z**3)), float(np.mean(z**4) - 3)
    jarque_bera = z.size * (skewness**2 / 6 + kurtosis**2 / 24)
    correlation = float(np.corrcoef(*quantiles(x))[0, 1])
    return Normality(skewness, kurtosis, jarque_bera, math.exp(-jarque_bera / 2), correlation)


def quantiles(x: Array) -> tuple[Array, Array]:
    """Return the points of a normal Q–Q plot.

    Parameters
    ----------
    x : array, (n,)
        A sample.

    Returns
    -------
    normal, sample : array, (n,)
        Standard normal quantiles of (i - ½)/n, and the sorted sample, standardized.

    Raises
    ------
    ValueError
        As `normality_test`.

    Examples
    --------
    >>> normal, sample = quantiles(np.array([5.0, 1.0, 3.0]))
    >>> normal.round(3), sample.round(3)
    (array([-0.967,  0.   ,  0.967]), array([-1.225,  0.   ,  1.225]))
    """
    z = np.sort(_standardized(x))
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / z.size) for i in range(z.size)]), z


def _standardized(x: Array) -> Array:
    if x.ndim != 1 or not np.isfinite(x).all() or x.size == 0 or x.min() == x.max():
        raise ValueError(
            f"normality_test: give finite numbers, not all of them the same; got {x.size} of shape "
            f"{x.shape}."
        )
    x = x.astype("float64")
    return np.asarray((x - x.mean()) / x.std())


def normality_figure(
    samples: Mapping[str, Array], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw a histogram and a normal Q–Q plot of each sample of squared norms.

    All is in standard deviations from the mean. The dotted line is where the squared norm is 0: no
    sample lies to its left, a normal distribution does.

    Parameters
    ----------
    samples : mapping from str to array, (n,)
        `squared_norms` at one w each, by what stands above their panels.
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    title : str
        Above all.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        There is no sample, or one is not as `normality_test` needs it.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> sample = np.random.default_rng(0).exponential(size=200)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = normality_figure({"after training": sample}, f"{folder}/normality")
    >>> [file.name for file in files]
    ['normality.png', 'normality.svg']
    """
    if not samples:
        raise ValueError("normality_figure: give at least one sample.")
    found = {name: (normality_test(x), *quantiles(x)) for name, x in samples.items()}

    def draw(figure: Any) -> None:
        panels = figure.subplots(2, len(samples), squeeze=False, sharex="row", sharey="row").T
        for (top, bottom), (name, x) in zip(panels, samples.items(), strict=True):
            top.set_title(name)
            _histogram(top, found[name][2], float(-np.mean(x) / np.std(x)))
            _quantiles(bottom, *found[name])
        panels[0, 0].set_ylabel("density")
        # Quantiles rise: these corners are empty whatever the sample.
        panels[-1, 1].legend(*top.get_legend_handles_labels(), loc="lower right", fontsize="small")
        panels[0, 1].set_ylabel("sample quantile (σ)")
        figure.suptitle(title)

    return write(path, draw, (2.4 * max(2, len(samples)), 4.8))


def _histogram(axes: Any, z: Array, zero: float) -> None:
    axes.hist(z, bins="fd", density=True, color="C6", edgecolor="white", linewidth=0.3)
    grid = np.linspace(-4, 4, 200)
    density = np.exp(-grid * grid / 2) / math.sqrt(2 * math.pi)
    axes.plot(grid, density, "k--", linewidth=1.2, label="normal")
    axes.axvline(zero, color="C0", linestyle=":", linewidth=1.5, label=r"$\|g_B\|^2 = 0$")
    axes.set_xlabel(r"$(\|g_B\|^2 - \mu)\,/\,\sigma$")


def _quantiles(axes: Any, found: Normality, normal: Array, z: Array) -> None:
    axes.plot(normal, normal, "k--", linewidth=1.2)
    axes.plot(normal, z, "C1o", markersize=2.5)
    axes.set_xlabel("normal quantile (σ)")
    text = (
        f"{z.size:,} batches\nskewness {found.skewness:.2f}\nexcess kurtosis {found.kurtosis:.2f}\n"
        f"Jarque–Bera {found.jarque_bera:,.0f}\n(5% limit 6.0)"
    )
    axes.text(0.03, 0.98, text, transform=axes.transAxes, va="top", fontsize="small")
