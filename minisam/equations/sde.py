"""The SDE models of USAM, DNSAM and SAM, against one step of the algorithms and exact moments.

Expectations over the noise are integrals here, not samples: over all batches of a finite sum, or
over the plane. So a check has no standard error.
"""

import math
from collections.abc import Callable

import numpy as np

from minisam import sde
from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.equations.entry import equation
from minisam.equations.problems import Exponentials, Real, apart, exponentials, limit
from minisam.sde import DNSAM, SAM, SGD, USAM, Algorithm, Gaussian, MiniBatches, Problem

POSTER = "SDE poster"
PAPER = "SDE paper (Monzio Compagnoni et al. 2023), recalled"
RHO = 0.3
H = np.array([[2.0, 0.8], [0.8, 0.5]])
C = np.array([[0.5, -0.2], [-0.2, 0.3]])
"""A Hessian and a covariance that do not commute, so that a wrong order of factors shows."""


def sum_of_exponentials(d: int = 2) -> tuple[Problem, Exponentials, Real]:
    """Return f = mean_i exp(b_iᵀx) of 6 examples as a problem, and a point in a row."""
    example, _ = exponentials(examples=6, d=d)
    problem = sde.finite_sum(
        "exponentials", lambda x, rows: _losses(example.b[rows], x), 6, np.zeros(d)
    )
    return problem, example, np.linspace(0.5, -0.3, d)[None]


def _losses(b: Real, x: Array) -> Array:
    return np.exp(np.sum(b * np.reshape(x, (x.shape[0], 1, x.shape[1])), axis=2))


def bowl() -> tuple[Problem, Real]:
    """Return ½xᵀHx and a point where gradient and noise are of one size."""
    x = np.array([[0.7, 0.4]])
    return sde.quadratic(H, x[0]), x


def plane(g: Real, covariance: Real) -> tuple[Real, Real]:
    """Return points z of the plane and weights for means over Z ~ N(0, C).

    Polar coordinates around z = -g, where (g + z)/‖g + z‖ jumps: trapezoids over the angle, which
    are exact to rounding for a periodic function, Gauss-Legendre over the radius.
    """
    nodes, weights = np.polynomial.legendre.leggauss(120)
    end = np.linalg.norm(g) + 9 * math.sqrt(np.linalg.eigvalsh(covariance)[-1])
    radius, weight = end * (nodes + 1) / 2, end * weights / 2
    angle = 2 * math.pi * np.arange(256) / 256
    y = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    z = y.reshape(-1, 2) - g
    density = np.exp(-0.5 * np.sum(z @ np.linalg.inv(covariance) * z, axis=1))
    mass = np.repeat(radius * weight, len(angle)) * density
    return z, mass / mass.sum()


def after_one_step(algorithm: Algorithm, rho: float) -> tuple[Real, Real]:
    """Return mean and covariance of (step - x)/η from the bowl's point, with noise N(0, C)."""
    problem, x = bowl()
    z, weight = plane(problem.gradient(x)[0], C)
    gradient = Gaussian(C).gradient(problem, z)
    start = np.broadcast_to(x, z.shape)
    return _moments(sde.step(algorithm, gradient, problem.gradient, start, 1.0, rho) - x, weight)


def after_one_batch(algorithm: Algorithm, rho: float) -> tuple[Real, Real]:
    """Return mean and covariance of (step - x)/η over all 15 batches of two exponentials."""
    problem, _, x = sum_of_exponentials()
    noise = MiniBatches(sde.all_batches(6, 2))
    start = np.repeat(x, len(noise.rows), axis=0)
    gradient = noise.gradient(problem, noise.rows)
    step = sde.step(algorithm, gradient, problem.gradient, start, 1.0, rho)
    return _moments(step - x, np.full(len(noise.rows), 1 / len(noise.rows)))


