"""Equation (2) against its definition: nothing in the ball is better, whatever the gradient."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minisam as ms
from minisam.autodiff.errors import ShapeError
from minisam.sam import (
    NonFiniteError,
    asam_metric,
    conjugate,
    epsilon_hat,
    jacobian_product,
    perturbation,
)

INF = float("inf")
EXPONENTS = [1, 1.01, 1.25, 1.5, 2, 3, 4, 10, INF]
SMOOTH = [p for p in EXPONENTS if p not in (1, INF)]
RHO = 0.05

every_p = pytest.mark.parametrize("p", EXPONENTS)
smooth_p = pytest.mark.parametrize("p", SMOOTH)
exponents = st.one_of(st.sampled_from(EXPONENTS), st.floats(1, 100))


def norm(x, p):
    """‖x‖_p without overflow, in the precision of a long double."""
    x = np.abs(np.asarray(x, dtype=np.longdouble)).ravel()
    top = np.max(x, initial=0)
    if top == 0 or p == INF:
        return top
    return top * ((x / top) ** np.longdouble(p)).sum() ** (1 / np.longdouble(p))


def gradients(dtype=np.float64):
    """Draw gradients of any scale, with ties, zeros and entries that vanish beside the others."""
    info = np.finfo(dtype)
    wide = st.floats(
        float(-(info.max ** dtype(0.9))), float(info.max ** dtype(0.9)), width=info.bits
    )
    usual = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -2.0])
    return hnp.arrays(dtype, st.integers(1, 12), elements=st.one_of(usual, wide))


# Every kind of entry: both signs, a tie at the top, a zero, a tiny one.
EVERY_KIND = np.array([3.0, -4.0, 0.5, 0.0, 4.0, -1e-9])


@settings(deadline=None, max_examples=150)
@given(g=gradients(), p=exponents, rho=st.sampled_from([0.05, 1.0, 30.0]))
@example(g=np.array([1e200, 1e-200]), p=3.0, rho=1.0)  # the small entry vanishes beside the large
@example(g=np.array([1e-200, -1e-200, 1e-203]), p=1.01, rho=1.0)
@example(g=np.array([2.0, 2.0, -2.0]), p=1 + 1e-9, rho=1.0)
def test_it_lies_on_the_sphere_and_reaches_the_dual_norm(g, p, rho):
    e = epsilon_hat(g, rho, p)
    if not g.any():
        np.testing.assert_array_equal(e, 0)
        return
    # Rounding of |g|/max|g| is raised to the power q - 1.
    rel = 1e-13 * (1 if p == 1 else conjugate(p))
    assert norm(e, p) == pytest.approx(rho, rel=rel)
    reached = np.sum(e.astype(np.longdouble) * g)
    assert reached == pytest.approx(rho * norm(g, conjugate(p)), rel=1e-12)
    assert np.all(e * np.sign(g) >= 0), "it points uphill in every coordinate"
    assert np.all(e[g == 0] == 0)


@settings(deadline=None, max_examples=100)
@given(g=gradients(), p=exponents)
def test_it_is_the_paper_s_formula(g, p):
    """Equation (2) as printed, in long doubles, wherever that can be computed."""
    q = conjugate(p)
    assume(p > 1 and q < 50 and np.abs(g).max() < 1e50 and g.any())
    assume(np.abs(g[g != 0]).min() > 1e-50)
    g_long, q = g.astype(np.longdouble), np.longdouble(q)
    printed = (
        np.sign(g_long)
        * np.abs(g_long) ** (q - 1)
        / (np.abs(g_long) ** q).sum() ** (0 if p == INF else 1 / np.longdouble(p))
    )
    np.testing.assert_allclose(epsilon_hat(g, 1.0, p), printed, rtol=1e-12, atol=1e-200)


@every_p
def test_no_point_of_the_sphere_is_better(p):
    rng = np.random.default_rng(0)
    for d in (1, 2, 3, 7):
        g = rng.normal(size=d) * 10.0 ** rng.integers(-3, 3, size=d)
        # Powers of normals reach the corners and edges of the ball, where the best points are.
        points = rng.normal(size=(10_000, d)) * np.abs(rng.normal(size=(10_000, d))) ** 3
        lengths = np.linalg.norm(points, ord=p, axis=1)
        points *= (RHO / lengths)[:, None]
        best = g @ epsilon_hat(g, RHO, p)
        random = (points @ g).max()
        assert random <= best * (1 + 1e-12)
        assert random >= 0.8 * best, "the comparison is with points that come close"


@every_p
@pytest.mark.parametrize(("dtype", "scales"), [("f8", (1e-200, 1e200)), ("f4", (1e-30, 1e30))])
def test_the_scale_of_the_gradient_does_not_matter(p, dtype, scales):
    g = EVERY_KIND.astype(dtype)
    at_one = epsilon_hat(g, RHO, p)
    assert at_one.dtype == dtype
    for scale in scales:
        scaled = epsilon_hat(g * np.dtype(dtype).type(scale), RHO, p)
        assert scaled.dtype == dtype
        # g · scale is rounded, and the power q - 1 magnifies that.
        rtol = 4 * np.finfo(dtype).eps * (1 if p in (1, INF) else conjugate(p))
        np.testing.assert_allclose(scaled, at_one, rtol=rtol)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5)])
@pytest.mark.parametrize("metric", [False, True])
@pytest.mark.parametrize(
    ("dtype", "exponents"), [("f4", (-70, -30, 0, 30, 62)), ("f8", (-530, -200, 0, 200, 520))]
)
def test_the_short_way_for_a_moderate_norm_is_the_general_one(dtype, exponents, metric, shape):
    """A Tensor goes the general way, a plain array the short one unless its norm is extreme."""
    rng = np.random.default_rng(0)
    one, v, scale = (rng.normal(size=shape).astype(dtype) for _ in range(3))
    one[(0,) * len(shape)] = 0
    eps, largest = np.finfo(dtype).eps, np.full(shape, np.finfo(dtype).max)
    ball = {"metric": abs(scale)} if metric else {}
    cases = [(one * one.dtype.type(2.0**exponent), v) for exponent in exponents]
    for g, v in (*cases, (one * 1000, largest)):
        for f in (
            lambda g: epsilon_hat(g, RHO, **ball),
            lambda g, v=v: jacobian_product(g, v, RHO, **ball),
        ):
            general, found = ms.vjp(f, g)[0], f(g)
            assert (found.dtype, found.shape) == (g.dtype, g.shape)
            atol = 20 * eps * np.abs(general).max()
            np.testing.assert_allclose(found, general, rtol=0, atol=atol)
            np.testing.assert_array_equal(f(np.asfortranarray(g)), found)


def test_moderate_vectors_go_the_short_way(monkeypatch):
    """The general one looks for the largest entry, which here is an error."""
    monkeypatch.setattr(perturbation, "_largest", None)
    g, v, metric = np.array([3.0, -4.0]), np.array([5.0, 10.0]), np.array([4.0, 3.0])
    np.testing.assert_allclose(epsilon_hat(g, 1.0), [0.6, -0.8], rtol=1e-15)
    np.testing.assert_allclose(epsilon_hat(g, 2**0.5, metric=metric), [4, -3], rtol=1e-15)
    np.testing.assert_allclose(jacobian_product(g, v, 1.0), [1.6, 1.2], rtol=1e-15)


def test_the_squares_of_small_entries_have_few_digits():
    """In float32 each is 1.7e-42, and so is their sum, 1.7e-36, off by 1e-4."""
    e = epsilon_hat(np.full(10**6, 1.3e-21, "f4"), RHO)
    np.testing.assert_allclose(e, RHO / 1e3, rtol=1e-6)


@pytest.mark.parametrize(("size", "rho"), [(1e-10, 1e30), (1e8, 1e-36)])
def test_a_radius_so_large_or_small_that_its_quotient_by_the_norm_is_no_float32(size, rho):
    g, v = size * np.array([3, -4], "f4"), size * np.array([4, 3], "f4")
    expected = rho * np.array([0.6, -0.8])
    np.testing.assert_allclose(epsilon_hat(g, rho), expected, rtol=1e-6)
    np.testing.assert_allclose(jacobian_product(g, v, rho), rho * np.array([0.8, 0.6]), rtol=1e-6)


def test_the_smallest_numbers_still_have_a_direction():
    for dtype in ("f4", "f8"):
        tiny = np.finfo(dtype).smallest_subnormal
        np.testing.assert_array_equal(
            epsilon_hat(np.array([tiny, 0, -tiny], dtype), 1.0, INF), [1, 0, -1]
        )
        e = epsilon_hat(np.array([3 * tiny, 4 * tiny], dtype), 1.0, 2)
        np.testing.assert_allclose(e, [0.6, 0.8], rtol=1e-6)


def test_the_exact_values():
    g = np.array([3.0, -4.0, 0.0])
    np.testing.assert_allclose(epsilon_hat(g, 1.0), [0.6, -0.8, 0.0], rtol=1e-15)  # p = 2
    np.testing.assert_array_equal(epsilon_hat(g, 0.5, INF), [0.5, -0.5, 0.0])
    np.testing.assert_array_equal(epsilon_hat(g, 0.5, 1), [0.0, -0.5, 0.0])
    # p = 3, q = 3/2: sqrt|g| over (sum |g|^1.5)^(1/3).
    expected = np.array([3**0.5, -2.0, 0.0]) / (3**1.5 + 8) ** (1 / 3)
    np.testing.assert_allclose(epsilon_hat(g, 1.0, 3), expected, rtol=1e-15)


def test_ties_share_equally_and_the_limit_is_reached():
    g = np.array([2.0, -5.0, 5.0, 0.0, -5.0])
    e = epsilon_hat(g, 0.3, 1)
    np.testing.assert_allclose(e, [0, -0.1, 0.1, 0, -0.1], rtol=1e-15)
    np.testing.assert_allclose(epsilon_hat(g, 0.3, 1 + 1e-6), e, atol=1e-6)
    np.testing.assert_allclose(
        epsilon_hat(g, 0.3, 1e9), epsilon_hat(g, 0.3, INF), atol=1e-8, rtol=1e-8
    )
    # Equal entries stay exactly equal however large q is: no rounding is raised to that power.
    for p in (1 + 1e-12, 1 + 1e-9, 1.001):
        np.testing.assert_allclose(epsilon_hat(np.full(7, 3.0), 1.0, p), 7 ** (-1 / p), rtol=1e-14)


@every_p
def test_a_zero_gradient_gives_zero_without_a_warning(p):
    for g in (np.zeros(3), np.zeros((), "f4"), np.zeros((2, 0)), np.zeros(0, "f4"), -np.zeros(2)):
        e = epsilon_hat(g, RHO, p)
        assert e.shape == g.shape
        assert e.dtype == g.dtype
        np.testing.assert_array_equal(e, 0)
        np.testing.assert_array_equal(jacobian_product(g, np.ones_like(g), RHO, p), 0)


@every_p
def test_radius_zero_gives_zero(p):
    np.testing.assert_array_equal(epsilon_hat(EVERY_KIND, 0.0, p), 0)


@every_p
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_any_shape_is_one_vector(p, shape, dtype):
    g = np.random.default_rng(0).normal(size=shape).astype(dtype)
    before = g.copy()
    e = epsilon_hat(g, RHO, p)
    assert e.shape == shape
    assert e.dtype == dtype
    np.testing.assert_array_equal(np.ravel(e), epsilon_hat(g.ravel(), RHO, p))
    np.testing.assert_array_equal(g, before)
    assert not np.shares_memory(e, g)
    v = np.ones_like(g)
    product = jacobian_product(g, v, RHO, p)
    assert product.shape == shape
    assert product.dtype == dtype


@every_p
def test_a_strided_gradient_is_the_same_vector(p):
    g = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(epsilon_hat(g.T, RHO, p), epsilon_hat(g, RHO, p).T, rtol=1e-14)


@settings(deadline=None, max_examples=60)
@given(g=gradients(), p=exponents, data=st.data())
def test_the_order_of_the_coordinates_does_not_matter(g, p, data):
    order = np.array(data.draw(st.permutations(range(g.size))))
    expected = epsilon_hat(g, RHO, p)[order]
    np.testing.assert_allclose(epsilon_hat(g[order], RHO, p), expected, rtol=1e-13, atol=1e-300)


@settings(deadline=None, max_examples=60)
@given(g=gradients(np.float32), p=exponents)
def test_float32_agrees_with_float64(g, p):
    e = epsilon_hat(g, RHO, p)
    assert e.dtype == np.float32
    # The quotient |g|/max|g| has an error of half a unit, and is raised to the power q - 1.
    rtol = 1e-6 * (1 if p == 1 else 1 + min(conjugate(p), 1e6))
    normal = np.abs(g.astype("f8")) >= 1e-37 * np.max(np.abs(g), initial=0)
    exact = epsilon_hat(g.astype("f8"), RHO, p)
    np.testing.assert_allclose(e[normal], exact[normal], rtol=rtol, atol=1e-37)


# Derivative.


@every_p
@pytest.mark.parametrize("zeros", [False, True])
def test_the_jacobian_agrees_with_differentiation(p, zeros):
    rng = np.random.default_rng(1)
    g = rng.normal(size=6) * np.array([1, 1e-2, 3, 1, 0.3, 10])
    if zeros:
        g[[1, 4]] = 0
    closed = np.stack([jacobian_product(g, e, RHO, p) for e in np.eye(6)], axis=1)
    assert np.isfinite(closed).all()
    np.testing.assert_allclose(closed, closed.T, rtol=1e-12, atol=1e-17)
    size = np.abs(closed).max()
    np.testing.assert_allclose(closed @ g, 0, atol=1e-13 * max(size, RHO))
    through = ms.jacobian(lambda g: epsilon_hat(g, RHO, p))(g)
    np.testing.assert_allclose(closed, through, rtol=1e-10, atol=1e-12 * size)
    assert (size == 0) == (p in (1, INF))


@smooth_p
def test_the_jacobian_agrees_with_a_difference_quotient(p):
    g = np.array([0.7, -1.3, 1.1, 0.4])
    v = np.array([0.5, -0.8, 0.3, 1.2])

    def difference(h):
        return (epsilon_hat(g + h * v, RHO, p) - epsilon_hat(g - h * v, RHO, p)) / (2 * h)

    # At p = 1.01 the entries go as |g|^100: the step must be small beside 1/100.
    h = 1e-3 / conjugate(p)
    fine = (4 * difference(h / 2) - difference(h)) / 3
    np.testing.assert_allclose(
        jacobian_product(g, v, RHO, p), fine, rtol=1e-8, atol=1e-10 * conjugate(p) * RHO
    )


def test_where_the_slope_is_infinite_the_entry_is_dropped():
    """p = 3: ε̂_i goes as sqrt|g_i|, so at g_i = 0 only the other coordinates have a slope."""
    g, v = np.array([0.0, 1.0, -2.0]), np.array([5.0, 1.0, 1.0])
    product = jacobian_product(g, v, RHO, 3)
    assert product[0] == 0
    np.testing.assert_allclose(product[1:], jacobian_product(g[1:], v[1:], RHO, 3), rtol=1e-14)


@smooth_p
def test_an_entry_that_vanishes_beside_the_largest_has_no_slope(p):
    """|g_i|/max|g| underflows to 0, where the power q - 1 < 1 has an infinite slope."""
    g, v = np.array([1e200, -1e-200, 1e200]), np.array([1.0, 0.0, -1.0])
    through = ms.jacobian(lambda g: epsilon_hat(g, RHO, p))(g) @ v
    closed = jacobian_product(g, v, RHO, p)
    assert np.isfinite(closed).all()
    np.testing.assert_allclose(through, closed, rtol=1e-12)


def test_at_p_2_a_zero_coordinate_keeps_its_slope():
    """p = 2: J = ρ (I - ĝĝᵀ)/‖g‖, also where g_i = 0."""
    g = np.array([0.0, 3.0, 4.0])
    unit = g / 5
    expected = RHO / 5 * (np.eye(3) - np.outer(unit, unit))
    closed = np.stack([jacobian_product(g, e, RHO, 2) for e in np.eye(3)])
    np.testing.assert_allclose(closed, expected, rtol=1e-14, atol=1e-18)


@smooth_p
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_jacobian_of_a_gradient_of_any_scale(p, scale):
    """J is homogeneous of degree -1, so J(cg)(cv) = J(g) v."""
    g, v = EVERY_KIND, np.array([1.0, 2.0, -1.0, 0.5, 0.1, -0.2])
    expected = jacobian_product(g, v, RHO, p)
    scaled = jacobian_product(g * scale, v * scale, RHO, p)
    rtol = 1e-14 * (1 + conjugate(p))
    np.testing.assert_allclose(scaled, expected, rtol=rtol, atol=1e-13 * np.abs(expected).max())


@smooth_p
@pytest.mark.parametrize(("dtype", "tiny"), [("f4", 1e-39), ("f8", 1e-310)])
def test_the_jacobian_of_the_smallest_gradients(p, dtype, tiny):
    """1/max|g| overflows; the product with a vector of the same scale is an ordinary one."""
    g, v = (np.array(x, dtype) * np.dtype(dtype).type(tiny) for x in ([1, 2, -2], [2, -1, 3]))
    expected = jacobian_product(*(x.astype(np.longdouble) for x in (g, v)), RHO, p)
    atol = (1e-3 if dtype == "f4" else 1e-9) * conjugate(p) * np.abs(expected).max()
    np.testing.assert_allclose(jacobian_product(g, v, RHO, p), expected, rtol=0, atol=atol)
    with np.errstate(over="ignore"):
        assert not np.isnan(jacobian_product(g, np.ones_like(g), RHO, p)).any()


@smooth_p
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_jacobian_is_never_nan(p, data):
    for dtype in (np.float32, np.float64):
        g = data.draw(gradients(dtype))
        v = data.draw(hnp.arrays(dtype, g.shape, elements=st.sampled_from([0, 1, -1e-30, 1e30])))
        with np.errstate(over="ignore"):
            assert not np.isnan(jacobian_product(g, v, RHO, p)).any()


def test_a_slope_too_large_for_the_dtype_is_dropped():
    """p = 10: the slope at 1e-44 is 1e39, more than float32 holds."""
    g, v = np.array([1, 1e-44], "f4"), np.array([1, 0], "f4")
    exact = jacobian_product(g.astype("f8"), v, RHO, 10)
    np.testing.assert_allclose(jacobian_product(g, v, RHO, 10), exact, rtol=1e-5, atol=1e-8)
    assert np.abs(jacobian_product(g, v[::-1], RHO, 10)).max() < 1e-6
    assert jacobian_product(g.astype("f8"), v[::-1], RHO, 10)[1] > 1e36, "float64 holds it"


# Metric and groups.


@every_p
def test_the_metric_scales_the_ball(p):
    rng = np.random.default_rng(2)
    g, metric = rng.normal(size=5), rng.uniform(0.1, 3, size=5)
    e = epsilon_hat(g, RHO, p, metric=metric)
    assert norm(e / metric, p) == pytest.approx(RHO, rel=1e-13)
    assert e @ g == pytest.approx(RHO * norm(metric * g, conjugate(p)), rel=1e-13)
    points = rng.normal(size=(10_000, 5)) * metric
    points *= (RHO / np.linalg.norm(points / metric, ord=p, axis=1))[:, None]
    assert (points @ g).max() <= e @ g


@every_p
@pytest.mark.parametrize("metric_scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("groups", [None, [slice(0, 2), slice(2, 6)]])
def test_the_scales_of_metric_and_gradient(p, scale, metric_scale, groups):
    """ε̂ goes as the scale of T, J as that over the scale of g; the product T g overflows."""
    metric = np.array([0.3, 2.0, 1.0, 0.7, 0.0, 1.5])
    v = np.array([1.0, 2.0, -1.0, 0.5, 0.1, -0.2])
    ball, scaled = ({"metric": c * metric, "groups": groups} for c in (1.0, metric_scale))
    expected = epsilon_hat(EVERY_KIND, RHO, p, **ball)
    found = epsilon_hat(scale * EVERY_KIND, RHO, p, **scaled)
    rtol = 1e-14 * (1 + (1 if p == 1 else conjugate(p)))
    np.testing.assert_allclose(found / metric_scale, expected, rtol=rtol, atol=1e-100)
    expected = jacobian_product(EVERY_KIND, v, RHO, p, **ball)
    found = jacobian_product(scale * EVERY_KIND, scale * v, RHO, p, **scaled)
    atol = 1e-13 * np.abs(expected).max()
    np.testing.assert_allclose(found / metric_scale, expected, rtol=rtol, atol=atol)


def test_groups_of_very_different_scales_under_a_metric():
    g = np.array([3e200, 4e200, 3e-200, 4e-200])
    metric = np.array([1e200, 1e200, 1e-200, 1e-200])
    e = epsilon_hat(g, 1.0, metric=metric, groups=[slice(0, 2), slice(2, 4)])
    np.testing.assert_allclose(e / metric, [0.6, 0.8, 0.6, 0.8], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_metric_so_large_that_its_product_with_the_gradient_overflows(dtype):
    """A metric that is the same everywhere only scales the ball."""
    g, length = np.array([3e3, -4e3, 0], dtype), np.finfo(dtype).max / 100
    e = epsilon_hat(g, RHO, metric=np.full(3, length))
    assert e.dtype == dtype
    np.testing.assert_allclose(e / length, epsilon_hat(g, RHO), rtol=1e-6)


def test_a_gradient_so_large_that_its_product_with_the_metric_overflows():
    e = epsilon_hat(np.array([3e30, -4e30], "f4"), RHO, metric=np.full(2, 1e9, "f4"))
    np.testing.assert_allclose(e, RHO * np.array([0.6e9, -0.8e9]), rtol=1e-6)


@pytest.mark.parametrize("length", [1e-33, 1e-36])
def test_a_metric_that_is_tiny_wherever_there_is_a_gradient(length):
    """The largest products of the two have few digits in float32, or are 0."""
    g, metric = np.array([0, 1e-9, 2e-9], "f4"), np.array([1, length, length], "f4")
    e = epsilon_hat(g, RHO, metric=metric)
    np.testing.assert_allclose(e, RHO * length * np.array([0, 1, 2]) / 5**0.5, rtol=1e-6)


def test_a_metric_of_zeros():
    for call in (epsilon_hat, lambda g, rho, **ball: jacobian_product(g, g, rho, **ball)):
        np.testing.assert_array_equal(call(np.ones(3), RHO, metric=np.zeros(3)), 0)


def test_asam_s_closed_form():
    """p = 2: ε̂ = ρ T² g/‖T g‖ (Kwon et al. 2021), T = |w| + η."""
    rng = np.random.default_rng(3)
    g, w = rng.normal(size=6), rng.normal(size=6)
    metric = asam_metric(w, 0.01)
    np.testing.assert_array_equal(metric, np.abs(w) + 0.01)
    expected = RHO * metric**2 * g / np.linalg.norm(metric * g)
    np.testing.assert_allclose(epsilon_hat(g, RHO, 2, metric=metric), expected, rtol=1e-14)


def test_asam_does_not_see_a_rescaling_of_the_weights():
    """With η = 0: w → c w, g → g/c moves ε̂ by c, coordinate by coordinate."""
    rng = np.random.default_rng(4)
    g, w, c = rng.normal(size=6), rng.normal(size=6), rng.uniform(0.1, 10, size=6)
    e = epsilon_hat(g, RHO, 2, metric=asam_metric(w, 0.0))
    rescaled = epsilon_hat(g / c, RHO, 2, metric=asam_metric(c * w, 0.0))
    np.testing.assert_allclose(rescaled, c * e, rtol=1e-13)


def test_where_the_metric_is_zero_nothing_moves():
    e = epsilon_hat(np.array([1.0, 9.0, 2.0]), RHO, 2, metric=np.array([1.0, 0.0, 1.0]))
    assert e[1] == 0
    np.testing.assert_allclose(e[[0, 2]], epsilon_hat(np.array([1.0, 2.0]), RHO, 2), rtol=1e-15)


def test_the_metric_keeps_float32():
    metric = asam_metric(np.ones(3, "f4"), np.float64(0.1))
    assert metric.dtype == np.float32
    e = epsilon_hat(np.ones(3, "f4"), np.float64(0.1), np.float64(3), metric=metric)
    assert e.dtype == np.float32


@every_p
def test_groups_have_a_norm_each(p):
    rng = np.random.default_rng(5)
    g = rng.normal(size=7) * np.array([1, 1, 1, 1e-6, 1e-6, 50, 50])
    groups = [slice(0, 3), slice(3, 5), slice(5, None)]
    e = epsilon_hat(g, RHO, p, groups=groups)
    for group in groups:
        np.testing.assert_array_equal(e[group], epsilon_hat(g[group], RHO, p))
        assert norm(e[group], p) == pytest.approx(RHO, rel=1e-13)
    if p == 2:
        assert np.linalg.norm(e) == pytest.approx(RHO * 3**0.5, rel=1e-14)
    whole = epsilon_hat(g, RHO, p, groups=[slice(0, 7)])
    np.testing.assert_array_equal(whole, epsilon_hat(g, RHO, p))


@smooth_p
def test_metric_and_groups_in_the_jacobian(p):
    rng = np.random.default_rng(6)
    g, metric = rng.normal(size=5), rng.uniform(0.5, 2, size=5)
    groups = [slice(0, 2), slice(2, 5)]
    ball = {"metric": metric, "groups": groups}
    closed = np.stack([jacobian_product(g, e, RHO, p, **ball) for e in np.eye(5)], axis=1)
    through = ms.jacobian(lambda g: epsilon_hat(g, RHO, p, **ball))(g)
    np.testing.assert_allclose(closed, through, rtol=1e-10, atol=1e-13 * np.abs(closed).max())
    np.testing.assert_array_equal(closed[:2, 2:], 0)
    np.testing.assert_allclose(closed, closed.T, rtol=1e-12, atol=1e-17)


# Errors.


@pytest.mark.parametrize("bad", [0.99, 0, -1, -INF, float("nan")])
def test_p_below_1_is_no_norm(bad):
    for call in (epsilon_hat, lambda *a: jacobian_product(a[0], *a)):
        with pytest.raises(ValueError, match=r"p must be in \[1, inf\]"):
            call(np.ones(2), RHO, bad)


@pytest.mark.parametrize("bad", [-0.1, INF, float("nan")])
def test_the_radius_is_finite_and_not_negative(bad):
    for call in (epsilon_hat, lambda g, rho: jacobian_product(g, g, rho)):
        with pytest.raises(ValueError, match="rho must be a finite number >= 0"):
            call(np.ones(2), bad)


@every_p
@pytest.mark.parametrize("bad", [float("nan"), INF, -INF])
def test_a_gradient_that_is_not_finite(p, bad):
    g = np.array([1.0, bad, 2.0, bad])
    for call in (epsilon_hat, lambda *a: jacobian_product(a[0], *a)):
        with pytest.raises(NonFiniteError, match="2 of 4 entries NaN or infinite"):
            call(g, RHO, p)
    with pytest.raises(ValueError):  # so that callers need not know the class
        epsilon_hat(g, RHO, p)


@every_p
@pytest.mark.parametrize("g", [np.array([1, 2]), np.array([True]), np.array([1j, 2]), [1, 2]])
def test_a_gradient_of_other_numbers(p, g):
    with pytest.raises(TypeError, match=r"has dtype .*astype\('float64'\)"):
        epsilon_hat(g, RHO, p)


def test_half_precision_is_refused():
    """The sum of squares of 100,000 ones is infinite in float16, and ε̂ was 0."""
    g = np.ones(100_000, "f2")
    for call in (epsilon_hat, lambda g, rho: jacobian_product(g, g, rho)):
        with pytest.raises(TypeError, match=r"dtype float16; .* 32 bits or more"):
            call(g, 1.0)


def test_a_metric_that_does_not_fit():
    g = np.ones(3)
    with pytest.raises(ShapeError, match=r"metric has shape \(2,\), the gradient \(3,\)"):
        epsilon_hat(g, RHO, metric=np.ones(2))
    with pytest.raises(ShapeError, match="metric has shape"):
        jacobian_product(g, g, RHO, metric=np.ones(2))
    with pytest.raises(TypeError, match=r"metric has dtype float64, the gradient float32"):
        epsilon_hat(np.ones(3, "f4"), RHO, metric=g)
    for bad in (-1.0, INF, float("nan")):
        with pytest.raises(ValueError, match="metric has entries"):
            epsilon_hat(g, RHO, metric=np.array([1.0, bad, 1.0]))
    with pytest.raises(ValueError, match="eta must be"):
        asam_metric(g, -0.1)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([slice(0, 2)], r"slice\(2, 5\) is in none"),
        ([slice(0, 2), slice(3, 5)], r"slice\(3, 5, None\) comes where slice\(2, …\) is due"),
        ([slice(0, 3), slice(2, 5)], r"comes where slice\(3, …\) is due"),
        ([slice(2, 5), slice(0, 2)], r"comes where slice\(0, …\) is due"),  # in another order
        ([slice(0, 5, 2), slice(1, 5, 2)], "comes where"),
        ([slice(None, None, -1)], "comes where"),
        ([], r"slice\(0, 5\) is in none"),
    ],
)
def test_groups_that_do_not_tile(groups, message):
    for call in (epsilon_hat, lambda g, rho, **b: jacobian_product(g, g, rho, **b)):
        with pytest.raises(ShapeError, match=message):
            call(np.ones(5), RHO, groups=groups)


def test_groups_of_a_matrix():
    with pytest.raises(ShapeError, match="slices of a vector"):
        epsilon_hat(np.ones((2, 2)), RHO, groups=[slice(0, 2)])


def test_a_vector_of_another_shape():
    with pytest.raises(ShapeError, match=r"vector has shape \(2,\), the gradient \(3,\)"):
        jacobian_product(np.ones(3), np.ones(2), RHO)


def test_conjugate_exponents():
    for p in EXPONENTS:
        q = conjugate(p)
        assert 1 / p + 1 / q == pytest.approx(1, rel=1e-15)
        assert conjugate(q) == pytest.approx(p, rel=1e-12)
