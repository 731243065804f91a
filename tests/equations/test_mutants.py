"""A check must be able to fail: implementations with one mistake each, and who rejects them."""

import dataclasses
import sys

import numpy as np
import pytest

import minisam as ms
from minisam import equations, nn, sam, sde, sharpness
from minisam.autodiff.tensor import value_of
from minisam.optimizers import SGD

epsilon_hat, jacobian_product = sam.epsilon_hat, sam.jacobian_product
sam_gradient, conjugate = sam.sam_gradient, sam.conjugate
ball_maximum, trust_region, one_step = (
    sharpness.ball_maximum,
    sharpness.trust_region,
    sharpness.one_step,
)
average_case, trace = sharpness.average_case, sharpness.trace
spectral_density, covariance_product = sharpness.spectral_density, sharpness.covariance_product
complexity, pac_bayes_bound = sharpness.complexity, sharpness.pac_bayes_bound
rows_of, step, gradient = nn.per_example_gradients, SGD.step, sam.Method.gradient


def power(g, rho, p=2, **ball):
    return epsilon_hat(np.sign(g) * np.abs(g) ** 1.1, rho, p, **ball)


def unsigned(g, rho, p=2, **ball):
    return np.abs(epsilon_hat(g, rho, p, **ball))


def too_long(g, rho, p=2, **ball):
    return epsilon_hat(g, (1 + 1e-9) * rho, p, **ball)


def too_short(g, rho, p=2, **ball):
    return epsilon_hat(g, (1 - 1e-9) * rho, p, **ball)


def detached(g, rho, p=2, **ball):
    return epsilon_hat(value_of(g), rho, p, **ball)


def biased(g, rho, p=2, **ball):
    """The usual +1e-12 in the denominator, for p = 2."""
    if p != 2:
        return epsilon_hat(g, rho, p, **ball)
    return rho * g / (np.sqrt(np.sum(g * g)) + 1e-12)


def overflowing(g, rho, p=2, **ball):
    """Equation (2) as it is printed."""
    if p in (1, np.inf):
        return epsilon_hat(g, rho, p, **ball)
    q = conjugate(p)
    return rho * np.sign(g) * np.abs(g) ** (q - 1) / np.sum(np.abs(g) ** q) ** (1 / p)


def first_tie(g, rho, p=2, **ball):
    if p != 1:
        return epsilon_hat(g, rho, p, **ball)
    top = np.argmax(np.abs(value_of(g)))
    return np.where(np.arange(g.size) == top, rho * np.sign(value_of(g)), 0.0)


def sign_of_zero(g, rho, p=2, **ball):
    signs = np.where(value_of(g) >= 0, 1.0, -1.0)
    return rho * signs if p == np.inf else epsilon_hat(g, rho, p, **ball)


def always_2(g, rho, p=2, **ball):
    return epsilon_hat(g, rho, 2, **ball)


def unnormalised(g, rho, p=2, **ball):
    return rho * g


def no_metric(g, rho, p=2, *, metric=None, **ball):
    return epsilon_hat(g, rho, p)


def half_metric(g, rho, p=2, *, metric=None, **ball):
    """T applied once: T ε̂(g) in place of T ε̂(T g)."""
    return epsilon_hat(g, rho, p) if metric is None else metric * epsilon_hat(g, rho, p)


def no_projection(g, v, rho, p=2, **ball):
    u = epsilon_hat(g, 1.0, p)
    q = conjugate(p)
    length = np.linalg.norm(g, q)
    return jacobian_product(g, v, rho, p) + rho * (q - 1) / length * u * (u @ v)


def doubled(g, v, rho, p=2, **ball):
    return 2 * jacobian_product(g, v, rho, p, **ball)


def skewed(g, v, rho, p=2, **ball):
    return jacobian_product(g, v, rho, p) + rho * g * np.roll(v, 1)[0]


