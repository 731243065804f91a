"""Equation (2): the perturbation that raises the linearised loss the most within the p-ball."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.tensor import value_of

Groups: TypeAlias = Sequence[slice]
"""Slices of the parameter vector that are perturbed each with a norm of its own."""


class NonFiniteError(ValueError):
    """A gradient has a NaN or an infinity, so that no perturbation is defined."""


def conjugate(p: float) -> float:
    """Return the conjugate exponent q, for which 1/p + 1/q = 1.

    Parameters
    ----------
    p : float
        In [1, inf].

    Returns
    -------
    float
        In [1, inf].

    Raises
    ------
    ValueError
        p is below 1 or NaN.

    Examples
    --------
    >>> conjugate(2.0), conjugate(float("inf")), conjugate(1.0), conjugate(3.0)
    (2.0, 1.0, inf, 1.5)
    """
    p = float(p)
    if not p >= 1:
        raise ValueError(f"p must be in [1, inf], got {p}: below 1 it is not a norm.")
    if p == 1:
        return np.inf
    return 1.0 if p == np.inf else p / (p - 1)


def epsilon_hat(
    g: Array,
    rho: float,
    p: float = 2,
    *,
    metric: Array | None = None,
    groups: Groups | None = None,
) -> Array:
    r"""Maximise the linearised loss over the p-ball: equation (2) of the SAM paper.

    .. math::
        \hat\epsilon = \arg\max_{\|\epsilon\|_p \le \rho} \epsilon^\top g
        = \rho\, \mathrm{sign}(g)\, |g|^{q-1} \big/ \left(\|g\|_q^q\right)^{1/p},
        \qquad 1/p + 1/q = 1.

    Because q/p = q - 1, this is ρ sign(g) (a/‖a‖_q)^(q-1) with a = |g|/max|g|, which neither
    overflows nor underflows: that form is computed.

    Parameters
    ----------
    g : array
        Gradient, any shape; a Tensor is differentiated through.
    rho : float
        Radius ρ >= 0, in the units of the parameters.
    p : float
        Exponent of the ball, in [1, inf].
    metric : array, optional
        Positive T of ASAM (Kwon et al. 2021), of g's shape: the ball is ‖ε/T‖_p <= ρ, and its
        solution T ε̂(T g). A constant: it is not differentiated.
    groups : sequence of slice, optional
        Take the norm of each of these slices of a vector ``g`` separately (then ‖ε̂‖_2 is
        ρ √len(groups) for p = 2). They must tile ``g``. By default one norm over all.

    Returns
    -------
    array
        ε̂, of g's shape and dtype, with ‖ε̂‖_p = ρ and gᵀε̂ = ρ‖g‖_q. It does not change when g is
        scaled. For g = 0 it is 0. For p = 1, ties of the largest |g_i| share ρ equally, the limit
        p → 1⁺; for p = inf, coordinates with g_i = 0 stay 0, the limit p → ∞.

    Raises
    ------
    ValueError
        p < 1, or ρ < 0.
    NonFiniteError
        g has a NaN or an infinity.
    ShapeError
        The metric has another shape than ``g``.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.array([3.0, -4.0, 0.0])
    >>> epsilon_hat(g, rho=0.5, p=2)
    array([ 0.3, -0.4,  0. ])
    >>> epsilon_hat(g, rho=0.5, p=np.inf)
    array([ 0.5, -0.5,  0. ])
    >>> epsilon_hat(g, rho=0.5, p=1)
    array([ 0. , -0.5,  0. ])
    """
    q = conjugate(p)
    if not rho >= 0 or rho == np.inf:
        raise ValueError(f"rho must be a finite number >= 0, got {rho}.")
    if not hasattr(g, "dtype"):
        g = np.asarray(g)
    if metric is not None:
        metric = _checked(metric, g)
        g = metric * g
    if groups is None:
        out = _solve(g, float(rho), float(p), q)
    else:
        out = np.concatenate([_solve(g[s], float(rho), float(p), q) for s in groups])
    return out if metric is None else metric * out


def _solve(g: Array, rho: float, p: float, q: float) -> Array:
    top = _largest(g)
    scale = top + (top == 0).astype(top.dtype)  # g = 0 has the solution 0, without dividing by 0
    if p == 2:
        scaled = g / scale
        length = np.sqrt((scaled * scaled).sum()) if scaled.ndim else np.abs(scaled)
        return scaled * (rho / (length + (value_of(length) == 0)))
    signs = np.sign(value_of(g))
    if p == 1:
        ties = (abs(value_of(g)) == top) & (top > 0)
        return signs * ties * (rho / max(int(ties.sum()), 1))
    if p == np.inf:
        return signs * rho
    a = np.abs(g) / scale
    zero = value_of(a) == 0
    a = np.where(zero, 1, a)  # 0^(q-1) has infinite slope for q < 2; these entries stay 0
    norm = (np.where(zero, 0, a) ** q).sum() ** (1 / q) if not zero.all() else 1.0
    return signs * (rho * (a / norm) ** (q - 1))


def _largest(g: Array) -> Array:
    """Return max |g|, refusing gradients that are not finite."""
    g = value_of(g)
    if g.size == 0:
        return np.ones((), dtype=g.dtype)
    top = np.maximum(g.max(), -g.min())
    if not np.isfinite(top):
        bad = int(g.size - np.isfinite(g).sum())
        raise NonFiniteError(
            f"the gradient has {bad} of {g.size} entries NaN or infinite; ε̂ is not defined. Lower "
            "the learning rate, or look at the loss."
        )
    return top


def _checked(metric: Array, g: Array) -> Array:
    metric = value_of(metric)
    if np.shape(metric) != g.shape:
        raise ShapeError(
            f"the metric has shape {np.shape(metric)}, the gradient {g.shape}; they must be equal."
        )
    return metric


def jacobian_product(
    g: Array,
    v: Array,
    rho: float,
    p: float = 2,
    *,
    metric: Array | None = None,
    groups: Groups | None = None,
) -> Array:
    r"""Multiply ∂ε̂/∂g by a vector.

    .. math::
        J_g v = \frac{\rho (q-1)}{\|g\|_q}
        \left[ (|g|/\|g\|_q)^{q-2} \odot v - u\,(u^\top v) \right],
        \qquad u = \hat\epsilon/\rho.

    Parameters
    ----------
    g : array
        Gradient.
    v : array
        Vector, of g's shape.
    rho, p, metric, groups
        As for `epsilon_hat`.

    Returns
    -------
    array
        J_g v, of g's shape. J_g is symmetric, J_g g = 0, and J_g = 0 for p = 1 and p = inf. At
        g_i = 0 with p > 2 the slope of ε̂ is infinite; that coordinate's diagonal entry is taken
        as 0.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian_product(np.array([0.0, 2.0]), np.array([1.0, 1.0]), rho=1.0)
    array([0.5, 0. ])
    """
    if metric is not None:
        scaled = jacobian_product(metric * g, metric * v, rho, p, groups=groups)
        return metric * scaled
    if groups is not None:
        parts = [jacobian_product(g[s], v[s], rho, p) for s in groups]
        return np.concatenate(parts)
    q = conjugate(p)
    top = _largest(g)
    if q in (1.0, np.inf) or top == 0:
        return np.zeros_like(g)
    a = np.abs(g) / top
    norm = (a**q).sum() ** (1 / q)
    u = np.sign(g) * (a / norm) ** (q - 1)
    zero = a == 0
    diagonal = np.where(zero, 1.0 if q == 2 else 0.0, np.where(zero, 1, a / norm) ** (q - 2))
    return (float(rho) * (q - 1) / (norm * top)) * (diagonal * v - u * (u * v).sum())


def asam_metric(w: Array, eta: float = 0.01) -> Array:
    """Return ASAM's metric T = |w| + η (Kwon et al. 2021), for `epsilon_hat`.

    Parameters
    ----------
    w : array
        Parameters.
    eta : float
        η > 0; without it a weight that is 0 would never be perturbed.

    Returns
    -------
    array
        Of w's shape and dtype. Nearly invariant to a rescaling of the weights that leaves the
        network's function as it is.

    Examples
    --------
    >>> import numpy as np
    >>> asam_metric(np.array([-1.0, 0.0]))
    array([1.01, 0.01])
    """
    if not eta >= 0:
        raise ValueError(f"asam_metric: eta must be >= 0, got {eta}.")
    metric: Any = np.abs(value_of(w)) + eta
    return metric
