r"""What SAM's normalised gradient does on average, for Gaussian noise: exactly, in any dimension.

SAM climbs along u = y/‖y‖ with y = g + Z, Z ~ N(0, C). Its SDE needs the mean of u and how u varies
with Z. Everything follows from 1/‖y‖ = (2/√π) ∫_0^∞ exp(-τ²‖y‖²) dτ: in the basis of C's
eigenvectors, with variances c_j and s_j = 1/(1 + 2τ²c_j), the exponential's mean is

    P(τ) = E exp(-τ²‖y‖²) = ∏_j s_j^½ exp(-τ² s_j g_j²),

and so, with one integral over τ whatever the dimension,

    E ‖y‖  = N(g)     = (1/√π) ∫ (1 - P)/τ² dτ
    E u_i  = ∇N_i     = (2/√π) ∫ P s_i g_i dτ
    J_ik   = ∇²N_ik   = (2/√π) ∫ P (s_i δ_ik - 2τ² s_i g_i s_k g_k) dτ   =  E[(I - uuᵀ)/‖y‖]_ik.

By Stein's lemma Cov(Z, u) = C·E[∂u/∂Z] = C J. Gauss-Legendre nodes in θ, with τ = tan θ/√(2κ) and
κ = (‖g‖² + tr C)/4, give 12 digits for equal variances and 8 for a ratio of 10⁴ between them; where
C is singular and g small, 4. In one dimension it is E u = 2Φ(g/s) - 1 and J = 2φ(g/s)/s.
"""

from math import erf as _erf
from math import pi, sqrt

import numpy as np

from minisam.arrays import Array
from minisam.sde.noise import Gaussian

_x, _w = np.polynomial.legendre.leggauss(48)
_THETA, _WEIGHT = (_x + 1) * pi / 4, _w * pi / 4
TAN, WEIGHTS = np.tan(_THETA), _WEIGHT / np.cos(_THETA) ** 2

_PER_UNIT, _END = 128, 6
_ERF = np.array([_erf(i / _PER_UNIT) for i in range(_END * _PER_UNIT + 1)])
_SLOPE = 2 / sqrt(pi) * np.exp(-((np.arange(len(_ERF)) / _PER_UNIT) ** 2))


def erf(x: Array) -> Array:
    """Return the error function of an array, to 15 digits: NumPy has none.

    Taylor's formula to the fifth order at the nearest of a table's points, 1/128 apart.
    """
    size = np.fmin(np.abs(x), float(_END))  # erf(6) is 1 to the last digit; NaN is no index
    nearest = (size * _PER_UNIT + 0.5).astype(np.intp)
    a = nearest / _PER_UNIT
    h, aa = size - a, a * a
    fifth = (4 * aa * aa - 12 * aa + 3) / 30
    series = (((h * fifth + a * (1 - aa * (2 / 3)) / 2) * h + (2 * aa - 1) / 3) * h - a) * h + 1
    return np.copysign(_ERF[nearest] + _SLOPE[nearest] * h * series, x)


def unit(g: Array) -> Array:
    """Return g/‖g‖ for every row, 0 where the row is 0."""
    if g.shape[-1] == 1:
        return np.sign(g)
    return over(g, lengths(g))


def lengths(g: Array) -> Array:
    """Return ‖g‖ of every row, (paths, 1)."""
    return np.abs(g) if g.shape[-1] == 1 else np.sqrt(np.sum(g * g, axis=-1, keepdims=True))


def over(v: Array, length: Array) -> Array:
    """Return v divided by a length, 0 where that is 0."""
    return v * np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)


def expected_norm(g: Array, noise: Gaussian) -> Array:
    """Return E‖g + Z‖ of every row; made of NumPy operations that can be differentiated.

    Parameters
    ----------
    g : array, (paths, d)
        Gradients.
    noise : Gaussian
        Z ~ N(0, C).

    Returns
    -------
    array, (paths,)
        What SAM's SDE penalises: f̃ = f + ρ E‖∇f_γ‖ (SDE poster).

    Examples
    --------
    >>> expected_norm(np.zeros((1, 1)), Gaussian([[1.0]])).round(6)  # √(2/π)
    array([0.797885])
    """
    if not noise.covariance.any():
        return np.sqrt(np.sum(g * g, axis=-1))
    c, copies = noise.variances, noise.d // len(noise.variances)
    y = g if noise.basis is None else g @ noise.basis
    scale = (np.sum(y * y, axis=-1, keepdims=True) + np.trace(noise.covariance)) / 2
    total = 0.0
    for tan, weight in zip(TAN, WEIGHTS, strict=True):
        square = tan**2 / scale
        s = 1 / (1 + 2 * square * c)
        log = 0.5 * copies * np.sum(np.log(s), axis=-1) - np.sum(square * s * y * y, axis=-1)
        total = total - weight / tan**2 * np.expm1(log)
    return np.sqrt(scale[..., 0] / pi) * total


def expected_direction(g: Array, v: Array, noise: Gaussian) -> tuple[Array, Array]:
    """Return E u and J v, for u = (g + Z)/‖g + Z‖ and J = E ∂u/∂Z.

    Parameters
    ----------
    g : array, (paths, d)
        Gradients.
    v : array, (..., paths, d)
        What to multiply by J; leading axes for several of them.
    noise : Gaussian
        Z ~ N(0, C).

    Returns
    -------
    mean, product : array
        E u, of g's shape, and J v, of v's. Without noise u and its Jacobian, both 0 where g is 0.

    Examples
    --------
    In one dimension E u = 2Φ(g/s) - 1, and J = 2φ(g/s)/s:

    >>> g = np.array([[0.0], [1.0]])
    >>> mean, product = expected_direction(g, np.ones((2, 1)), Gaussian([[1.0]]))
    >>> mean.ravel().round(6), product.ravel().round(6)
    (array([0.      , 0.682689]), array([0.797885, 0.483941]))
    """
    if not noise.covariance.any():
        u = unit(g)
        return u, over(v - u * np.sum(u * v, axis=-1, keepdims=True), lengths(g))
    if noise.d == 1:
        s = float(noise.root[0, 0])
        r = g / s
        return erf(r / sqrt(2)), sqrt(2 / pi) / s * np.exp(-0.5 * r * r) * v
    c, copies = noise.variances, noise.d // len(noise.variances)
    basis = noise.basis
    y, v = (g, v) if basis is None else (g @ basis, v @ basis)
    yy = y * y
    scale = (np.sum(yy, axis=-1, keepdims=True) + np.trace(noise.covariance)) / 2
    own: Array = np.zeros(())
    cross: Array = np.zeros(())
    for tan, weight in zip(TAN, WEIGHTS, strict=True):
        square = tan**2 / scale
        s = 1 / (1 + 2 * square * c)
        log = 0.5 * copies * np.sum(np.log(s), axis=-1, keepdims=True)
        log -= square * np.sum(s * yy, axis=-1, keepdims=True)
        ps = weight * np.exp(log) * s
        sy = s * y
        own = own + ps
        cross = cross + (2 * square) * ps * np.sum(sy * v, axis=-1, keepdims=True)
    factor = 2 / np.sqrt(pi * scale)
    mean, product = factor * own * y, factor * (own * v - cross * y)
    return (mean, product) if basis is None else (mean @ basis.T, product @ basis.T)
