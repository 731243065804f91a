"""Slices, directions, trajectories, and two wells."""

import numpy as np
import pytest

import minisam as ms
from minisam.optimizers import SGD
from minisam.sam import ERM, SAM
from minisam.sharpness import (
    ball_maximum,
    barrier,
    descend,
    filter_normalized,
    interpolation,
    landscape,
    principal_directions,
    project_trajectory,
    top_eigenvalues,
    top_eigenvectors,
    two_wells,
)
from tests.sam.kin import trajectory
from tests.sharpness.problems import NETWORKS, network, rotated

# Slices.


def test_a_plane_of_a_quadratic():
    """Unequal directions, not orthogonal; unequal steps, so that no axis can be swapped."""
    rng = np.random.default_rng(0)
    h, w = rotated([4.0, 2.0, 1.0, -1.0]), rng.normal(size=4)
    u, v = rng.normal(size=(2, 4))
    a, b = np.array([-1.0, 0.0, 0.5]), np.array([0.0, 2.0])
    found = landscape(lambda w: 0.5 * (w @ (h @ w)), w, np.stack([u, v]), (a, b))
    assert found.values.shape == (3, 2)
    for i, s in enumerate(a):
        for j, t in enumerate(b):
            at = w + s * u + t * v
            assert found.values[i, j] == pytest.approx(0.5 * at @ h @ at, rel=1e-12)
    np.testing.assert_array_equal(found.steps[0], a)
    np.testing.assert_array_equal(found.steps[1], b)


def test_a_line():
    w, v = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    for direction in (v, v[None], [3.0, -1.0]):
        found = landscape(lambda w: np.sum(w**2), w, direction, [0.0, 1.0])
        np.testing.assert_allclose(found.values, [5, 17])
    found = landscape(lambda w: np.sum(w**2), w, v)
    np.testing.assert_allclose(found.steps[0], np.linspace(-1, 1, 41))
    assert found.values[20] == 5


def test_a_plane_of_a_network_in_its_own_dtype():
    loss, w = network(NETWORKS["mlp"][0], "float32")
    dtypes = []

    def seen(w):
        dtypes.append(w.dtype)
        return loss(w)

    found = landscape(seen, w, np.eye(w.size)[:2], np.linspace(-1, 1, 3))
    assert set(dtypes) == {np.dtype("f4")}
    assert found.values[1, 1] == float(loss(w))


def test_along_eigenvectors_the_curvature_is_the_eigenvalue():
    loss, w = network(NETWORKS["mlp"][0])
    values, vectors = top_eigenvectors(loss, w, 2, tol=1e-9)
    h = 1e-3
    found = landscape(loss, w, vectors, [-h, 0.0, h]).values
    curved = np.diff(found, 2, axis=0)[0, 1], np.diff(found, 2, axis=1)[1, 0]
    np.testing.assert_allclose(np.array(curved) / h**2, values, rtol=1e-4)
    mixed = (found[2, 2] - found[2, 0] - found[0, 2] + found[0, 0]) / (4 * h**2)
    assert abs(mixed) < 1e-4 * values[0]


def test_bad_directions():
    def loss(w):
        return np.sum(w**2)

    for bad in (np.ones(3), np.ones((3, 2)), np.ones((1, 1, 2)), np.ones((2, 1))):
        with pytest.raises(ms.ShapeError, match=r"expected one or two vectors like w"):
            landscape(loss, np.ones(2), bad)
    with pytest.raises(ms.ShapeError, match="3 arrays of steps for 2 directions"):
        landscape(loss, np.ones(2), np.eye(2), ([0.0], [0.0], [1.0]))
    with pytest.raises(ms.ShapeError, match=r"returned shape \(2,\), not a scalar"):
        landscape(lambda w: w, np.ones(2), np.eye(2))


# Between two solutions.


def test_interpolation_and_barrier():
    a, b = np.array([0.0, -1.0]), np.array([0.0, 1.0])
    line = interpolation(two_wells, a, b)
    assert line.values[line.steps[0] == 0] == line.values[line.steps[0] == 1] == 0
    assert barrier(line) == pytest.approx(0.1, rel=1e-12)

    def tilted(w):
        return w[0] + 0.25 * np.sin(np.pi * w[0])

    assert barrier(interpolation(tilted, [0.0], [1.0])) == pytest.approx(0.25, rel=1e-3)
    assert barrier(interpolation(lambda w: np.sum(w**2), [-1.0], [1.0])) == 0
    with pytest.raises(ValueError, match="between the solutions at steps 0 and 1"):
        barrier(interpolation(tilted, [0.0], [1.0], [0.0, 0.5]))
    with pytest.raises(ms.ShapeError, match=r"shapes \(1,\) and \(2,\)"):
        interpolation(tilted, [0.0], [1.0, 2.0])


