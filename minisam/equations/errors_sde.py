"""Errors in the SDE poster's models: as corrected each must hold, as printed it must fail."""

from collections.abc import Callable

import numpy as np

from minisam import sde
from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.equations.entry import misprint
from minisam.equations.problems import Real, apart
from minisam.equations.sde import (
    POSTER,
    RHO,
    C,
    H,
    after_one_step,
    bowl,
    derivative,
    sum_of_exponentials,
)
from minisam.sde import SAM, USAM, Gaussian, MiniBatches


@misprint(
    title="The factors of SAM's noise are in another order",
    source=f"{POSTER}, 'For SAM, we have'",
    latex=r"\Sigma^{SAM} = \Sigma^{SGD} + \rho\,(\bar\Sigma H + H \bar\Sigma^\top)",
    printed_latex=r"\Sigma^{SAM} = \Sigma^{SGD} + \rho\,H(\bar\Sigma + \bar\Sigma^\top)",
    function=sde.step_moments,
    tolerance=1e-12,
    correct=lambda bar: bar @ H + H @ bar.T,
    printed=lambda bar: H @ (bar + bar.T),
)
def sde_poster_factors(form: Callable[[Real], Real]) -> float:
    """The form, and the model's Σ, against the derivative in ρ of a step's covariance.

    The step is on a quadratic whose Hessian does not commute with the noise. What is printed is not
    even symmetric, so that it has no square root.
    """
    problem, x = bowl()
    g = problem.gradient(x)
    bar = sde.expected_direction(g, C[:, None, :], Gaussian(C))[1][:, 0]
    expected = derivative(lambda rho: after_one_step(SAM, rho)[1])
    model = sde.step_moments(SAM, problem, Gaussian(C), 1.0, x).covariance[0] - C
    return max(apart(form(bar), expected), apart(model, expected))


@misprint(
    title="USAM penalises the batches' gradients, not the mean gradient",
    source=f"{POSTER}, 'For USAM, we have' (right where the noise does not depend on x)",
    latex=r"\tilde f^{USAM} = f + \frac{\rho}{2}\,E\|\nabla f_\gamma\|_2^2",
    printed_latex=r"\tilde f^{USAM} = f + \frac{\rho}{2}\,\|\nabla f\|_2^2",
    function=sde.general,
    tolerance=1e-13,
    correct=lambda of_batches, of_mean: of_batches,
    printed=lambda of_batches, of_mean: of_mean,
)
def sde_poster_penalty(form: Callable[[Array, Array], Array]) -> float:
    """The engine's gradient of the form against the drift, for batches of two exponentials."""
    problem, _, x = sum_of_exponentials()
    noise = MiniBatches(sde.all_batches(6, 2))
    rows = noise.rows

    def penalised(x: Array) -> Array:
        each = noise.gradient(problem, rows)(x + np.zeros((len(rows), 1)))  # a row for each batch
        mean = problem.gradient(x)
        of_batches = np.sum(each * each) / len(rows)
        return np.sum(problem.f(x)) + RHO / 2 * form(of_batches, np.sum(mean * mean))

    drift = sde.general(USAM, problem, noise, RHO).drift(x)
    return apart(-grad(penalised)(x), drift)


@misprint(
    title="USAM's noise with batches is not (I + ρH) times SGD's",
    source=f"{POSTER}, 'For USAM, we have' (right where the noise does not depend on x)",
    latex=r"\Sigma^{USAM} = \Sigma^{SGD} + \rho\,(\tilde\Sigma + \tilde\Sigma^\top), \quad"
    r" \tilde\Sigma = \mathrm{Cov}(\nabla f_\gamma, \nabla^2 f_\gamma \nabla f_\gamma)",
    printed_latex=r"\Sigma^{USAM} = (I_d + \rho\,\nabla^2 f)\,\Sigma^{SGD}\,"
    r"(I_d + \rho\,\nabla^2 f)",
    function=sde.step_moments,
    tolerance=1e-13,
    correct=lambda of_batches, of_mean: of_batches,
    printed=lambda of_batches, of_mean: of_mean,
)
def sde_poster_noise(form: Callable[[Real, Real], Real]) -> float:
    """The term linear in ρ, over all batches of two exponentials, against the model's."""
    problem, example, x = sum_of_exponentials()
    noise = MiniBatches(sde.all_batches(6, 2))
    batches = [type(example)(example.b[rows]) for rows in noise.rows]
    g = np.array([batch.gradient(x[0]) for batch in batches])
    hg = np.array([batch.hessian(x[0]) @ batch.gradient(x[0]) for batch in batches])
    plain = np.cov(g.T, ddof=0)
    cross = (g - g.mean(axis=0)).T @ (hg - hg.mean(axis=0)) / len(batches)
    h = example.hessian(x[0])
    moments = [sde.step_moments(USAM, problem, noise, r, x).covariance[0] for r in (0.0, 1.0)]
    found = form(cross + cross.T, h @ plain + plain @ h)
    return max(apart(found, moments[1] - moments[0]), apart(plain, moments[0]))


EQUATIONS = (sde_poster_factors, sde_poster_penalty, sde_poster_noise)
