"""Drift and diffusion: against the engine, and against one step of the algorithms themselves."""

import numpy as np
import pytest

import minisam as ms
from minisam import sde
from minisam.sde.algorithms import ALGORITHMS, DNSAM, SAM, SGD, USAM

ids = [algorithm.name for algorithm in ALGORITHMS]
CLIMBING = (USAM, DNSAM, SAM)

# Its Hessian does not commute with this covariance, so that a wrong order of factors shows.
H = np.array([[2.0, 0.8], [0.8, 0.5]])
C = np.array([[0.5, -0.2], [-0.2, 0.3]])


def two_dimensions():
    """A problem that is not quadratic, and three points."""
    problem = sde.Problem(
        "bent",
        lambda x: np.cosh(x[:, 0] - x[:, 1]) + 0.3 * x[:, 0] ** 4 + 0.5 * x[:, 1] ** 2,
        [1.0, -0.5],
    )
    return problem, np.array([[1.0, -0.5], [0.3, 0.2], [-0.4, 1.0]])


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ids)
def test_drift_descends_the_modified_loss(algorithm):
    """b = -∇(f + ρN(∇f)), the right side by the engine through f's gradient."""
    problem, x = two_dimensions()
    one, y = sde.wavy(), np.array([[0.3], [1.1], [-2.0]])
    for p, at, noise in ((problem, x, sde.Gaussian(C)), (one, y, sde.Gaussian([[0.2]]))):
        descent = ms.grad(
            lambda x, p=p, noise=noise: np.sum(sde.modified_loss(algorithm, p, noise, 0.3, x))
        )
        for build in (sde.additive, sde.general):
            found = build(algorithm, p, noise, 0.3).drift(at)
            np.testing.assert_allclose(found, -descent(at), rtol=1e-9, atol=1e-10)


def test_the_poster_s_usam():
    """f̃ = f + ρ/2 ‖∇f‖², diffusion (I + ρ∇²f) C^½."""
    problem, x = two_dimensions()
    noise = sde.Gaussian(C)
    model = sde.additive(USAM, problem, noise, 0.3)
    h = problem.hessian(x)
    expected = (np.eye(2) + 0.3 * h) @ noise.root
    np.testing.assert_allclose(model.diffusion(x), expected, atol=1e-12)
    g = problem.gradient(x)
    np.testing.assert_allclose(model.drift(x), -g - 0.3 * np.einsum("nij,nj->ni", h, g))


def test_the_paper_s_dnsam():
    """Diffusion (I + ρ∇²f/‖∇f‖) C^½."""
    problem, x = two_dimensions()
    noise = sde.Gaussian(C)
    length = np.linalg.norm(problem.gradient(x), axis=1)[:, None, None]
    expected = (np.eye(2) + 0.3 * problem.hessian(x) / length) @ noise.root
    found = sde.additive(DNSAM, problem, noise, 0.3).diffusion(x)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_sam_in_one_dimension_is_the_closed_form():
    """Drift -(f' + ρf''(2Φ(f'/s) - 1)), variance s² + 4ρf''sφ(f'/s)."""
    special = pytest.importorskip("scipy.special")
    problem, x, rho, s = sde.wavy(), np.array([[0.2], [1.0], [2.2]]), 0.1, 0.6
    g, h = problem.gradient(x), problem.hessian(x)[:, :, 0]
    density = np.exp(-0.5 * (g / s) ** 2) / np.sqrt(2 * np.pi)
    moments = sde.step_moments(SAM, problem, sde.Gaussian([[s * s]]), rho, x)
    drift = -(g + rho * h * (2 * special.ndtr(g / s) - 1))
    np.testing.assert_allclose(moments.drift, drift, atol=1e-12)
    variance = s * s + 4 * rho * h * s * density
    np.testing.assert_allclose(moments.covariance[:, :, 0], variance, atol=1e-12)
    model = sde.additive(SAM, problem, sde.Gaussian([[s * s]]), rho)
    np.testing.assert_allclose(
        model.covariance(x)[:, :, 0], variance + (2 * rho * h * density) ** 2, atol=1e-12
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ids)
def test_the_two_forms_differ_by_the_square_of_rho_only(algorithm):
    """S Sᵀ of `additive` is Σ + ρ² H J C J H exactly."""
    problem, x = two_dimensions()
    noise, rho = sde.Gaussian(C), 0.2
    h = problem.hessian(x)
    _, jr = algorithm.expected(problem.gradient(x), noise.root[:, None, :] + 0 * x, noise)
    hjr = h @ np.moveaxis(jr, 0, -1)
    expected = sde.step_moments(algorithm, problem, noise, rho, x).covariance
    expected = expected + rho**2 * hjr @ np.swapaxes(hjr, 1, 2)
    found = sde.additive(algorithm, problem, noise, rho).covariance(x)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(
        sde.general(algorithm, problem, noise, 0.02).covariance(x),
        sde.step_moments(algorithm, problem, noise, 0.02, x).covariance,
        atol=1e-12,
    )


