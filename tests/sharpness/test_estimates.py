"""Traces, densities and averages: exact where they are, and with error bars that mean something.

Statistical tests have fixed seeds: |z| < 4 is exceeded by chance once in 16,000; coverage is the
fraction of estimates within two standard errors, 95 % for normal errors.
"""

import numpy as np
import pytest

import minisam as ms
from minisam.sharpness import (
    Density,
    Estimate,
    average_case,
    ball_maximum,
    hutchpp,
    m_sharpness,
    one_step,
    quadrature,
    spectral_density,
    trace,
)
from tests.sharpness.problems import NETWORKS, losses_of, network, quadratic, rotated

DECAY = 1 / np.arange(1.0, 61.0) ** 1.5


def z_score(estimate, exact):
    assert estimate.error > 0
    return (estimate.value - exact) / estimate.error


def coverage(estimates, exact):
    """The fraction within two error bars."""
    return np.mean([abs(z_score(e, exact)) < 2 for e in estimates])


# Estimates.


def test_a_mean_and_its_standard_error():
    samples = np.random.default_rng(0).normal(size=50)
    found = Estimate.of(samples)
    assert found.value == pytest.approx(samples.mean(), rel=1e-14)
    assert found.error == pytest.approx(samples.std(ddof=1) / 50**0.5, rel=1e-14)
    assert found.samples == 50
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        Estimate.of([1.0])


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3456, 0.123, "12.35 ± 0.12"),
        (12.3456, 12.3, "12 ± 12"),
        (12345.6, 123.0, "12346 ± 123"),
        (0.00012345, 0.0000012, "0.0001234 ± 0.0000012"),
        (1.5e-12, 2.5e-13, "1.5e-12 ± 2.5e-13"),
        (3.0, 0.0, "3 ± 0"),
        (-2.0, 0.5, "-2.00 ± 0.50"),
    ],
)
def test_text(value, error, text):
    assert str(Estimate(value, error, 9)) == text


# The trace.


def test_hutchinson_is_exact_for_a_diagonal_matrix():
    """zᵀDz = tr D for every z of signs; a Gaussian z would have an error."""
    found = hutchpp(lambda v: DECAY * v, 60, 10, sketch=0)
    assert found.value == pytest.approx(DECAY.sum(), rel=1e-13)
    assert found.error < 1e-13
    assert found.samples == 10


def test_hutchpp_is_exact_for_a_low_rank():
    a = rotated([5.0, 3.0, -2.0, *[0.0] * 27])
    found = hutchpp(lambda v: a @ v, 30, 12)
    assert found.value == pytest.approx(6, rel=1e-12)
    assert found.error < 1e-12
    assert found.samples == 4


@pytest.mark.parametrize("sketch", [0, 5, None])
def test_unbiased_with_calibrated_error_bars(sketch):
    """On a matrix with a slow decay, whose trace is not in the sketch: 300 repetitions."""
    a = rotated(DECAY)
    found = [hutchpp(lambda v: a @ v, 60, 45, sketch=sketch, seed=s) for s in range(300)]
    assert abs(z_score(Estimate.of([e.value for e in found]), DECAY.sum())) < 4
    assert 0.90 < coverage(found, DECAY.sum()) < 0.985
    spread = np.std([e.value for e in found])
    assert np.sqrt(np.mean([e.error**2 for e in found])) == pytest.approx(spread, rel=0.15)


def test_the_sketch_pays():
    """Same products, a several times smaller error where few eigenvalues dominate."""
    a = rotated(1 / np.arange(1.0, 101.0) ** 2)
    errors = [
        np.std([hutchpp(lambda v: a @ v, 100, 45, sketch=k, seed=s).value for s in range(60)])
        for k in (0, None)
    ]
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_trace_of_a_network(name):
    model, train = NETWORKS[name]
    loss, w = network(model, train=train)
    exact = np.trace(ms.hessian(loss)(w))
    assert abs(z_score(trace(loss, w, 30), exact)) < 4
    assert abs(z_score(trace(loss, w, 60, sketch=0, seed=1), exact)) < 4
    # A sketch of all directions leaves nothing to chance.
    complete = trace(loss, w, 2 * w.size + 2, sketch=w.size)
    assert complete.value == pytest.approx(exact, rel=1e-10)


