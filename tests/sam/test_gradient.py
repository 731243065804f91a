"""Equation (3) and the term it drops, on a network: by formula, by differentiation, by values."""

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff.tensor import Tensor
from minisam.sam import (
    epsilon_hat,
    jacobian_product,
    sam_gradient,
    sam_gradient_through,
    value_and_sam_gradient,
)

INF = float("inf")
EXPONENTS = [1, 1.01, 1.25, 1.5, 2, 3, 4, 10, INF]
RHO = 0.5  # large: at a small radius the dropped term would hide below the tolerance

every_p = pytest.mark.parametrize("p", EXPONENTS)
every_ball = pytest.mark.parametrize("which", range(4), ids=["plain", "metric", "groups", "both"])


@every_p
@every_ball
def test_first_order_is_the_gradient_at_the_perturbed_point(net, p, which):
    ball = net.balls[which]
    perturbed = net.w + epsilon_hat(ms.grad(net.loss)(net.w), RHO, p, **ball)
    expected = ms.grad(net.loss)(perturbed)
    np.testing.assert_array_equal(sam_gradient(net.loss, net.w, RHO, p, **ball), expected)


@every_p
@every_ball
def test_second_order_closed_form_and_through(net, p, which):
    """To 1e-13 of the terms; and, with the Hessian as a matrix, to the formula itself."""
    ball = net.balls[which]
    closed = sam_gradient(net.loss, net.w, RHO, p, order=2, **ball)
    through = sam_gradient_through(net.loss, net.w, RHO, p, **ball)
    g = ms.grad(net.loss)(net.w)
    g_a = ms.grad(net.loss)(net.w + epsilon_hat(g, RHO, p, **ball))
    term = ms.hessian(net.loss)(net.w) @ jacobian_product(g, g_a, RHO, p, **ball)
    scale = np.abs(g_a).max() + np.abs(term).max()
    np.testing.assert_allclose(closed, through, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(closed, g_a + term, rtol=0, atol=1e-13 * scale)
    if p in (1, INF):
        np.testing.assert_array_equal(closed, g_a)
    elif p > 1.01 or "groups" in ball:  # at 1.01 one entry outshines the rest, as at 1
        assert np.abs(term).max() > 1e-3 * np.abs(g_a).max(), "the term is there to be tested"


def richardson(f, h):
    """The derivative of f at 0 from values, with an error of h⁶."""
    d = [(f(h / 2**i) - f(-h / 2**i)) / (2 * h / 2**i) for i in range(3)]
    once = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * once[1] - once[0]) / 15


@pytest.mark.parametrize("p", [1, 1.25, 1.5, 2, 3, INF])
@pytest.mark.parametrize("which", [0, 3], ids=["plain", "both"])
def test_second_order_is_the_derivative_of_the_objective(net, p, which):
    """Of L(w + ε̂(w)), from its values."""
    ball = net.balls[which]

    def objective(w):
        return float(net.loss(w + epsilon_hat(ms.grad(net.loss)(w), RHO, p, **ball)))

    full = sam_gradient(net.loss, net.w, RHO, p, order=2, **ball)
    rng = np.random.default_rng(2)
    for _ in range(3):
        v = rng.choice([-1.0, 1.0], net.w.size) * rng.uniform(0.5, 1.5, net.w.size)
        # A step so small that no entry of the gradient changes its sign on the way.
        slope = richardson(lambda t, v=v: objective(net.w + t * v), 2e-5)
        assert slope == pytest.approx(full @ v, rel=1e-6)
        first = sam_gradient(net.loss, net.w, RHO, p, **ball)
        if p not in (1, INF):
            assert slope != pytest.approx(first @ v, rel=1e-4), "equation (3) is not the derivative"


