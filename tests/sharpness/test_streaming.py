"""A loss in parts is the same function as the whole, to every order, in less memory."""

import tracemalloc

import numpy as np
import pytest

import minisam as ms
from minisam.sharpness import ball_maximum, batched, streamed, top_eigenvalues
from tests.sharpness.problems import NETWORKS, losses_of

SLICES = (slice(0, 5), slice(5, 10), slice(10, 12))  # the last one is smaller


@pytest.fixture(scope="module", params=["mlp", "relu"])
def both(request):
    part, w = losses_of(NETWORKS[request.param][0])
    whole = part(slice(None))
    return streamed([part(rows) for rows in SLICES]), (lambda w: whole(w).mean()), w


def test_value_gradient_and_hessian(both):
    loss, plain, w = both
    assert float(loss(w)) == pytest.approx(float(plain(w)), rel=1e-14)
    (value, g), (expected, exact) = (ms.value_and_grad(f)(w) for f in (loss, plain))
    assert float(value) == pytest.approx(float(expected), rel=1e-14)
    np.testing.assert_allclose(g, exact, rtol=1e-11, atol=1e-14)
    h = ms.hessian(plain)(w)
    np.testing.assert_allclose(ms.hessian(loss)(w), h, rtol=1e-10, atol=1e-13)


def test_every_kind_of_second_and_third_derivative(both):
    loss, plain, w = both
    u, v = np.random.default_rng(0).normal(size=(2, w.size))

    def derivatives(f):
        def slope(w):
            return np.sum(u * ms.grad(f)(w))

        yield ms.hvp(f, w, v)  # forward over reverse
        yield ms.grad(slope)(w)  # reverse over reverse
        yield ms.jvp(lambda w: ms.jvp(f, (w,), (u,))[1], (w,), (v,))[1]  # forward over forward
        yield ms.grad(lambda w: ms.jvp(f, (w,), (u,))[1])(w)  # reverse over forward
        yield ms.hvp(slope, w, v)

    for found, expected in zip(derivatives(loss), derivatives(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_all_that_takes_a_loss_takes_it(both):
    loss, plain, w = both
    for measure in (
        lambda f: ms.sam.sam_gradient(f, w, 0.3, order=2),
        lambda f: ms.sam.sam_gradient_through(f, w, 0.3),
        lambda f: top_eigenvalues(f, w, 3, tol=1e-9),
        lambda f: ball_maximum(f, w, 0.2, steps=5, restarts=1).value,
    ):
        np.testing.assert_allclose(measure(loss), measure(plain), rtol=1e-7, atol=1e-10)


def test_float32():
    model = NETWORKS["mlp"][0]
    part, w = losses_of(model)
    exact = ms.hvp(streamed(part(slice(None))), w, w)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)).astype("f4"), rng.integers(2, size=12)
    w = w.astype("f4")
    found = ms.hvp(streamed(batched(model, x, y, 5)), w, w)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-4 * np.abs(exact).max())


def test_one_part_at_a_time_is_in_memory():
    """The peak of a product does not grow with the number of parts; that of the plain loss does."""
    rng = np.random.default_rng(0)
    model = ms.nn.mlp([16, 64, 64, 4])
    w, v = model.init(0, "float64"), rng.normal(size=model.size)

    def peak(loss):
        tracemalloc.start()
        ms.hvp(loss, w, v)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peaks = {}
    for n in (500, 4000):
        x, y = rng.normal(size=(n, 16)), rng.integers(4, size=n)
        parts = batched(model, x, y, 250)
        plain = peak(lambda w, x=x, y=y: ms.nn.cross_entropy(model(w, x), y).mean())
        peaks[n] = peak(streamed(parts)), plain
    assert peaks[4000][0] < 1.2 * peaks[500][0]
    assert peaks[4000][1] > 5 * peaks[500][1]
    assert peaks[4000][0] < 0.15 * peaks[4000][1]


def test_batches_of_a_model():
    rng = np.random.default_rng(0)
    model = ms.nn.mlp([3, 2])
    x, y, w = rng.normal(size=(7, 3)), rng.integers(2, size=7), model.init(0, "float64")
    parts = batched(model, x, y, size=3)
    assert [part(w).shape for part in parts] == [(3,), (3,), (1,)]
    expected = ms.nn.cross_entropy(model(w, x), y)
    np.testing.assert_allclose(np.concatenate([part(w) for part in parts]), expected, rtol=1e-14)
    squares = batched(model, x, model(w, x), size=3, loss=ms.nn.mse)
    assert float(streamed(squares)(w)) < 1e-30


def test_batch_norm_keeps_its_statistics():
    model, _ = NETWORKS["batch norm"]
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(6, 3)), rng.integers(2, size=6), model.init(0, "float64")
    statistics = model.statistics(w, [x])
    loss = streamed(batched(model, x, y, 2, statistics=statistics))
    expected = ms.nn.cross_entropy(model(w, x, statistics=statistics), y).mean()
    assert float(loss(w)) == pytest.approx(float(expected), rel=1e-13)


def test_one_function_is_one_part():
    assert float(streamed(lambda w: w**2)(np.array([1.0, 3.0]))) == 5


def test_a_part_that_hides_a_variable_is_refused():
    """∂²L/∂a∂w through a closure: the engine could not see a, so it has to say so."""

    def slope(a):
        return ms.grad(streamed([lambda w: a * w**2]))(np.array([3.0]))[0]

    assert slope(2.0) == 12
    with pytest.raises(TypeError, match="a summand depends on a Tensor that is not among its arg"):
        ms.grad(slope)(2.0)


def test_bad_input():
    model = ms.nn.mlp([3, 2])
    with pytest.raises(ValueError, match="there are no losses"):
        streamed([])
    with pytest.raises(ms.ShapeError, match=r"part 1 returned shape \(\); return one loss for"):
        streamed([lambda w: w, lambda w: w.mean()])(np.ones(2))
    with pytest.raises(ValueError, match="0 examples in batches of 3"):
        batched(model, np.zeros((0, 3)), np.zeros(0, int), 3)
    with pytest.raises(ValueError, match="4 examples in batches of 0"):
        batched(model, np.zeros((4, 3)), np.zeros(4, int), 0)
    with pytest.raises(ms.ShapeError, match="4 inputs, but 3 labels"):
        batched(model, np.zeros((4, 3)), np.zeros(3, int))
