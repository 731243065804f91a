"""Two wells of one depth, a sharp and a flat one: where gradient descent and SAM part."""

import numpy as np

from minisam.arrays import Array
from minisam.optimizers import SGD
from minisam.sam.batch import Losses
from minisam.sam.methods import Method

SHARP, FLAT, BARRIER = 50.0, 2.0, 0.1
"""Curvature across the valley in the two wells, and the height of the saddle between them."""


def two_wells(w: Array) -> Array:
    r"""Compute a loss with a sharp minimum at (0, -1) and a flat one at (0, 1), both of value 0.

    .. math::
        L(x, y) = 0.1\,(y^2 - 1)^2 + \tfrac12 \kappa(y)\,x^2, \qquad \kappa(y) = 10 \cdot 5^{-y}

    A valley along y, across which the curvature κ falls from 50 in the one well to 2 in the
    other. The only other critical point is the saddle (0, 0), of height 0.1. The Hessians at the
    minima are exactly diag(50, 0.8) and diag(2, 0.8).

    Parameters
    ----------
    w : array, (2,)
        Where: (x, y).

    Returns
    -------
    scalar
        The loss.

    Notes
    -----
    Gradient descent from near the sharp well ends in it. SAM bounces across the valley (its
    gradient is taken at a distance ρ from the bottom, where the loss has the slope κρ), and each
    bounce carries it towards where κ is smaller, by the slope ½κ'ρ² along the valley, over the
    saddle. So it is for ρ from 0.12 to 0.2 and learning rates from 0.015 to 0.03; with much
    smaller ones there is hardly a bounce, and SAM stops short of the saddle.

    Examples
    --------
    >>> import minisam as ms
    >>> [float(two_wells(np.array(w))) for w in ([0.0, -1.0], [0.0, 1.0], [0.0, 0.0])]
    [0.0, 0.0, 0.1]
    >>> start = np.array([0.1, -0.8])
    >>> for method in (ms.sam.ERM(), ms.sam.SAM(rho=0.15)):
    ...     x, y = descend(two_wells, start, method, ms.optimizers.SGD(0.02), steps=1500)[-1]
    ...     print(method.name, abs(x).round(2), y.round(2))
    ERM 0.0 -1.0
    SAM 0.0 1.0
    """
    x, y = w[0], w[1]
    middle, fall = np.sqrt(SHARP * FLAT), np.log(SHARP / FLAT) / 2
    return BARRIER * (y**2 - 1) ** 2 + 0.5 * (middle * np.exp(-fall * y)) * x**2


def descend(
    losses: Losses, w: Array, method: Method, optimizer: SGD, steps: int, seed: int = 0
) -> Array:
    """Descend with all examples in one batch, and keep every point.

    Parameters
    ----------
    losses : callable
        ``w -> scalar``, or ``w -> (n,)`` of which the mean is the loss.
    w : array, (d,)
        Start.
    method : Method
        For example ``minisam.sam.SAM(0.05)``.
    optimizer : SGD
        What it does with the gradient.
    steps : int
        How many.
    seed : int
        For methods that draw at random.

    Returns
    -------
    array, (steps + 1, d)
        The start and where each step ended: a trajectory for `project_trajectory`.

    Examples
    --------
    >>> import minisam as ms
    >>> loss = lambda w: np.sum(w**2)
    >>> descend(loss, np.array([1.0]), ms.sam.ERM(), ms.optimizers.SGD(0.25), steps=2)
    array([[1.  ],
           [0.5 ],
           [0.25]])
    """
    state, memory, points = method.init(w), optimizer.init(w), [w]
    for t in range(steps):
        found = method.gradient(losses, w, state, t, steps, (seed, t), [losses])
        w, memory = optimizer.step(w, found.g, memory, optimizer.lr_at(t, steps))
        state = found.state
        points.append(w)
    return np.stack(points)