def test_products_are_counted():
    calls = []

    def product(v):
        calls.append(1)
        return DECAY * v

    for products, sketch in ((6, None), (30, None), (31, 0), (31, 7)):
        calls.clear()
        hutchpp(product, 60, products, sketch=sketch)
        assert len(calls) == products


@pytest.mark.parametrize(("products", "sketch"), [(1, None), (1, 0), (10, 5), (10, -1)])
def test_too_few_products(products, sketch):
    with pytest.raises(ValueError, match=rf"{products} products and a sketch of"):
        hutchpp(lambda v: v, 5, products, sketch=sketch)


# The density.


def test_all_steps_find_all_eigenvalues():
    eigenvalues = np.array([-2.0, -0.5, 0.1, 1.0, 4.0])
    a = rotated(eigenvalues)
    density = quadrature(lambda v: a @ v, 5, steps=80, vectors=3)
    assert density.nodes.shape == (3, 5)
    np.testing.assert_allclose(density.nodes, [eigenvalues] * 3, atol=1e-12)
    np.testing.assert_allclose(density.weights.sum(axis=1), 1, rtol=1e-13)
    # The weights are squares of the starting vector's parts along the eigenvectors: of signs/√d.
    assert not np.allclose(density.weights, 1 / 5)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_gauss_quadrature_is_exact_below_twice_the_steps(steps):
    """For a diagonal matrix every vector of signs sees tr f(A)/d, up to the degree 2·steps - 1."""
    density = quadrature(lambda v: DECAY * v, 60, steps=steps, vectors=2)
    for degree in range(2 * steps):
        found = density.mean(lambda x, n=degree: x**n)
        assert found.value == pytest.approx(np.mean(DECAY**degree), rel=1e-11)
    beyond = density.mean(lambda x: x ** (2 * steps))
    assert beyond.value < np.mean(DECAY ** (2 * steps)) * (1 - 1e-12)


def test_error_bars_of_a_moment():
    """200 repetitions with 30 vectors, on a spectrum that no single eigenvalue dominates."""
    eigenvalues = np.linspace(-1, 2, 40)[::-1]
    a = rotated(eigenvalues)
    densities = [quadrature(lambda v: a @ v, 40, steps=6, vectors=30, seed=s) for s in range(200)]
    for degree in (1, 2, 5):
        found = [density.mean(lambda x, n=degree: x**n) for density in densities]
        exact = np.mean(eigenvalues**degree)
        assert abs(z_score(Estimate.of([e.value for e in found]), exact)) < 4
        assert 0.90 < coverage(found, exact) < 0.985


def test_the_smoothed_density():
    density = Density(np.array([[0.0, 2.0], [1.0, 2.0]]), np.array([[0.25, 0.75], [0.5, 0.5]]))
    x = np.linspace(-3, 5, 4001)
    for width in (0.05, 0.4):
        found = density(x, width)
        assert np.trapezoid(found, x) == pytest.approx(1, rel=1e-6)
        assert np.trapezoid(x * found, x) == pytest.approx((1.5 + 1.5) / 2, rel=1e-6)
        bumps = [np.exp(-0.5 * ((x - at) / width) ** 2) for at in (0, 1, 2)]
        mixture = (0.25 * bumps[0] + 0.5 * bumps[1] + 1.25 * bumps[2]) / 2
        np.testing.assert_allclose(found, mixture / (width * (2 * np.pi) ** 0.5), atol=1e-12)
    np.testing.assert_allclose(density(x), density(x, 0.02), rtol=1e-12)
    with pytest.raises(ValueError, match="width of a density must be positive, got 0"):
        density(x, 0)


def test_density_of_a_network():
    """Its integral up to a point against the number of eigenvalues below."""
    loss, w = network(NETWORKS["mlp"][0])
    eigenvalues = np.linalg.eigvalsh(ms.hessian(loss)(w))
    density = spectral_density(loss, w, vectors=400)
    cut = 0.5 * (eigenvalues[-4] + eigenvalues[-3])
    below = density.mean(lambda x: (x < cut).astype(float))
    assert abs(z_score(below, np.mean(eigenvalues < cut))) < 4
    second = density.mean(np.square)
    assert abs(z_score(second, np.mean(eigenvalues**2))) < 4