def transposed(loss, w, rho, p=2, order=1, **ball):
    """P H g_a in place of H P g_a."""
    g_a = sam_gradient(loss, w, rho, p)
    if order == 1:
        return g_a
    return g_a + jacobian_product(ms.grad(loss)(w), ms.hvp(loss, w, g_a), rho, p)


def product_at_the_climbed_point(loss, w, rho, p=2, order=1, **ball):
    g_a = sam_gradient(loss, w, rho, p)
    if order == 1:
        return g_a
    g = ms.grad(loss)(w)
    at = w + epsilon_hat(g, rho, p)
    return g_a + ms.hvp(loss, at, jacobian_product(g, g_a, rho, p))


def dropping(loss, w, rho, p=2, order=1, **ball):
    return sam_gradient(loss, w, rho, p)


def downhill(loss, w, rho, p=2, order=1, **ball):
    return ms.grad(loss)(w - epsilon_hat(ms.grad(loss)(w), rho, p))


def not_climbing(loss, w, rho, p=2, order=1, **ball):
    return ms.grad(loss)(w)


def always_second_order(loss, w, rho, p=2, order=1, **ball):
    return sam_gradient(loss, w, rho, p, order=2)


def held_perturbation(loss, w, rho, p=2, **ball):
    return sam_gradient(loss, w, rho, p)


def wrong_conjugate(p):
    return conjugate(p) + 1e-9


def level(loss, w, rho, p=2, **ball):
    return float(loss(w + epsilon_hat(ms.grad(loss)(w), rho, p)))


def doubled_sharpness(loss, w, rho, p=2, **ball):
    return 2 * (level(loss, w, rho, p) - float(loss(w)))


def half_decay(self, w, g, state, lr):
    return step(dataclasses.replace(self, weight_decay=self.weight_decay / 2), w, g, state, lr)


def ascent(self, w, g, state, lr):
    return step(self, w, -g, state, lr)


def inexact_restoring(self, losses, w, *args):
    """Climbs in place, and comes back by subtraction: not bit for bit."""
    found = gradient(self, losses, w, *args)
    e = epsilon_hat(found.g, 0.3)
    w += e
    w -= e
    return found


def one_pass_too_many(self, losses, w, *args):
    losses(w)
    return gradient(self, losses, w, *args)


def unfinished_climb(self, losses, w, *args):
    return gradient(dataclasses.replace(self, rho=self.rho * (1 - 1e-9)), losses, w, *args)


def erm_that_climbs():
    return sam.SAM(0.1)


def signed_metric(w, eta=0.01):
    return w + eta


def flat_metric(w, eta=0.01):
    return np.ones_like(w)


def summed(model, loss, w, x, labels):
    rows = rows_of(model, loss, w, x, labels)
    return rows * len(rows)


def centred(model, loss, w, x, labels):
    rows = rows_of(model, loss, w, x, labels)
    return rows - 0.001 * rows.mean(axis=0)


def stale_hvp(f, w, v):
    return ms.jvp(ms.grad(f), (w + 1e-6,), (v,))[1]


def pushing(f, *args):
    return ms.linearize(f, *args)


def smaller_ball(loss, w, rho, p=2, **options):
    return ball_maximum(loss, w, (1 - 1e-4) * rho, p, **options)


def length_without_its_rest(h, g, rho):
    """The hard case forgotten: what is missing to ρ is not walked along the top eigenvector."""
    value, e = trust_region(h, g, rho)
    top = np.linalg.eigh(h)[1][:, -1]
    return value, e - top * (top @ e)


def same_norm(loss, w, rho, p=2, **ball):
    return rho * float(np.linalg.norm(ms.grad(loss)(w), p))


def unpaired(loss, w, sigma, **options):
    found = average_case(loss, w, sigma, **options)
    return dataclasses.replace(found, value=2 * found.value)


def largest_in_magnitude(loss, w, k=1, **options):
    return -sharpness.bottom_eigenvalues(loss, w, k, **options)


def without_the_sketch(loss, w, products=100, **options):
    return trace(loss, w, products, sketch=0)


