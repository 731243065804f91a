"""Exact moments: against recursions, the SDE's own equations, and the formulas of the sources."""

import numpy as np
import pytest

from minisam import sde

H = np.array([[2.0, 0.8], [0.8, 0.5]])
C = np.array([[0.5, -0.2], [-0.2, 0.3]])
START = np.array([1.0, -2.0])


@pytest.mark.parametrize("hessian", [H, H - 2 * np.eye(2), np.diag([1.0, -1.0]), np.zeros((2, 2))])
@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_discrete_moments_by_recursion(hessian, rho):
    eta, noise = 0.1, sde.Gaussian(C)
    found = sde.discrete_moments(hessian, noise, START, eta=eta, rho=rho, steps=30)
    climb = np.eye(2) + rho * hessian
    a, b = np.eye(2) - eta * hessian @ climb, eta * climb
    mean, covariance = START, np.zeros((2, 2))
    for m, p in zip(*found, strict=True):
        np.testing.assert_allclose(m, mean, atol=1e-12)
        np.testing.assert_allclose(p, covariance, atol=1e-12)
        mean, covariance = a @ mean, a @ covariance @ a.T + b @ C @ b.T


@pytest.mark.parametrize("hessian", [H, np.diag([1.0, -1.0]), np.zeros((2, 2))])
def test_sde_moments_solve_their_equations(hessian):
    """ṁ = -Bm and Ṗ = -BP - PB + η Q, integrated by scipy."""
    integrate = pytest.importorskip("scipy.integrate")
    eta, rho, steps = 0.1, 0.3, 20
    noise = sde.Gaussian(C)
    climb = np.eye(2) + rho * hessian
    b = hessian @ climb
    for other in (None, 0.0):
        grown = climb @ C @ climb if other is None else C

        def flow(t, y, grown=grown):
            p = y[2:].reshape(2, 2)
            return np.concatenate([-b @ y[:2], (-b @ p - p @ b + eta * grown).ravel()])

        end = integrate.solve_ivp(
            flow, (0, steps * eta), np.r_[START, np.zeros(4)], rtol=1e-10, atol=1e-12
        ).y[:, -1]
        found = sde.sde_moments(
            hessian, noise, START, eta=eta, rho=rho, steps=steps, noise_rho=other
        )
        np.testing.assert_allclose(found.means[-1], end[:2], atol=1e-8)
        np.testing.assert_allclose(found.covariances[-1].ravel(), end[2:], atol=1e-8)


def test_second_moment():
    found = sde.discrete_moments(H, sde.Gaussian(C), START, eta=0.1, rho=0.2, steps=3)
    expected = [np.trace(p) + m @ m for m, p in zip(*found, strict=True)]
    np.testing.assert_allclose(found.second_moment(), expected)


def test_stationary_formulas():
    """ηs²/2 (1/λ + ρ) for USAM, ηs²/(2λ) for SGD, E f = ηs²/4 (d + ρ tr H); b²/(1 - a²)."""
    eta, rho, s = 0.05, 0.4, 0.7
    values = np.array([0.5, 3.0])
    h, noise = np.diag(values), sde.Gaussian.isotropic(s, 2)
    usam = sde.sde_stationary(h, noise, eta=eta, rho=rho)
    np.testing.assert_allclose(usam, np.diag(eta * s**2 / 2 * (1 / values + rho)), atol=1e-15)
    expected = eta * s**2 / 4 * (2 + rho * np.trace(h))
    np.testing.assert_allclose(0.5 * np.trace(h @ usam), expected)
    sgd = sde.sde_stationary(h, noise, eta=eta)
    np.testing.assert_allclose(sgd, np.diag(eta * s**2 / (2 * values)), atol=1e-15)
    only = sde.sde_stationary(h, noise, eta=eta, rho=rho, noise_rho=0.0)
    drift_only = eta * s**2 / (2 * values * (1 + rho * values))
    np.testing.assert_allclose(only, np.diag(drift_only), atol=1e-15)
    a, b = 1 - eta * values * (1 + rho * values), eta * s * (1 + rho * values)
    discrete = sde.discrete_stationary(h, noise, eta=eta, rho=rho)
    np.testing.assert_allclose(discrete, np.diag(b**2 / (1 - a**2)), atol=1e-15)


def test_moments_settle_in_the_stationary_ones():
    noise, eta, rho = sde.Gaussian(C), 0.1, 0.3
    for trajectory, settled in (
        (sde.discrete_moments, sde.discrete_stationary),
        (sde.sde_moments, sde.sde_stationary),
    ):
        late = trajectory(H, noise, START, eta=eta, rho=rho, steps=2000).covariances[-1]
        np.testing.assert_allclose(late, settled(H, noise, eta=eta, rho=rho), rtol=1e-9)


def test_what_does_not_settle_is_refused():
    noise = sde.Gaussian(C)
    with pytest.raises(ValueError, match="not between -1 and 1 nothing settles"):
        sde.discrete_stationary(np.diag([1.0, -1.0]), noise, eta=0.1)
    with pytest.raises(ValueError, match=r"eta below 2/\(λ\(1 \+ ρλ\)\)"):
        sde.discrete_stationary(H, noise, eta=5.0)
    with pytest.raises(ValueError, match=r"eigenvalues \[-1.0, 1.0\]; nothing settles"):
        sde.sde_stationary(np.diag([1.0, -1.0]), noise, eta=0.1)


def test_fixed_rho_tells_the_right_noise_from_the_wrong_one():
    """As η → 0 the SDE's variance over the algorithm's tends to 1, linearly; with SGD's noise to
    1/(1 + ρλ)², which slopes in η for ρ ~ √η do not see. Exact, no simulation."""
    rho, h, noise = 0.5, np.diag([1.0, 3.0]), sde.Gaussian.isotropic(0.5, 2)
    right, wrong = [], []
    for eta in (0.01, 0.005):
        exact = np.diag(sde.discrete_stationary(h, noise, eta=eta, rho=rho))
        right.append(np.diag(sde.sde_stationary(h, noise, eta=eta, rho=rho)) / exact)
        only = sde.sde_stationary(h, noise, eta=eta, rho=rho, noise_rho=0.0)
        wrong.append(np.diag(only) / exact)
    right, wrong = np.array(right), np.array(wrong)
    np.testing.assert_allclose((1 - right[0]) / (1 - right[1]), 2, rtol=1e-3)
    np.testing.assert_allclose(2 * right[1] - right[0], 1, atol=1e-3)
    np.testing.assert_allclose(2 * wrong[1] - wrong[0], [1 / 1.5**2, 1 / 2.5**2], atol=1e-3)
