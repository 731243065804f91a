"""One-step sharpness, L(w + ε̂) - L(w), where it is known."""

import numpy as np
import pytest

from minisam.sam import conjugate, epsilon_hat
from minisam.sharpness import one_step

INF = float("inf")


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
@pytest.mark.parametrize("rho", [0.0, 0.05, 2.0])
def test_a_quadratic(p, rho):
    """½wᵀAw + bᵀw: exactly gᵀε̂ + ½ε̂ᵀAε̂, and gᵀε̂ = ρ‖g‖_q."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 4))
    a, b, w = a @ a.T, rng.normal(size=4), rng.normal(size=4)
    g = a @ w + b
    e = epsilon_hat(g, rho, p)
    expected = rho * np.linalg.norm(g, conjugate(p)) + 0.5 * e @ a @ e
    found = one_step(lambda w: 0.5 * (w @ (a @ w)) + b @ w, w, rho, p)
    assert type(found) is float
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_a_linear_loss():
    """ρ‖g‖_q, wherever: sharpness alone says nothing of the loss."""
    g = np.array([3.0, -4.0])
    for w in (np.zeros(2), np.array([10.0, -7.0])):
        assert one_step(lambda w: g @ w, w, 0.1) == pytest.approx(0.5, rel=1e-12)
        assert one_step(lambda w: g @ w, w, 0.1, 1) == pytest.approx(0.4, rel=1e-12)
        assert one_step(lambda w: g @ w, w, 0.1, INF) == pytest.approx(0.7, rel=1e-12)


def test_metric_and_groups():
    g, metric = np.array([3.0, -4.0, 2.0]), np.array([1.0, 2.0, 0.5])

    def loss(w):
        return g @ w

    found = one_step(loss, np.zeros(3), 0.1, metric=metric)
    assert found == pytest.approx(0.1 * np.linalg.norm(metric * g), rel=1e-12)
    found = one_step(loss, np.zeros(3), 0.1, groups=[slice(0, 2), slice(2, 3)])
    assert found == pytest.approx(0.1 * (5 + 2), rel=1e-12)


def test_at_a_stationary_point_it_is_zero():
    """Although the ball's maximum is not: ε̂ sees no curvature."""
    assert one_step(lambda w: np.sum(w**2), np.zeros(3), 0.1) == 0.0


def test_float32():
    w = np.ones(3, "f4")
    found = one_step(lambda w: np.sum(w * w), w, 0.1)
    assert found == pytest.approx(2 * 0.1 * 3**0.5 + 0.01, rel=1e-5)


def test_errors_are_those_of_the_perturbation():
    with pytest.raises(ValueError, match="p must be"):
        one_step(lambda w: np.sum(w**2), np.ones(2), 0.1, 0.5)
    with pytest.raises(ValueError, match="rho must be"):
        one_step(lambda w: np.sum(w**2), np.ones(2), -0.1)
