"""The SDEs model the algorithms: weak orders, stationary variances, saddles, the paper's metric."""

import numpy as np
import pytest

from minisam import sde
from minisam.sde.algorithms import DNSAM, SAM, SGD, USAM

NOISE = sde.Gaussian([[0.25]])


def half_root(eta):
    return 0.5 * np.sqrt(eta)


# Weak error.


def test_usam_is_modelled_to_first_order_and_not_by_sgd_s_sde():
    """Exact moments on diag(1, 3), no Monte Carlo: slopes 1.05 and 0.50, ρ = √η."""
    h, noise, start = np.diag([1.0, 3.0]), sde.Gaussian.isotropic(0.5, 2), [2.0, -1.0]
    etas = 0.1 * 2.0 ** -np.arange(3, 10)
    errors = {"USAM": [], "SGD": [], "drift only": []}
    for eta in etas:
        rho, steps = np.sqrt(eta), round(1 / eta)
        exact = sde.discrete_moments(h, noise, start, eta=eta, rho=rho, steps=steps)
        models = {
            "USAM": sde.sde_moments(h, noise, start, eta=eta, rho=rho, steps=steps),
            "SGD": sde.sde_moments(h, noise, start, eta=eta, rho=0.0, steps=steps),
            "drift only": sde.sde_moments(
                h, noise, start, eta=eta, rho=rho, steps=steps, noise_rho=0.0
            ),
        }
        for name, model in models.items():
            gap = exact.second_moment() - model.second_moment()
            errors[name].append(np.abs(gap).max())
    assert sde.slope(etas, errors["USAM"])[0] == pytest.approx(1.05, abs=0.03)
    assert sde.slope(etas, errors["SGD"])[0] == pytest.approx(0.5, abs=0.03)
    # This wrong model is of order 1 all the same: `test_usam_settles…` is what rejects it.
    assert sde.slope(etas, errors["drift only"])[0] == pytest.approx(1.05, abs=0.03)


@pytest.mark.parametrize(
    ("problem", "orders"),
    [
        (sde.quadratic([[1.0]], [2.0]), (1.02, 0.58, 0.08)),
        (sde.cosh(2.0), (1.13, 0.69, -0.06)),
        (sde.wavy(2.5), (1.00, 0.58, 0.40)),
    ],
    ids=["quadratic", "cosh", "wavy"],
)
def test_sam_is_modelled_to_first_order_and_not_by_other_sdes(problem, orders):
    """E x² up to T = 1 for four η, ρ = √η/2, s = 0.5: slopes of SAM's, SGD's and USAM's SDE.

    Shared noise makes the standard error of a slope less than 0.008 with 10,000 paths (seed 0);
    without it some 10⁶ would be needed. The three differ by more than 30 standard errors.
    """
    found = sde.weak_error(
        SAM,
        problem,
        NOISE,
        {
            "SAM SDE": lambda rho: sde.additive(SAM, problem, NOISE, rho),
            "SGD SDE": lambda rho: sde.additive(SGD, problem, NOISE),
            "USAM SDE": lambda rho: sde.additive(USAM, problem, NOISE, rho),
        },
        [0.1, 0.05, 0.025, 0.0125],
        rho=half_root,
        time=1.0,
        paths=10_000,
        statistic=lambda x: x[:, 0] ** 2,
        substeps=4,
    )
    slopes = {name: found.slope(name) for name in found.errors}
    assert all(error < 0.008 for _, error in slopes.values())
    right, sgd, usam = (slope for slope, _ in slopes.values())
    assert 0.95 < right < 1.2
    assert sgd < 0.75
    assert usam < 0.5
    np.testing.assert_allclose((right, sgd, usam), orders, atol=0.03)


def test_dnsam_is_modelled_to_first_order_away_from_critical_points():
    """On e^x the gradient is never 0; with SGD's SDE the slope is lower (20,000 paths, seed 0)."""
    slide = sde.Problem("slide", lambda x: np.sum(np.exp(x), axis=1), [1.0])
    found = sde.weak_error(
        DNSAM,
        slide,
        NOISE,
        {
            "DNSAM SDE": lambda rho: sde.additive(DNSAM, slide, NOISE, rho),
            "SGD SDE": lambda rho: sde.additive(SGD, slide, NOISE),
        },
        [0.1, 0.05, 0.025],
        rho=half_root,
        time=0.5,
        paths=20_000,
        statistic=lambda x: x[:, 0],
        substeps=4,
    )
    order, error = found.slope("DNSAM SDE")
    assert order - 4 * error > 0.9
    wrong, error = found.slope("SGD SDE")
    assert wrong + 4 * error < 0.7


