"""When AE-SAM climbs: its test at each step, and how often it says yes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.plots.page import write
from minisam.sam.thresholds import expected_fraction


def threshold(steps: Mapping[str, Array]) -> Array:
    """Compute what AE-SAM compares s_t with, μ_t + c_t σ_t.

    Parameters
    ----------
    steps : mapping from str to array, (steps,)
        ``Run.steps`` of AE-SAM: ``mean``, ``variance``, ``c``.

    Returns
    -------
    array, (steps,)
        A step climbs where s >= this.

    Examples
    --------
    >>> one = np.ones(1)
    >>> threshold({"mean": 2 * one, "variance": 4 * one, "c": -one})
    array([0.])
    """
    return np.asarray(steps["mean"] + steps["c"] * np.sqrt(steps["variance"]))


def climbed_fraction(steps: Mapping[str, Array]) -> tuple[Array, Array]:
    """Compute the fraction of the steps that climbed up to each step, and the predicted one.

    Parameters
    ----------
    steps : mapping from str to array, (steps,)
        ``Run.steps`` of AE-SAM: ``climbed``, ``c``; λ₁ and λ₂ finite.

    Returns
    -------
    observed, predicted : array, (steps,)
        The latter is `minisam.sam.expected_fraction` of the thresholds so far, c_0 to c_t.

    Examples
    --------
    >>> steps = {"climbed": np.array([1.0, 0.0]), "c": np.array([1.0, -1.0])}
    >>> observed, predicted = climbed_fraction(steps)
    >>> observed, predicted.round(4)  # Φ(-1) at first
    (array([1. , 0.5]), array([0.1587, 0.5   ]))
    """
    climbed, c = steps["climbed"], steps["c"]
    predicted = [expected_fraction(float(now), float(c[0])) for now in c]
    return np.cumsum(climbed) / np.arange(1, climbed.size + 1), np.array(predicted)


def decisions_figure(
    steps: Mapping[str, Array], path: str | os.PathLike[str], *, title: str = ""
) -> tuple[Path, Path]:
    """Draw AE-SAM's decisions over a run: the test at each step, and the fraction that climbed.

    Parameters
    ----------
    steps : mapping from str to array, (steps,)
        ``Run.steps`` of AE-SAM or AE-LookSAM, λ₁ and λ₂ finite.
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
        These are not an adaptive method's records, or the thresholds are infinite.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> names = ("s", "mean", "variance", "c", "climbed")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = decisions_figure({name: np.ones(3) for name in names}, f"{folder}/decisions")
    >>> [file.name for file in files]
    ['decisions.png', 'decisions.svg']
    """
    missing = {"s", "mean", "variance", "c", "climbed"} - steps.keys()
    if missing or not steps["s"].size or not np.isfinite(steps["c"]).all():
        raise ValueError(
            "decisions_figure: give Run.steps of AESAM or AELookSAM with finite thresholds"
            + (f"; there is no {', '.join(sorted(missing))}." if missing else ".")
        )
    observed, predicted = climbed_fraction(steps)
    s, limit, climbed = steps["s"], threshold(steps), steps["climbed"] == 1
    t = np.arange(s.size)

    def draw(figure: Any) -> None:
        test, often = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        small = 3.5 * min(1.0, (600 / s.size) ** 0.5)  # long runs have crowded points
        test.plot(t[~climbed], s[~climbed], "C6o", markersize=small * 0.8, label="not climbed")
        test.plot(t[climbed], s[climbed], "C0^", markersize=small, label="climbed")
        test.plot(t, steps["mean"], "C1--", linewidth=1, label=r"$\mu_t$")
        above = np.where(limit > 0, limit, np.nan)  # below 0 every step climbs
        test.plot(t, above, "k-", linewidth=1, label=r"$\mu_t + c_t\sigma_t$")
        test.set_yscale("log")
        test.set_ylabel(r"$s_t = \|\nabla L(B_t; w_t)\|^2$  (nats²)")
        test.legend()
        often.plot(t, 100 * observed, "C0-", label="observed")
        often.plot(t, 100 * predicted, "k--", label="predicted, were s normal and i.i.d.")
        often.set_ylim(0, 100)
        often.set_ylabel("climbed so far (%)")
        often.set_xlabel("step")
        often.legend()
        figure.suptitle(title)

    return write(path, draw, (4.8, 5.0))