def _moments(moves: Real, weight: Real) -> tuple[Real, Real]:
    mean = weight @ moves
    moves = moves - mean
    return mean, (weight[:, None] * moves).T @ moves


def derivative(quantity: Callable[[float], Real]) -> Real:
    """Return the derivative at ρ = 0 of what is quadratic in ρ, exactly."""
    return (quantity(RHO) - quantity(-RHO)) / (2 * RHO)


@equation(
    title="USAM",
    source=f"{POSTER}, 'These are the SAM variants that we analyzed', 2",
    latex=r"x_{k+1} = x_k - \eta\,\nabla f_{\gamma_k}(x_k + \rho\,\nabla f_{\gamma_k}(x_k))",
    function=sde.step,
    tolerance=1e-14,
)
def sde_usam() -> float:
    """A step of 15 paths, each with a batch of its own, replayed by hand."""
    problem, example, x = sum_of_exponentials()
    noise = MiniBatches(sde.all_batches(6, 2))
    start = np.repeat(x, 15, axis=0) + np.linspace(-0.2, 0.2, 30).reshape(15, 2)
    gradient = noise.gradient(problem, noise.rows)
    found = sde.step(USAM, gradient, problem.gradient, start, 0.1, RHO)
    expected = []
    for w, rows in zip(start, noise.rows, strict=True):
        batch = Exponentials(example.b[rows])
        expected.append(w - 0.1 * batch.gradient(w + RHO * batch.gradient(w)))
    return apart(found, np.array(expected))


@equation(
    title="What USAM's SDE descends",
    source=f"{POSTER}, 'For USAM, we have'",
    latex=r"\nabla\tilde f^{USAM} = \nabla f + \rho\,\nabla^2 f\,\nabla f,"
    r" \quad \tilde f^{USAM} = f + \frac{\rho}{2}\|\nabla f\|_2^2",
    function=sde.modified_loss,
    tolerance=1e-13,
)
def usam_modified_loss() -> float:
    """The engine's gradient of f̃, and the model's drift, against g + ρHg written out."""
    problem, example, x = sum_of_exponentials()
    noise = Gaussian(C)
    g = example.gradient(x[0])
    expected = g + RHO * example.hessian(x[0]) @ g
    slope = grad(lambda x: np.sum(sde.modified_loss(USAM, problem, noise, RHO, x)))(x)[0]
    drift = sde.additive(USAM, problem, noise, RHO).drift(x)[0]
    return max(apart(slope, expected), apart(-drift, expected))


@equation(
    title="The noise of USAM's SDE, where noise is additive",
    source=f"{POSTER}, 'For USAM, we have'",
    latex=r"(I_d + \rho\,\nabla^2 f(x)) \left(\eta\,\Sigma^{SGD}\right)^{1/2}",
    function=sde.additive,
    tolerance=1e-13,
)
def usam_diffusion() -> float:
    """Its square against the covariance of a step on a quadratic, where the SDE is exact."""
    problem, x = bowl()
    found = sde.additive(USAM, problem, Gaussian(C), RHO).covariance(x)[0]
    return apart(found, after_one_step(USAM, RHO)[1])


@equation(
    title="The noise of DNSAM's SDE, where noise is additive",
    source=PAPER,
    latex=r"\left(I_d + \rho\,\frac{\nabla^2 f(x)}{\|\nabla f(x)\|_2}\right)"
    r" \left(\eta\,\Sigma^{SGD}\right)^{1/2}, \quad"
    r" \tilde f^{DNSAM} = f + \rho\,\|\nabla f\|_2",
    function=sde.additive,
    tolerance=1e-13,
)
def dnsam_diffusion() -> float:
    """Its square, and the drift, against covariance and mean of a step on a quadratic."""
    problem, x = bowl()
    model = sde.additive(DNSAM, problem, Gaussian(C), RHO)
    mean, covariance = after_one_step(DNSAM, RHO)
    return max(apart(model.covariance(x)[0], covariance), apart(model.drift(x)[0], mean))


