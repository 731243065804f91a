"""Equation (2): the perturbation, each step of its derivation, its limits, its Jacobian."""

import numpy as np

from minisam import sam
from minisam.autodiff.transforms import jacobian
from minisam.equations.entry import equation
from minisam.equations.problems import EXPONENTS, RHO, SMOOTH, Real, apart, gradients, norm

PAPER = "SAM paper (Foret et al. 2021), equation (2)"
DERIVATION = f"derivation of {PAPER}"


@equation(
    title="Conjugate exponents",
    source=f"{PAPER}; handwritten notes",
    latex=r"\frac{1}{p} + \frac{1}{q} = 1 \;\Rightarrow\; \frac{q}{p} = q - 1",
    function=sam.conjugate,
    tolerance=1e-14,
)
def conjugate_exponents() -> float:
    """Both identities for every p; at the ends q is exactly inf and 1."""
    ends = abs(1 / sam.conjugate(1) - 0) + abs(sam.conjugate(np.inf) - 1)
    errors = [ends]
    for p in EXPONENTS[1:-1]:
        q = sam.conjugate(p)
        errors += [abs(1 / p + 1 / q - 1), abs(q / p - (q - 1)) / (q - 1)]
    return max(errors)


@equation(
    title="Hölder's inequality is sharp",
    source=DERIVATION,
    latex=r"|\epsilon^\top g| \leq \|\epsilon\|_p\,\|g\|_q,"
    r" \quad \hat\epsilon^\top g = \|\hat\epsilon\|_p\,\|g\|_q",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def holder_inequality() -> float:
    """The largest quotient of the two sides, over random vectors and ε̂, against 1."""
    rng = np.random.default_rng(3)
    errors = []
    for p in EXPONENTS:
        q = sam.conjugate(p)
        for g in gradients():
            points = np.vstack([rng.normal(size=(500, g.size)), sam.epsilon_hat(g, RHO, p)])
            lengths = np.linalg.norm(points, p, axis=1)
            errors.append(abs(float(np.max(np.abs(points @ g) / lengths)) / norm(g, q) - 1))
    return max(errors)


@equation(
    title="When Hölder's inequality is an equality",
    source=DERIVATION,
    latex=r"\frac{|\hat\epsilon_i|^p}{\|\hat\epsilon\|_p^p} = \frac{|g_i|^q}{\|g\|_q^q},"
    r" \quad \hat\epsilon_i g_i \geq 0",
    function=sam.epsilon_hat,
    tolerance=1e-12,
)
def holder_equality() -> float:
    """The two distributions over coordinates, and the signs, for every 1 < p < inf."""
    errors = []
    for p in EXPONENTS[1:-1]:
        q = sam.conjugate(p)
        for g in gradients():
            e = sam.epsilon_hat(g, RHO, p)
            share, expected = np.abs(e / norm(e, p)) ** p, np.abs(g / norm(g, q)) ** q
            errors += [apart(share, expected), float(np.any(e * g < 0))]
    return max(errors)


@equation(
    title="The solution of the dual norm problem",
    source=f"{PAPER}; blog introduction, 'A closed-form solution'",
    latex=r"\hat\epsilon(w) = \rho\,\mathrm{sign}(g)\,|g|^{q-1} / (\|g\|_q^q)^{1/p}"
    r" = \rho\,\mathrm{sign}(g)\,(a/\|a\|_q)^{q-1},"
    r" \quad g = \nabla_w L_S(w), \; a = |g|/\max|g|",
    function=sam.epsilon_hat,
    tolerance=1e-13,
)
def dual_norm_solution() -> float:
    """The scale-free form that is computed, against the form that is printed."""
    errors = []
    for p in EXPONENTS[1:-1]:
        q = sam.conjugate(p)
        for g in gradients()[:2]:  # the third underflows in the printed form at p = 1.01
            literal = RHO * np.sign(g) * np.abs(g) ** (q - 1) / np.sum(np.abs(g) ** q) ** (1 / p)
            errors.append(apart(sam.epsilon_hat(g, RHO, p), literal))
    return max(errors)


@equation(
    title="The perturbation reaches the sphere",
    source=DERIVATION,
    latex=r"\|\hat\epsilon\|_p = \rho",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def dual_norm_length() -> float:
    """The length of ε̂ against ρ, for every p."""
    return max(
        abs(norm(sam.epsilon_hat(g, RHO, p), p) / RHO - 1) for p in EXPONENTS for g in gradients()
    )


@equation(
    title="The maximum is ρ times the dual norm",
    source=DERIVATION,
    latex=r"\max_{\|\epsilon\|_p \leq \rho} \epsilon^\top g = \hat\epsilon^\top g = \rho\,\|g\|_q",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def dual_norm_value() -> float:
    """The gain g·ε̂ against ρ‖g‖_q, for every p."""
    return max(
        abs(float(g @ sam.epsilon_hat(g, RHO, p)) / (RHO * norm(g, sam.conjugate(p))) - 1)
        for p in EXPONENTS
        for g in gradients()
    )


@equation(
    title="The perturbation does not depend on the gradient's scale",
    source=DERIVATION,
    latex=r"\hat\epsilon(c\,g) = \hat\epsilon(g) \quad \forall c > 0",
    function=sam.epsilon_hat,
    tolerance=1e-13,
)
def dual_norm_scale() -> float:
    """The perturbation of c·g for c from 1e-200 to 1e200, for every p."""
    return max(
        apart(sam.epsilon_hat(c * g, RHO, p), sam.epsilon_hat(g, RHO, p))
        for c in (1e-200, 1e-5, 3.7, 1e200)
        for p in EXPONENTS
        for g in gradients()
    )


@equation(
    title="No point of the ball does better",
    source=PAPER,
    latex=r"\hat\epsilon = \arg\max_{\|\epsilon\|_p \leq \rho} \epsilon^\top \nabla_w L_S(w)",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def dual_norm_optimal() -> float:
    """How much the best of random points on the sphere, many of them close to ε̂, gains on it."""
    rng = np.random.default_rng(4)
    errors = []
    for p in EXPONENTS:
        for g in gradients():
            e = sam.epsilon_hat(g, RHO, p)
            far = rng.normal(size=(1000, g.size))
            near = e + 10.0 ** rng.uniform(-8, 0, size=(1000, 1)) * far
            points = np.vstack([far, near])
            points *= RHO / np.linalg.norm(points, p, axis=1, keepdims=True)
            errors += [float(np.max(points @ g) / (e @ g)) - 1, norm(e, p) / RHO - 1]
    return max(0.0, *errors)


@equation(
    title="The limit p → 1+ shares ρ among the largest components",
    source=f"{PAPER}, which is undefined at p = 1",
    latex=r"\lim_{p \to 1^+} \hat\epsilon_i = \frac{\rho}{m}\,\mathrm{sign}(g_i)"
    r"\,[\,|g_i| = \max|g|\,], \quad m = \#\{i : |g_i| = \max|g|\}",
    function=sam.epsilon_hat,
    tolerance=1.5e-6,
)
def limit_p_to_1() -> float:
    """The solution at p = 1 + 1e-6 against that at p = 1, with and without ties."""
    p = 1 + 1e-6
    return max(apart(sam.epsilon_hat(g, RHO, p), sam.epsilon_hat(g, RHO, 1)) for g in gradients())


@equation(
    title="The limit p → ∞ is the sign",
    source=PAPER,
    latex=r"\lim_{p \to \infty} \hat\epsilon = \rho\,\mathrm{sign}(g), \quad \mathrm{sign}(0) = 0",
    function=sam.epsilon_hat,
    tolerance=3e-11,
)
def limit_p_to_infinity() -> float:
    """The solution at p = 1e12 against that at p = inf, also with a zero component."""
    return max(
        apart(sam.epsilon_hat(g, RHO, 1e12), sam.epsilon_hat(g, RHO, np.inf))
        + apart(sam.epsilon_hat(g, RHO, np.inf), RHO * np.sign(g))
        for g in (*gradients(), np.array([0.0, -2.0, 0.5]))
    )


@equation(
    title="For p = 2 the gradient is rescaled to length ρ",
    source="SAM paper (Foret et al. 2021), footnote 2; SDE poster, 'Recap on SAM'",
    latex=r"p = 2: \quad \hat\epsilon(w) = \rho\,\frac{\nabla L(w)}{\|\nabla L(w)\|_2}",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def rescaled_gradient() -> float:
    """The solution at p = 2 against ρ g/‖g‖."""
    return max(apart(sam.epsilon_hat(g, RHO), RHO * g / norm(g, 2)) for g in gradients())


def jacobian_matrix(g: Real, p: float) -> Real:
    """Return ∂ε̂/∂g from the closed form, column by column."""
    columns = [sam.jacobian_product(g, e, RHO, p) for e in np.eye(g.size)]
    return np.stack(columns, axis=1)


@equation(
    title="The Jacobian of the perturbation",
    source=DERIVATION,
    latex=r"\frac{\partial\hat\epsilon}{\partial g} = \frac{\rho(q-1)}{\|g\|_q}"
    r"\left[\mathrm{diag}\left(\frac{|g|}{\|g\|_q}\right)^{q-2} - u u^\top\right],"
    r" \quad u = \hat\epsilon/\rho",
    function=sam.jacobian_product,
    tolerance=1e-12,
)
def perturbation_jacobian() -> float:
    """The closed form against differentiation through ε̂; for p = 1 and inf both are 0."""
    errors = []
    for g in gradients():
        for p in SMOOTH:
            through = jacobian(lambda g, p=p: sam.epsilon_hat(g, RHO, p))(g)
            errors.append(apart(jacobian_matrix(g, p), through))
        for p in (1.0, np.inf):
            through = jacobian(lambda g, p=p: sam.epsilon_hat(g, RHO, p))(g)
            errors.append(float(np.max(np.abs(through)) + np.max(np.abs(jacobian_matrix(g, p)))))
    return max(errors)


@equation(
    title="The Jacobian is symmetric and annihilates the gradient",
    source=DERIVATION,
    latex=r"J_g = J_g^\top, \quad J_g\,g = 0, \quad J_g = \frac{\partial\hat\epsilon}{\partial g}",
    function=sam.jacobian_product,
    tolerance=1e-14,
)
def jacobian_symmetry() -> float:
    """Both; J_g g is a difference of two terms (q - 1) ε̂, and relative to one of them."""
    errors = []
    for g in gradients():
        for p in SMOOTH:
            j = jacobian_matrix(g, p)
            term = (sam.conjugate(p) - 1) * sam.epsilon_hat(g, RHO, p)
            along = sam.jacobian_product(g, g, RHO, p)
            errors += [apart(j.T, j), float(np.max(np.abs(along / term)))]
    return max(errors)


EQUATIONS = (
    conjugate_exponents,
    holder_inequality,
    holder_equality,
    dual_norm_solution,
    dual_norm_length,
    dual_norm_value,
    dual_norm_scale,
    dual_norm_optimal,
    limit_p_to_1,
    limit_p_to_infinity,
    rescaled_gradient,
    perturbation_jacobian,
    jacobian_symmetry,
)
