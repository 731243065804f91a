"""SAM's mean direction: against integrals over the noise, the engine, and Monte Carlo."""

import math

import numpy as np
import pytest
from scipy import integrate, special

import minisam as ms
from minisam import sde
from minisam.sde.directions import erf, unit


def test_erf():
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.0, -0.0, 1e-300, np.inf, -np.inf]])
    np.testing.assert_allclose(erf(x), special.erf(x), rtol=4e-15, atol=4e-16)
    assert math.isfinite(erf(np.array([np.nan]))[0])  # NaN is no index of a table


@pytest.mark.parametrize("s", [0.1, 1.0, 30.0])
def test_one_dimension_is_the_closed_form_and_the_integral(s):
    g = np.array([[0.0], [0.3], [-2.0], [50.0]])
    noise = sde.Gaussian([[s**2]])
    mean, j = sde.expected_direction(g, np.ones_like(g), noise)
    for gi, m, slope in zip(g.ravel(), mean.ravel(), j.ravel(), strict=True):
        # E sign(g + Z) = P(Z > -g) - P(Z < -g), by scipy's normal distribution.
        assert m == pytest.approx(special.ndtr(gi / s) - special.ndtr(-gi / s), abs=1e-13)
        density = math.exp(-0.5 * (gi / s) ** 2) / (s * math.sqrt(2 * math.pi))
        assert slope == pytest.approx(2 * density, abs=1e-14)


@pytest.mark.parametrize("d", [2, 3, 10, 1000])
@pytest.mark.parametrize("r", [1e-3, 0.3, 1.0, 4.0, 20.0, 1000.0])
def test_equal_variances_against_kummers_function(d, r):
    """E u = ψ(r) ĝ, ψ(r) = √(2/π) ∫_0^r exp(-y²/2) (1 - y²/r²)^((d-1)/2) dy, r = ‖g‖/s."""
    s = 0.7
    g = np.zeros((1, d))
    g[0, 0] = r * s
    mean, _ = sde.expected_direction(g, np.zeros_like(g), sde.Gaussian.isotropic(s, d))
    edge = min(r, 12.0)
    expected, _ = integrate.quad(
        lambda y: math.exp(-y * y / 2) * (1 - (y / r) ** 2) ** ((d - 1) / 2),
        *(0, edge),
        epsabs=1e-14,
        epsrel=1e-13,
        limit=400,
        points=[min(1, r) * edge / 12],
    )
    assert mean[0, 0] == pytest.approx(math.sqrt(2 / math.pi) * expected, rel=1e-10)
    assert not mean[0, 1:].any()


COVARIANCES = {
    "isotropic": 0.3 * np.eye(3),
    "diagonal": np.diag([1.0, 0.2, 0.05]),
    "rotated": np.array([[1.0, 0.4, 0.0], [0.4, 0.6, 0.2], [0.0, 0.2, 0.3]]),
}


@pytest.mark.parametrize("covariance", COVARIANCES.values(), ids=COVARIANCES)
def test_mean_and_jacobian_are_derivatives_of_the_norm(covariance):
    """∇N = E u and ∇²N = J, by the engine through the norm's own integral."""
    noise = sde.Gaussian(covariance)
    rng = np.random.default_rng(0)
    g, v = rng.standard_normal((2, 4, 3))
    g[0] = 0
    slope = ms.grad(lambda g: np.sum(sde.expected_norm(g, noise)))
    mean, product = sde.expected_direction(g, v, noise)
    np.testing.assert_allclose(mean, slope(g), atol=1e-11)
    np.testing.assert_allclose(product, ms.jvp(slope, (g,), (v,))[1], atol=1e-11)


@pytest.mark.parametrize("covariance", COVARIANCES.values(), ids=COVARIANCES)
def test_moments_by_monte_carlo(covariance):
    """E‖y‖, E u and Cov(Z, u) = C J (Stein) within four standard errors, 400,000 draws, seed 0."""
    noise, n = sde.Gaussian(covariance), 400_000
    g = np.array([[0.4, -0.2, 0.1]])
    z = noise.spread(np.random.default_rng(0).standard_normal((n, 3)))
    y = g + z
    length = np.linalg.norm(y, axis=1)
    u = y / length[:, None]
    mean, jc = sde.expected_direction(g, noise.covariance[:, None, :], noise)

    def within(samples, expected):
        error = samples.std(axis=0) / math.sqrt(n)
        assert (np.abs(samples.mean(axis=0) - expected) < 4 * error).all()

    within(length, sde.expected_norm(g, noise)[0])
    within(u, mean[0])
    # Row i of jc is J C e_i, so jc[i, k] = (J C)_ki = Cov(Z, u)_ik.
    within(z[:, :, None] * (u - mean)[:, None, :], jc[:, 0])


def test_very_different_variances():
    """A ratio of 10,000 between variances keeps 8 digits, a singular C 3."""
    for small, tolerance in ((1e-4, 1e-7), (0.0, 1e-3)):
        noise = sde.Gaussian(np.diag([1.0, small]))
        g = np.array([[0.1, 0.001]])
        t = np.linspace(-45, 25, 70_001)  # trapezoids in log τ
        tau2 = np.exp(2 * t)
        s = 1 / (1 + 2 * tau2[:, None] * np.array([1.0, small]))
        p = np.exp(t + 0.5 * np.log(s).sum(1) - tau2 * (s * g**2).sum(1))
        expected = 2 / math.sqrt(math.pi) * (p[:, None] * s * g).sum(0) * (t[1] - t[0])
        found = sde.expected_direction(g, g, noise)[0][0]
        np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("d", [1, 3])
def test_without_noise_it_is_the_unit_vector(d):
    noise = sde.Gaussian(np.zeros((d, d)))
    g = np.random.default_rng(1).standard_normal((4, d))
    g[0] = 0
    v = np.ones_like(g)
    mean, product = sde.expected_direction(g, v, noise)
    np.testing.assert_allclose(mean, unit(g))
    assert not mean[0].any()
    assert not product[0].any()
    np.testing.assert_allclose(sde.expected_norm(g, noise), np.linalg.norm(g, axis=1))
    for gi, vi, found in zip(g[1:], v[1:], product[1:], strict=True):
        u = gi / np.linalg.norm(gi)
        expected = (vi - u * (u @ vi)) / np.linalg.norm(gi)
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_small_noise_tends_to_no_noise():
    g = np.array([[3.0, -4.0]])
    for s in (0.1, 0.01):
        mean, product = sde.expected_direction(g, np.eye(2)[:, None], sde.Gaussian.isotropic(s, 2))
        u, jacobian = sde.expected_direction(g, np.eye(2)[:, None], sde.Gaussian(np.zeros((2, 2))))
        # The next term: E u ≈ u (1 - (d - 1) s²/(2‖g‖²)).
        np.testing.assert_allclose(mean, u * (1 - s**2 / 50), atol=s**4)
        np.testing.assert_allclose(product, jacobian, atol=s**2)


def test_more_rows_and_more_vectors_at_once():
    noise = sde.Gaussian(COVARIANCES["rotated"])
    rng = np.random.default_rng(3)
    g, v = rng.standard_normal((6, 3)), rng.standard_normal((2, 5, 6, 3))
    mean, product = sde.expected_direction(g, v, noise)
    assert product.shape == v.shape
    one, single = sde.expected_direction(g[[4]], v[1, 3, [4]], noise)
    np.testing.assert_allclose(mean[[4]], one, atol=1e-15)
    np.testing.assert_allclose(product[1, 3, [4]], single, atol=1e-15)
