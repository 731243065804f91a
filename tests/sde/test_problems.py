"""Problems: derivatives of every row by itself, networks as `minisam.nn` has them."""

import numpy as np
import pytest

import minisam as ms
from minisam import nn, sde

ANALYTIC = [
    sde.quadratic([[2.0, 0.5], [0.5, -1.0]]),
    sde.random_quadratic(5),
    sde.saddle(2.0),
    sde.embedded_saddle(3),
    sde.wavy(),
    sde.cosh(),
    sde.two_wells(),
]


@pytest.fixture(scope="module")
def learned():
    return [
        sde.logistic(examples=20),
        sde.logistic("iris", examples=20),
        sde.deep_linear(examples=20),
        sde.deep_sigmoid("iris", examples=20),
        sde.linear_autoencoder(),
        sde.teacher_student(examples=20),
    ]


def points(problem, paths=3):
    rng = np.random.default_rng(0)
    return problem.start + 0.5 * rng.standard_normal((paths, problem.d))


def check(problem):
    x = points(problem)
    ms.check_grads(problem.f, (x,), order=2)
    together = problem.gradient(x)
    for row, g in zip(x, together, strict=True):
        np.testing.assert_allclose(problem.gradient(row[None])[0], g, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(ms.grad(lambda w: problem.f(w[None])[0])(row), g, atol=1e-13)


@pytest.mark.parametrize("problem", ANALYTIC, ids=lambda p: p.name)
def test_derivatives_of_each_row(problem):
    check(problem)


def test_derivatives_of_each_row_of_networks(learned):
    for problem in learned:
        check(problem)


@pytest.mark.parametrize("problem", ANALYTIC, ids=lambda p: p.name)
def test_hessian_of_each_row(problem):
    x = points(problem)
    for row, h in zip(x, problem.hessian(x), strict=True):
        expected = ms.hessian(lambda w: problem.f(w[None])[0])(row)
        np.testing.assert_allclose(h, expected, atol=1e-12)


def test_minima_and_saddles_are_where_they_are_said_to_be():
    flat = [
        (sde.embedded_saddle(3, 2.0, 0.5), np.array([0.0, 0.0, 2.0]), 1),
        (sde.embedded_saddle(3, 2.0, 0.5), np.zeros(3), -1),
        (sde.two_wells(), np.array([-1.0]), 1),
        (sde.wavy(), np.zeros(1), -1),
        (sde.cosh(), np.zeros(1), 1),
    ]
    for problem, x, sign in flat:
        np.testing.assert_allclose(problem.gradient(x[None]), 0, atol=1e-12)
        lowest = np.linalg.eigvalsh(problem.hessian(x[None])[0])[0]
        assert np.sign(lowest) == sign, problem.name


def test_finite_sum_is_the_mean_of_its_losses(learned):
    for problem in learned:
        x = points(problem)
        everything = np.arange(problem.examples)
        rows = np.array([problem.losses(x, everything[[i]])[:, 0] for i in everything])
        np.testing.assert_allclose(problem.f(x), rows.mean(axis=0), rtol=1e-12)
        # Rows that differ from path to path: path j's batch is its own.
        own = np.random.default_rng(1).integers(problem.examples, size=(len(x), 4))
        found = problem.losses(x, own)
        for j, batch in enumerate(own):
            np.testing.assert_allclose(found[j], rows[batch, j], rtol=1e-12)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid])
def test_networks_are_those_of_nn(activation):
    sizes = (3, 4, 2)
    model, net = nn.mlp(sizes, activation), sde.Network(sizes, activation.function)
    rng = np.random.default_rng(2)
    assert net.size == model.size
    x, inputs = rng.standard_normal((5, net.size)), rng.standard_normal((7, 3))
    out = net(x, inputs)
    for w, found in zip(x, out, strict=True):
        np.testing.assert_allclose(found, model(w, inputs), atol=1e-14)


def test_binary_and_multinomial_logistic_losses():
    sklearn = pytest.importorskip("sklearn.metrics")
    for data in ("breast-cancer", "iris"):
        problem = sde.logistic(data, decay=0.0)
        from minisam.sde.networks import _table

        inputs, labels = _table(data)
        w = 0.3 * np.random.default_rng(3).standard_normal(problem.d)
        classes = problem.d // (inputs.shape[1] + 1)
        z = inputs @ w[:-classes].reshape(-1, classes) + w[-classes:]
        p = 1 / (1 + np.exp(-z[:, 0])) if classes == 1 else np.exp(z)
        if classes > 1:
            p /= p.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(problem.f(w[None])[0], sklearn.log_loss(labels, p), rtol=1e-9)


def test_autoencoder_is_at_a_saddle_at_zero():
    """Its Hessian at 0 has the eigenvalues ±σ of the second moment, each twice."""
    from minisam.sde.networks import _table

    problem = sde.linear_autoencoder(2)
    origin = np.zeros((1, problem.d))
    np.testing.assert_allclose(problem.gradient(origin), 0, atol=1e-12)
    inputs, _ = _table("iris")
    values = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))
    expected = np.sort(np.concatenate([values, values, -values, -values]))
    np.testing.assert_allclose(np.linalg.eigvalsh(problem.hessian(origin)[0]), expected, atol=1e-9)


def test_digits_network_learns():
    problem = sde.digits_mlp(100)
    x = problem.start[None]
    for _ in range(60):
        x = x - 0.5 * problem.gradient(x)
    assert problem.f(x)[0] < 0.3 * problem.f(problem.start[None])[0]


def test_bad_problems_are_refused():
    with pytest.raises(ms.ShapeError, match=r"gave shape \(\); expected \(2,\).*axis=1"):
        sde.Problem("sum", lambda x: np.sum(x), [1.0])
    with pytest.raises(ms.ShapeError, match=r"start has shape \(1, 2\)"):
        sde.Problem("start", lambda x: np.sum(x, axis=1), [[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"Hessian is not symmetric: entry \(0, 1\) is 2"):
        sde.quadratic([[1.0, 2.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"square matrix, got shape \(2,\)"):
        sde.quadratic([1.0, 2.0])
    with pytest.raises(ValueError, match="not finite"):
        sde.quadratic([[np.nan]])
    with pytest.raises(ValueError, match="no data set 'titanic'; choose from breast-cancer"):
        sde.logistic("titanic")