def test_sam_with_real_batches_is_modelled_to_first_order():
    """Finite sum of quartics in one dimension, batches of 1 of 3: general SDE against SGD's.

    The SDE is driven by Gaussian noise and the algorithm by batches, so they share nothing; the
    slope's standard error is stated by the fit (200,000 paths, seed 0).
    """
    centre = np.array([-1.0, 0.2, 0.8])
    problem = sde.finite_sum(
        "three bowls",
        lambda x, rows: 0.5 * (x - centre[rows]) ** 2 * (1 + 0.3 * rows) + 0.02 * x**4,
        3,
        [2.0],
    )
    noise = sde.MiniBatches(sde.all_batches(3, 1))
    found = sde.weak_error(
        SAM,
        problem,
        noise,
        {
            "SAM SDE": lambda rho: sde.general(SAM, problem, noise, rho),
            "SGD SDE": lambda rho: sde.general(SGD, problem, noise),
        },
        [0.1, 0.05, 0.025],
        rho=half_root,
        time=0.5,
        paths=100_000,
        statistic=lambda x: x[:, 0],
        substeps=2,
    )
    order, error = found.slope("SAM SDE")
    assert error < 0.1
    assert abs(order - 1) < 0.1 + 4 * error
    wrong, error = found.slope("SGD SDE")
    assert wrong + 4 * error < 0.75


def test_slope_and_its_error():
    etas = np.array([0.4, 0.2, 0.1])
    order, error = sde.slope(etas, 3 * etas**1.5, 0.03 * etas**1.5)
    assert order == pytest.approx(1.5)
    # Weights ±1/(2 log 2) on the ends, relative errors of 1 %.
    assert error == pytest.approx(0.01 * np.sqrt(2) / (2 * np.log(2)))
    for bad in ([0.1, 0.0], [0.1]):
        with pytest.raises(ValueError, match="two or more positive points"):
            sde.slope(bad, bad)


def test_bad_weak_errors_are_refused():
    bowl = sde.quadratic([[1.0]])
    setting = {"rho": half_root, "paths": 10, "statistic": lambda x: x[:, 0]}
    with pytest.raises(ValueError, match=r"time = 1 is no multiple of eta = 0.3"):
        sde.weak_error(SAM, bowl, NOISE, {}, [0.3], time=1.0, **setting)
    models = {"SAM": lambda rho: sde.additive(SAM, bowl, NOISE, rho)}
    with pytest.raises(ValueError, match="SAM is the algorithm's name"):
        sde.weak_error(SAM, bowl, NOISE, models, [0.5], time=1.0, **setting)


# Stationary variances.


def test_sam_settles_as_its_sde_does_and_not_as_with_sgd_s_noise():
    """E x² at fixed ρ, over SAM's, on a quadratic with λ = s = 1 (20,000 paths, seed 0).

    What the SDE leaves out of the noise is exactly ρ²λ²(1 - (2Φ(x/s) - 1)²) < ρ², of which the
    additive form has 4ρ²λ²φ². SGD's noise lacks 4ρλsφ: at ρ = 0.1 that is 14 % of the variance.
    """
    bowl, noise = sde.quadratic([[1.0]], [0.2]), sde.Gaussian([[1.0]])
    found = sde.stationary(
        SAM,
        bowl,
        noise,
        {
            "additive": lambda rho: sde.additive(SAM, bowl, noise, rho),
            "general": lambda rho: sde.general(SAM, bowl, noise, rho),
            "drift only": lambda rho: sde.combine(
                sde.additive(SAM, bowl, noise, rho), sde.additive(SGD, bowl, noise)
            ),
        },
        [0.05, 0.1],
        eta=0.05,
        time=6.0,
        paths=20_000,
        statistic=lambda x: x[:, 0] ** 2,
    )
    rho = found.rhos
    for name, left_out in (("additive", 1 - 2 / np.pi), ("general", 1.0)):
        missing = 1 - found.ratios[name]
        tolerance = 4 * found.ratio_errors[name]
        assert (missing < left_out * rho**2 + tolerance).all(), name
        assert (missing > -tolerance).all(), name
    assert (found.ratio_errors["additive"] < 0.001).all()
    expected = 1 / (1 + 4 * rho / np.sqrt(2 * np.pi))
    tolerance = rho**2 + 4 * found.ratio_errors["drift only"]
    assert (np.abs(found.ratios["drift only"] - expected) < tolerance).all()
    assert found.ratios["drift only"][1] + 4 * found.ratio_errors["drift only"][1] < 0.9


