"""Equation (3) and the whole of it: SAM's gradient to first and to second order."""

from collections.abc import Callable
from typing import Any, TypeAlias

from minisam.arrays import Array
from minisam.autodiff.transforms import grad, identity, linearize, value_and_grad
from minisam.sam.perturbation import epsilon_hat, jacobian_product

Loss: TypeAlias = Callable[[Array], Array]


def sam_gradient(
    loss: Loss, w: Array, rho: float, p: float = 2, order: int = 1, **ball: Any
) -> Array:
    r"""Compute the gradient of SAM's objective, L(w + ε̂(w)).

    .. math::
        \nabla_w L^{SAM}(w) \approx \nabla L(w)|_{w+\hat\epsilon}
        \qquad\text{(order 1, equation 3)}

    .. math::
        \frac{d}{dw} L(w+\hat\epsilon(w)) = g_a + H J_g\, g_a, \qquad
        g_a = \nabla L(w)|_{w+\hat\epsilon},\; H = \nabla^2 L(w)
        \qquad\text{(order 2, nothing dropped)}

    Parameters
    ----------
    loss : callable
        ``w -> scalar``; the same batch and the same dropout masks at every call.
    w : array, (d,)
        Parameters. They are never written to.
    rho : float
        Radius ρ >= 0.
    p : float
        Exponent of the ball, in [1, inf].
    order : {1, 2}
        1 drops the term with the Hessian, as the paper does; 2 keeps it, at the price of one
        Hessian-vector product. For p = 1 and p = inf both are equal, because ε̂ is constant
        almost everywhere.
    **ball
        ``metric`` and ``groups`` of `epsilon_hat`.

    Returns
    -------
    array, (d,)
        The gradient.

    Raises
    ------
    ValueError
        As `epsilon_hat`, or another order.

    Examples
    --------
    >>> import numpy as np
    >>> loss = lambda w: 0.5 * np.sum(np.array([1.0, 4.0]) * w**2)
    >>> sam_gradient(loss, np.array([1.0, 0.0]), rho=0.1)
    array([1.1, 0. ])
    """
    return value_and_sam_gradient(loss, w, rho, p, order, **ball)[1]


def value_and_sam_gradient(
    loss: Loss, w: Array, rho: float, p: float = 2, order: int = 1, **ball: Any
) -> tuple[Array, Array]:
    """Compute the loss at w, and SAM's gradient; as `sam_gradient`.

    Returns
    -------
    value : array
        L(w), a scalar.
    gradient : array, (d,)
        SAM's.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = value_and_sam_gradient(lambda w: np.sum(w**2), np.ones(2), 0.1)
    >>> float(value)
    2.0
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}.")
    if order == 1:
        value, g = value_and_grad(loss)(w)
        return value, grad(loss)(w + epsilon_hat(g, rho, p, **ball))
    value, g, hessian_product = linearized(loss, w)
    g_a = grad(loss)(w + epsilon_hat(g, rho, p, **ball))
    return value, g_a + hessian_product(jacobian_product(g, g_a, rho, p, **ball))


def linearized(loss: Loss, w: Array) -> tuple[Array, Array, Callable[[Array], Array]]:
    """Evaluate a loss, its gradient and its Hessian, all from one recording.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Parameters.

    Returns
    -------
    value : array
        L(w), a scalar.
    gradient : array, (d,)
        ∇L(w).
    product : callable
        ``v -> ∇²L(w) v``.

    Raises
    ------
    ShapeError
        The loss is not a scalar.

    Examples
    --------
    >>> import numpy as np
    >>> value, g, product = linearized(lambda w: np.sum(w**3), np.array([1.0, 2.0]))
    >>> float(value), g, product(np.array([1.0, 0.0]))
    (9.0, array([ 3., 12.]), array([6., 0.]))
    """
    values: list[Array] = []

    def gradient(w: Array) -> Array:
        value, g = value_and_grad(loss)(w)
        values.append(value)
        return g

    g, product = linearize(gradient, w)
    # Its recording has ended: unless something outside still differentiates, it is a number now.
    return identity(values[0]), g, product


def sam_gradient_through(loss: Loss, w: Array, rho: float, p: float = 2, **ball: Any) -> Array:
    """Compute SAM's second-order gradient by differentiating through ε̂ and its inner gradient.

    It equals ``sam_gradient(..., order=2)`` and is the definition itself, at about twice the
    cost: one line of reverse mode over reverse mode.

    Parameters
    ----------
    loss, w, rho, p, **ball
        As for `sam_gradient`.

    Returns
    -------
    array, (d,)
        d/dw L(w + ε̂(∇L(w))).

    Examples
    --------
    >>> import numpy as np
    >>> loss = lambda w: 0.5 * np.sum(np.array([1.0, 4.0]) * w**2)
    >>> w = np.array([1.0, 0.5])
    >>> both = sam_gradient_through(loss, w, 0.1), sam_gradient(loss, w, 0.1, order=2)
    >>> np.allclose(*both, rtol=1e-14)
    True
    """
    return grad(lambda w: loss(w + epsilon_hat(grad(loss)(w), rho, p, **ball)))(w)
