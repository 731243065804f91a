"""What is minimised: the training loss, its maximum over a ball, and the linear model of it."""

import numpy as np

from minisam import nn, sam, sharpness
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, hvp, value_and_grad
from minisam.equations.entry import equation
from minisam.equations.problems import (
    EXPONENTS,
    RHO,
    SMOOTH,
    Loss,
    Real,
    apart,
    classification,
    limit,
    losses,
    network,
    norm,
)
from minisam.optimizers import SGD


@equation(
    title="The training loss is a mean over examples, and so is its gradient",
    source="handwritten notes, 'Training loss'",
    latex=r"L_S(w) = \frac{1}{n}\sum_{i=1}^n \ell(w, x_i, y_i)",
    function=nn.per_example_gradients,
    tolerance=1e-14,
)
def training_loss() -> float:
    """The gradient of the mean loss against the mean of the examples' gradients."""
    model, w, x, labels = classification()
    rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, labels)
    loss, w = network()
    return apart(np.mean(rows, axis=0), grad(loss)(w))


def quadratic() -> tuple[Real, Real]:
    """Return a symmetric positive definite matrix that is not diagonal, and a point."""
    rng = np.random.default_rng(5)
    b = rng.normal(size=(4, 4))
    return b @ b.T + np.eye(4), rng.normal(size=4)


def quadratic_ball_maximum(a: Real, w: Real, rho: float) -> float:
    """Return max ½(w+ε)ᵀA(w+ε) over ‖ε‖₂ = ρ, from (μ - A)ε = Aw with μ > λ_max."""
    values, vectors = np.linalg.eigh(a)
    slope = vectors.T @ (a @ w)
    low, high = values[-1], values[-1] + norm(slope, 2) / rho
    for _ in range(200):  # ‖ε(μ)‖ falls from ∞ to below ρ in this interval
        middle = (low + high) / 2
        if norm(slope / (middle - values), 2) > rho:
            low = middle
        else:
            high = middle
    v = w + vectors @ (slope / (high - values))
    return float(v @ a @ v / 2)


@equation(
    title="SAM's objective is the largest loss in a ball",
    source="handwritten notes, 'SAM optimization problem'; blog introduction, 'The SAM objective "
    "function'",
    latex=r"L_S^{SAM}(w) = \max_{\|\epsilon\|_p \leq \rho} L_S(w+\epsilon)",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def sam_objective() -> float:
    """Equation (2), repeated where it led to, on a quadratic whose maximum is known exactly."""
    a, w = quadratic()

    def loss(v: Array) -> Array:
        return 0.5 * np.sum(v * (a @ v))

    e = np.zeros_like(w)
    for _ in range(100):
        e = sam.epsilon_hat(grad(loss)(w + e), RHO)
    exact = quadratic_ball_maximum(a, w, RHO)
    return abs(float(loss(w + e)) - exact) / exact


@equation(
    title="The regularised objective",
    source="handwritten notes, 'SAM optimization problem'; blog introduction, 'The SAM objective "
    "function'",
    latex=r"\min_w \; L_S^{SAM}(w) + \lambda\|w\|_2^2",
    function=SGD,
    tolerance=1e-13,
)
def weight_decay() -> float:
    """A step of SGD with weight decay 2λ on SAM's gradient, against one on the sum."""
    loss, w = network()
    lr, strength = 0.1, 0.03
    g_a = sam.sam_gradient(loss, w, RHO)
    stepped, _ = SGD(lr, weight_decay=2 * strength).step(w, g_a, {}, lr)
    penalty = grad(lambda w: strength * np.sum(w**2))(w)
    return apart(stepped - w, -lr * (g_a + penalty))


@equation(
    title="The first-order model",
    source="handwritten notes, 'finding L^SAM via optimization'; blog introduction, 'A "
    "closed-form solution'",
    latex=r"L_S(w+\epsilon) = L_S(w) + \epsilon^\top\nabla_w L_S(w) + O(\rho^2),"
    r" \quad \lim_{\rho \to 0} \frac{L(w+\hat\epsilon) - L(w) - \hat\epsilon^\top g}{\rho^2}"
    r" = \frac{1}{2} u^\top H u",
    function=sharpness.one_step,
    tolerance=1e-5,
)
def taylor_remainder() -> float:
    """The remainder over ρ², extrapolated to ρ = 0, against half the curvature along ε̂."""

    def error(loss: Loss, w: Real, p: float) -> float:
        g = grad(loss)(w)
        u = sam.epsilon_hat(g, 1.0, p)

        def remainder(rho: float) -> float:
            return sharpness.one_step(loss, w, rho, p) - rho * norm(g, sam.conjugate(p))

        curvature = 0.5 * float(u @ hvp(loss, w, u))
        return apart(limit(lambda rho: remainder(rho) / rho**2, 1e-3), curvature)

    return max(error(loss, w, p) for loss, w in losses() for p in EXPONENTS)


@equation(
    title="L(w) may be dropped from the first-order model: equal, not approximately equal",
    source="handwritten notes, 'finding L^SAM via optimization', where the second ≈ is an =",
    latex=r"\arg\max_{\|\epsilon\|_p \leq \rho} [L_S(w) + \epsilon^\top\nabla_w L_S(w)]"
    r" = \arg\max_{\|\epsilon\|_p \leq \rho} \epsilon^\top\nabla_w L_S(w)",
    function=sam.epsilon_hat,
    tolerance=1e-14,
)
def linear_argmax() -> float:
    """Among points of the ball both are largest at ε̂, and the values differ by L(w)."""
    loss, w = network()
    value, g = value_and_grad(loss)(w)
    rng = np.random.default_rng(6)
    errors = []
    for p in SMOOTH:
        points = rng.normal(size=(2000, w.size))
        points *= RHO / np.linalg.norm(points, p, axis=1, keepdims=True)
        points = np.vstack([points, sam.epsilon_hat(g, RHO, p)])
        linear = points @ g
        model = value + linear
        same = np.argmax(model) == np.argmax(linear) == len(points) - 1
        gain = RHO * norm(g, sam.conjugate(p))
        errors += [float(not same), abs(float(model.max() - value) / gain - 1)]
    return max(errors)


EQUATIONS = (
    training_loss,
    sam_objective,
    weight_decay,
    taylor_remainder,
    linear_argmax,
)