def test_p_2_by_the_printed_formula(net):
    """g_a + (ρ/‖g‖) H (I - ĝĝᵀ) g_a; with the factors of the last term exchanged it is another."""
    g = ms.grad(net.loss)(net.w)
    unit = g / np.linalg.norm(g)
    g_a = ms.grad(net.loss)(net.w + RHO * unit)
    hessian = ms.hessian(net.loss)(net.w)
    projection = np.eye(g.size) - np.outer(unit, unit)
    expected = g_a + RHO / np.linalg.norm(g) * hessian @ projection @ g_a
    found = sam_gradient(net.loss, net.w, RHO, order=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    exchanged = g_a + RHO / np.linalg.norm(g) * projection @ hessian @ g_a
    assert np.abs(found - exchanged).max() > 0.01 * np.abs(expected).max()


def test_the_dropped_term_is_of_second_order(net):
    """‖term‖/ρ² tends to ‖H P H ĝ‖/‖g‖ at p = 2."""
    g = ms.grad(net.loss)(net.w)
    unit = g / np.linalg.norm(g)
    curved = ms.hvp(net.loss, net.w, unit)
    across = curved - unit * (unit @ curved)
    limit = np.linalg.norm(ms.hvp(net.loss, net.w, across)) / np.linalg.norm(g)
    ratios = []
    for rho in (1e-2, 1e-3, 1e-4):
        second = sam_gradient(net.loss, net.w, rho, order=2)
        first = sam_gradient(net.loss, net.w, rho)
        ratios.append(np.linalg.norm(second - first) / rho**2)
    errors = np.abs(np.array(ratios) / limit - 1)
    assert errors[-1] < 1e-3
    assert errors[0] > 3 * errors[1] > 9 * errors[2], "the ratio converges"


@every_p
@pytest.mark.parametrize("order", [1, 2])
def test_radius_zero_is_the_plain_gradient(net, p, order):
    expected = ms.grad(net.loss)(net.w)
    np.testing.assert_array_equal(sam_gradient(net.loss, net.w, 0, p, order=order), expected)
    np.testing.assert_array_equal(sam_gradient_through(net.loss, net.w, 0, p), expected)


@every_p
@pytest.mark.parametrize("order", [1, 2])
def test_the_value_is_that_at_w(net, p, order):
    value, gradient = value_and_sam_gradient(net.loss, net.w, RHO, p, order)
    assert value == net.loss(net.w)
    assert type(value) is not Tensor, "its differentiation has ended"
    np.testing.assert_array_equal(gradient, sam_gradient(net.loss, net.w, RHO, p, order))
    slope = ms.grad(lambda w: value_and_sam_gradient(net.loss, w, RHO, p, order)[0])(net.w)
    np.testing.assert_allclose(slope, ms.grad(net.loss)(net.w), rtol=1e-13)


@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_at_a_stationary_point_nothing_is_nan(p):
    def loss(w):
        return np.sum(np.array([1.0, 4.0]) * w**2)

    for w in (np.zeros(2), np.array([0.0, 1.0]), np.array([1.0, 0.0])):
        closed = sam_gradient(loss, w, 0.1, p, order=2)
        assert np.isfinite(closed).all()
        np.testing.assert_allclose(sam_gradient_through(loss, w, 0.1, p), closed, rtol=1e-13)
    np.testing.assert_array_equal(sam_gradient(loss, np.zeros(2), 0.1, p, order=2), 0)


@every_p
@pytest.mark.parametrize("order", [1, 2])
def test_float32_stays_float32(net, p, order):
    w, x = net.w.astype("f4"), net.x.astype("f4")

    def loss(w):
        return ms.nn.cross_entropy(net.model(w, x), net.y).mean()

    ball = {"metric": net.balls[3]["metric"].astype("f4"), "groups": net.balls[3]["groups"]}
    value, gradient = value_and_sam_gradient(loss, w, RHO, p, order, **ball)
    assert value.dtype == gradient.dtype == np.float32


def test_the_parameters_are_not_written_to(net):
    w = net.w.copy()
    w.flags.writeable = False
    for order in (1, 2):
        sam_gradient(net.loss, w, RHO, order=order)
    sam_gradient_through(net.loss, w, RHO)
    np.testing.assert_array_equal(w, net.w)


@pytest.mark.parametrize("order", [0, 3, "2", None])
def test_another_order(net, order):
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        sam_gradient(net.loss, net.w, RHO, order=order)


def test_an_unknown_word_for_the_ball(net):
    with pytest.raises(TypeError, match="metrics"):
        sam_gradient(net.loss, net.w, RHO, metrics=None)
