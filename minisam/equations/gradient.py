"""SAM's gradient: the chain rule, its two terms, what equation (3) drops and how large that is."""

import numpy as np

from minisam import sam
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, hessian, hvp, jacobian, jvp, vjp
from minisam.equations.entry import equation
from minisam.equations.problems import (
    EXPONENTS,
    RHO,
    SMOOTH,
    Loss,
    Real,
    apart,
    differences,
    exponentials,
    limit,
    losses,
    network,
    norm,
)

EXPANSION = "SAM paper (Foret et al. 2021), the expansion between equations (2) and (3)"


@equation(
    title="SAM's gradient, nothing dropped",
    source=f"{EXPANSION}; handwritten notes; blog introduction, 'The SAM gradient'",
    latex=r"\frac{d}{dw} L(w+\hat\epsilon(w)) = g_a + H J_g\,g_a,"
    r" \quad g_a = \nabla L(w)|_{w+\hat\epsilon(w)}, \; H = \nabla^2 L(w),"
    r" \; J_g = \frac{\partial\hat\epsilon}{\partial g}",
    function=sam.sam_gradient,
    tolerance=3e-14,
)
def gradient_closed_form() -> float:
    """The closed form, against differentiation through ε̂ and the gradient inside it."""

    def error(loss: Loss, w: Real, p: float) -> float:
        closed = sam.sam_gradient(loss, w, RHO, p, order=2)
        through = sam.sam_gradient_through(loss, w, RHO, p)
        # J_g carries the factor q - 1, and with it the rounding of g: 100 for p = 1.01.
        growth = max(1.0, sam.conjugate(p) - 1) if p > 1 else 1.0
        return apart(closed, through) / growth

    return max(error(loss, w, p) for loss, w in losses() for p in EXPONENTS)


@equation(
    title="SAM's gradient is the derivative of L(w + ε̂(w))",
    source=EXPANSION,
    latex=r"\left[\frac{d}{dw} L(w+\hat\epsilon(w))\right]_i"
    r" = \frac{\partial}{\partial t} L(v+\hat\epsilon(v))|_{t=0}, \quad v = w + t e_i",
    function=sam.sam_gradient,
    tolerance=3e-11,
)
def gradient_by_differences() -> float:
    """The closed form, coordinate by coordinate, against differences of values alone."""

    def error(loss: Loss, w: Real, p: float) -> float:
        def climbed(v: Real) -> Array:
            return loss(v + sam.epsilon_hat(grad(loss)(v), RHO, p))

        return apart(sam.sam_gradient(loss, w, RHO, p, order=2), differences(climbed, w))

    # For p > 2 the slope of ε̂ is infinite where a component of g is 0; the network has some that
    # are too close to it for a difference.
    example, w = exponentials()
    smooth = [error(*network(), p) for p in SMOOTH if p <= 2]
    return max(*smooth, *(error(example.loss, w, p) for p in SMOOTH))


@equation(
    title="The first term: the gradient at the perturbed point",
    source="SAM paper (Foret et al. 2021), equation (3); handwritten notes; blog introduction",
    latex=r"\nabla_w L_S^{SAM}(w) \approx \nabla_w L_S(w)|_{w+\hat\epsilon(w)}",
    function=sam.sam_gradient,
    tolerance=1e-14,
)
def equation_3() -> float:
    """Order 1, against the derivative with ε̂ held constant and the gradient written out."""
    example, w = exponentials()
    errors = []
    for p in EXPONENTS:
        e = sam.epsilon_hat(example.gradient(w), RHO, p)
        held = grad(lambda v, e=e: example.loss(v + e))(w)
        first = sam.sam_gradient(example.loss, w, RHO, p)
        errors += [apart(first, held), apart(first, example.gradient(w + e))]
    return max(errors)


@equation(
    title="The second term, by matrices",
    source=f"{EXPANSION}; handwritten notes, 'Dropped'",
    latex=r"\left(\frac{d\hat\epsilon(w)}{dw}\right)^\top g_a = H J_g\,g_a,"
    r" \quad p = 2: \; \frac{\rho}{\|g\|_2}\,H(I - \hat g\hat g^\top)\,g_a",
    function=sam.sam_gradient_through,
    tolerance=1e-13,
)
def second_term() -> float:
    """Full gradient minus g_a, against H, J_g and (for p = 2) the projection written out."""
    example, w = exponentials()
    g, h = example.gradient(w), example.hessian(w)
    errors = [apart(hessian(example.loss)(w), h)]
    for p in SMOOTH:
        g_a = example.gradient(w + sam.epsilon_hat(g, RHO, p))
        j = jacobian(lambda g, p=p: sam.epsilon_hat(g, RHO, p))(g)
        term = sam.sam_gradient_through(example.loss, w, RHO, p) - g_a
        errors.append(apart(term, h @ j @ g_a))
        if p == 2:
            unit = g / norm(g, 2)
            projected = g_a - unit * (unit @ g_a)
            errors.append(apart(term, RHO / norm(g, 2) * (h @ projected)))
    return max(errors)


