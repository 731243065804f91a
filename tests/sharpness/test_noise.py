"""The covariance of the examples' gradients, against the matrix of all of them."""

import numpy as np
import pytest

import minisam as ms
from minisam.sharpness import alignment, covariance_product, noise_eigenvalues
from tests.sharpness.problems import NETWORKS, losses_of

SLICES = (slice(0, 5), slice(5, 10), slice(10, 12))


@pytest.fixture(scope="module", params=["mlp", "relu"])
def problem(request):
    """All losses, the same in parts, w, and the dense matrices."""
    model = NETWORKS[request.param][0]
    part, w = losses_of(model)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.integers(2, size=12)
    rows = ms.nn.per_example_gradients(model, ms.nn.cross_entropy, w, x, y)
    sigma = np.cov(rows.T, bias=True)
    whole = part(slice(None))
    h = ms.hessian(lambda w: whole(w).mean())(w)
    return whole, [part(s) for s in SLICES], w, sigma, h


def test_products_with_the_covariance(problem):
    whole, parts, w, sigma, _ = problem
    rng = np.random.default_rng(1)
    for losses in (whole, parts):
        product, d = covariance_product(losses, w)
        assert d == w.size
        for v in rng.normal(size=(5, d)):
            np.testing.assert_allclose(product(v), sigma @ v, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_eigenvalues(problem, k):
    whole, parts, w, sigma, _ = problem
    expected = np.linalg.eigvalsh(sigma)[::-1][:k]
    for losses in (whole, parts):
        found = noise_eigenvalues(losses, w, k, tol=1e-9)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_of_equal_examples_there_is_no_noise():
    product, _ = covariance_product(lambda w: np.ones(4) * np.sum(w**2), np.array([1.0, 2.0]))
    np.testing.assert_allclose(product(np.array([1.0, -1.0])), 0, atol=1e-14)


def test_noise_of_a_batch_by_enumeration():
    """Cov of the mean of b of n gradients, drawn without replacement: Σ/b · (n - b)/(n - 1)."""
    from itertools import combinations

    part, w = losses_of(ms.nn.mlp([3, 2]), n=6)
    whole = part(slice(None))
    product, d = covariance_product(whole, w)
    sigma = np.stack([product(e) for e in np.eye(d)])
    b = 2
    batches = [
        ms.grad(lambda w, rows=rows: whole(w)[list(rows)].mean())(w)
        for rows in combinations(range(6), b)
    ]
    np.testing.assert_allclose(
        np.cov(np.array(batches).T, bias=True), sigma / b * (6 - b) / 5, atol=1e-14
    )


def test_alignment(problem):
    whole, parts, w, sigma, h = problem
    exact = np.trace(sigma @ h) / np.linalg.norm(sigma) / np.linalg.norm(h)
    assert abs(exact) < 0.9
    found = alignment(whole, w, 200)
    assert abs(found.value - exact) < 4 * found.error < 0.4
    streamed = alignment(parts, w, 200)
    assert streamed.value == pytest.approx(found.value, rel=1e-8)
    assert streamed.error == pytest.approx(found.error, rel=1e-6)


def test_alignment_has_calibrated_error_bars(problem):
    """Coverage of two standard errors over 120 repetitions; for normal errors it is 95 %."""
    whole, _, w, sigma, h = problem
    exact = np.trace(sigma @ h) / np.linalg.norm(sigma) / np.linalg.norm(h)
    found = [alignment(whole, w, 50, seed=s) for s in range(120)]
    assert 0.86 < np.mean([abs(e.value - exact) < 2 * e.error for e in found]) < 0.99
    z = (np.mean([e.value for e in found]) - exact) / np.std([e.value for e in found]) * 120**0.5
    assert abs(z) < 4


def test_perfect_and_no_alignment():
    x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])

    def aligned(w):  # Σ = H: E x xᵀ, the noise linear in x and the curvature quadratic
        return 0.5 * (x @ w) ** 2 + x @ w * np.sqrt(1.0)

    found = alignment(aligned, np.zeros(2))
    assert found.value == pytest.approx(1, rel=1e-12)
    assert found.error < 1e-8

    def crossed(w):  # noise along the first axis, curvature along the second
        return x[:, 0] * w[0] + 0.5 * w[1] ** 2

    found = alignment(crossed, np.zeros(2))
    assert abs(found.value) < 1e-12


def test_float32():
    part, w = losses_of(NETWORKS["mlp"][0])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)).astype("f4"), rng.integers(2, size=12)
    model = NETWORKS["mlp"][0]
    exact = noise_eigenvalues(part(slice(None)), w, 2)
    found = noise_eigenvalues(lambda w: ms.nn.cross_entropy(model(w, x), y), w.astype("f4"), 2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input():
    def losses(w):
        return np.array([1.0, 2.0]) * w[0]

    with pytest.raises(ValueError, match="at least 2 probes, got 1"):
        alignment(losses, np.ones(2), 1)
    with pytest.raises(ValueError, match="the Hessian is 0"):
        alignment(losses, np.ones(2))
    with pytest.raises(ValueError, match=r"k must be in \[1, 2\]"):
        noise_eigenvalues(losses, np.ones(2), 3)
    with pytest.raises(ValueError, match="gradient noise is not finite"):
        noise_eigenvalues(lambda w: np.array([1.0, 2.0]) * np.sqrt(w[0]), np.zeros(1))
    with pytest.raises(ValueError, match="there are no losses"):
        covariance_product([], np.ones(2))
