"""Sharpness as numbers: the worst case and the average, and the curvature behind them."""

import numpy as np

from minisam import nn, sharpness
from minisam.arrays import Array
from minisam.autodiff.transforms import hessian
from minisam.equations.entry import equation
from minisam.equations.problems import (
    EXPONENTS,
    RHO,
    SMOOTH,
    Loss,
    Real,
    apart,
    classification,
    exponentials,
    limit,
    losses,
    network,
    norm,
)
from minisam.sam import conjugate


def quadratics() -> list[tuple[Real, Real]]:
    """Return matrices and slopes: convex, indefinite, and the hard case, rotated."""
    rng = np.random.default_rng(5)
    q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    convex, indefinite = ((q * values) @ q.T for values in ([4.0, 2, 1, 0.5], [2.0, 1, -1, -3]))
    slope = rng.normal(size=4)
    across = slope - q[:, 0] * (q[:, 0] @ slope)  # none of it along the top eigenvector
    return [(convex, slope), (indefinite, slope), (indefinite, 0.1 * across)]


@equation(
    title="Where a quadratic is largest in a ball",
    source="More & Sorensen 1983; the maximum of SAM's objective for a quadratic loss",
    latex=r"\epsilon^* = \arg\max_{\|\epsilon\|_2 \leq \rho} \frac{1}{2}\epsilon^\top H\epsilon"
    r" + g^\top\epsilon \quad \Leftrightarrow \quad (\mu I - H)\,\epsilon^* = g, \;"
    r" \mu \geq \lambda_{max}, \; \|\epsilon^*\|_2 = \rho \quad (\lambda_{max} \geq 0)",
    function=sharpness.trust_region,
    tolerance=1e-13,
)
def trust_region_conditions() -> float:
    """The violation of the three conditions, convex or not, with and without the hard case."""

    def error(h: Real, g: Real) -> float:
        _, e = sharpness.trust_region(h, g, RHO)
        mu = float(e @ (h @ e + g)) / RHO**2
        below = max(0.0, float(np.linalg.eigvalsh(h)[-1]) - mu)
        return max(apart(mu * e - h @ e, g), below, abs(norm(e, 2) / RHO - 1))

    return max(error(h, g) for h, g in quadratics())


@equation(
    title="Sharpness is the largest rise of the loss in a ball",
    source="handwritten notes, 'sharpness'; blog introduction, 'A more intuitive formulation'",
    latex=r"\max_{\|\epsilon\|_p \leq \rho} L_S(w+\epsilon) - L_S(w)",
    function=sharpness.ball_maximum,
    tolerance=1e-7,
)
def largest_rise() -> float:
    """Projected ascent against the exact maximum of quadratics, of linear losses for every p."""

    def error(h: Real, g: Real, p: float, exact: float) -> float:
        def loss(w: Array) -> Array:
            return 0.5 * (w @ (h @ w)) + g @ w

        found = sharpness.ball_maximum(loss, np.zeros_like(g), RHO, p, tol=1e-9, restarts=1)
        return abs(found.value / exact - 1)

    errors = [error(h, g, 2, sharpness.trust_region(h, g, RHO)[0]) for h, g in quadratics()]
    h, g = quadratics()[0]
    errors += [error(0 * h, g, p, RHO * norm(g, conjugate(p))) for p in EXPONENTS]
    return max(errors)


@equation(
    title="In a small ball sharpness is the norm of the gradient",
    source="SAM paper (Foret et al. 2021), the step from the objective to equation (2)",
    latex=r"\lim_{\rho \to 0} \frac{1}{\rho}"
    r" \left[\max_{\|\epsilon\|_p \leq \rho} L_S(w+\epsilon) - L_S(w)\right] = \|\nabla L_S(w)\|_q",
    function=sharpness.first_order,
    tolerance=1e-5,
)
def small_ball() -> float:
    """The largest rise over ρ, extrapolated to ρ = 0, against the first-order one over ρ."""

    def error(loss: Loss, w: Real, p: float) -> float:
        def quotient(rho: float) -> float:
            return sharpness.ball_maximum(loss, w, rho, p, restarts=0, tol=1e-9).value / rho

        return abs(float(limit(quotient, 1e-3)) / sharpness.first_order(loss, w, 1.0, p) - 1)

    return max(error(loss, w, p) for loss, w in losses() for p in SMOOTH)


@equation(
    title="Average sharpness is half the trace of the Hessian",
    source="PAC-Bayes theorem of the handwritten notes: the noise in its condition",
    latex=r"E_{z \sim N(0, I)}\, L(w + \sigma z) - L(w) = \frac{\sigma^2}{2}\,\mathrm{tr}\,H"
    r" + O(\sigma^4)",
    function=sharpness.average_case,
    tolerance=0.05,
)
def average_rise() -> float:
    """The mean of 5000 pairs of draws at σ = 0.001 against the trace of the dense Hessian."""
    example, w = exponentials()
    found = sharpness.average_case(example.loss, w, 1e-3, pairs=5000)
    return abs(found.value / (0.5e-6 * float(np.trace(example.hessian(w)))) - 1)