def equal_weights(loss, w, **options):
    found = spectral_density(loss, w, **options)
    return sharpness.Density(found.nodes, np.full_like(found.weights, 1 / found.nodes.shape[1]))


def uncentred(losses, w):
    """The second moment of the gradients in place of their covariance."""
    product, d = covariance_product(losses, w)
    g = ms.grad(sharpness.streamed(losses))(w)
    return (lambda v: product(v) + g * (g @ v)), d


def shared_perturbation(parts, w, rho, p=2, **options):
    rise = one_step(sharpness.streamed(parts), w, rho, p)
    return sharpness.Estimate(rise, 0.0, len(parts))


def half_the_distance(x, n, k, delta=0.05):
    terms = complexity(x, n, k, delta)
    return terms._replace(norm=terms.norm / 2)


def falling(x, n, k, delta=0.05):
    return complexity(1 / (x + 1e-9), n, k, delta)


def no_grid(x, n, k, delta=0.05):
    return complexity(x, n, k, delta)._replace(grid=0.0, confidence=0.0)


def noise_of_the_radius(rho, n, k):
    """Such that E‖ε‖² = ρ²: half of the noise is outside."""
    return rho / k**0.5


def no_h(losses, w, rho, **options):
    found = pac_bayes_bound(losses, w, rho, **options)
    return dataclasses.replace(found, terms=sharpness.Complexity(0.0, 0.0, 0.0))


step_moments, plain_sde = sde.step_moments, sde.additive


def descend_without_climbing(algorithm, gradient, full, x, eta, rho):
    return x - eta * gradient(x)


def climb_on_the_mean(algorithm, gradient, full, x, eta, rho):
    climbed = x + rho * algorithm.direction(full(x), lambda: full(x))
    return x - eta * gradient(climbed)


def noise_before_curvature(algorithm, problem, noise, rho=0.0):
    """S = C^½ (I + ρJH) instead of (I + ρHJ) C^½."""
    right = plain_sde(algorithm, problem, noise, rho)

    def increment(x, t, w):
        s = np.swapaxes(right.diffusion(x), 1, 2)
        return t * right.drift(x) + np.einsum("nij,nj->ni", s, w)

    return sde.SDE(right.name, increment)


def doubled_penalty(algorithm, problem, noise, rho, x):
    return problem.f(x) + 2 * rho * algorithm.penalty(problem.gradient(x), noise)


def direction_of_the_mean(g, v, noise):
    return sde.DNSAM.expected(g, v, noise)


def drift_only(algorithm, problem, noise, rho, x):
    right, plain = (step_moments(algorithm, problem, noise, r, x) for r in (rho, 0.0))
    return sde.Moments(right.drift, plain.covariance)


def noise_only(algorithm, problem, noise, rho, x):
    right, plain = (step_moments(algorithm, problem, noise, r, x) for r in (rho, 0.0))
    return sde.Moments(plain.drift, right.covariance)


sde_moments, sde_stationary = sde.sde_moments, sde.sde_stationary


def sgd_moments(hessian, noise, start, *, eta, rho, steps):
    return sde_moments(hessian, noise, start, eta=eta, rho=0.0, steps=steps)


def sgd_noise_settling(hessian, noise, *, eta, rho):
    return sde_stationary(hessian, noise, eta=eta, rho=rho, noise_rho=0.0)


def steepest_saddle(hessian, rho):
    return bool(rho * -np.linalg.eigvalsh(hessian)[0] > 1)


def steepest_trap(hessian, rho):
    return rho * -np.linalg.eigvalsh(hessian)[0]


def limit_of_sgd(algorithm, curvature, rho=0.0):
    return 2 / curvature


