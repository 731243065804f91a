"""Errors in the blog introduction: as corrected each must hold, as printed it must fail.

One ruler measures both forms.
"""

from collections.abc import Callable

from minisam import sam, sharpness
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, jvp, vjp
from minisam.equations.algorithm import gradients_taken
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


EQUATIONS = (
    blog_vector_jacobian,
    blog_dropped_loss,
    blog_efficiency,
)