@equation(
    title="What SAM's SDE descends",
    source=f"{POSTER}, 'For SAM, we have', 3",
    latex=r"\tilde f^{SAM} = f + \rho\,E\|\nabla f_\gamma\|_2, \quad"
    r" -\nabla\tilde f^{SAM} = -\left(\nabla f + \rho\,\nabla^2 f\,"
    r"E\frac{\nabla f_\gamma}{\|\nabla f_\gamma\|_2}\right)",
    function=sde.modified_loss,
    tolerance=1e-12,
)
def sam_modified_loss() -> float:
    """The engine's gradient of f̃, and the drift, against the mean of a step on a quadratic."""
    problem, x = bowl()
    noise = Gaussian(C)
    slope = grad(lambda x: np.sum(sde.modified_loss(SAM, problem, noise, RHO, x)))(x)[0]
    drift = sde.additive(SAM, problem, noise, RHO).drift(x)[0]
    mean, _ = after_one_step(SAM, RHO)
    return max(apart(-slope, mean), apart(drift, mean))


@equation(
    title="How SAM's direction varies with Gaussian noise (Stein's lemma)",
    source=f"{POSTER}, 'For SAM, we have', 2, for Gaussian noise",
    latex=r"\bar\Sigma = \mathrm{Cov}(Z, u) = C\,E\left[\frac{I - u u^\top}{\|\nabla f + Z\|_2}"
    r"\right], \quad u = \frac{\nabla f + Z}{\|\nabla f + Z\|_2}",
    function=sde.expected_direction,
    tolerance=1e-12,
)
def stein_covariance() -> float:
    """The mean of u, and C J, against integrals over the plane."""
    problem, x = bowl()
    g = problem.gradient(x)
    z, weight = plane(g[0], C)
    u = (g + z) / np.linalg.norm(g + z, axis=1, keepdims=True)
    mean, product = sde.expected_direction(g, C[:, None, :], Gaussian(C))
    expected = (weight[:, None] * z).T @ (u - weight @ u)
    return max(apart(mean[0], weight @ u), apart(product[:, 0], expected))


@equation(
    title="SAM's SDE in one dimension",
    source=f"{POSTER}, 'For SAM, we have', for Gaussian noise in one dimension",
    latex=r"b = -(f' + \rho f''\,(2\Phi(f'/s) - 1)), \quad"
    r" \Sigma^{SAM} = s^2 + 4\rho\,f''\,s\,\varphi(f'/s)",
    function=sde.step_moments,
    tolerance=1e-14,
)
def sam_in_one_dimension() -> float:
    """Drift and variance on f = x²/2 + cos(2x)/2 at five points, written out."""
    s, errors = 0.6, []
    for x in (-1.0, -0.2, 0.0, 0.4, 2.0):
        slope, curvature = x - math.sin(2 * x), 1 - 2 * math.cos(2 * x)
        density = math.exp(-((slope / s) ** 2) / 2) / math.sqrt(2 * math.pi)
        drift = -(slope + RHO * curvature * math.erf(slope / s / math.sqrt(2)))
        variance = s**2 + 4 * RHO * curvature * s * density
        found = sde.step_moments(SAM, sde.wavy(), Gaussian([[s**2]]), RHO, np.array([[x]]))
        errors.append(abs(float(found.drift[0, 0]) - drift))
        errors.append(abs(float(found.covariance[0, 0, 0]) - variance))
    return max(errors)


@equation(
    title="USAM's SDE, whatever the noise",
    source=PAPER,
    latex=r"b = -(\nabla f + \rho\,E[\nabla^2 f_\gamma \nabla f_\gamma]), \quad"
    r" \Sigma^{USAM} = \Sigma^{SGD} + \rho\,(\tilde\Sigma + \tilde\Sigma^\top), \quad"
    r" \tilde\Sigma = \mathrm{Cov}(\nabla f_\gamma, \nabla^2 f_\gamma \nabla f_\gamma)",
    function=sde.step_moments,
    tolerance=1e-4,
)
def usam_with_batches() -> float:
    """Both, as derivatives in ρ at 0, against those of a step over all batches of two."""
    return _with_batches(USAM)


