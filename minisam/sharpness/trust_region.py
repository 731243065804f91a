"""The largest value of a quadratic in a ball, exactly: the trust-region problem."""

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError


def trust_region(h: Array, g: Array, rho: float) -> tuple[float, Array]:
    r"""Maximise ½ εᵀHε + gᵀε over ‖ε‖₂ <= ρ.

    A maximiser of a quadratic, convex or not, is known by three conditions (Moré & Sorensen 1983):

    .. math::
        (\mu I - H)\,\epsilon = g, \qquad \mu \ge \max(\lambda_{\max}, 0), \qquad
        \mu\,(\rho - \|\epsilon\|) = 0.

    In the basis of eigenvectors ε_i = g_i / (μ - λ_i), whose norm falls as μ grows, so that μ is
    a root of one equation. In the *hard case* g has no part along the top eigenvectors and ‖ε‖
    stays below ρ even at μ = λmax; then what is missing is walked along a top eigenvector, in
    either direction.

    Parameters
    ----------
    h : array_like, (d, d)
        Symmetric matrix H.
    g : array_like, (d,)
        Slope.
    rho : float
        Radius ρ > 0.

    Returns
    -------
    value : float
        The maximum.
    epsilon : numpy.ndarray of float64, (d,)
        Where it is attained; in the hard case, one of two points.

    Raises
    ------
    ValueError
        ρ is not positive and finite, or H is not symmetric.
    ShapeError
        H is not d×d.

    Examples
    --------
    >>> trust_region([[2.0, 0.0], [0.0, 1.0]], [0.0, 0.5], rho=1.0)       # the hard case
    (1.125, array([0.8660254, 0.5      ]))
    """
    h, g = np.asarray(h, float), np.asarray(g, float)
    if g.ndim != 1 or h.shape != (g.size, g.size):
        raise ShapeError(f"trust_region: H of shape {h.shape}, g of {g.shape}; (d, d) and (d,).")
    if not 0 < rho < np.inf:
        raise ValueError(f"trust_region: rho must be positive and finite, got {rho}.")
    if not g.size or not (np.isfinite(h).all() and np.isfinite(g).all()):
        raise ValueError("trust_region: H and g must be finite numbers, at least one of each.")
    if not np.allclose(h, h.T, rtol=1e-10, atol=1e-10 * np.abs(h).max()):
        raise ValueError("trust_region: H is not symmetric.")
    values, vectors = np.linalg.eigh(h)
    slope = vectors.T @ g
    below = values[-1] - values  # of λmax: μ = λmax + s, so that nothing cancels near it
    s = _shift(below, slope, rho, max(0.0, -values[-1]))
    # Where s + below is 0 so is the slope: these directions are free, and 0 for now.
    e = np.divide(slope, s + below, out=np.zeros_like(slope), where=s + below > 0)
    missing = rho**2 - e @ e
    if s + values[-1] > 0 and missing > 0:
        e[-1] = np.copysign(np.sqrt(e[-1] ** 2 + missing), slope[-1])
    epsilon = vectors @ e
    return float(0.5 * epsilon @ h @ epsilon + g @ epsilon), epsilon


def _shift(below: Array, slope: Array, rho: float, least: float) -> float:
    """Return the smallest s >= ``least`` at which ‖slope / (s + below)‖ <= ρ.

    Newton's method for 1/‖·‖ = 1/ρ: that side is concave in s and nearly straight, so that from
    the left it climbs to the root without ever passing it.
    """
    moving = slope != 0
    below, slope = below[moving], slope[moving]
    # Each single part is at most ρ at the root, which is therefore not to the left of this.
    s = max(least, float((np.abs(slope) / rho - below).max(initial=0.0)))
    for _ in range(100):
        e = np.divide(slope, s + below, out=np.full_like(slope, np.inf), where=s + below > 0)
        length = float(np.linalg.norm(e))
        if length <= rho:
            break
        step = (length / rho - 1) * length**2 / float(e @ (e / (s + below)))
        if s + step == s:
            break
        s += step
    return s
