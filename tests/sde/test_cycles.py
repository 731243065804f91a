"""SAM without noise ends in a two-cycle, of the stated amplitude along the top eigenvector."""

import numpy as np
import pytest

from minisam import sde

RHO = 0.3


@pytest.mark.parametrize("eta", [0.02, 0.5, 0.65])  # up to the limit 2/3, where it has no bound
def test_amplitude_and_direction_on_a_quadratic(eta):
    """One that is not diagonal, so that the top eigenvector is no axis."""
    values, vectors = np.array([0.5, 1.0, 3.0]), np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2)[0]
    bowl = sde.quadratic(vectors * values @ vectors.T, [0.1, 0.2, -0.3])
    found = sde.cycle(bowl, eta=eta, rho=RHO, steps=3000)
    amplitude = 3 * eta * RHO / (2 - 3 * eta)
    assert found.amplitude == pytest.approx(amplitude, rel=1e-12)
    assert sde.cycle_amplitude(3.0, eta, RHO) == pytest.approx(amplitude, rel=1e-15)
    assert found.curvature == pytest.approx(3.0, rel=1e-12)
    np.testing.assert_allclose(np.abs(found.iterates[-2:] @ vectors[:, 2]), amplitude, rtol=1e-9)
    np.testing.assert_allclose(found.iterates[-2:] @ vectors[:, :2], 0, atol=1e-9)
    assert found.halves.shape == (3000,)
    assert found.halves[-1] == pytest.approx(amplitude, rel=1e-9)
    np.testing.assert_allclose(found.coordinates[-2:], [-amplitude, amplitude], rtol=1e-9)
    assert found.gap < 1e-9


def test_near_a_minimum_of_another_function_it_is_nearly_so():
    """f = cosh x, whose curvature is 1 at the minimum and grows: by less than a²/2."""
    found = sde.cycle(sde.cosh(), eta=0.2, rho=0.1, steps=300)
    assert found.gap < 1e-12
    assert found.curvature == pytest.approx(1.0, abs=1e-12)
    assert found.halves[-1] / found.amplitude == pytest.approx(1, abs=0.01)
    assert found.halves[-1] > found.amplitude


def test_curvature_is_measured_halfway_between_the_ends():
    """At two wells' minimum x = 1 it is 3x² - 1 = 2; the cycle's middle is off by some ρ²."""
    found = sde.cycle(sde.two_wells(), eta=0.5, rho=0.02, steps=600)
    middle = found.iterates[-2:].mean()
    assert 0 < 1 - middle < 10 * 0.02**2
    assert found.curvature == pytest.approx(3 * middle**2 - 1, rel=1e-12)
    assert found.halves[-1] == pytest.approx(found.amplitude, rel=0.01)
    assert found.coordinates[-2:].sum() == pytest.approx(0, abs=1e-12)


def test_the_cycle_of_a_flatter_direction_does_not_attract():
    """Started in it, but for 10⁻⁸, SAM leaves it."""
    bowl = sde.quadratic(np.diag([1.0, 3.0]), [sde.cycle_amplitude(1.0, 0.5, RHO), 1e-8])
    found = sde.cycle(bowl, eta=0.5, rho=RHO, steps=2000)
    np.testing.assert_allclose(np.abs(found.iterates[-1]), [0, found.amplitude], atol=1e-9)


def test_no_cycle_is_refused():
    with pytest.raises(ValueError, match=r"no two-cycle with curvature 4 and eta 0.5"):
        sde.cycle_amplitude(4.0, 0.5, RHO)
    with pytest.raises(ValueError, match="no two-cycle with curvature -1"):
        sde.cycle_amplitude(-1.0, 0.5, RHO)
    with pytest.raises(ValueError, match="steps must be at least 2, got 1"):
        sde.cycle(sde.cosh(), eta=0.1, rho=RHO, steps=1)
    with pytest.raises(FloatingPointError, match="SAM on saddle has left the range of floats"):
        sde.cycle(sde.saddle(), eta=1.5, rho=RHO, steps=2000)


@pytest.mark.parametrize("problem", [sde.saddle(), sde.embedded_saddle()], ids=lambda p: p.name)
def test_at_a_saddle_none_is_announced(problem):
    """λmax is positive there."""
    with pytest.raises(ValueError, match=rf"SAM on {problem.name} did not end at a minimum: .* -"):
        sde.cycle(problem, eta=0.05, rho=0.1, steps=100)


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_flat_direction_is_no_saddle(seed):
    """Its eigenvalue 0 comes out below 0 by rounding, for some of these."""
    v = np.random.default_rng(seed).normal(size=3)
    valley = sde.quadratic(np.outer(v, v) / (v @ v))
    assert sde.cycle(valley, eta=0.5, rho=RHO, steps=100).curvature == pytest.approx(1.0)


def test_at_rest_there_is_no_direction():
    """From the minimum itself SAM does not move; what is along no direction is 0, not NaN."""
    found = sde.cycle(sde.quadratic([[1.0]], [0.0]), eta=0.5, rho=RHO, steps=3)
    np.testing.assert_array_equal(found.coordinates, 0)
    np.testing.assert_array_equal(found.halves, 0)
    assert found.gap == 0
