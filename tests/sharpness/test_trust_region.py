"""The exact maximum of a quadratic in a ball, by its optimality conditions and by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.sharpness import trust_region
from tests.sharpness.problems import rotated


def check_optimal(h, g, rho):
    """The three conditions under which no point of the ball is higher, convex or not."""
    value, e = trust_region(h, g, rho)
    top = np.linalg.eigvalsh(h)[-1]
    size = np.abs(h).max() * rho + np.abs(g).max() or 1.0
    assert value == pytest.approx(0.5 * e @ h @ e + g @ e, rel=1e-12, abs=0)
    length = np.linalg.norm(e)
    assert length <= rho * (1 + 1e-12)
    mu = e @ (h @ e + g) / length**2 if length else 0.0
    np.testing.assert_allclose(mu * e - h @ e, g, atol=1e-7 * size)
    assert mu >= max(top, 0) - 1e-7 * size / rho
    assert mu * rho * (rho - length) <= 1e-7 * size * rho
    return value, e


sizes = st.sampled_from([1e-6, 1e-2, 1.0, 1e2])


@settings(deadline=None, max_examples=150)
@given(
    eigenvalues=st.lists(st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0, 2.0]), min_size=1, max_size=6),
    rho=sizes,
    slope=sizes,
    seed=st.integers(0, 10),
)
def test_no_point_is_higher(eigenvalues, rho, slope, seed):
    d, rng = len(eigenvalues), np.random.default_rng(seed)
    h, g = rotated(sorted(eigenvalues, reverse=True), seed), slope * rng.normal(size=d)
    value, _ = check_optimal(h, g, rho)
    points = rng.normal(size=(500, d))
    points *= rho * rng.uniform(size=(500, 1)) ** (1 / d) / np.linalg.norm(points, axis=1)[:, None]
    heights = 0.5 * np.sum((points @ h) * points, axis=1) + points @ g
    assert value >= heights.max() - 1e-9 * abs(value)


@pytest.mark.parametrize("multiplicity", [1, 2])
@pytest.mark.parametrize("exact", [True, False])
def test_the_hard_case(multiplicity, exact):
    """No slope along the top eigenvectors: to rounding, or exactly."""
    eigenvalues = np.array([4.0] * multiplicity + [1.0, 0.0, -2.0])
    d = len(eigenvalues)
    h = np.diag(eigenvalues) if exact else rotated(eigenvalues)
    vectors = np.eye(d) if exact else np.linalg.eigh(h)[1][:, ::-1]
    slopes = np.array([0.0] * multiplicity + [0.3, -0.2, 0.6])
    g = vectors @ slopes
    value, e = check_optimal(h, g, 1.0)
    assert np.linalg.norm(e) == pytest.approx(1, rel=1e-12)
    # μ = 4: what the others take of the length is theirs, the top eigenvectors get the rest.
    others = slopes / np.where(eigenvalues < 4, 4 - eigenvalues, np.inf)
    rest = 1 - others @ others
    expected = 0.5 * (4 * rest + others @ (eigenvalues * others)) + slopes @ others
    assert value == pytest.approx(expected, rel=1e-10)
    short, _ = check_optimal(h, g, 0.1)  # in a small ball the same slope is not the hard case
    assert short < 0.1 * np.linalg.norm(g) + 0.5 * 4 * 0.01


def test_the_maximum_may_lie_inside():
    h, g = rotated([-1.0, -2.0, -4.0]), np.array([0.1, 0.2, -0.1])
    value, e = check_optimal(h, g, 5.0)
    np.testing.assert_allclose(e, -np.linalg.solve(h, g), rtol=1e-12)
    assert value == pytest.approx(-0.5 * g @ np.linalg.solve(h, g), rel=1e-12)


def test_nothing_to_climb():
    assert trust_region(np.zeros((2, 2)), np.zeros(2), 1.0)[0] == 0
    assert trust_region(-np.eye(2), np.zeros(2), 1.0)[0] == 0
    value, e = trust_region(np.zeros((2, 2)), [3.0, -4.0], 0.5)
    np.testing.assert_allclose(e, [0.3, -0.4], rtol=1e-14)
    assert value == pytest.approx(2.5, rel=1e-14)


def test_in_two_dimensions_by_looking_everywhere():
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 200_001)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    for _ in range(20):
        h = rng.normal(size=(2, 2))
        h, g, rho = h + h.T, rng.normal(size=2), rng.uniform(0.1, 3)
        value, _ = check_optimal(h, g, rho)
        heights = 0.5 * rho**2 * np.sum(circle * (h @ circle), axis=0) + rho * g @ circle
        inside = np.linalg.eigvalsh(h)[-1] < 0 and np.linalg.norm(np.linalg.solve(h, g)) < rho
        if not inside:
            assert value == pytest.approx(heights.max(), rel=1e-8)


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_any_scale(scale):
    h, g = rotated([3.0, 1.0, -1.0]), np.array([0.3, -0.2, 0.1])
    value, e = trust_region(h, g, 0.5)
    scaled, there = trust_region(scale * h, scale * g, 0.5)
    assert scaled / scale == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(there, e, rtol=1e-8)


def test_bad_input():
    with pytest.raises(ms.ShapeError, match=r"H of shape \(2, 3\), g of \(2,\)"):
        trust_region(np.ones((2, 3)), np.ones(2), 1.0)
    with pytest.raises(ValueError, match="not symmetric"):
        trust_region(np.array([[0.0, 1.0], [0.0, 0.0]]), np.ones(2), 1.0)
    for rho in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rho must be positive and finite"):
            trust_region(np.eye(2), np.ones(2), rho)