# Directions.


MODELS = {
    "mlp": ms.nn.mlp([5, 4, 3]),
    "cnn": ms.nn.cnn((2, 4, 4), 3, channels=(3,), hidden=5),
    "batch norm": ms.nn.Sequential(
        ms.nn.Conv2d(1, 2, 3), ms.nn.BatchNorm(2), ms.nn.Flatten(), ms.nn.Linear(8, 2)
    ),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_every_filter_has_the_norm_of_its_weights(model):
    w = model.init(0) + np.float32(0.1)
    directions = filter_normalized(model, w, count=3, seed=1)
    assert directions.shape == (3, model.size)
    for v in directions:
        named = model.parameters(w)
        for name, part in model.parameters(v).items():
            weights = named[name].astype(float)
            if weights.ndim == 1:
                np.testing.assert_array_equal(part, 0)
                continue
            units = weights.T if weights.ndim == 2 else weights
            moved = part.T if weights.ndim == 2 else part
            for unit, step in zip(units, moved, strict=True):
                assert np.linalg.norm(step) == pytest.approx(np.linalg.norm(unit), rel=1e-12)
    assert abs(np.corrcoef(directions)[0, 1]) < 0.9
    again = filter_normalized(model, w, count=3, seed=1)
    np.testing.assert_array_equal(directions, again)
    assert not np.allclose(directions, filter_normalized(model, w, count=3, seed=2))


def test_a_filter_of_zeros_does_not_move():
    model = ms.nn.Linear(2, 2)
    (v,) = filter_normalized(model, np.array([0.0, 1.0, 0.0, 2.0, 3.0, 3.0]), count=1)
    np.testing.assert_array_equal(model.parameters(v)["weight"][:, 0], 0)


def test_the_slice_does_not_see_a_rescaled_network():
    """Relu: first layer times 7, second divided by 7. A plain random direction does see it."""
    model = ms.nn.mlp([3, 6, 2])
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(20, 3)), rng.integers(2, size=20), model.init(3, "float64")

    def loss(w):
        return ms.nn.cross_entropy(model(w, x), y).mean()

    scaled = w.copy()
    scaled[:24] *= 7
    scaled[24:36] /= 7
    a, b = (
        landscape(loss, at, filter_normalized(model, at), np.linspace(-1, 1, 5)).values
        for at in (w, scaled)
    )
    np.testing.assert_allclose(a, b, rtol=1e-10)
    plain = rng.normal(size=(1, model.size))
    a, b = (landscape(loss, at, plain, np.linspace(-1, 1, 5)).values for at in (w, scaled))
    assert not np.allclose(a, b, rtol=0.1)


def test_principal_directions():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(6, 6)))[0].T
    away = np.outer(rng.normal(size=30), 5 * q[0]) + np.outer(rng.normal(size=30), q[1])
    end = rng.normal(size=6)
    trajectory = np.vstack([end + away, end])
    directions, explained = principal_directions(trajectory, 3)
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-12)
    assert explained.sum() == pytest.approx(1, rel=1e-12)
    assert explained[0] > explained[1] > 1e-3
    assert explained[2] < 1e-20
    seen = project_trajectory(trajectory, end, directions[:2])
    assert seen.fraction < 1e-12
    values, vectors = np.linalg.eigh(away.T @ away)
    assert abs(vectors[:, -1] @ directions[0]) == pytest.approx(1, rel=1e-10)
    assert explained[0] == pytest.approx(values[-1] / values.sum(), rel=1e-10)
    _, explained = principal_directions(np.ones((4, 3)), 1)
    assert explained == 0
    for k in (0, 4):
        with pytest.raises(ValueError, match=r"k must be in \[1, 3\]"):
            principal_directions(rng.normal(size=(9, 3)), k)
    with pytest.raises(ms.ShapeError, match="not"):
        principal_directions(np.ones(3))