@equation(
    title="SAM's SDE, whatever the noise",
    source=PAPER,
    latex=r"b = -(\nabla f + \rho\,E[\nabla^2 f_\gamma u]), \quad"
    r" \Sigma^{SAM} = \Sigma^{SGD} + \rho\,(\hat\Sigma + \hat\Sigma^\top), \quad"
    r" \hat\Sigma = \mathrm{Cov}(\nabla f_\gamma, \nabla^2 f_\gamma u), \quad"
    r" u = \nabla f_\gamma / \|\nabla f_\gamma\|_2",
    function=sde.step_moments,
    tolerance=1e-4,
)
def sam_with_batches() -> float:
    """Both, as derivatives in ρ at 0, against those of a step over all batches of two."""
    return _with_batches(SAM)


def _with_batches(algorithm: Algorithm) -> float:
    problem, _, x = sum_of_exponentials()
    noise = MiniBatches(sde.all_batches(6, 2))
    plain, climbing = (sde.step_moments(algorithm, problem, noise, r, x) for r in (0.0, 1.0))
    still = after_one_batch(SGD, 0.0)

    def change(rho: float) -> Real:
        mean, covariance = after_one_batch(algorithm, rho)
        return np.array([mean - still[0], *(covariance - still[1])]) / rho

    drift, *covariance = limit(change, 1e-3)
    return max(
        apart(climbing.drift[0] - plain.drift[0], drift),
        apart(climbing.covariance[0] - plain.covariance[0], np.array(covariance)),
    )


@equation(
    title="USAM's SDE is of weak order one",
    source=f"{PAPER}; {POSTER}, where ρ = O(√η) is left out",
    latex=r"\max_{k \leq T/\eta} |E\|x_k\|^2 - E\|X_{k\eta}\|^2| = O(\eta), \quad"
    r" \rho = \sqrt{\eta}",
    function=sde.sde_moments,
    tolerance=0.01,
)
def usam_weak_order() -> float:
    """By how much the slope between η = 2⁻¹⁴ and 2⁻¹⁶ is not 1; moments are exact."""
    noise, start, errors = Gaussian.isotropic(0.5, 2), np.array([2.0, -1.0]), []
    for k in (14, 16):
        eta, rho, steps = 2.0**-k, 2.0 ** (-k / 2), 2**k
        found = [
            of(np.diag([1.0, 3.0]), noise, start, eta=eta, rho=rho, steps=steps).second_moment()
            for of in (sde.discrete_moments, sde.sde_moments)
        ]
        errors.append(np.abs(found[0] - found[1]).max())
    return abs(math.log(errors[0] / errors[1], 4) - 1)


@equation(
    title="Where USAM settles on a quadratic",
    source=f"{POSTER}, 'For USAM, we have', on a quadratic",
    latex=r"\mathrm{Cov} = \frac{\eta s^2}{2}\left(H^{-1} + \rho I\right), \quad"
    r" E f = \frac{\eta s^2}{4}(d + \rho\,\mathrm{tr}\,H)",
    function=sde.sde_stationary,
    tolerance=1e-5,
)
def usam_stationary() -> float:
    """The SDE's covariance against the formula, and against the algorithm's as η → 0."""
    s, eta = 0.5, 0.01
    h, noise = H + np.eye(2), Gaussian.isotropic(s, 2)
    expected = s**2 / 2 * (np.linalg.inv(h) + RHO * np.eye(2))
    found = sde.sde_stationary(h, noise, eta=eta, rho=RHO) / eta
    settled = limit(lambda r: sde.discrete_stationary(h, noise, eta=r, rho=RHO) / r, 1e-3)
    return max(apart(found, expected), apart(settled, expected))