# Saddles.


def test_saddle_rules():
    h = np.diag([2.0, -0.5, -4.0])
    assert sde.usam_attracts(h, 2.1)
    assert not sde.usam_attracts(h, 1.9)  # 1/|λ| is 2 for the flatter direction
    assert sde.usam_attracts(np.eye(2), 0.0)
    assert sde.sam_trap(h, 0.3) == pytest.approx(0.15)
    assert sde.sam_trap(np.eye(2), 0.3) == np.inf


def flow(algorithm, problem, start, rho, time=20.0, steps=1000):
    """Return where the ODE goes."""
    ode = sde.additive(algorithm, problem, sde.Gaussian(np.zeros((2, 2))), rho)
    x = np.array([start])
    for _ in range(steps):
        x = x + time / steps * ode.drift(x)
        if np.abs(x).max() > 1e3:
            break
    return x[0]


@pytest.mark.parametrize("negative", [0.5, 1.0, 2.0])
def test_usam_is_drawn_into_a_saddle_if_and_only_if_rho_is_large(negative):
    problem = sde.saddle(negative)
    for factor, attracted in ((1.2, True), (0.8, False)):
        rho = factor / negative
        assert sde.usam_attracts(np.diag([1.0, -negative]), rho) is attracted
        end = flow(USAM, problem, [0.5, 0.01], rho, time=40 / negative)
        assert bool(abs(end[1]) < 0.01) is attracted


@pytest.mark.parametrize("algorithm", [SAM, DNSAM], ids=["SAM", "DNSAM"])
def test_sam_is_drawn_into_a_saddle_from_near_for_every_rho(algorithm):
    problem, h = sde.saddle(2.0), np.diag([1.0, -2.0])
    for rho in (0.05, 0.5):
        edge = sde.sam_trap(h, rho) / 2.0  # along the negative eigenvector ‖Hx‖ is 2|x₂|
        near = flow(algorithm, problem, [1e-3 * rho, 0.9 * edge], rho, time=1.0)
        far = flow(algorithm, problem, [1e-3 * rho, 1.1 * edge], rho, time=1.0)
        assert abs(near[1]) < 0.9 * edge
        assert abs(far[1]) > 1.1 * edge


def test_usam_flow_is_the_exponential():
    """x_i(t) = x_i(0) exp(-λ_i(1 + ρλ_i)t), by Euler steps of 1/2000."""
    h, rho = np.array([1.0, -1.0]), 0.4
    end = flow(USAM, sde.saddle(), [0.5, 0.1], rho, time=1.0, steps=2000)
    np.testing.assert_allclose(end, [0.5, 0.1] * np.exp(-h * (1 + rho * h)), rtol=1e-3)


def test_who_escapes_a_saddle_first():
    """The poster's second question: how many of 1,000 paths have not left ‖x‖ <= 1 (seed 0).

    SGD leaves first, then USAM, which ρ < 1/|λ| slows down by the factor 1 - ρ|λ|. DNSAM and SAM
    are held back within ‖Hx‖ < ρ, but DNSAM's noise grows without bound there, so that some of its
    paths jump out at once, and SAM is by far the slowest. Standard errors are below 0.016.
    """
    noise, problem = sde.Gaussian.isotropic(0.3, 2), sde.saddle(start=[0.05, 0.0])
    left = sde.escape(
        problem, noise, eta=0.05, rho=0.5, radius=1.0, steps=250, paths=1000, every=50
    )
    curve = {name: left.mean(name, "inside") for name in left.processes}
    assert all((np.diff(fraction) <= 0).all() for fraction in curve.values())
    at_100, at_150, at_250 = 2, 3, 5
    margin = 4 * 2 * 0.016
    assert curve["SGD"][at_100] + margin < curve["USAM"][at_100]
    assert curve["DNSAM"][at_100] + margin < curve["USAM"][at_100]  # by jumps
    assert curve["USAM"][at_150] + margin / 2 < curve["DNSAM"][at_150]
    assert curve["USAM"][at_250] + margin < curve["DNSAM"][at_250]
    assert curve["DNSAM"][at_250] + margin < curve["SAM"][at_250]


def test_escape_starts_inside():
    with pytest.raises(ValueError, match=r"not inside of radius = 0.1"):
        sde.escape(
            sde.saddle(), sde.Gaussian.isotropic(0.1, 2), eta=0.1, rho=0.1, radius=0.1, steps=1,
            paths=1,
        )  # fmt: skip