@equation(
    title="The second term costs one Hessian-vector product, at w",
    source=EXPANSION,
    latex=r"\left(\frac{d\hat\epsilon(w)}{dw}\right)^\top g_a"
    r" = \nabla^2 L(w)\,(J_g\,g_a)",
    function=hvp,
    tolerance=1e-13,
)
def hessian_vector_product() -> float:
    """One product with the Hessian, against the pullback of w ↦ ε̂(∇L(w))."""

    def error(loss: Loss, w: Real, p: float) -> float:
        e, pullback = vjp(lambda v: sam.epsilon_hat(grad(loss)(v), RHO, p), w)
        g_a = grad(loss)(w + e)
        product = hvp(loss, w, sam.jacobian_product(grad(loss)(w), g_a, RHO, p))
        return apart(product, pullback(g_a))

    return max(error(loss, w, p) for loss, w in losses() for p in SMOOTH)


@equation(
    title="The dropped term is of second order in ρ",
    source="SAM paper (Foret et al. 2021), equation (3); handwritten notes, 'Dropped'",
    latex=r"\lim_{\rho \to 0} \frac{1}{\rho^2}\left(\frac{d\hat\epsilon}{dw}\right)^\top g_a"
    r" = \frac{H P H \hat g}{\|g\|_2}, \quad P = I - \hat g\hat g^\top, \; p = 2",
    function=sam.sam_gradient,
    tolerance=1e-5,
)
def dropped_term() -> float:
    """Order 2 minus order 1, over ρ² and extrapolated to ρ = 0, against the limit."""

    def error(loss: Loss, w: Real) -> float:
        g = grad(loss)(w)
        unit = g / norm(g, 2)
        turned = hvp(loss, w, unit)
        expected = hvp(loss, w, turned - unit * (unit @ turned)) / norm(g, 2)

        def term(rho: float) -> Array:
            return sam.sam_gradient(loss, w, rho, order=2) - sam.sam_gradient(loss, w, rho)

        return apart(limit(lambda rho: term(rho) / rho**2, 1e-3), expected)

    return max(error(loss, w) for loss, w in losses())


@equation(
    title="The gradient of the loss plus ρ times the gradient's norm",
    source="SDE poster, the regularised loss that SAM minimises implicitly (without noise)",
    latex=r"\nabla\left(L + \rho\,\|\nabla L\|_q\right) = g + \rho H u,"
    r" \quad u = \hat\epsilon/\rho",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def penalty_gradient() -> float:
    """The norm of the gradient differentiated, against one product of the Hessian with ε̂."""

    def error(loss: Loss, w: Real, p: float) -> float:
        q = sam.conjugate(p)
        penalty = grad(lambda v: np.sum(np.abs(grad(loss)(v)) ** q) ** (1 / q))(w)
        g = grad(loss)(w)
        return apart(g + RHO * penalty, g + hvp(loss, w, sam.epsilon_hat(g, RHO, p)))

    return max(error(loss, w, p) for loss, w in losses() for p in SMOOTH)


@equation(
    title="SAM follows that gradient up to second order in ρ",
    source="SDE poster, the regularised loss that SAM minimises implicitly (without noise)",
    latex=r"\nabla L(w+\hat\epsilon) = \nabla(L + \rho\,\|\nabla L\|_q) + O(\rho^2),"
    r" \quad \lim_{\rho \to 0} \frac{g_a - g - \rho H u}{\rho^2}"
    r" = \frac{1}{2}\,\nabla^3 L(w)[u, u]",
    function=sam.sam_gradient,
    tolerance=3e-5,
)
def first_order_is_penalty() -> float:
    """The difference over ρ², extrapolated to ρ = 0, against the third derivative along ε̂."""

    def error(loss: Loss, w: Real, p: float) -> float:
        g = grad(loss)(w)
        u = sam.epsilon_hat(g, 1.0, p)
        turned, third = jvp(lambda v: hvp(loss, v, u), (w,), (u,))

        def rest(rho: float) -> Array:
            return sam.sam_gradient(loss, w, rho, p) - g - rho * turned

        return apart(limit(lambda rho: rest(rho) / rho**2, 1e-3), third / 2)

    return max(error(loss, w, p) for loss, w in losses() for p in (1.0, 2.0, np.inf))


EQUATIONS = (
    gradient_closed_form,
    gradient_by_differences,
    equation_3,
    second_term,
    hessian_vector_product,
    dropped_term,
    penalty_gradient,
    first_order_is_penalty,
)
