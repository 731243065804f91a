"""Errors in the handwritten notes: as corrected each must hold, as printed it must fail.

One ruler measures both forms.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from minisam import sam
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, jacobian
from minisam.equations.entry import misprint
from minisam.equations.problems import RHO, SMOOTH, Real, apart, gradients, losses, norm

NOTES = "handwritten notes, 'solution involves math'"

Solution: TypeAlias = Callable[[Array, float, float], Array]
"""``(g, p, q) -> ε̂``."""

SOLUTION = (
    r"\hat\epsilon = \rho\,\mathrm{sign}(g)\,|g|^{q-1} / (\|g\|_q^q)^{1/p}, \quad g = \nabla L(w)"
)


def equation_2(g: Array, p: float, q: float) -> Array:
    """Return ε̂; the last argument is what the printed forms need beside it."""
    return sam.epsilon_hat(g, RHO, p)


def misses_optimum(form: Solution, p: float) -> float:
    """Return the error of the form's length and gain as the maximiser over the p-ball."""
    q = sam.conjugate(p)
    errors = []
    for g in gradients():
        e = form(g, p, q)
        errors += [abs(norm(e, p) / RHO - 1), abs(float(e @ g) / (RHO * norm(g, q)) - 1)]
    return max(errors)


@misprint(
    title="The power is of the absolute value",
    source=NOTES,
    latex=SOLUTION,
    printed_latex=r"\hat\epsilon = \rho\,\mathrm{sign}(g)\,[g]^{q-1} / (\|g\|_q^q)^{1/p}",
    function=sam.epsilon_hat,
    tolerance=1e-14,
    correct=equation_2,
    # The line has three slips; each is evaluated by itself, with the other two put right.
    printed=lambda g, p, q: RHO * np.sign(g) * g ** (q - 1) / np.sum(np.abs(g) ** q) ** (1 / p),
)
def notes_absolute_value(form: Solution) -> float:
    """The length and the gain of the form, against the maximiser's; p = 2 makes every part real.

    There sign(g) g = |g|: no component of the perturbation is negative.
    """
    return misses_optimum(form, p=2)


@misprint(
    title="The norm divides",
    source=NOTES,
    latex=SOLUTION,
    printed_latex=r"\hat\epsilon = \rho\,\mathrm{sign}(g)\,|g|^{q-1}\,(\|g\|_q^q)^{1/p}",
    function=sam.epsilon_hat,
    tolerance=1e-14,
    correct=equation_2,
    printed=lambda g, p, q: (
        RHO * np.sign(g) * np.abs(g) ** (q - 1) * np.sum(np.abs(g) ** q) ** (1 / p)
    ),
)
def notes_multiplication(form: Solution) -> float:
    """The length and the gain of the form, against those of the maximiser for p = 2."""
    return misses_optimum(form, p=2)


@misprint(
    title="The norm is raised to the power q, not 2",
    source=NOTES,
    latex=SOLUTION,
    printed_latex=r"\hat\epsilon = \rho\,\mathrm{sign}(g)\,|g|^{q-1} / (\|g\|_q^2)^{1/p}",
    function=sam.epsilon_hat,
    tolerance=1e-14,
    correct=equation_2,
    printed=lambda g, p, q: RHO * np.sign(g) * np.abs(g) ** (q - 1) / norm(g, q) ** (2 / p),
)
def notes_power_of_norm(form: Solution) -> float:
    """The length and the gain of the form, against those of the maximiser for p = 3.

    At p = 2 the slip does not show, because q = 2.
    """
    return misses_optimum(form, p=3)


@misprint(
    title="The ball is that of the exponent p",
    source="handwritten notes, 'finding L^SAM via optimization'",
    latex=r"\hat\epsilon = \arg\max_{\|\epsilon\|_p \leq \rho} \epsilon^\top g,"
    r" \quad \frac{1}{p} + \frac{1}{q} = 1, \quad p \in [1, \infty]",
    printed_latex=r"\hat\epsilon = \arg\max_{\|\epsilon\|_2 \leq \rho} \epsilon^\top g,"
    r" \quad \frac{1}{p} + \frac{1}{q} = 1",
    function=sam.epsilon_hat,
    tolerance=1e-14,
    correct=lambda p: p,
    printed=lambda p: 2.0,
)
def notes_exponent_of_ball(form: Callable[[float], float]) -> float:
    """The length of ε̂ in the norm of the constraint, against ρ; ε̂ is taken for each p."""
    return max(
        abs(norm(sam.epsilon_hat(g, RHO, p), form(p)) / RHO - 1)
        for p in (1.0, 1.5, 2.0, 3.0, np.inf)
        for g in gradients()
    )


@misprint(
    title="The Jacobian is transposed",
    source="handwritten notes, 'Dropped'; the SAM paper leaves the layout open",
    latex=r"\left(\frac{\partial\hat\epsilon(w)}{\partial w}\right)^\top"
    r" \nabla L(w)|_{w+\hat\epsilon} = H J_g\,g_a",
    printed_latex=r"\frac{\partial\hat\epsilon(w)}{\partial w}\,\nabla L(w)|_{w+\hat\epsilon}"
    r" = J_g H\,g_a, \quad"
    r" \left(\frac{\partial\hat\epsilon}{\partial w}\right)_{ij}"
    r" = \frac{\partial\hat\epsilon_i}{\partial w_j}",
    function=sam.sam_gradient,
    tolerance=1e-13,
    correct=lambda j, g_a: j.T @ g_a,
    printed=lambda j, g_a: j @ g_a,
)
def notes_transposition(form: Callable[[Real, Real], Real]) -> float:
    """The product with the matrix ∂ε̂/∂w, against the full gradient minus g_a."""
    errors = []
    for loss, w in losses():
        for p in SMOOTH:
            g_a = sam.sam_gradient(loss, w, RHO, p)
            term = sam.sam_gradient(loss, w, RHO, p, order=2) - g_a
            j = jacobian(lambda v, f=loss, p=p: sam.epsilon_hat(grad(f)(v), RHO, p))(w)
            errors.append(apart(form(j, g_a), term))
    return max(errors)


EQUATIONS = (
    notes_absolute_value,
    notes_multiplication,
    notes_power_of_norm,
    notes_exponent_of_ball,
    notes_transposition,
)