def test_a_trajectory_in_a_plane_and_what_is_left_out():
    rng = np.random.default_rng(0)
    directions, origin = rng.normal(size=(2, 5)), rng.normal(size=5)
    coordinates = rng.normal(size=(7, 2))
    normal = np.linalg.qr(np.vstack([directions, rng.normal(size=(3, 5))]).T)[0].T[2]
    heights = rng.normal(size=7)
    ws = origin + coordinates @ directions + np.outer(heights, normal)
    seen = project_trajectory(ws, origin, directions)
    np.testing.assert_allclose(seen.coordinates, coordinates, atol=1e-12)
    np.testing.assert_allclose(seen.left_out, abs(heights), atol=1e-12)
    whole = np.linalg.norm(ws - origin)
    assert seen.fraction == pytest.approx(np.linalg.norm(heights) / whole, rel=1e-12)
    assert project_trajectory(ws[:1] * 0 + origin, origin, directions).fraction == 0
    with pytest.raises(ValueError, match="linearly dependent"):
        project_trajectory(ws, origin, np.stack([normal, 2 * normal]))
    with pytest.raises(ms.ShapeError, match=r"trajectory \(7, 5\), origin \(4,\)"):
        project_trajectory(ws, origin[:4], directions)


# The two wells.


def test_the_critical_points_are_as_stated():
    for y, curvatures in ((-1.0, (50, 0.8)), (1.0, (2, 0.8)), (0.0, (10, -0.4))):
        w = np.array([0.0, y])
        np.testing.assert_allclose(ms.grad(two_wells)(w), 0, atol=1e-14)
        np.testing.assert_allclose(ms.hessian(two_wells)(w), np.diag(curvatures), atol=1e-12)
    assert float(two_wells(np.array([0.0, 0.0]))) == 0.1
    # There is no other: the slope across the valley vanishes at its bottom only, and there
    # the slope along it at -1, 0 and 1 only.
    rng = np.random.default_rng(0)
    for w in rng.uniform(-2, 2, size=(50, 2)):
        g = ms.grad(two_wells)(w)
        assert np.sign(g[0]) == np.sign(w[0])
    for y in rng.uniform(-2, 2, size=20):
        assert ms.grad(two_wells)(np.array([0.0, y]))[1] == pytest.approx(0.4 * y * (y * y - 1))


def test_every_measure_calls_the_sharp_well_sharp():
    sharp, flat = np.array([0.0, -1.0]), np.array([0.0, 1.0])
    for measure in (
        lambda w: top_eigenvalues(two_wells, w)[0],
        lambda w: ball_maximum(two_wells, w, 0.15).value,
        lambda w: ms.sharpness.trace(two_wells, w, 6).value,
        lambda w: ms.sharpness.average_case(two_wells, w, 0.05).value,
    ):
        assert measure(sharp) > 5 * measure(flat)


@pytest.mark.parametrize(("lr", "rho"), [(0.015, 0.2), (0.02, 0.15), (0.03, 0.13)])
@pytest.mark.parametrize("start", [(0.1, -0.8), (-0.3, -1.3), (0.05, -0.6)])
def test_gradient_descent_ends_in_the_sharp_well_and_sam_in_the_flat_one(start, lr, rho):
    w = descend(two_wells, np.array(start), ERM(), SGD(lr), int(9 / lr))[-1]
    np.testing.assert_allclose(w, [0, -1], atol=0.01)
    w = descend(two_wells, np.array(start), SAM(rho), SGD(lr), int(18 / lr))[-1]
    np.testing.assert_allclose(w, [0, 1], atol=0.05)


def test_descend_keeps_every_point_and_every_state():
    start = np.array([1.0, -2.0])
    found = descend(lambda w: np.sum(w**2), start, ERM(), SGD(0.1, momentum=0.5), 3)
    w, v = start, 0.0
    for t in range(4):
        np.testing.assert_allclose(found[t], w, rtol=1e-12)
        v = 0.5 * v + 2 * w
        w = w - 0.1 * v
    mean = descend(lambda w: 2 * w**2, start, ERM(), SGD(0.1, momentum=0.5), 3)
    np.testing.assert_allclose(mean, found, rtol=1e-12)
    for method in (ms.sam.MSAM(0.1), ms.sam.LookSAM(0.1, k=3)):
        last, _ = trajectory(method, [lambda w: w**4] * 6, start)
        np.testing.assert_allclose(descend(lambda w: w**4, start, method, SGD(0.1), 6)[-1], last)
    drawn = descend(lambda w: np.sum(w**2), start, ms.sam.SSSAM(0.1), SGD(0.1), 5, seed=1)
    assert drawn.shape == (6, 2)
