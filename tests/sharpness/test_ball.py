"""The largest loss in a ball, and two models of it, where they are known."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.sam import asam_metric, conjugate, epsilon_hat
from minisam.sam.projection import project
from minisam.sharpness import ball_maximum, first_order, one_step, trust_region
from tests.sharpness.problems import NETWORKS, network, rotated

INF = float("inf")
EXPONENTS = [1, 1.5, 2, 3, INF]


def quadratic(h, g):
    return lambda w: 0.5 * (w @ (h @ w)) + g @ w


# One step, and first order.


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("rho", [0.0, 0.05, 2.0])
def test_one_step_on_a_quadratic(p, rho):
    """½wᵀAw + bᵀw: exactly gᵀε̂ + ½ε̂ᵀAε̂, and gᵀε̂ = ρ‖g‖_q."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 4))
    a, b, w = a @ a.T, rng.normal(size=4), rng.normal(size=4)
    g = a @ w + b
    e = epsilon_hat(g, rho, p)
    linear = rho * np.linalg.norm(g, conjugate(p))
    found = one_step(quadratic(a, b), w, rho, p)
    assert type(found) is float
    assert found == pytest.approx(linear + 0.5 * e @ a @ e, rel=1e-12, abs=1e-14)
    found = first_order(quadratic(a, b), w, rho, p)
    assert type(found) is float
    assert found == pytest.approx(linear, rel=1e-12, abs=1e-14)


def test_a_linear_loss():
    """ρ‖g‖_q, wherever, by every measure: sharpness alone says nothing of the loss."""
    g = np.array([3.0, -4.0])
    for w in (np.zeros(2), np.array([10.0, -7.0])):
        for p in EXPONENTS:
            expected = pytest.approx(0.1 * np.linalg.norm(g, conjugate(p)), rel=1e-12)
            assert one_step(lambda w: g @ w, w, 0.1, p) == expected
            assert first_order(lambda w: g @ w, w, 0.1, p) == expected
            found = ball_maximum(lambda w: g @ w, w, 0.1, p)
            assert found.value == expected
            assert all(start == expected for start in found.starts)
            assert found.gap == pytest.approx(0, abs=1e-14)


def test_metric_and_groups():
    g, metric = np.array([3.0, -4.0, 2.0]), np.array([1.0, 2.0, 0.5])

    def loss(w):
        return g @ w

    for measure in (one_step, first_order):
        found = measure(loss, np.zeros(3), 0.1, metric=metric)
        assert found == pytest.approx(0.1 * np.linalg.norm(metric * g), rel=1e-12)
        found = measure(loss, np.zeros(3), 0.1, groups=[slice(0, 2), slice(2, 3)])
        assert found == pytest.approx(0.1 * (5 + 2), rel=1e-12)


def test_at_a_stationary_point_one_step_is_zero():
    """Although the ball's maximum is not: ε̂ sees no curvature."""
    loss = quadratic(rotated([5.0, 2.0, -1.0]), np.zeros(3))
    assert one_step(loss, np.zeros(3), 0.1) == first_order(loss, np.zeros(3), 0.1) == 0.0
    found = ball_maximum(loss, np.zeros(3), 0.1)
    assert found.value == pytest.approx(0.5 * 5 * 0.01, rel=1e-5)
    assert found.starts[0] == 0


def test_float32():
    w = np.ones(3, "f4")
    expected = pytest.approx(2 * 0.1 * 3**0.5 + 0.01, rel=1e-5)
    assert one_step(lambda w: np.sum(w * w), w, 0.1) == expected
    for p in EXPONENTS:
        found = ball_maximum(lambda w: np.sum(w * w), w, 0.1, p, metric=np.ones(3, "f4"))
        assert found.epsilon.dtype == np.float32
        assert np.linalg.norm(found.epsilon, p) <= 0.1 * (1 + 1e-5)
    assert ball_maximum(lambda w: np.sum(w * w), w, 0.1).value == expected


# The projection.