# One step of the algorithm has the model's mean and covariance.


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ids)
def test_one_step_with_gaussian_noise(algorithm):
    """On a quadratic, 10⁶ steps from one point, every entry within 4 standard errors (seed 0).

    There the step is exactly -η(g + Z + ρHv). So its mean is the model's drift; and the covariance
    of the plain step with the climb's part, (step - plain)/ρ, is Σ̃ᵀ = H J C, whatever ρ is.
    """
    n, rho = 1_000_000, 0.5
    problem, noise = sde.quadratic(H, [0.7, 0.4]), sde.Gaussian(C)
    x = problem.start[None]
    z = noise.spread(np.random.default_rng(0).standard_normal((n, 2)))
    everywhere = np.broadcast_to(x, (n, 2))
    full, gradient = problem.gradient, noise.gradient(problem, z)
    plain = everywhere - sde.step(SGD, gradient, full, everywhere, 1.0, 0.0)
    step = everywhere - sde.step(algorithm, gradient, full, everywhere, 1.0, rho)
    moments = sde.step_moments(algorithm, problem, noise, rho, x)

    def within(samples, expected):
        error = samples.std(axis=0) / np.sqrt(n)
        gap = np.abs(samples.mean(axis=0) - expected)
        assert (gap <= 4 * error + 1e-12).all(), (gap, error)

    within(step, -moments.drift[0])
    climb, y = (step - plain) / rho, plain - plain.mean(axis=0)
    products = climb[:, :, None] * y[:, None, :]  # E of it is Cov(Hv, Z) = H J C
    products = products + np.swapaxes(products, 1, 2)
    within(products, (moments.covariance[0] - C) / rho)
    if algorithm is SAM:  # what the poster prints, H(Σ̄ + Σ̄ᵀ), with Σ̄ = C J
        _, jr = SAM.expected(problem.gradient(x), noise.root[:, None, :] + 0 * x, noise)
        bar = noise.root @ jr[:, 0]
        printed = H @ (bar + bar.T)
        assert np.abs(printed - printed.T).max() > 0.05  # no covariance
        error = products.std(axis=0) / np.sqrt(n)
        assert (np.abs(products.mean(axis=0) - printed) > 20 * error)[[0, 1], [1, 0]].all()
        with pytest.raises(ValueError, match="asymmetric matrix has no such root"):
            sde.psd_root(printed)


@pytest.fixture(scope="module")
def batches():
    problem = sde.deep_sigmoid("iris", hidden=2, examples=6)
    noise = sde.MiniBatches(sde.all_batches(6, 2))
    x = problem.start + np.random.default_rng(1).standard_normal((2, problem.d))
    return problem, noise, x


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ids)
def test_one_step_with_real_batches(batches, algorithm):
    """All 15 batches of a network, enumerated: what the model leaves out is O(ρ²), exactly.

    Halving ρ quarters the error of mean and covariance; the terms linear in ρ are far above it.
    """
    problem, noise, x = batches

    def exact(rho):
        steps = []
        for batch in noise.rows:
            gradient = noise.gradient(problem, np.tile(batch, (len(x), 1)))
            steps.append(sde.step(algorithm, gradient, problem.gradient, x, 1.0, rho) - x)
        steps = np.array(steps)
        mean = steps.mean(axis=0)
        return mean, np.einsum("mni,mnj->nij", steps - mean, steps - mean) / len(steps)

    def errors(rho, of=algorithm):
        moments = sde.step_moments(of, problem, noise, rho, x)
        mean, covariance = exact(rho)
        return np.array(
            [
                np.linalg.norm(moments.drift - mean),
                np.linalg.norm(moments.covariance - covariance),
            ]
        )

    if algorithm is SGD:
        assert (errors(0.0) < 1e-14).all()
        return
    rho = 0.02
    order = np.log2(errors(rho) / errors(rho / 2))
    np.testing.assert_allclose(order, 2, atol=0.1)
    assert (errors(rho, of=SGD) > 10 * errors(rho)).all()


