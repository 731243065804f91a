"""The PAC-Bayes theorem: its terms, its proof's steps, and its truth where everything is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from minisam.sharpness import (
    Bound,
    Complexity,
    Estimate,
    batched,
    bound_table,
    clipped,
    complexity,
    noise_rise,
    noise_scale,
    pac_bayes_bound,
    trust_region,
    zero_one,
)

numbers = st.integers(2, 10**8)
parameters = st.integers(1, 10**7)
ratios = st.floats(1e-6, 1e6)
deltas = st.floats(1e-6, 0.999)


# The terms.


@pytest.mark.parametrize(("n", "k"), [(100, 3), (60_000, 50), (10, 10_000)])
def test_the_norm_term_is_twice_a_divergence(n, k):
    """KL(N(w, σ²I) ‖ N(0, s²I)) by its definition, at its smallest over s²."""
    rng = np.random.default_rng(0)
    w, rho = rng.normal(size=k), 0.3
    sigma = noise_scale(rho, n, k)

    def divergence(s):
        return 0.5 * np.sum(sigma**2 / s**2 + (w / s) ** 2 - 1 + 2 * np.log(s / sigma))

    best = np.sqrt(sigma**2 + w @ w / k)
    term = complexity(w @ w / rho**2, n, k).norm * (n - 1)
    assert term == pytest.approx(2 * divergence(best), rel=1e-9)
    for s in (0.99 * best, 1.01 * best):
        assert divergence(s) > divergence(best)


def test_terms_and_h_by_hand():
    terms = complexity(4.0, n=101, k=1, delta=0.5)
    assert terms.norm == pytest.approx(np.log(1 + 4 * (1 + np.sqrt(np.log(101))) ** 2) / 100)
    assert terms.confidence == pytest.approx(4 * np.log(202) / 100)
    assert terms.grid == pytest.approx(8 * np.log(609) / 100)
    assert terms.h == pytest.approx(np.sqrt(terms.norm + terms.confidence + terms.grid))
    assert complexity(0.0, 100, 5).norm == 0


@given(x=ratios, n=numbers, k=parameters, delta=deltas)
def test_h_is_strictly_increasing(x, n, k, delta):
    """In ‖w‖²/ρ², so that it falls as ρ grows; and it falls with more data and less certainty."""
    h = complexity(x, n, k, delta).h
    assert complexity(1.1 * x, n, k, delta).norm > complexity(x, n, k, delta).norm
    assert complexity(1.1 * x, n, k, delta).h >= h
    assert complexity(x, 2 * n, k, delta).h < h
    assert complexity(x, n, k, delta / 2).h > h


@given(x=ratios, n=numbers, k=parameters, delta=deltas)
def test_the_printed_form_is_above_that_of_the_proof(x, n, k, delta):
    """Before the last step it is √((KL + ln(n/δ_j)) / (2(n - 1))) + 1/√n, less what is loosened."""
    sigma2 = noise_scale(1.0, n, k) ** 2
    divergence = 0.5 * (1 + k * np.log1p(x / (k * sigma2)))
    logs = np.log(n / delta) + 2 * np.log(6 * n + 3 * k)
    proof = np.sqrt((divergence + logs) / (2 * (n - 1))) + 1 / np.sqrt(n)
    assert complexity(x, n, k, delta).h >= proof


@pytest.mark.parametrize("k", [1, 2, 7, 100, 50_000])
@pytest.mark.parametrize("n", [2, 30, 10_000])
def test_the_noise_stays_in_the_ball(n, k):
    """With probability at least 1 - 1/√n; with noise twice as large it would not."""
    stats = pytest.importorskip("scipy.stats")
    chance = stats.chi2.sf((1 / noise_scale(1.0, n, k)) ** 2, k)
    assert chance <= 1 / np.sqrt(n)
    if k > 1 and n > 2:
        wider = stats.chi2.sf((1 / noise_scale(1.0, n, k) / 2) ** 2, k)
        assert wider > 1 / np.sqrt(n)


@pytest.mark.parametrize(
    "arguments",
    [(-1.0, 10, 1), (1.0, 1, 1), (1.0, 10, 0), (1.0, 10, 1, 0.0), (float("nan"), 10, 1)],
)
def test_terms_of_nothing(arguments):
    with pytest.raises(ValueError, match="needed are x >= 0, n >= 2"):
        complexity(*arguments)


# The bound, where the largest training loss is known.


@pytest.mark.parametrize("rho", [0.05, 0.4])
def test_a_quadratic_loss(rho):
    rng = np.random.default_rng(0)
    x, target, w = rng.normal(size=(300, 3)), np.array([0.3, -0.2, 0.1]), np.array([0.35, -0.2, 0])
    scale = 30.0

    def losses(w):
        return (x @ (w - target)) ** 2 / scale

    h = 2 * x.T @ x / 300 / scale
    rise, _ = trust_region(h, h @ (w - target), rho)
    for given_as in (losses, [lambda w: losses(w)[:100], lambda w: losses(w)[100:]]):
        found = pac_bayes_bound(given_as, w, rho, delta=0.1)
        assert found.train == pytest.approx(losses(w).mean(), rel=1e-12)
        assert found.highest == pytest.approx(losses(w).mean() + rise, rel=1e-5)
        assert (found.n, found.k, found.rho, found.delta) == (300, 3, rho, 0.1)
        assert found.norm == pytest.approx(np.linalg.norm(w))
        assert found.terms == pytest.approx(complexity(w @ w / rho**2, 300, 3, 0.1))
        assert found.value == found.highest + found.terms.h
        assert found.verdict == "not tested"


def threshold(x, y):
    """The classifier x > w of numbers, as a function of w: its losses for the labels y."""

    def logits(w):
        margin = 50 * (x - w[0])
        return np.stack([0 * margin, margin], axis=1)

    return (lambda w: zero_one(logits(w), y)), (lambda w: ms.nn.cross_entropy(logits(w), y).mean())


def test_zero_one_error_climbs_its_surrogate():
    """On a grid in [-1, 1] with labels x > 0 the error at w is |w|/2, so max in the ball known."""
    x = np.linspace(-1, 1, 2001)
    errors, surrogate = threshold(x, (x > 0).astype(int))
    w = np.array([0.02])
    found = pac_bayes_bound(errors, w, 0.3, climb=surrogate)
    assert found.train == pytest.approx(0.01, abs=1e-3)
    assert found.highest == pytest.approx(0.16, abs=1e-3)
    flat = pac_bayes_bound(errors, w, 0.3, restarts=0)
    assert flat.highest == found.train, "no slope, no climb"


def test_the_theorem_is_true():
    """200 training sets of 4000: 10 % wrong labels, w the best threshold on the training set.

    The population error is known, 0.1 + 0.8|w|/2; a violation of the bound in more than δ = 5 %
    of the sets would contradict the theorem. None is expected: the bound is loose.
    """
    rng, violated, values = np.random.default_rng(0), 0, []
    for _ in range(200):
        x, wrong = rng.uniform(-1, 1, size=4000), rng.uniform(size=4000) < 0.1
        y = (x > 0).astype(int) ^ wrong
        order = np.argsort(x)
        # Errors of the threshold behind each example: ones before it and zeros after it.
        errors = np.cumsum(y[order]) + np.sum(1 - y) - np.cumsum(1 - y[order])
        w = x[order][[np.argmin(errors)]]
        losses, surrogate = threshold(x, y)
        found = pac_bayes_bound(losses, w, 0.1, climb=surrogate, restarts=0, steps=5)
        assert found.train == pytest.approx(errors.min() / 4000)
        violated += 0.1 + 0.4 * abs(w[0]) > found.value
        values.append(found.value)
    assert violated <= 10
    assert max(values) < 0.45, "not vacuous"


# The condition.


def test_the_rise_of_a_quadratic():
    """ℓ_i = s_i ‖w‖²/100: E rise = σ² d E s / 100; 200 repetitions of both samples."""
    rng, covered, values = np.random.default_rng(0), 0, []
    exact = 0.04 * 20 / 100
    for seed in range(200):
        s = rng.uniform(0.2, 1.8, size=15)
        found = noise_rise(lambda w, s=s: s * (w @ w) / 100, np.ones(20), 0.2, pairs=15, seed=seed)
        covered += abs(found.value - exact) < 2 * found.error
        values.append(found.value)
    assert 0.88 < covered / 200 < 0.99
    whole = Estimate.of(values)
    assert abs(whole.value - exact) < 4 * whole.error


def test_a_slope_is_no_rise():
    found = noise_rise(lambda w: 0.5 + 0.01 * w[:1] * np.ones(9), np.zeros(2), 0.3, pairs=5)
    assert abs(found.value) < 1e-15
    assert found.error < 1e-15


def test_the_verdict():
    x = np.random.default_rng(0).normal(size=(500, 2))

    def valley(w):
        return np.minimum(0.1 * (x @ w) ** 2, 1.0)

    def hill(w):
        return 1 - valley(w)

    w = np.zeros(2)
    for held_out, verdict in ((valley, "holds"), (hill, "violated"), ([hill, valley], "undecided")):
        found = pac_bayes_bound(valley, w, 0.5, held_out=held_out)
        assert found.verdict == verdict
        assert f"held-out examples {verdict}: E L(w + ε) - L(w) = " in str(found)
        assert found.condition.samples == 100
    sigma = noise_scale(0.5, 500, 2)
    again = noise_rise(valley, w, sigma)
    assert again == pac_bayes_bound(valley, w, 0.5, held_out=valley).condition


# What it says.


def test_a_network_has_a_vacuous_bound():
    model = ms.nn.mlp([4, 8, 3])
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(50, 4)), rng.integers(3, size=50), model.init(0, "float64")
    loss = ms.sharpness.streamed(batched(model, x, y))
    found = pac_bayes_bound(batched(model, x, y, 20, loss=zero_one), w, 0.05, climb=loss)
    assert found.vacuous
    assert found.terms.h > 1
    assert "Vacuous whatever the training loss: h alone is not below 1." in str(found)
    assert found.train <= found.highest <= 1
    capped = batched(model, x, y, 20, loss=lambda *a: clipped(ms.nn.cross_entropy(*a), np.log(3)))
    assert 0 < pac_bayes_bound(capped, w, 0.05).train < found.train + 1


def bound(h2, highest):
    return Bound(0.1, 0.05, 10**6, 5, 1.0, 0.0, highest, Complexity(h2 / 2, h2 / 4, h2 / 4))


def test_text_is_honest():
    assert "Vacuous whatever" in str(bound(1.0, 0.0))
    assert "Vacuous: a loss in [0, 1] is at most 1 anyway." in str(bound(0.25, 0.5))
    assert "Below 1, if no point of the ball" in str(bound(0.25, 0.49))
    assert "L_D(w) <= 0.99" in str(bound(0.25, 0.49))
    assert [bound(0.25, x).vacuous for x in (0.49, 0.5, 0.51)] == [False, True, True]


def test_the_table_has_a_line_for_each():
    lines = bound_table([bound(0.25, 0.4), bound(1.0, 0.0)]).splitlines()
    assert len(lines) == 4
    assert lines[2].split()[-1] == "tested"
    assert lines[3].endswith("not tested, vacuous")
    assert "0.9" in lines[2].split()


def test_losses_outside_the_unit_interval_are_refused():
    w = np.array([0.5])
    for bad in (lambda w: w * 3, lambda w: -w, lambda w: w * np.nan, lambda w: w[:0]):
        with pytest.raises(ValueError, match=r"losses in \[0, 1\], but these go from"):
            pac_bayes_bound(bad, w, 0.1)
        with pytest.raises(ValueError, match=r"losses in \[0, 1\]"):
            noise_rise(bad, w, 0.1)
    # Inside at w, outside within the ball.
    with pytest.raises(ValueError, match=r"losses in \[0, 1\]"):
        pac_bayes_bound(lambda w: np.ones(5) * w, np.array([0.99]), 0.1)


def test_bad_input():
    def losses(w):
        return np.array([0.1, 0.2]) * w[0] ** 2

    w = np.array([0.5])
    with pytest.raises(ValueError, match="rho must be positive"):
        pac_bayes_bound(losses, w, 0.0)
    with pytest.raises(ValueError, match="delta = 1"):
        pac_bayes_bound(losses, w, 0.1, delta=1)
    with pytest.raises(ValueError, match="n = 1"):
        pac_bayes_bound(lambda w: w**2, w, 0.1)
    with pytest.raises(ValueError, match="sigma must be positive"):
        noise_rise(losses, w, 0.0)
    with pytest.raises(ValueError, match="top must be positive"):
        clipped(w, 0.0)


def test_bounded_losses():
    logits = np.array([[1.0, 2.0, 0.0], [3.0, 3.0, 0.0], [0.0, 0.0, 1.0]], "f4")
    found = zero_one(logits, np.array([1, 1, 2]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [0, 1, 0])
    np.testing.assert_allclose(clipped(np.array([0.0, 1.0, 9.0]), 4.0), [0, 0.25, 1])
    np.testing.assert_allclose(
        ms.grad(lambda x: clipped(x, 4.0).sum())(np.array([1.0, 9.0])), [0.25, 0]
    )
