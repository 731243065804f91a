"""All measures at once: each against an exact answer, on a saddle whose matrices are known."""

import numpy as np
import pytest

from minisam.sharpness import measures

H = np.diag([5.0, 3.0, 1.0, -2.0])
W = np.array([0.1, 0.2, 0.1, 0.3])
SLOPES = np.random.default_rng(3).normal(size=(6, 4))


def part(rows):
    def losses(w):
        return 0.5 * w @ H @ w + SLOPES[rows] @ w

    return losses


def found(rho=0.1, p=2, k=3, **options):
    losses = [part(slice(0, 4)), part(slice(4, 6))]
    chunks = [part(slice(i, i + 2)) for i in (0, 2, 4)]
    return dict(measures(losses, W, rho, p, chunks=chunks, k=k, **options))


def test_a_quadratic_is_measured_exactly():
    g = H @ W + SLOPES.mean(axis=0)
    sigma = np.cov(SLOPES.T, bias=True)
    result = found()
    e = 0.1 * g / np.linalg.norm(g)
    exact = {
        "norm": np.linalg.norm(W),
        "first_order": 0.1 * np.linalg.norm(g),
        "one_step": g @ e + 0.5 * e @ H @ e,
        "lambda_1": 5.0,
        "lambda_2": 3.0,
        "lambda_3": 1.0,
        "lambda_min": -2.0,
        "trace": 7.0,
        "noise_trace": np.trace(sigma),
    }
    for name, value in exact.items():
        assert result[name].value == pytest.approx(value, rel=1e-9), name
    for name in ("lambda_1", "lambda_2", "lambda_3", "lambda_min"):
        assert result[name].error < 1e-9
    # σ = ρ/√d: the mean rise is σ²/2 tr H, of which pairs ±z leave no odd term.
    average = result["average_case"]
    assert abs(average.value - 0.5 * 0.05**2 * 7) < 4 * average.error
    assert 0 < average.error < 0.01
    cosine = np.sum(sigma * H) / np.linalg.norm(sigma) / np.linalg.norm(H)
    assert abs(result["alignment"].value - cosine) < 5 * result["alignment"].error
    slopes = [H @ W + SLOPES[i : i + 2].mean(axis=0) for i in (0, 2, 4)]
    rises = [0.1 * np.linalg.norm(s) + 0.005 * s @ H @ s / (s @ s) for s in slopes]
    assert result["m_sharpness"].value == pytest.approx(np.mean(rises), rel=1e-9)
    assert result["ball_maximum"].value >= result["one_step"].value


def test_the_adaptive_ball_has_a_radius_of_its_own():
    """Small enough for the slope to decide: then it is ρ‖T g‖."""
    g = H @ W + SLOPES.mean(axis=0)
    slope = np.linalg.norm((np.abs(W) + 0.01) * g)
    assert found(adaptive_rho=1e-6)["adaptive"].value == pytest.approx(1e-6 * slope, rel=1e-5)


def test_the_exponent_and_the_seed_are_passed_on():
    g = H @ W + SLOPES.mean(axis=0)
    assert found(p=np.inf)["first_order"].value == pytest.approx(0.1 * np.abs(g).sum(), rel=1e-12)
    assert found(seed=1)["average_case"] != found()["average_case"] == found()["average_case"]


@pytest.mark.parametrize("k", [0, 5])
def test_there_are_d_eigenvalues(k):
    with pytest.raises(ValueError, match=r"k must be in \[1, 4\]"):
        found(k=k)


@pytest.mark.parametrize("rho", [0, -1, np.nan, np.inf])
def test_a_ball_has_a_radius(rho):
    with pytest.raises(ValueError, match="rho"):
        found(rho=rho)


def test_a_mean_is_no_loss_of_each_example():
    mean = [lambda w: np.mean(part(slice(0, 6))(w))]
    with pytest.raises(ValueError, match="one loss for"):
        dict(measures(mean, W, 0.1, chunks=mean))
