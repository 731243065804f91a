"""How much higher the loss is within a ball around w."""

from collections.abc import Callable
from typing import Any

from minisam.arrays import Array
from minisam.autodiff.transforms import value_and_grad
from minisam.sam.perturbation import epsilon_hat


def one_step(
    loss: Callable[[Array], Array], w: Array, rho: float, p: float = 2, **ball: Any
) -> float:
    """Compute SAM's own measure of sharpness, L(w + ε̂) - L(w).

    A lower bound of the maximum over the ball, because ε̂ maximises only the linearised loss.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    rho, p, **ball
        As for `minisam.sam.epsilon_hat`.

    Returns
    -------
    float
        In the units of the loss.

    Examples
    --------
    >>> import numpy as np
    >>> round(one_step(lambda w: np.sum(w**2), np.array([1.0, 0.0]), rho=0.1), 4)
    0.21
    """
    value, g = value_and_grad(loss)(w)
    return float(loss(w + epsilon_hat(g, rho, p, **ball))) - float(value)
