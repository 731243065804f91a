"""Errors in the two posters: as corrected each must hold, as printed it must fail.

One ruler measures both forms.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np

from minisam import nn, sam, sharpness
from minisam.arrays import Array
from minisam.autodiff.transforms import grad, hessian
from minisam.equations.algorithm import LR, batches, descend
from minisam.equations.entry import misprint
from minisam.equations.problems import RHO, Real, apart, classification, norm

AE_SAM = "AE-SAM poster"


@misprint(
    title="The maximum is minimised, not the sharpness",
    source="SDE poster, 'Recap on SAM'",
    latex=r"\min_x \max_{\|\epsilon\|_2 \leq \rho} f(x+\epsilon)",
    printed_latex=r"\min_x \left[\max_{\|\epsilon\|_2 \leq \rho} f(x+\epsilon) - f(x)\right]",
    function=sharpness.one_step,
    tolerance=1e-14,
    correct=lambda highest, value: highest,
    printed=lambda highest, value: highest - value,
)
def sde_poster_objective(form: Callable[[Real, Real], Real]) -> float:
    """The largest loss around the form's minimiser, for f = (x² - 1)², against its minimum.

    With ρ = 0.6 the minimum is at x = ±√(1 - ρ²) = ±0.8 and is 4ρ²(1 - ρ²). The sharpness is
    smallest, 0, on the hump at x = 0.
    """
    rho = 0.6

    def f(x: Real) -> Real:
        return (x**2 - 1) ** 2

    x = np.linspace(-2, 2, 81)
    ball = np.linspace(-rho, rho, 61)
    highest = np.max(f(x[:, None] + ball), axis=1)
    chosen = int(np.argmin(form(highest, f(x))))
    # At the minimiser and on the hump the maximum is where equation (2) says, so it agrees.
    at = x[[chosen]]
    climbed = float(f(at)[0]) + sharpness.one_step(lambda w: np.sum(f(w)), at, rho)
    return abs(climbed / (4 * rho**2 * (1 - rho**2)) - 1)


@misprint(
    title="SAM normalises the gradient; without that it is USAM",
    source=f"{AE_SAM}, 'Introduction'",
    latex=r"w_{t+1} = w_t - \eta\,\nabla L\left(w_t"
    r" + \rho\,\frac{\nabla L(w_t)}{\|\nabla L(w_t)\|_2}\right)",
    printed_latex=r"w_{t+1} = w_t - \eta\,\nabla L(w_t + \rho\,\nabla L(w_t))",
    function=sam.SAM,
    tolerance=1e-14,
    correct=lambda g: RHO * g / norm(g, 2),
    printed=lambda g: RHO * g,
)
def ae_sam_poster_update(form: Callable[[Real], Real]) -> float:
    """Steps with the form as the climb, by hand, against those of minisam's SAM."""
    steps, start = batches()
    w = start
    for batch in steps:
        w = w - LR * batch.gradient(w + form(batch.gradient(w)))
    return apart(w, descend(sam.SAM(RHO), [batch.losses for batch in steps], start))


@misprint(
    title="The variance of a batch's gradient",
    source=f"{AE_SAM}, 'A Sharpness Measure' (the line is torn; read as ending in + ‖∇L(D)‖²)",
    latex=r"\mathrm{Var}(\nabla L(B)) = E_B\|\nabla L(B)\|^2 - \|\nabla L(D)\|^2",
    printed_latex=r"\mathrm{Var}(\nabla L(B)) = E_B\|\nabla L(B)\|^2 - \|\nabla L(D)\|^2"
    r" + \|\nabla L(D)\|^2",
    function=nn.per_example_gradients,
    tolerance=1e-14,
    correct=lambda mean_square, square: mean_square - square,
    printed=lambda mean_square, square: mean_square - square + square,
)
def ae_sam_poster_variance(form: Callable[[float, float], float]) -> float:
    """The form against the mean of ‖∇L(B) - ∇L(D)‖², over all batches of 2 of 12 examples."""
    model, w, x, labels = classification()

    def batch_gradient(i: list[int]) -> Array:
        return grad(lambda w: np.mean(nn.cross_entropy(model(w, x[i]), labels[i])))(w)

    rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, labels)
    full = rows.mean(axis=0)
    found = np.array([batch_gradient(list(i)) for i in combinations(range(len(rows)), 2)])
    variance = float(np.mean(np.sum((found - full) ** 2, axis=1)))
    mean_square = float(np.mean(np.sum(found**2, axis=1)))
    return abs(form(mean_square, float(full @ full)) / variance - 1)


@misprint(
    title="The squared gradient of a batch does not approximate the Hessian's trace",
    source=f"{AE_SAM}, 'A Sharpness Measure'",
    latex=r"\mathrm{tr}\,\nabla^2 L = \frac{1}{n}\sum_i E_{y \sim p(\cdot|x_i)}"
    r" \|\nabla\ell(w, x_i, y)\|^2 \quad (\mathrm{softmax\ regression})",
    printed_latex=r"\mathrm{tr}\,\nabla^2 L \approx \|\nabla L(B)\|^2"
    r" = \mathrm{tr}\,\mathrm{diag}([\nabla L(B)]^2)",
    function=nn.per_example_gradients,
    tolerance=1e-14,
    correct=lambda every_label, batch: every_label,
    printed=lambda every_label, batch: batch,
)
def ae_sam_poster_trace(form: Callable[[float, float], float]) -> float:
    """The form against the exact trace: of a squared gradient per example, or of the batch's."""
    rng = np.random.default_rng(10)
    model, x, labels = nn.Linear(3, 4), rng.normal(size=(8, 3)), rng.integers(4, size=8)
    w = rng.normal(size=model.size)

    def examples(w: Array, labels: Array) -> Array:
        return nn.cross_entropy(model(w, x), labels)

    every_label = 0.0
    for y in range(4):
        y_everywhere = np.full(8, y)
        rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, y_everywhere)
        probabilities = np.exp(-examples(w, y_everywhere))
        every_label += float(np.mean(probabilities * np.sum(rows**2, axis=1)))
    batch = norm(grad(lambda w: np.mean(examples(w, labels)))(w), 2) ** 2
    trace = float(np.trace(hessian(lambda w: np.mean(examples(w, labels)))(w)))
    return abs(form(every_label, batch) / trace - 1)


EQUATIONS = (
    sde_poster_objective,
    ae_sam_poster_update,
    ae_sam_poster_variance,
    ae_sam_poster_trace,
)