@settings(deadline=None)
@given(
    e=st.lists(st.sampled_from([0.0, 0.3, -0.3, 1.0, -2.5, 7.0]), min_size=1, max_size=7),
    rho=st.sampled_from([1e-9, 0.2, 1.0, 30.0]),
    p=st.sampled_from([1, 2, INF]),
)
def test_the_projection_is_the_nearest_point(e, rho, p):
    """(e - Πe)ᵀ(y - Πe) <= 0 for all y of the ball; it is largest at y = ε̂(e - Πe)."""
    e = np.array(e)
    near = project(e, rho, p)
    assert np.linalg.norm(near, p) <= rho * (1 + 1e-12)
    if np.linalg.norm(e, p) <= rho:
        np.testing.assert_array_equal(near, e)
    rest = e - near
    assert rest @ (epsilon_hat(rest, rho, p) - near) <= 1e-12 * max(1, rest @ rest)


def test_the_projection_in_float32():
    e = np.random.default_rng(0).normal(size=100_000).astype("f4")
    for p in (1, 2, INF):
        near = project(e, 2.0, p)
        assert near.dtype == np.float32
        assert np.linalg.norm(near.astype(float), p) == pytest.approx(2, rel=1e-5)
    with pytest.raises(ValueError, match="known for p = 1, 2 and inf; got 3"):
        project(e, 1.0, 3)


# The maximum, against exact ones.


