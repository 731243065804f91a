"""One SAM step in the plane: the SAM paper's Figure 2, computed."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.plots.page import write
from minisam.sam.perturbation import epsilon_hat

TURN = np.linspace(0, 2 * np.pi, 181)


def valley(w: Array) -> Array:
    """Compute a loss ten times as steep in w₂ as in w₁.

    Parameters
    ----------
    w : array, (2,)
        Where.

    Returns
    -------
    array, ()
        ½ (w₁² + 10 w₂²).

    Examples
    --------
    >>> float(valley(np.array([2.0, 1.0])))
    7.0
    """
    return (w[0] ** 2 + 10 * w[1] ** 2) / 2


@dataclass(frozen=True)
class Step:
    """One step of gradient descent and one of SAM, from the same point.

    Attributes
    ----------
    w : array, (2,)
        Where both start, w_t.
    g : array, (2,)
        ∇L(w_t).
    w_adv : array, (2,)
        w_t + ε̂, at distance ρ.
    g_adv : array, (2,)
        ∇L(w_adv).
    w_plain, w_sam : array, (2,)
        Where they end: w_t - η ∇L(w_t) and w_t - η ∇L(w_adv).
    """

    w: Array
    g: Array
    w_adv: Array
    g_adv: Array
    w_plain: Array
    w_sam: Array


def sam_step(loss: Callable[[Array], Array], w: Array, rho: float, lr: float) -> Step:
    """Take one step of gradient descent, and one of SAM.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where from.
    rho : float
        Radius ρ of the 2-norm's ball.
    lr : float
        Learning rate η of both.

    Returns
    -------
    Step
        All points and gradients on the way.

    Examples
    --------
    >>> step = sam_step(lambda w: np.sum(w**2) / 2, np.array([2.0, 0.0]), rho=1.0, lr=0.5)
    >>> step.w_adv, step.w_plain, step.w_sam
    (array([3., 0.]), array([1., 0.]), array([0.5, 0. ]))
    """
    g = grad(loss)(w)
    w_adv = w + epsilon_hat(g, rho)
    g_adv = grad(loss)(w_adv)
    return Step(w, g, w_adv, g_adv, w - lr * g, w - lr * g_adv)


def schematic_figure(
    path: str | os.PathLike[str],
    loss: Callable[[Array], Array] = valley,
    w: Sequence[float] = (-1.6, 0.12),
    *,
    rho: float = 0.4,
    lr: float = 0.25,
    title: str = "",
) -> tuple[Path, Path]:
    """Draw one step of gradient descent and one of SAM over the contours of a loss in the plane.

    Parameters
    ----------
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    loss : callable
        ``w -> scalar``.
    w : sequence of float, (2,)
        Where both start; the gradient must vanish neither there nor at w + ε̂.
    rho : float
        Radius ρ > 0 of the ball.
    lr : float
        Learning rate η > 0.
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
        The point is not one of the plane, a gradient is 0, or ρ or η is not positive.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = schematic_figure(f"{folder}/step")
    >>> [file.name for file in files]
    ['step.png', 'step.svg']
    """
    at = np.asarray(w, "float64")
    if at.shape != (2,) or not (rho > 0 and lr > 0):
        raise ValueError(
            "schematic_figure: w must be two numbers, rho and lr positive; got w of shape "
            f"{at.shape}, rho {rho}, lr {lr}."
        )
    step = sam_step(loss, at, rho, lr)
    if not (step.g.any() and step.g_adv.any()):
        raise ValueError(
            f"schematic_figure: there is no step to draw, the gradient is {step.g} at {at} and "
            f"{step.g_adv} at {step.w_adv}."
        )
    return write(path, lambda figure: _draw(figure, loss, step, rho, title), (4.8, 3.5))


def _draw(figure: Any, loss: Callable[[Array], Array], step: Step, rho: float, title: str) -> None:
    axes = figure.subplots()
    axes.set_aspect("equal")
    _contours(axes, loss, step, rho)
    circle = step.w[:, None] + rho * np.array([np.cos(TURN), np.sin(TURN)])
    axes.plot(*circle, color="0.4", linestyle="--", linewidth=1)
    # Labels stand on the side of the plain step that SAM's does not take.
    along = -step.g / np.linalg.norm(step.g)
    to_sam = step.w_sam - step.w_plain
    free = np.array([along[1], -along[0]])
    free = -free if free @ to_sam > 0 else free
    shifted = step.w_adv + step.w_sam - step.w
    _arrow(axes, step.w_adv, shifted, "0.5", "--")
    _arrow(axes, step.w, step.w_adv, "C2", "-")
    _arrow(axes, step.w, step.w_plain, "C1", "-")
    _arrow(axes, step.w, step.w_sam, "C0", "-")
    for point, text, away in (
        (step.w, "$w_t$", free),
        (step.w_adv, r"$w_\mathrm{adv} = w_t + \hat\epsilon$", -along),
        (step.w_plain, "$w_{t+1}$", along),
        (step.w_sam, r"$w_{t+1}^\mathrm{SAM}$", step.w_sam - step.w),
        (step.w + rho * free, r"$\|\epsilon\|_2 \leq \rho$", free),
    ):
        _label(axes, point, text, away)
    for end, at, text, colour in (
        (step.w_adv, 0.5, r"$\hat\epsilon$", "C2"),
        (step.w_plain, 0.5, r"$-\eta\,\nabla L(w_t)$", "C1"),
        (step.w_sam, 0.75, r"$-\eta\,\nabla L(w_\mathrm{adv})$", "C0"),
    ):
        _label(axes, step.w + at * (end - step.w), text, free, colour)
    for point in (step.w, step.w_adv, step.w_plain, step.w_sam):
        axes.plot(*point, "ko", markersize=3.5)
    axes.set_xlabel("$w_1$")
    axes.set_ylabel("$w_2$")
    axes.set_title(title)


def _contours(axes: Any, loss: Callable[[Array], Array], step: Step, rho: float) -> None:
    points = np.array([step.w - rho, step.w + rho, step.w_adv, step.w_plain, step.w_sam])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, (high - low + rho) / 2
    half = np.maximum(half, (1.4 * half[1], half[0] / 1.4))  # as wide as the page
    sides = (np.linspace(m - h, m + h, 101) for m, h in zip(middle, half, strict=True))
    x, y = np.meshgrid(*sides)
    height = np.array([float(loss(np.array(w))) for w in zip(x.flat, y.flat, strict=True)])
    axes.contour(x, y, height.reshape(x.shape), levels=14, colors="0.8", linewidths=0.8)
    axes.grid(False)


def _arrow(axes: Any, start: Array, end: Array, colour: str, dash: str) -> None:
    how = {"arrowstyle": "-|>", "color": colour, "linestyle": dash, "linewidth": 1.8}
    axes.annotate("", end, start, arrowprops={**how, "shrinkA": 0, "shrinkB": 2})


def _label(axes: Any, point: Array, text: str, away: Array, colour: str = "black") -> None:
    """Write beside a point, in this direction from it."""
    x, y = 7 * away / np.linalg.norm(away)
    axes.annotate(
        text,
        point,
        (x, y),
        textcoords="offset points",
        ha="left" if x > 2 else "right" if x < -2 else "center",
        va="bottom" if y > 2 else "top" if y < -2 else "center",
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
    )