MUTANTS = {
    power: (
        sam,
        "epsilon_hat",
        "holder-inequality holder-equality dual-norm-optimal rescaled-gradient",
    ),
    unsigned: (sam, "epsilon_hat", "holder-equality dual-norm-value limit-p-to-infinity"),
    too_long: (
        sam,
        "epsilon_hat",
        "dual-norm-length dual-norm-optimal dual-norm-solution asam-ball",
    ),
    too_short: (
        sam,
        "epsilon_hat",
        "dual-norm-length dual-norm-value sam-objective notes-absolute-value "
        "notes-multiplication notes-power-of-norm",
    ),
    detached: (
        sam,
        "epsilon_hat",
        "gradient-closed-form second-term hessian-vector-product "
        "perturbation-jacobian blog-vector-jacobian",
    ),
    biased: (sam, "epsilon_hat", "dual-norm-scale rescaled-gradient"),
    overflowing: (sam, "epsilon_hat", "dual-norm-scale"),
    first_tie: (sam, "epsilon_hat", "limit-p-to-1"),
    sign_of_zero: (sam, "epsilon_hat", "limit-p-to-infinity"),
    always_2: (
        sam,
        "epsilon_hat",
        "linear-argmax dual-norm-solution penalty-gradient notes-exponent-of-ball",
    ),
    unnormalised: (
        sam,
        "epsilon_hat",
        "sam-objective rescaled-gradient algorithm-1 sam-two-cycle "
        "sam-on-quadratic ae-sam-poster-update",
    ),
    no_metric: (sam, "epsilon_hat", "asam-ball asam-invariance"),
    half_metric: (sam, "epsilon_hat", "asam-ball asam-invariance"),
    no_projection: (
        sam,
        "jacobian_product",
        "jacobian-symmetry perturbation-jacobian hessian-vector-product",
    ),
    doubled: (
        sam,
        "jacobian_product",
        "perturbation-jacobian hessian-vector-product dropped-term gradient-by-differences",
    ),
    skewed: (sam, "jacobian_product", "jacobian-symmetry perturbation-jacobian"),
    transposed: (
        sam,
        "sam_gradient",
        "gradient-closed-form gradient-by-differences dropped-term "
        "notes-transposition sam-on-quadratic",
    ),
    product_at_the_climbed_point: (
        sam,
        "sam_gradient",
        "gradient-closed-form gradient-by-differences notes-transposition blog-dropped-loss",
    ),
    dropping: (
        sam,
        "sam_gradient",
        "gradient-closed-form gradient-by-differences dropped-term blog-dropped-loss",
    ),
    downhill: (sam, "sam_gradient", "equation-3 first-order-is-penalty"),
    not_climbing: (sam, "sam_gradient", "equation-3 first-order-is-penalty"),
    always_second_order: (sam, "sam_gradient", "equation-3 first-order-is-penalty dropped-term"),
    held_perturbation: (sam, "sam_gradient_through", "gradient-closed-form second-term"),
    wrong_conjugate: (sam, "conjugate", "conjugate-exponents holder-inequality dual-norm-value"),
    level: (sharpness, "one_step", "taylor-remainder blog-dropped-loss sde-poster-objective"),
    doubled_sharpness: (
        sharpness,
        "one_step",
        "taylor-remainder blog-dropped-loss sde-poster-objective",
    ),
    half_decay: (SGD, "step", "weight-decay"),
    ascent: (SGD, "step", "weight-decay algorithm-1 erm"),
    inexact_restoring: (sam.Method, "gradient", "algorithm-1 erm"),
    one_pass_too_many: (sam.Method, "gradient", "algorithm-1 erm blog-efficiency"),
    unfinished_climb: (sam.Method, "gradient", "algorithm-1 sam-two-cycle ae-sam-poster-update"),
    erm_that_climbs: (sam, "ERM", "erm blog-efficiency"),
    signed_metric: (sam, "asam_metric", "asam-ball asam-invariance"),
    flat_metric: (sam, "asam_metric", "asam-ball asam-invariance"),
    summed: (
        nn,
        "per_example_gradients",
        "training-loss batch-gradient-norm ae-sam-poster-variance ae-sam-poster-trace",
    ),
    centred: (
        nn,
        "per_example_gradients",
        "training-loss batch-gradient-norm ae-sam-poster-variance ae-sam-poster-trace",
    ),
    smaller_ball: (sharpness, "ball_maximum", "largest-rise small-ball"),
    length_without_its_rest: (sharpness, "trust_region", "trust-region-conditions"),
    same_norm: (sharpness, "first_order", "small-ball"),
    unpaired: (sharpness, "average_case", "average-rise"),
    largest_in_magnitude: (sharpness, "top_eigenvalues", "spectrum"),
    without_the_sketch: (sharpness, "trace", "trace-estimate"),
    equal_weights: (sharpness, "spectral_density", "gauss-quadrature"),
    uncentred: (sharpness, "covariance_product", "noise-covariance"),
    shared_perturbation: (sharpness, "m_sharpness", "chunks"),
    half_the_distance: (sharpness, "complexity", "complexity-of-weights blog-identity"),
    falling: (sharpness, "complexity", "monotone-complexity complexity-of-weights"),
    no_grid: (sharpness, "complexity", "last-step complexity-of-weights"),
    noise_of_the_radius: (sharpness, "noise_scale", "noise-in-the-ball complexity-of-weights"),
    no_h: (sharpness, "pac_bayes_bound", "blog-guarantee"),
    descend_without_climbing: (
        sde,
        "step",
        "sde-usam usam-diffusion dnsam-diffusion sam-modified-loss usam-with-batches "
        "sam-with-batches usam-stability sde-poster-factors",
    ),
    climb_on_the_mean: (
        sde,
        "step",
        "sde-usam usam-diffusion dnsam-diffusion sam-modified-loss usam-with-batches "
        "sam-with-batches sde-poster-factors",
    ),
    noise_before_curvature: (sde, "additive", "usam-diffusion dnsam-diffusion"),
    doubled_penalty: (sde, "modified_loss", "usam-modified-loss sam-modified-loss"),
    direction_of_the_mean: (sde, "expected_direction", "stein-covariance sde-poster-factors"),
    drift_only: (
        sde,
        "step_moments",
        "sam-in-one-dimension usam-with-batches sam-with-batches sde-poster-factors "
        "sde-poster-noise",
    ),
    noise_only: (
        sde,
        "step_moments",
        "sam-in-one-dimension usam-with-batches sam-with-batches sde-poster-penalty",
    ),
    sgd_moments: (sde, "sde_moments", "usam-weak-order"),
    sgd_noise_settling: (sde, "sde_stationary", "usam-stationary"),
    steepest_saddle: (sde, "usam_attracts", "usam-saddles"),
    steepest_trap: (sde, "sam_trap", "sam-saddles"),
    limit_of_sgd: (sde, "stability_limit", "usam-stability"),
    stale_hvp: (ms, "hvp", "hessian-vector-product penalty-gradient first-order-is-penalty"),
    pushing: (ms, "vjp", "hessian-vector-product blog-vector-jacobian"),
}
"""What each stands in for, and equations that must reject it."""


def install(monkeypatch, mutant, owner, name):
    """Put the mutant wherever minisam's modules refer to what it replaces."""
    original = getattr(owner, name)
    if isinstance(owner, type):
        monkeypatch.setattr(owner, name, mutant)
        return
    for module in [m for key, m in sys.modules.items() if key.split(".")[0] == "minisam"]:
        for attribute, value in list(vars(module).items()):
            if value is original:
                monkeypatch.setattr(module, attribute, mutant)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_mutant_is_rejected(monkeypatch, mutant):
    owner, name, rejecting = MUTANTS[mutant]
    assert all(result.passed for result in equations.verify(rejecting.split()))
    install(monkeypatch, mutant, owner, name)
    accepted = [result.name for result in equations.verify(rejecting.split()) if result.passed]
    assert not accepted, f"{mutant.__name__} got past {accepted}"


def test_every_equation_rejects_a_mutant():
    rejecting = {name for _, _, names in MUTANTS.values() for name in names.split()}
    assert rejecting == {equation.name for equation in equations.EQUATIONS}
