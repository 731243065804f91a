"""What goes wrong in A3, SAM's gradient."""

from tests.course.wrong import Spoiled, Wrong

SPOILED = Spoiled("limit", "limit_of_term", "order-and-limit")

PRODUCT = "return ms.jvp(ms.grad(loss), (w,), (v,))[1]"
EPSILON = "return rho * g / length if length > 0 else np.zeros_like(g)"
AT = "return ms.grad(loss)(w + perturbation(g, rho))"
SIDEWAYS = "return v - g * (g @ v) / (g @ g)"
TERM = "return rho / np.sqrt(np.sum(g**2)) * hessian_vector(loss, w, sideways(g_a, g))"

WRONG = [
    Wrong(
        "a difference of gradients",
        "hessian-vector",
        PRODUCT,
        "return (ms.grad(loss)(w + 1e-5 * v) - ms.grad(loss)(w - 1e-5 * v)) / 2e-5",
        "hessian-vector-values",
        "a difference quotient",
        9,
    ),
    Wrong(
        "the whole Hessian",
        "hessian-vector",
        PRODUCT,
        "rows = [ms.grad(lambda w, i=i: ms.grad(loss)(w)[i])(w) for i in range(w.size)]\n"
        "    return np.array(rows) @ v",
        "hessian-vector-cost",
        "the whole Hessian",
        9,
    ),
    Wrong(
        "calls the library",
        "hessian-vector",
        PRODUCT,
        "return ms.hvp(loss, w, v)",
        "hessian-vector-values",
        "calls hvp of the library",
        9,
    ),
    Wrong(
        "not normalised",
        "first-order",
        EPSILON,
        "return rho * g",
        "perturbation-length",
        "not normalised",
        9,
    ),
    Wrong(
        "a small number in the denominator",
        "first-order",
        EPSILON,
        "return rho * g / (length + 1e-12)",
        "perturbation-length",
        "a small number in the denominator",
        9,
    ),
    Wrong(
        "NaN at zero",
        "first-order",
        EPSILON,
        "return rho * g / length",
        "perturbation-length",
        "NaN at zero",
        9,
    ),
    Wrong(
        "downhill",
        "first-order",
        AT,
        "return ms.grad(loss)(w - perturbation(g, rho))",
        "first-order-values",
        "downhill",
        9,
    ),
    Wrong(
        "differentiated through the perturbation",
        "first-order",
        AT,
        "return ms.grad(lambda w: loss(w + perturbation(ms.grad(loss)(w), rho)))(w)",
        "first-order-values",
        "differentiated through",
        8,
    ),
    Wrong(
        "w is moved, and moved back",
        "first-order",
        AT,
        "e = perturbation(g, rho)\n    w += e\n    g_a = ms.grad(loss)(w)\n    w -= e\n"
        "    return g_a",
        "first-order-manners",
        "w was changed",
        9,
    ),
    Wrong(
        "projected with ‖g‖ instead of its square",
        "projection",
        SIDEWAYS,
        "return v - g * (g @ v) / np.sqrt(g @ g)",
        "projection-values",
        "divided by ‖g‖ instead of ‖g‖²",
        9,
    ),
    Wrong(
        "the part along g instead of the rest",
        "projection",
        SIDEWAYS,
        "return g * (g @ v) / (g @ g)",
        "projection-values",
        "P removes the part along g",
        9,
    ),
    Wrong(
        "P H for H P",
        "dropped",
        TERM,
        "return rho / np.sqrt(np.sum(g**2)) * sideways(hessian_vector(loss, w, g_a), g)",
        "dropped-on-a-quadratic",
        "wrong order of the matrices",
        8,
    ),
    Wrong(
        "no projection",
        "dropped",
        "sideways(g_a, g)",
        "g_a",
        "dropped-on-a-quadratic",
        "P is missing",
        8,
    ),
    Wrong(
        "no length of the gradient",
        "dropped",
        "rho / np.sqrt(np.sum(g**2)) * hess",
        "rho * hess",
        "dropped-on-a-quadratic",
        "the factor 1/‖g‖ is missing",
        8,
    ),
    Wrong(
        "the Hessian at w + ε̂",
        "dropped",
        "hessian_vector(loss, w, sideways(g_a, g))",
        "hessian_vector(loss, w + perturbation(g, rho), sideways(g_a, g))",
        "dropped-elsewhere",
        "the Hessian at the wrong point",
        9,
    ),
    Wrong(
        "the second term subtracted",
        "second-order",
        "+ dropped_term",
        "- dropped_term",
        "second-order-values",
        "not the derivative of F",
        9,
    ),
    Wrong(
        "of order one",
        "limit",
        "return 2",
        "return 1",
        "order-and-limit",
        "P was overlooked",
        9,
    ),
]