# The paper's experiments.


@pytest.fixture(scope="module")
def networks():
    """Problems, with η and ρ so small that the model's error is, too."""
    return [
        (sde.random_quadratic(10), 0.05, 0.1),
        (sde.logistic("iris"), 0.1, 0.2),
        (sde.deep_linear("iris", hidden=2), 0.05, 0.2),
        (sde.deep_sigmoid("iris", hidden=2), 0.05, 0.2),
        (sde.teacher_student((3, 3, 1), examples=30), 0.05, 0.1),
        (sde.linear_autoencoder(), 0.02, 0.05),
        (sde.embedded_saddle(), 0.05, 0.05),
        (sde.logistic(examples=100), 0.05, 0.1),
        (sde.deep_linear(hidden=2, examples=60), 0.02, 0.1),
        (sde.deep_sigmoid(hidden=2, examples=60), 0.05, 0.2),
        (sde.digits_mlp(40, hidden=2), 0.05, 0.1),
    ]


@pytest.mark.parametrize("algorithm", [USAM, SAM], ids=["USAM", "SAM"])
def test_the_paper_s_metric_on_its_problems(networks, algorithm):
    """Below 2 % after 20 steps, and less than half of what SGD's SDE has (seed 0).

    With 32 paths, in the plane 2,000, shared noise makes the standard errors less than 0.2 %.
    """
    for problem, eta, rho in networks:
        noise, paths = sde.Gaussian.isotropic(0.2, problem.d), 32 if problem.d > 2 else 2000
        runs, model = sde.compare(
            algorithm, problem, noise, eta=eta, rho=rho, steps=20, paths=paths, every=5, substeps=2
        )
        error, standard = sde.relative_error(runs, algorithm.name, model.name)
        wrong, _ = sde.relative_error(runs, algorithm.name, "SGD SDE")
        assert standard < 0.002, problem.name
        assert error + 4 * standard < 0.02, problem.name
        assert error < 0.5 * wrong, problem.name


def test_the_metric_is_what_it_says():
    noise = sde.Gaussian([[0.04]])
    runs, _ = sde.compare(SAM, sde.wavy(), noise, eta=0.1, rho=0.3, steps=5, paths=300)
    size = runs.mean("SAM", "‖∇f‖") + runs.mean("SAM", "‖x‖")
    model = runs.mean("SAM SDE", "‖∇f‖") + runs.mean("SAM SDE", "‖x‖")
    expected = np.abs(size - model).max() / size.mean()
    assert sde.relative_error(runs, "SAM", "SAM SDE")[0] == pytest.approx(expected)
    sgd, model = sde.compare(SGD, sde.wavy(), noise, eta=0.1, steps=2, paths=10)
    assert sgd.processes == ("SGD", "SGD SDE")


def test_the_metric_at_several_radii():
    """Each is the error of one comparison; they grow with ρ for SGD's SDE, and faster than ours."""
    noise, setting = sde.Gaussian([[0.04]]), {"eta": 0.05, "steps": 20, "paths": 300, "seed": 3}
    found = sde.metric(SAM, sde.wavy(), noise, [0.05, 0.1, 0.2], **setting)
    np.testing.assert_array_equal(found.rhos, [0.05, 0.1, 0.2])
    for i, rho in enumerate(found.rhos):
        runs, _ = sde.compare(SAM, sde.wavy(), noise, rho=rho, **setting)
        for model in ("SAM SDE", "SGD SDE"):
            expected = sde.relative_error(runs, "SAM", model)
            assert (found.errors[model][i], found.standard_errors[model][i]) == expected
    assert list(found.errors) == ["SAM SDE", "SGD SDE"]
    assert (np.diff(found.errors["SGD SDE"]) > 0).all()
    assert (found.errors["SAM SDE"] < 0.3 * found.errors["SGD SDE"]).all()


def test_real_batches_beside_their_sde():
    """Batches of 5 of 20 examples; the SDE has their enumerated covariance, roots are counted."""
    problem = sde.logistic("iris", examples=20)
    noise = sde.MiniBatches(sde.one_epoch(20, 5))
    runs, model = sde.compare(
        SAM, problem, noise, eta=0.1, rho=0.1, steps=20, paths=200, substeps=1, every=20
    )
    error, standard = sde.relative_error(runs, "SAM", model.name)
    assert error < 0.02 + 4 * standard
    assert model.clips.total == 20 * 200