def test_a_density_needs_steps_and_vectors():
    for options in ({"steps": 0}, {"vectors": 0}):
        with pytest.raises(ValueError, match="both must be at least 1"):
            quadrature(lambda v: v, 3, **options)
    with pytest.raises(ValueError, match="at least 2 samples"):
        quadrature(lambda v: v, 3, vectors=1).mean(np.square)


# Averages.


def test_pairs_cancel_a_slope():
    found = average_case(lambda w: w @ np.array([3.0, -4.0]), np.ones(2), 0.1)
    assert abs(found.value) < 1e-15
    assert found.error < 1e-15


def test_the_average_of_a_quadratic():
    """σ²/2 tr H, with a metric σ²/2 Σ T_i² H_ii; 300 repetitions."""
    rng = np.random.default_rng(0)
    h = rotated([4.0, 1.0, 0.5, -1.0, -2.0])
    metric = rng.uniform(0.5, 2, size=5)
    loss, w = quadratic([4.0, 1.0, 0.5, -1.0, -2.0]), rng.normal(size=5)
    for t, exact in ((None, 0.02 * np.trace(h)), (metric, 0.02 * metric**2 @ np.diag(h))):
        found = [average_case(loss, w, 0.2, metric=t, pairs=30, seed=s) for s in range(300)]
        assert abs(z_score(Estimate.of([e.value for e in found]), exact)) < 4
        assert 0.90 < coverage(found, exact) < 0.985


def test_the_average_is_half_the_trace_for_small_noise():
    loss, w = network(NETWORKS["mlp"][0])
    exact = np.trace(ms.hessian(loss)(w)) / 2
    found = average_case(loss, w, 1e-3, pairs=1000)
    assert abs(found.value / 1e-6 - exact) < 4 * found.error / 1e-6
    assert found.error / 1e-6 < 0.1 * abs(exact)


def test_average_in_float32():
    loss, w = network(NETWORKS["mlp"][0], "float32")
    found = average_case(loss, w, 0.1, metric=np.ones_like(w))
    exact, w = network(NETWORKS["mlp"][0])
    assert found.value == pytest.approx(average_case(exact, w, 0.1).value, rel=1e-4)


def test_bad_noise():
    for sigma in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="sigma must be positive and finite"):
            average_case(lambda w: np.sum(w), np.ones(2), sigma)
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        average_case(lambda w: np.sum(w), np.ones(2), 0.1, pairs=1)


def test_m_sharpness_is_the_mean_over_chunks():
    part, w = losses_of(NETWORKS["mlp"][0])
    slices = (slice(0, 5), slice(5, 10), slice(10, 12))
    parts = [part(rows) for rows in slices]
    for p in (2, np.inf):
        each = [one_step(lambda w, f=f: f(w).mean(), w, 0.3, p) for f in parts]
        found = m_sharpness(parts, w, 0.3, p)
        assert found.value == pytest.approx((5 * each[0] + 5 * each[1] + 2 * each[2]) / 12)
        assert found.samples == 3
        assert found.error > 0
    # Perturbed one by one, the examples rise more than with a perturbation in common.
    singles = m_sharpness([part(slice(i, i + 1)) for i in range(12)], w, 0.05)
    assert singles.value > m_sharpness(parts, w, 0.05).value
    assert singles.value > one_step(lambda w: part(slice(None))(w).mean(), w, 0.05)


def test_m_sharpness_of_equal_chunks_of_unequal_size_has_no_error():
    parts = [lambda w, n=n: np.ones(n) * w[0] for n in (100, 100, 1)]
    found = m_sharpness(parts, np.ones(1), 0.1)
    assert found.value == pytest.approx(0.1, rel=1e-12)
    assert found.error == pytest.approx(0, abs=1e-15)


def test_m_sharpness_by_another_measure():
    part, w = losses_of(NETWORKS["relu"][0])
    parts = [part(slice(0, 6)), part(slice(6, 12))]

    def highest(*args, **options):
        return ball_maximum(*args, **options).value

    found = m_sharpness(parts, w, 0.3, measure=highest, restarts=0, metric=np.abs(w))
    expected = [
        ball_maximum(lambda w, f=f: f(w).mean(), w, 0.3, restarts=0, metric=np.abs(w)).value
        for f in parts
    ]
    assert found.value == pytest.approx(np.mean(expected), rel=1e-12)
    with pytest.raises(ValueError, match="at least 2 samples"):
        m_sharpness(parts[:1], w, 0.3)