@equation(
    title="Which saddles attract USAM",
    source=f"{POSTER}, 'Might be attracted by saddles', on a quadratic",
    latex=r"\dot x = -H(I + \rho H)x \;\mathrm{contracts} \;\Leftrightarrow\;"
    r" \rho > 1/|\lambda| \;\mathrm{for\;all}\; \lambda < 0",
    function=sde.usam_attracts,
    tolerance=0.0,
)
def usam_saddles() -> float:
    """The share of 40 saddles and radii for which the drift's eigenvalues say otherwise."""
    rng = np.random.default_rng(3)
    wrong = []
    for rho in np.linspace(0.2, 2.1, 40):
        a = rng.normal(size=(3, 3))
        h = a + a.T
        silent = Gaussian(np.zeros((3, 3)))
        drift = sde.additive(USAM, sde.quadratic(h), silent, float(rho)).drift(np.eye(3))
        contracts = bool((np.linalg.eigvalsh(drift) < 0).all())
        wrong.append(contracts is not sde.usam_attracts(h, float(rho)))
    return float(np.mean(wrong))


@equation(
    title="Every saddle attracts SAM from near",
    source=f"{POSTER}, 'Implicit regularization drives SAM towards any critical point'",
    latex=r"\dot x = -H\left(I + \frac{\rho H}{\|Hx\|_2}\right)x"
    r" \;\mathrm{contracts\;where}\; \|Hx\|_2 < \rho\,\min_{\lambda < 0}|\lambda|",
    function=sde.sam_trap,
    tolerance=1e-13,
)
def sam_saddles() -> float:
    """The drift on the edge, along the flattest way down, where it is 0, relative to ‖Hx‖.

    And by how much the rate at which ‖Hx‖² falls is negative at 100 random points inside.
    """
    h = np.diag([1.0, -0.5, -2.0])
    edge = sde.sam_trap(h, RHO)
    ode = sde.additive(SAM, sde.quadratic(h), Gaussian(np.zeros((3, 3))), RHO)
    still = ode.drift(np.array([[0.0, edge / 0.5, 0.0]]))[0]
    y = np.random.default_rng(4).normal(size=(100, 3))
    y *= 0.999 * edge / np.linalg.norm(y, axis=1, keepdims=True)
    falling = -np.sum(y * (ode.drift(y @ np.linalg.inv(h)) @ h), axis=1)
    return float(np.abs(still).max() / edge + np.maximum(-falling, 0).max())


@equation(
    title="The largest stable step of USAM",
    source=f"{POSTER}, USAM on a quadratic",
    latex=r"|1 - \eta\lambda(1 + \rho\lambda)| < 1 \;\Leftrightarrow\;"
    r" \eta < \frac{2}{\lambda(1 + \rho\lambda)}",
    function=sde.stability_limit,
    tolerance=1e-14,
)
def usam_stability() -> float:
    """At the limit a step turns the eigenvector round: x → -x, for two λ; and so for SGD."""
    errors = []
    for top in (0.7, 4.0):
        problem, x = sde.quadratic([[top]]), np.array([[1.3]])
        for algorithm in (USAM, SGD):
            eta = sde.stability_limit(algorithm, top, RHO)
            gradient = problem.gradient
            errors.append(apart(sde.step(algorithm, gradient, gradient, x, eta, RHO), -x))
    return max(errors)


EQUATIONS = (
    sde_usam,
    usam_modified_loss,
    usam_diffusion,
    dnsam_diffusion,
    sam_modified_loss,
    stein_covariance,
    sam_in_one_dimension,
    usam_with_batches,
    sam_with_batches,
    usam_weak_order,
    usam_stationary,
    usam_saddles,
    sam_saddles,
    usam_stability,
)