@equation(
    title="The ends of the spectrum, without the matrix",
    source="SAM paper (Foret et al. 2021), 'Sharpness and generalization': the largest eigenvalue "
    "and its ratio to the fifth",
    latex=r"\lambda_{max} = \max_{\|v\|_2 = 1} v^\top H v, \quad \lambda_{max}/\lambda_5",
    function=sharpness.top_eigenvalues,
    tolerance=1e-12,
)
def spectrum() -> float:
    """Five eigenvalues, their ratio and the smallest by Lanczos, against the dense Hessian's."""
    loss, w = network()
    exact = np.linalg.eigvalsh(hessian(loss)(w))[::-1]
    top = sharpness.top_eigenvalues(loss, w, 5, tol=1e-10)
    bottom = sharpness.bottom_eigenvalues(loss, w, 1, tol=1e-10)
    ratio = sharpness.eigenvalue_ratio(top) / (exact[0] / exact[4])
    return max(apart(top, exact[:5]), apart(bottom, exact[-1:]), abs(float(ratio) - 1))


@equation(
    title="The trace, exactly on a subspace and by random signs on the rest",
    source="Meyer, Musco, Musco & Woodruff 2021, Hutch++",
    latex=r"\mathrm{tr}\,H = \mathrm{tr}\,Q^\top H Q"
    r" + E\,z^\top(I - QQ^\top)\,H\,(I - QQ^\top)\,z",
    function=sharpness.trace,
    tolerance=1e-12,
)
def trace_estimate() -> float:
    """A Hessian of rank 6 in 40 dimensions, of which a sketch of 8 leaves nothing to chance."""
    example, w = exponentials(6, 40)
    w = 0.3 * w
    found = sharpness.trace(example.loss, w, 20, sketch=8)
    exact = float(np.trace(example.hessian(w)))
    return max(abs(found.value / exact - 1), found.error / exact)


@equation(
    title="Lanczos' method is Gauss quadrature",
    source="Golub & Welsch 1969; Ghorbani, Krishnan & Xiao 2019",
    latex=r"\sum_{j=1}^m \tau_j^2\,\theta_j^i = v^\top H^i v, \quad i < 2m",
    function=sharpness.spectral_density,
    tolerance=1e-12,
)
def gauss_quadrature() -> float:
    """Moments for a diagonal Hessian, of which every vector of signs sees the trace."""
    slopes, w = np.linspace(-2, 3, 30), np.linspace(-0.5, 0.5, 30)
    curvatures = slopes**2 * np.exp(slopes * w)
    m = 6

    def loss(w: Array) -> Array:
        return np.sum(np.exp(slopes * w))

    density = sharpness.spectral_density(loss, w, steps=m, vectors=2)

    def error(i: int) -> float:
        return abs(density.mean(lambda x: x**i).value / float(np.mean(curvatures**i)) - 1)

    return max(error(i) for i in range(2 * m))


@equation(
    title="The covariance of the gradient noise, without a single example's gradient",
    source="SDE poster, the covariance of SGD's noise; AE-SAM poster, its trace",
    latex=r"\Sigma v = \frac{1}{n}\sum_i (g_i - g)(g_i - g)^\top v"
    r" = \frac{1}{n} J^\top \left(J v - (g^\top v)\,1\right)",
    function=sharpness.covariance_product,
    tolerance=1e-13,
)
def noise_covariance() -> float:
    """Products with random vectors, against the matrix of all examples' gradients."""
    model, w, x, labels = classification()
    rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, labels)
    away = rows - rows.mean(axis=0)

    def part(chosen: slice) -> Loss:
        return lambda w: nn.cross_entropy(model(w, x[chosen]), labels[chosen])

    product, d = sharpness.covariance_product([part(slice(0, 7)), part(slice(7, 12))], w)
    vectors = np.random.default_rng(3).normal(size=(3, d))
    return max(apart(product(v), away.T @ (away @ v) / len(x)) for v in vectors)


@equation(
    title="m-sharpness: every chunk of m examples has a perturbation of its own",
    source="SAM paper (Foret et al. 2021), 'm-sharpness'",
    latex=r"\frac{m}{n}\sum_{c} \left[\max_{\|\epsilon\|_p \leq \rho} L_c(w+\epsilon)"
    r" - L_c(w)\right]",
    function=sharpness.m_sharpness,
    tolerance=1e-13,
)
def chunks() -> float:
    """For linear losses, where each chunk's maximum is ρ times the norm of its gradient."""
    _, w, x, _ = classification()
    w = w[: x.shape[1]]

    def part(rows: Real) -> Loss:
        return lambda w: rows @ w

    chosen = [x[i : i + 3] for i in range(0, len(x), 3)]
    parts = [part(rows) for rows in chosen]

    def error(p: float) -> float:
        slopes = [norm(rows.mean(axis=0), conjugate(p)) for rows in chosen]
        exact = RHO * float(np.mean(slopes))
        return abs(sharpness.m_sharpness(parts, w, RHO, p).value / exact - 1)

    return max(error(p) for p in EXPONENTS)


EQUATIONS = (
    trust_region_conditions,
    largest_rise,
    small_ball,
    average_rise,
    spectrum,
    trace_estimate,
    gauss_quadrature,
    noise_covariance,
    chunks,
)
