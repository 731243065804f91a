"""Methods: what an optimizer is given, what it cost, and that the parameters are left alone."""

import numpy as np
import pytest

import minisam as ms
from minisam import nn
from minisam.sam import ERM, SAM, NonFiniteError, asam_metric, epsilon_hat, sam_gradient
from minisam.sam import batch as batch_module
from minisam.sam.gradient import linearized

INF = float("inf")
METHODS = {
    "erm": ERM(),
    "sam": SAM(0.05),
    "sam p=inf": SAM(0.05, p=INF),
    "sam order 2": SAM(0.05, order=2),
    "asam": SAM(0.5, eta=0.01),
    "asam order 2": SAM(0.5, p=3, order=2, eta=0.01),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())


def test_erm_is_the_gradient(net):
    step = ERM().gradient(net.losses, net.w, {})
    value, g = ms.value_and_grad(net.loss)(net.w)
    np.testing.assert_array_equal(step.g, g)
    assert step.loss == value


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("eta", [None, 0.1])
def test_sam_with_radius_zero_is_erm(net, p, order, eta):
    plain = ERM().gradient(net.losses, net.w, {})
    step = SAM(0.0, p, order, eta).gradient(net.losses, net.w, {})
    np.testing.assert_array_equal(step.g, plain.g)
    assert step.loss == plain.loss


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("which", range(4))
def test_sam_is_sam_gradient(net, p, order, which):
    ball = dict(net.balls[which])
    eta = 0.1 if ball.pop("metric", None) is not None else None
    step = SAM(0.3, p, order, eta, **ball).gradient(net.losses, net.w, {})
    if eta is not None:
        ball["metric"] = asam_metric(net.w, eta)
    expected = sam_gradient(net.loss, net.w, 0.3, p, order, **ball)
    np.testing.assert_allclose(step.g, expected, rtol=1e-13)
    assert step.loss == net.loss(net.w)


@every_method
def test_the_count_is_what_was_computed(net, method, monkeypatch):
    """Counted in the engine: a gradient is 1, a Hessian-vector product is 2."""
    work = {"gradients": 0, "products": 0}

    def counted_grad(f):
        def gradient(w):
            work["gradients"] += 1
            return ms.grad(f)(w)

        return gradient

    def counted_value_and_grad(f):
        def value_and_gradient(w):
            work["gradients"] += 1
            return ms.value_and_grad(f)(w)

        return value_and_gradient

    def counted_linearized(loss, w):
        work["gradients"] += 1
        value, g, product = linearized(loss, w)

        def counted_product(v):
            work["products"] += 1
            return product(v)

        return value, g, counted_product

    monkeypatch.setattr(batch_module, "grad", counted_grad)
    monkeypatch.setattr(batch_module, "value_and_grad", counted_value_and_grad)
    monkeypatch.setattr(batch_module, "linearized", counted_linearized)
    step = method.gradient(net.losses, net.w, {})
    assert step.evaluations == work["gradients"] + 2 * work["products"]
    expected = {"ERM": 1, "SAM": 2 if method.order == 1 else 4}[method.name]
    assert step.evaluations == expected


@every_method
def test_the_parameters_are_left_alone(net, method):
    w = net.w.copy()
    w.flags.writeable = False
    step = method.gradient(net.losses, w, method.init(w))
    np.testing.assert_array_equal(w, net.w)
    assert not np.shares_memory(step.g, w)


@pytest.mark.parametrize("order", [1, 2])
def test_the_parameters_are_left_alone_when_the_second_pass_raises(net, order):
    seen = []

    def losses(w):
        seen.append(np.array(getattr(w, "value", w)))
        if not np.array_equal(seen[-1], net.w):
            raise RuntimeError("at the perturbed point")
        return net.losses(w)

    w = net.w.copy()
    state = {}
    with pytest.raises(RuntimeError, match="at the perturbed point"):
        SAM(0.1, order=order).gradient(losses, w, state)
    assert len(seen) > 1
    assert w.tobytes() == net.w.tobytes()
    assert state == {}


def test_the_two_passes_are_at_w_and_at_w_plus_epsilon(net):
    points = []

    def losses(w):
        points.append(np.array(getattr(w, "value", w)))
        return net.losses(w)

    SAM(0.1).gradient(losses, net.w, {})
    first, second = points
    np.testing.assert_array_equal(first, net.w)
    expected = net.w + epsilon_hat(ms.grad(net.loss)(net.w), 0.1)
    np.testing.assert_array_equal(second, expected)
    assert np.linalg.norm(second - net.w) == pytest.approx(0.1, rel=1e-12)