@pytest.mark.parametrize("seed", range(12))
def test_against_the_trust_region_solution(seed):
    """Convex, concave and neither; slopes from negligible to dominant; the hard case."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 12))
    shift = (-3.0, 0.0, 3.0)[seed % 3]
    h = rotated(np.sort(rng.normal(size=d) + shift)[::-1], seed)
    for slope in (0.01, 0.3, 10.0):
        g = slope * rng.normal(size=d)
        if seed % 4 == 0:
            top = np.linalg.eigh(h)[1][:, -1]
            g = g - top * (top @ g)
        for rho in (0.05, 1.0):
            exact, _ = trust_region(h, g, rho)
            found = ball_maximum(quadratic(h, g), np.zeros(d), rho, restarts=4)
            assert found.value <= exact * (1 + 1e-10)
            assert found.value == pytest.approx(exact, rel=1e-4)
            assert np.linalg.norm(found.epsilon) <= rho * (1 + 1e-12)


def stationary_points(h, g, rho, faces):
    """The stationary points of a quadratic on the faces A ε = b."""
    d = len(g)
    for a, b in faces:
        a, b = np.reshape(a, (-1, d)), np.reshape(b, -1)
        n = len(b)
        system = np.block([[h, -a.T], [a, np.zeros((n, n))]])
        e = np.linalg.lstsq(system, np.concatenate([-g, b]), rcond=None)[0][:d]
        yield e


def faces_of_the_box(d, rho):
    for signs in product([-1, 0, 1], repeat=d):
        fixed = [i for i in range(d) if signs[i]]
        yield np.eye(d)[fixed], rho * np.array([signs[i] for i in fixed], float)


def faces_of_the_cross(d, rho):
    """‖ε‖₁ <= ρ: on a face the other coordinates are 0, and the signed ones sum to ρ."""
    yield np.zeros((0, d)), np.zeros(0)
    for signs in product([-1, 0, 1], repeat=d):
        zero = [i for i in range(d) if not signs[i]]
        if len(zero) < d:
            yield np.vstack([np.eye(d)[zero], signs]), np.array([0.0] * len(zero) + [rho])


@pytest.mark.parametrize(("p", "faces"), [(INF, faces_of_the_box), (1, faces_of_the_cross)])
@pytest.mark.parametrize("seed", range(9))
def test_against_every_face_of_a_polytope(p, faces, seed):
    """A quadratic is highest where it is stationary on some face: all of them are looked at."""
    rng = np.random.default_rng(seed)
    d, rho = 4, 0.7
    h = rotated(np.sort(rng.normal(size=d) + (-2.0, 0.0, 2.0)[seed % 3])[::-1], seed)
    g = rng.normal(size=d) * (0.1, 1.0)[seed % 2]
    inside = [
        e
        for e in stationary_points(h, g, rho, faces(d, rho))
        if np.linalg.norm(e, p) <= rho * (1 + 1e-9)
    ]
    exact = max(0.5 * e @ h @ e + g @ e for e in inside)
    found = ball_maximum(quadratic(h, g), np.zeros(d), rho, p, restarts=12)
    assert found.value == pytest.approx(exact, rel=1e-5)
    assert np.linalg.norm(found.epsilon, p) <= rho * (1 + 1e-12)


@pytest.mark.parametrize("p", [1.2, 3.0, 10.0])
@pytest.mark.parametrize("inside", [False, True])
def test_other_balls_by_looking_everywhere(p, inside):
    h, g = rotated([-1.0, -3.0] if inside else [2.0, -1.0]), np.array([0.3, 0.4])
    rho = 0.8
    angles = np.linspace(0, 2 * np.pi, 100_001)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    circle *= rho / np.linalg.norm(circle, p, axis=0)
    exact = (0.5 * np.sum(circle * (h @ circle), axis=0) + g @ circle).max()
    if inside:
        e = -np.linalg.solve(h, g)
        assert np.linalg.norm(e, p) < rho
        exact = 0.5 * e @ h @ e + g @ e
    found = ball_maximum(quadratic(h, g), np.zeros(2), rho, p, steps=500)
    assert found.value == pytest.approx(exact, rel=1e-4)
    assert found.value <= exact * (1 + 1e-7)


@pytest.mark.parametrize("p", EXPONENTS)
def test_a_metric_is_a_ball_in_other_coordinates(p):
    rng = np.random.default_rng(1)
    h, g = rotated([3.0, 1.0, -1.0, -2.0]), rng.normal(size=4)
    metric = np.array([2.0, 0.5, 1.0, 0.0])
    found = ball_maximum(quadratic(h, g), np.zeros(4), 0.4, p, metric=metric, restarts=6)
    plain = ball_maximum(
        quadratic(metric[:, None] * h * metric, metric * g), np.zeros(4), 0.4, p, restarts=6
    )
    assert found.value == pytest.approx(plain.value, rel=1e-9)
    np.testing.assert_allclose(found.epsilon, metric * plain.epsilon, rtol=1e-6, atol=1e-9)
    assert found.epsilon[3] == 0
    assert np.linalg.norm(found.epsilon[:3] / metric[:3], p) <= 0.4 * (1 + 1e-12)


def test_adaptive_sharpness_does_not_see_a_rescaled_network():
    """Relu: the first layer times 7, the second divided by 7, is the same function."""
    model = ms.nn.mlp([3, 6, 2])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.integers(2, size=20)
    w = model.init(3, "float64") + 0.1 * rng.normal(size=model.size)

    def loss(w):
        return ms.nn.cross_entropy(model(w, x), y).mean()

    scaled = w.copy()
    scaled[:24] *= 7
    scaled[24:36] /= 7
    assert float(loss(scaled)) == pytest.approx(float(loss(w)), rel=1e-12)
    adaptive = [
        ball_maximum(loss, at, 0.1, metric=asam_metric(at, eta=0)).value for at in (w, scaled)
    ]
    assert adaptive[0] == pytest.approx(adaptive[1], rel=1e-5)
    plain = [ball_maximum(loss, at, 0.1).value for at in (w, scaled)]
    assert plain[1] > 2 * plain[0]


# What always holds.


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, p):
    model, train = NETWORKS[name]
    loss, w = network(model, train=train)
    for rho in (0.01, 1.0):
        found = ball_maximum(loss, w, rho, p, steps=30)
        assert found.value >= one_step(loss, w, rho, p)
        assert found.value == max(found.starts)
        assert np.linalg.norm(found.epsilon, p) <= rho * (1 + 1e-12)
        there = float(loss(w + found.epsilon)) - float(loss(w))
        assert found.value == pytest.approx(there, rel=1e-12)
        rng = np.random.default_rng(0)
        for _ in range(50):
            e = rng.normal(size=w.size)
            e *= rho / np.linalg.norm(e, p)
            assert float(loss(w + e)) - float(loss(w)) <= found.value
        # Small balls: the slope is all there is.
        if rho == 0.01:
            assert found.value == pytest.approx(first_order(loss, w, rho, p), rel=0.3)


def bumps(w):
    """A low hill to the right, where the slope leads, and a high one to the left."""
    return np.exp(-((w[0] - 1) ** 2) / 0.1) + 2 * np.exp(-((w[0] + 1.2) ** 2) / 0.1) + 0.1 * w[0]


@pytest.mark.parametrize("p", [1, 2, INF])
def test_restarts_find_what_the_slope_does_not(p):
    alone = ball_maximum(bumps, np.zeros(1), 1.5, p, restarts=0)
    assert alone.value == pytest.approx(1.1, rel=0.01)
    assert len(alone.starts) == 1
    found = ball_maximum(bumps, np.zeros(1), 1.5, p, restarts=8)
    assert found.value == pytest.approx(1.88, rel=0.01)
    assert found.starts[0] == alone.value
    assert min(found.starts) < found.value


def test_at_a_maximum_it_is_zero():
    """The centre belongs to the ball, whatever the climbs come to."""
    found = ball_maximum(lambda w: -np.sum(w**2), np.zeros(3), 0.1)
    assert found.value == 0
    np.testing.assert_array_equal(found.epsilon, 0)
    steep = 10.0 ** np.arange(6)
    ridge = ball_maximum(lambda w: 1e-9 * w.sum() - steep @ w**2, np.zeros(6), 0.1, steps=1)
    assert max(ridge.starts) < 0 == ridge.value, "every start is far down here, and one step short"
    np.testing.assert_array_equal(ridge.epsilon, 0)


def test_a_seed_decides():
    loss, w = network(NETWORKS["relu"][0])
    one, again, other = (ball_maximum(loss, w, 0.5, steps=3, seed=s) for s in (0, 0, 1))
    assert one.starts == again.starts
    np.testing.assert_array_equal(one.epsilon, again.epsilon)
    assert one.starts[0] == other.starts[0]
    assert one.starts[1:] != other.starts[1:]


def test_random_starts_are_uniform_in_the_ball():
    """‖ε‖ <= r has the probability (r/ρ)^d; z-scores of fixed seed, 4000 draws.

    The shares |ε_i|^p / ‖ε‖^p are Dirichlet(1/p, …) distributed; checked by their second moment.
    """
    from minisam.sharpness.ball import _uniform

    for p in EXPONENTS:
        rng = np.random.default_rng(7)
        draws = np.array([_uniform(rng, np.zeros(3), 2.0, p) for _ in range(4000)])
        lengths = np.linalg.norm(draws, p, axis=1)
        assert lengths.max() <= 2 * (1 + 1e-12)
        for r in (1.0, 1.7):
            chance = (r / 2) ** 3
            z = (np.mean(lengths <= r) - chance) / np.sqrt(chance * (1 - chance) / 4000)
            assert abs(z) < 4
        assert np.all(np.abs(draws.mean(axis=0)) < 4 * 2 / np.sqrt(4000))
        if p < INF:
            squares = (np.abs(draws[:, 0]) / lengths) ** (2 * p)
            exact = (1 / p) * (1 / p + 1) / ((3 / p) * (3 / p + 1))
        else:
            squares, exact = draws[:, 0] ** 2, 4 / 3
        z = (squares.mean() - exact) / squares.std() * np.sqrt(4000)
        assert abs(z) < 4


def test_gradients_are_counted():
    calls = []

    def loss(w):
        if type(w) is ms.Tensor:
            calls.append(1)
        return np.sum(np.cos(w) * w)

    found = ball_maximum(loss, np.arange(4.0), 0.3)
    assert found.gradients == len(calls)


def test_bad_input():
    def loss(w):
        return np.sum(w**2)

    for rho in (0.0, -0.1, float("nan"), INF):
        with pytest.raises(ValueError, match="rho must be positive and finite"):
            ball_maximum(loss, np.ones(2), rho)
    with pytest.raises(ValueError, match="p must be"):
        ball_maximum(loss, np.ones(2), 0.1, 0.5)
    with pytest.raises(ValueError, match="-1 restarts of 100 steps"):
        ball_maximum(loss, np.ones(2), 0.1, restarts=-1)
    with pytest.raises(ms.ShapeError, match="metric has shape"):
        ball_maximum(loss, np.ones(2), 0.1, metric=np.ones(3))
    with pytest.raises(ms.ShapeError, match="needs a scalar"):
        ball_maximum(lambda w: w**2, np.ones(2), 0.1)
    with pytest.raises(ValueError, match="p must be"):
        one_step(loss, np.ones(2), 0.1, 0.5)
    with pytest.raises(ValueError, match="rho must be"):
        one_step(loss, np.ones(2), -0.1)
