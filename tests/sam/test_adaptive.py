"""AE-SAM's policy in the open: statistics, decisions, and how often it is predicted to climb."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam.sam import (
    AESAM,
    Adaptive,
    Bernoulli,
    expected_fraction,
    linear,
    piecewise,
    solve_thresholds,
    trigonometric,
)
from tests.sam.kin import many, trajectory

INF = float("inf")


def test_the_statistics_are_those_of_a_scalar_reference(net):
    _, steps = trajectory(AESAM(0.2, -0.5, 1.5, delta=0.8), many(net, 20), net.w)
    mean, variance, w = 0.0, math.exp(-10), net.w
    decisions = []
    for t, (step, losses) in enumerate(zip(steps, many(net, 20), strict=True)):
        s = float((ms.grad(lambda w, f=losses: f(w).mean())(w) ** 2).sum())
        mean = 0.8 * mean + 0.2 * s
        variance = 0.8 * variance + 0.2 * (s - mean) ** 2
        c = t / 20 * -0.5 + (1 - t / 20) * 1.5
        climbed = s >= mean + c * math.sqrt(variance)
        expected = {"s": s, "mean": mean, "variance": variance, "c": c, "climbed": float(climbed)}
        assert step.record == pytest.approx(expected, rel=1e-12)
        assert step.evaluations == 1 + climbed
        assert float(step.state["mean"]) == step.record["mean"]
        decisions.append(climbed)
        w = w - 0.1 * step.g
    assert 0 < sum(decisions) < 20


def simulate(lambda1, lambda2, n=200_000, delta=0.9):
    """Fraction of climbs, and mean of σ², for independent normal s: through the policy itself."""
    policy = Adaptive(delta, lambda1, lambda2)
    state = {"mean": np.asarray(100.0), "variance": np.asarray(1.0)}
    climbs, variances = 0, 0.0
    # s is a squared norm; of a mean of 100, so that it is not negative.
    for t, s in enumerate(np.random.default_rng(0).normal(100, 1, n)):
        decision = policy.decide(np.sqrt(np.array([s])), state, t, n, None)
        state = decision.state
        climbs += decision.climbs
        variances += decision.record["variance"]
    return climbs / n, variances / n


@pytest.fixture(scope="module")
def simulated():
    cases = [(-1, 1), (0, 2), (0.5, 1.2), solve_thresholds(0.2), solve_thresholds(0.7)]
    return {case: simulate(*case, n=30_000) for case in cases}


def test_the_variance_is_biased_by_a_known_factor(simulated):
    """E σ² = 2δ²/(1 + δ) Var: the deviation is taken from the mean that s has moved."""
    for _, variance in simulated.values():
        assert variance == pytest.approx(2 * 0.81 / 1.9, rel=0.03)


def test_the_fraction_is_that_of_the_gaussian_formula(simulated):
    """Up to the randomness of mean and variance, which adds about 0.01 in the tails."""
    for (lambda1, lambda2), (found, _) in simulated.items():
        assert found == pytest.approx(expected_fraction(lambda1, lambda2), abs=0.02)
    assert simulated[-1, 1][0] == pytest.approx(0.5, abs=0.01)


def test_expected_fractions():
    assert expected_fraction(-1, 1) == 0.5
    assert expected_fraction(-3, 3) == pytest.approx(0.5, abs=1e-15)
    assert expected_fraction(0.8416, 0.8416) == pytest.approx(0.2, abs=1e-4)
    assert expected_fraction(0, 2) == pytest.approx(0.195, abs=5e-4)
    assert expected_fraction(0.5, 1.2) == pytest.approx(0.202, abs=5e-4)
    assert expected_fraction(2, 0) == expected_fraction(0, 2)
    assert expected_fraction(-INF, -INF) == 1
    assert expected_fraction(INF, INF) == 0
    assert expected_fraction(0.3, 0.3 + 2e-5) == pytest.approx(
        expected_fraction(0.3, 0.3), abs=1e-5
    )
    grid = (np.arange(20_000) + 0.5) / 20_000  # Φ(-c_t) averaged along the way, by hand
    mean = np.mean([math.erfc((0.7 * u - 1.1 * (1 - u)) / math.sqrt(2)) / 2 for u in grid])
    assert expected_fraction(0.7, -1.1) == pytest.approx(mean, abs=1e-8)
    with pytest.raises(ValueError, match="finite, or both the same infinity"):
        expected_fraction(-INF, 0)


@pytest.mark.parametrize("width", [0, 0.5, 2, 10])
@pytest.mark.parametrize("fraction", [1e-6, 0.05, 0.2, 0.5, 0.77, 0.999])
def test_thresholds_are_the_inverse(fraction, width):
    lambda1, lambda2 = solve_thresholds(fraction, width)
    assert lambda2 - lambda1 == pytest.approx(width, abs=1e-12)
    assert expected_fraction(lambda1, lambda2) == pytest.approx(fraction, rel=1e-9)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_no_thresholds(fraction):
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\)"):
        solve_thresholds(fraction)
    with pytest.raises(ValueError, match="width must be"):
        solve_thresholds(0.5, -1)


def test_probabilities():
    assert [piecewise(0.1, 0.9, at=0.25)(t, 4) for t in range(4)] == [0.1, 0.9, 0.9, 0.9]
    assert [linear(1, 0)(t, 4) for t in range(4)] == [1, 0.75, 0.5, 0.25]
    assert trigonometric(0.2, 0.6)(0, 8) == pytest.approx(0.2)
    assert trigonometric(0.2, 0.6)(4, 8) == pytest.approx(0.4)
    assert trigonometric(0.2, 0.6)(8, 8) == pytest.approx(0.6)


@pytest.mark.parametrize("schedule", [0.3, linear(0.2, 0.9), trigonometric(), piecewise()])
def test_draws_have_the_probability_they_say(schedule):
    n = 4000
    decisions = [Bernoulli(schedule).decide(None, {}, t, n, (1, 3, t)) for t in range(n)]
    expected = np.mean([d.record["probability"] for d in decisions])
    assert np.mean([d.climbs for d in decisions]) == pytest.approx(expected, abs=0.025)
    with pytest.raises(ValueError, match="must be in"):
        Bernoulli(lambda t, total: 1.5).decide(None, {}, 0, 1, 0)