@every_method
def test_a_zero_gradient_gives_the_plain_step(method):
    w = np.array([1.0, 2.0])

    def losses(w):
        return (w - np.array([1.0, 2.0])) ** 2

    step = method.gradient(losses, w, {})
    np.testing.assert_array_equal(step.g, 0)
    assert step.loss == 0


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
def test_the_scale_of_the_loss_does_not_move_the_perturbed_point(net, p):
    """So that SAM's gradient is scaled as the loss is: powers of two, exactly."""
    one = SAM(0.1, p).gradient(net.losses, net.w, {})
    for scale in (2.0**-60, 2.0**60):
        scaled = SAM(0.1, p).gradient(lambda w, s=scale: s * net.losses(w), net.w, {})
        np.testing.assert_array_equal(scaled.g, scale * one.g)


def test_both_passes_see_one_dropout_mask(monkeypatch):
    masks = []
    real = nn.layers.dropout

    def recorded(x, rate, rng):
        y = real(x, rate, rng)
        masks.append(np.array(getattr(y, "value", y)) != 0)
        return y

    monkeypatch.setattr(nn.layers, "dropout", recorded)
    # Tanh: no zeros of its own, so that the zeros are the masks.
    model = nn.Sequential(
        nn.Linear(4, 30), nn.Tanh(), nn.Dropout(0.5), nn.Linear(30, 30), nn.Tanh(), nn.Dropout(0.3)
    )
    w = model.init(0, "float64")
    x = np.random.default_rng(0).normal(size=(5, 4))

    def step(seed, method):
        masks.clear()
        method.gradient(lambda w: (model(w, x, train=True, seed=seed) ** 2).mean(axis=1), w, {})
        return list(masks)

    for method in (SAM(0.5), SAM(0.5, order=2)):
        found = step(7, method)
        assert len(found) == 4, "two layers, two passes: the Hessian's product runs no third"
        for i in range(2, len(found)):
            np.testing.assert_array_equal(found[i], found[i % 2])
        assert not np.array_equal(found[0], found[1]), "each layer has a mask of its own"
    assert not np.array_equal(step(8, SAM(0.5))[0], found[0]), "another seed, another mask"


def test_no_pass_writes_batch_norm_statistics():
    """They are computed at a given w: before and after a step of SAM the same bits."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.Tanh(), nn.Linear(4, 2))
    w = model.init(0, "float64")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)), rng.integers(2, size=8)
    before = model.statistics(w, [x])
    out = model(w, x, statistics=before)

    def losses(w):
        return nn.cross_entropy(model(w, x, train=True), y)

    g = SAM(5.0).gradient(losses, w, {}).g
    assert not np.array_equal(g, ERM().gradient(losses, w, {}).g)
    np.testing.assert_array_equal(model.statistics(w, [x]), before)
    np.testing.assert_array_equal(model(w, x, statistics=before), out)


@every_method
def test_float32_stays_float32(net, method):
    w, x = net.w.astype("f4"), net.x.astype("f4")
    step = method.gradient(lambda w: nn.cross_entropy(net.model(w, x), net.y), w, {})
    assert step.loss.dtype == step.g.dtype == np.float32


@every_method
def test_an_empty_batch(net, method):
    with pytest.raises(ValueError, match=f"{method.name}: the batch is empty"):
        method.gradient(lambda w: net.losses(w)[:0], net.w, {})


@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_that_is_not_finite(order):
    with pytest.raises(NonFiniteError, match="1 of 2 entries"):
        SAM(0.1, order=order).gradient(
            lambda w: w * np.array([np.nan, 1.0]), np.array([1.0, 1.0]), {}
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rho": -0.1}, "SAM: rho must be a finite number >= 0, got -0.1"),
        ({"rho": float("nan")}, "SAM: rho must be"),
        ({"rho": INF}, "SAM: rho must be"),
        ({"p": 0.5}, r"p must be in \[1, inf\], got 0.5"),
        ({"order": 3}, "SAM: order must be 1 or 2, got 3"),
        ({"eta": -1.0}, "SAM: eta must be a finite number >= 0, got -1.0"),
        ({"eta": INF}, "SAM: eta must be"),
    ],
)
def test_settings_are_checked_when_the_method_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        SAM(**options)


def test_two_methods_with_other_settings_print_otherwise():
    """A checkpoint knows by this text what a run was."""
    changed = [
        SAM(),
        SAM(0.1),
        SAM(p=3),
        SAM(order=2),
        SAM(eta=0.1),
        SAM(groups=(slice(0, 2), slice(2, 4))),
        ERM(),
    ]
    assert len({repr(method) for method in changed}) == len(changed)