def test_usam_with_batches_penalises_the_batches_gradients(batches):
    """Drift -∇(f + ρ/2 E‖∇f_γ‖²), by the engine; with ‖∇f‖² instead it is another one."""
    problem, noise, x = batches
    rho = 0.3

    def penalised(x, full):
        total = 0.0
        for batch in noise.rows:
            rows = np.tile(batch, (x.shape[0], 1))
            g = problem.gradient(x) if full else noise.gradient(problem, rows)(x)
            total = total + np.sum(g * g) / len(noise.rows)
        return np.sum(problem.f(x)) + rho / 2 * total

    found = sde.general(USAM, problem, noise, rho).drift(x)
    np.testing.assert_allclose(found, -ms.grad(penalised)(x, False), atol=1e-12)
    printed = -ms.grad(penalised)(x, True)
    penalty = found + problem.gradient(x)
    assert np.linalg.norm(printed - found) > 0.1 * np.linalg.norm(penalty)


def test_batches_of_everything_have_no_noise():
    problem = sde.logistic("iris", examples=6)
    noise = sde.MiniBatches(sde.all_batches(6, 6))
    silent = sde.Gaussian(np.zeros((problem.d, problem.d)))
    x = problem.start[None] + 0.1
    for algorithm in CLIMBING:
        moments = sde.step_moments(algorithm, problem, noise, 0.1, x)
        np.testing.assert_allclose(moments.covariance, 0, atol=1e-16)
        ode = sde.additive(algorithm, problem, silent, 0.1)
        np.testing.assert_allclose(moments.drift, ode.drift(x), atol=1e-14)
        assert not ode.diffusion(x).any()


def test_combined_models_take_drift_and_noise_from_where_they_are_told():
    problem, x = two_dimensions()
    sam, sgd = (sde.additive(a, problem, sde.Gaussian(C), 0.2) for a in (SAM, SGD))
    both = sde.combine(sam, sgd)
    np.testing.assert_array_equal(both.drift(x), sam.drift(x))
    np.testing.assert_array_equal(both.covariance(x), sgd.covariance(x))


# Roots.


def test_roots_of_random_covariances():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4, 3, 3))
    a = a @ np.swapaxes(a, 1, 2)
    root = sde.psd_root(a)
    np.testing.assert_allclose(root @ root, a, atol=1e-12)
    np.testing.assert_allclose(root, np.swapaxes(root, 1, 2), atol=1e-13)
    assert (np.linalg.eigvalsh(root) > 0).all()


def test_negative_eigenvalues_are_clipped_and_counted():
    rng = np.random.default_rng(1)
    q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    clips = sde.Clips()
    matrices = np.stack([q * values @ q.T for values in ([1, 2, 3], [-0.5, 0, 4], [1, 1, -1e-15])])
    root = sde.psd_root(matrices, clips)
    assert (clips.clipped, clips.total) == (1, 3)
    assert repr(sde.Clips()) == "no matrix seen"
    assert clips.lowest == pytest.approx(-0.5)
    np.testing.assert_allclose(root[1] @ root[1], q * [0, 0, 4] @ q.T, atol=1e-7)
    sde.psd_root(np.array([[[-3.0]], [[2.0]]]), clips)
    assert (clips.clipped, clips.total, clips.lowest) == (2, 5, -3.0)
    assert repr(clips) == "2 of 5 matrices clipped; eigenvalues go from -3 to 4"
    with pytest.raises(FloatingPointError, match="not finite"):
        sde.psd_root(np.full((1, 2, 2), np.nan))


def test_where_the_general_covariance_is_none_the_additive_one_is():
    """SAM on a maximum with little noise: s² + 4ρf''sφ(0) < 0."""
    hill, noise = sde.quadratic([[-1.0]], [0.0]), sde.Gaussian([[0.01]])
    model = sde.general(SAM, hill, noise, 0.2)
    assert model.covariance(np.zeros((1, 1)))[0, 0, 0] == 0
    assert model.clips.clipped == model.clips.total == 1
    assert sde.additive(SAM, hill, noise, 0.2).covariance(np.zeros((1, 1)))[0, 0, 0] > 0
