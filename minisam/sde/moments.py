"""Exact moments on quadratics, where USAM and its SDE are linear: no path is simulated.

With f = ½xᵀHx and Gaussian noise a step of USAM is x ← (I - ηB)x - η(I + ρH)Z, B = H(I + ρH), and
its SDE is dX = -BX dt + √η (I + ρH) C^½ dW. In the basis of H's eigenvectors both have covariances
in closed form, entry by entry. SGD is ρ = 0.
"""

from typing import NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.sde.noise import Gaussian
from minisam.sde.problems import symmetric


class Trajectory(NamedTuple):
    """Mean and covariance at steps 0 … k.

    Parameters
    ----------
    means : array, (k + 1, d)
        E x.
    covariances : array, (k + 1, d, d)
        Cov x.
    """

    means: Array
    covariances: Array

    def second_moment(self) -> Array:
        """Return E‖x‖², (k + 1,)."""
        return np.einsum("kii->k", self.covariances) + np.sum(self.means**2, axis=1)


def discrete_moments(
    hessian: Array, noise: Gaussian, start: Array, *, eta: float, rho: float = 0.0, steps: int
) -> Trajectory:
    """Return the moments of USAM's iterates (of SGD's, with ρ = 0) on a quadratic.

    Parameters
    ----------
    hessian : array_like, (d, d)
        H, symmetric.
    noise : Gaussian
        Z ~ N(0, C).
    start : array_like, (d,)
        x₀.
    eta, rho : float
        Step size and radius.
    steps : int
        k.

    Returns
    -------
    Trajectory
        Exact.

    Examples
    --------
    >>> noise = Gaussian([[1.0]])
    >>> discrete_moments([[1.0]], noise, [2.0], eta=0.1, steps=1).covariances[1].round(6)
    array([[0.01]])
    """
    h, basis, spread = _diagonal(hessian, noise, rho)
    a = 1 - eta * h * (1 + rho * h)
    k = np.arange(steps + 1)
    pairs, powers = np.multiply.outer(a, a), k[:, None, None]
    same = np.abs(1 - pairs) < 1e-12  # no force on the pair: its covariance grows by one a step
    grown = np.where(same, powers, (1 - pairs**powers) / np.where(same, 1, 1 - pairs))
    means = a ** k[:, None] * (basis.T @ np.asarray(start))
    return Trajectory(means @ basis.T, basis @ (eta**2 * spread * grown) @ basis.T)


def sde_moments(
    hessian: Array,
    noise: Gaussian,
    start: Array,
    *,
    eta: float,
    rho: float = 0.0,
    steps: int,
    noise_rho: float | None = None,
) -> Trajectory:
    """Return the moments of USAM's SDE at the times 0, η, … kη.

    Parameters
    ----------
    hessian, noise, start, eta, rho, steps
        As for `discrete_moments`.
    noise_rho : float, optional
        Another ρ in the diffusion; 0 for the wrong SDE with USAM's drift and SGD's noise.

    Returns
    -------
    Trajectory
        Exact.

    Examples
    --------
    >>> noise = Gaussian([[1.0]])
    >>> sde_moments([[1.0]], noise, [2.0], eta=0.1, steps=1).means.ravel().round(6)
    array([2.      , 1.809675])
    """
    h, basis, spread = _diagonal(hessian, noise, rho if noise_rho is None else noise_rho)
    b = h * (1 + rho * h)
    t = eta * np.arange(steps + 1)
    sums = np.add.outer(b, b)
    zero = sums == 0
    grown = np.where(
        zero, t[:, None, None], -np.expm1(-sums * t[:, None, None]) / np.where(zero, 1, sums)
    )
    means = np.exp(-b * t[:, None]) * (basis.T @ np.asarray(start))
    return Trajectory(means @ basis.T, basis @ (eta * spread * grown) @ basis.T)


def discrete_stationary(hessian: Array, noise: Gaussian, *, eta: float, rho: float = 0.0) -> Array:
    """Return the covariance in which USAM's iterates settle on a convex quadratic.

    Parameters
    ----------
    hessian, noise, eta, rho
        As for `discrete_moments`.

    Returns
    -------
    array, (d, d)
        With one eigenvalue λ and noise s²: η²s²(1+ρλ)²/(1 - a²), a = 1 - ηλ(1+ρλ).

    Raises
    ------
    ValueError
        Nothing settles: H is not positive definite, or η above the limit of stability.

    Examples
    --------
    >>> discrete_stationary([[1.0]], Gaussian([[1.0]]), eta=0.1).round(6)
    array([[0.052632]])
    """
    h, basis, spread = _diagonal(hessian, noise, rho)
    a = 1 - eta * h * (1 + rho * h)
    if (np.abs(a) >= 1).any():
        raise ValueError(
            f"a step multiplies eigenvectors' coordinates by {a.round(4).tolist()}: where that is "
            "not between -1 and 1 nothing settles. H must be positive definite, "
            "eta below 2/(λ(1 + ρλ))."
        )
    return basis @ (eta**2 * spread / (1 - np.multiply.outer(a, a))) @ basis.T


def sde_stationary(
    hessian: Array,
    noise: Gaussian,
    *,
    eta: float,
    rho: float = 0.0,
    noise_rho: float | None = None,
) -> Array:
    """Return the covariance in which USAM's SDE settles on a convex quadratic.

    Parameters
    ----------
    hessian, noise, eta, rho, noise_rho
        As for `sde_moments`.

    Returns
    -------
    array, (d, d)
        With one eigenvalue λ and noise s²: ηs²/2·(1/λ + ρ).

    Raises
    ------
    ValueError
        H is not positive definite.

    Examples
    --------
    >>> sde_stationary([[2.0]], Gaussian([[1.0]]), eta=0.1, rho=0.5).round(6)
    array([[0.05]])
    """
    h, basis, spread = _diagonal(hessian, noise, rho if noise_rho is None else noise_rho)
    b = h * (1 + rho * h)
    if (b <= 0).any():
        raise ValueError(
            f"H has the eigenvalues {h.round(4).tolist()}; nothing settles unless all are positive."
        )
    return basis @ (eta * spread / np.add.outer(b, b)) @ basis.T


def _diagonal(hessian: Array, noise: Gaussian, rho: float) -> tuple[Array, Array, Array]:
    """Return H's eigenvalues and eigenvectors, and (I + ρH) C (I + ρH) in their basis."""
    h, basis = np.linalg.eigh(symmetric(hessian, "the Hessian"))
    grown = (1 + rho * h)[:, None] * (basis.T @ noise.covariance @ basis) * (1 + rho * h)
    return h, basis, grown
