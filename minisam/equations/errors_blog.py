"""Errors in the blog introduction: as corrected each must hold, as printed it must fail.

One ruler measures both forms.
"""

import math
from collections.abc import Callable

import numpy as np

from minisam import sam, sharpness
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, jvp, vjp
from minisam.equations.algorithm import gradients_taken
from minisam.equations.bound import divergence
from minisam.equations.entry import misprint
from minisam.equations.problems import RHO, Loss, Real, apart, differences, network

BLOG = "blog introduction"


@misprint(
    title="The second term is a vector-Jacobian product",
    source=f"{BLOG}, 'The SAM gradient'",
    latex=r"(v^\top J)^\top = J^\top v = H J_g\,v, \quad J = \frac{d\hat\epsilon(w)}{dw},"
    r" \; v = g_a",
    printed_latex=r"\mathrm{JvP:} \quad J v = J_g H\,v",
    function=vjp,
    tolerance=3e-11,
    correct=lambda climb, w, g_a: vjp(climb, w)[1](g_a),
    printed=lambda climb, w, g_a: jvp(climb, (w,), (g_a,))[1],
)
def blog_vector_jacobian(form: Callable[[Loss, Real, Real], Real]) -> float:
    """The product of w ↦ ε̂(w) with g_a, against differences of L(w + ε̂(w)) minus g_a."""
    loss, w = network()

    def climb(v: Array) -> Array:
        return sam.epsilon_hat(grad(loss)(v), RHO)

    g_a = grad(loss)(w + climb(w))
    return apart(g_a + form(climb, w, g_a), differences(lambda v: loss(v + climb(v)), w))


@misprint(
    title="L(w) cancels; it is not dropped",
    source=f"{BLOG}, 'The SAM objective function'",
    latex=r"L^{SAM}(w) = \left[\max_{\|\epsilon\| \leq \rho} L(w+\epsilon) - L(w)\right] + L(w)",
    printed_latex=r"L^{SAM}(w) = \max_{\|\epsilon\| \leq \rho} L(w+\epsilon) - L(w)"
    r" \quad (\mathrm{the\ term\ } L(w) \mathrm{\ dropped})",
    function=sharpness.one_step,
    tolerance=3e-11,
    correct=lambda sharp, value: sharp + value,
    printed=lambda sharp, value: sharp,
)
def blog_dropped_loss(form: Callable[[float, float], float]) -> float:
    """Differences of the form, with ε̂ as the maximiser, against SAM's gradient of order 2."""
    loss, w = network()
    full = sam.sam_gradient(loss, w, RHO, order=2)

    def objective(v: Real) -> float:
        return form(sharpness.one_step(loss, v, RHO), float(loss(v)))

    return apart(differences(objective, w), full)


@misprint(
    title="SAM costs two gradients a step",
    source=f"{BLOG}, introduction: 'improved efficiency'",
    latex=r"\mathrm{cost}(SAM) = 2\,\mathrm{cost}(ERM)",
    printed_latex=r"\mathrm{cost}(SAM) \leq \mathrm{cost}(ERM)",
    function=sam.SAM,
    tolerance=0.0,
    correct=lambda erm: 2 * erm,
    printed=lambda erm: erm,
)
def blog_efficiency(form: Callable[[int], int]) -> float:
    """The cost claimed, from ERM's, against the gradients that a step of SAM takes."""
    return abs(form(gradients_taken(sam.ERM())) / gradients_taken(sam.SAM(RHO)) - 1)


@misprint(
    title="h is no identity, and no matrix",
    source=f"{BLOG}, 'Sharpness-based generalization bounds': 'usually the identity matrix'",
    latex=r"h(x) = \sqrt{\frac{k \ln\left(1 + x\left(1+\sqrt{\ln n/k}\right)^2\right)"
    r" + 4\ln\frac{n}{\delta} + 8\ln(6n+3k)}{n-1}}",
    printed_latex=r"h(x) = x",
    function=sharpness.complexity,
    tolerance=1e-12,
    correct=lambda x, n, k: sharpness.complexity(x, n, k).h,
    printed=lambda x, n, k: x,
)
def blog_identity(form: Callable[[float, int, int], float]) -> float:
    """The rise of (n - 1)h² from x = 0 on, against twice the divergence from the best prior."""
    n, k, rho, w_norm = 60_000, 100, 0.1, 0.05
    x = (w_norm / rho) ** 2
    rise = (n - 1) * (form(x, n, k) ** 2 - form(0.0, n, k) ** 2)
    exact = 2 * divergence(w_norm, sharpness.noise_scale(rho, n, k), k)
    return abs(rise / exact - 1)


def _unlucky(n: int, short: float) -> float:
    """Return P(B <= n/2 - short) for the number of heads B of n fair coins, exactly."""
    most = math.floor(n / 2 - short)
    ways = sum(math.comb(n, heads) for heads in range(most + 1))
    return ways / 2**n if most >= 0 else 0.0


@misprint(
    title="The bound holds for most training sets, not for all",
    source=f"{BLOG}, 'Sharpness-based generalization bounds': 'guaranteed to be greater than or "
    "equal to the true loss'",
    latex=r"P_S\left(L_D(w) \leq \max_{\|\epsilon\|_2 \leq \rho} L_S(w+\epsilon)"
    r" + h(\|w\|_2^2/\rho^2)\right) \geq 1 - \delta",
    printed_latex=r"L_D(w) \leq \max_{\|\epsilon\|_2 \leq \rho} L_S(w+\epsilon)"
    r" + h(\|w\|_2^2/\rho^2) \quad \mathrm{for\ every\ } S",
    function=sharpness.pac_bayes_bound,
    tolerance=0.0,
    correct=lambda chance, delta: max(0.0, chance - delta),
    printed=lambda chance, delta: float(chance > 0),
)
def blog_guarantee(form: Callable[[float, float], float]) -> float:
    """Losses that are fair coins, whatever w: the sets of 2000 for which the bound fails, counted.

    With no coin on heads the bound is h = 0.24, but the population loss is 1/2.
    """
    n, delta = 2000, 0.05
    bound = sharpness.pac_bayes_bound(
        lambda w: 0 * w[0] * np.ones(n), np.zeros(1), 1.0, delta=delta, restarts=0
    )
    return form(_unlucky(n, n * bound.value), delta)


EQUATIONS = (
    blog_vector_jacobian,
    blog_dropped_loss,
    blog_efficiency,
    blog_identity,
    blog_guarantee,
)
