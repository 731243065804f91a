"""Matrices that are only multiplied by, never formed: the Hessian, and the gradient noise."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import as_variable, grad, linearize, vjp
from minisam.progress import with_progress
from minisam.sam.perturbation import NonFiniteError
from minisam.sharpness.streaming import Loss, Losses, parts_of

Product: TypeAlias = Callable[[Array], Array]
"""``v -> A v`` for a symmetric matrix A: NumPy vectors of float64 in and out."""


def hessian_product(loss: Loss, w: Array) -> tuple[Product, int]:
    """Return multiplication by the Hessian of a loss, and its dimension.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.

    Returns
    -------
    product : callable
        ``v -> H v`` on NumPy vectors of float64, computed in the dtype and on the device of ``w``.
        The gradient is recorded once, here; a product costs about two gradients.
    d : int
        Number of parameters.

    Raises
    ------
    ShapeError
        The loss is not a scalar.
    NonFiniteError
        When it is called: a product is not finite.

    Examples
    --------
    >>> product, d = hessian_product(lambda w: w[0] * w[1], np.array([3.0, 4.0]))
    >>> product(np.array([1.0, 0.0])), d
    (array([0., 1.]), 2)
    """
    w = as_variable(w)
    _, push = linearize(grad(loss), w)
    return _on_host(push, w, "Hessian"), w.size


def covariance_product(losses: Losses | Sequence[Losses], w: Array) -> tuple[Product, int]:
    r"""Return multiplication by the covariance of the examples' gradients, and its dimension.

    .. math::
        \Sigma v = \frac{1}{n}\sum_i (g_i - g)(g_i - g)^\top v
        = \frac{1}{n} J^\top \left(J v - (g^\top v)\,1\right),

    where the rows of J are the gradients g_i of the examples and g is their mean. J v is a push
    and Jᵀ a pull: no example's gradient is formed.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, or several of them for the parts of a data set, recorded one at a time.
    w : array, (d,)
        Where.

    Returns
    -------
    product : callable
        ``v -> Σ v`` on NumPy vectors of float64.
    d : int
        Number of parameters.

    Notes
    -----
    Σ is the noise of a single example. The gradient of a batch of b examples drawn from n without
    replacement has the covariance Σ/b · (n - b)/(n - 1).

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> product, d = covariance_product(lambda w: x * w[0], np.zeros(1))
    >>> product(np.array([1.0])), np.var(x).round(8)
    (array([4.66666667]), np.float64(4.66666667))
    """
    w = as_variable(w)
    parts = parts_of(losses)

    def both(part: Losses) -> tuple[Product, Product, int]:
        each, push = linearize(part, w)
        return push, vjp(part, w)[1], each.size

    kept = [both(parts[0])] if len(parts) == 1 else None
    g, n = np.zeros_like(w), 0
    for _, pull, size in kept or map(both, parts):
        g, n = g + pull(np.ones_like(w, shape=(size,))), n + size
    g = g / n

    def product(v: Array) -> Array:
        along, total = (g * v).sum(), np.zeros_like(w)
        for push, pull, _ in kept or map(both, parts):
            total = total + pull(push(v) - along)
        return total / n

    return _on_host(product, w, "gradient noise"), w.size


def ticking(product: Product, total: int, what: str, show: bool) -> Product:
    """Return a product that moves a progress line on at each call.

    Parameters
    ----------
    product : callable
        ``v -> A v``.
    total : int
        How often it will be called at most.
    what : str
        Shown before the line.
    show : bool
        False for no line in any case.

    Returns
    -------
    callable
        The same product.

    Examples
    --------
    >>> ticking(lambda v: 2 * v, 10, "trace", show=False)(3.0)
    6.0
    """
    ticks = with_progress(range(total), total, what, show, "product")

    def counted(v: Array) -> Array:
        next(ticks, None)
        return product(v)

    return counted


def _on_host(product: Product, w: Array, of: str) -> Product:
    def on_host(v: Array) -> Array:
        image = to_numpy(product(np.asarray(v, dtype=w.dtype, like=w))).astype(np.float64)
        if not np.isfinite(image).all():
            raise NonFiniteError(f"a product with the {of} is not finite: there is no spectrum.")
        return image

    return on_host
