"""Algorithm 1 and what its steps do: on batches, on quadratics, in ASAM's metric."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from minisam import nn, sam
from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.equations.entry import equation
from minisam.equations.objective import quadratic
from minisam.equations.problems import (
    EXPONENTS,
    RHO,
    SMOOTH,
    Exponentials,
    Loss,
    Real,
    apart,
    classification,
    exponentials,
    norm,
)
from minisam.optimizers import SGD

LR = 0.05
ALGORITHM = "SAM paper (Foret et al. 2021), Algorithm 1"


def batches(steps: int = 6) -> tuple[list[Exponentials], Real]:
    """Return a batch of three examples for each step, and where to start."""
    example, w = exponentials(examples=12)
    rng = np.random.default_rng(8)
    return [Exponentials(example.b[rng.permutation(12)[:3]]) for _ in range(steps)], w / 4


def descend(method: sam.Method, losses: Sequence[Loss], w: Real, lr: float = LR) -> Real:
    """Return the parameters after one step of the method and plain SGD for each batch's losses."""
    optimizer = SGD(lr)
    state, memory = method.init(w), optimizer.init(w)
    for t, batch in enumerate(losses):
        step = method.gradient(batch, w, state, t, len(losses))
        state = step.state
        w, memory = optimizer.step(w, step.g, memory, lr)
    return w


def gradients_taken(method: sam.Method) -> int:
    """Return how often one step of the method evaluates the batch's losses to differentiate them.

    A step that writes to the parameters it was given counts as no step at all.
    """
    (batch,), w = batches(steps=1)
    passes = []

    def losses(v: Array) -> Array:
        passes.append(v)
        return batch.losses(v)

    before = w.tobytes()
    method.gradient(losses, w, method.init(w))
    return len(passes) if w.tobytes() == before else 0


@equation(
    title="Algorithm 1",
    source=f"{ALGORITHM}; SDE poster, SAM",
    latex=r"w_{t+1} = w_t - \eta\,\nabla_w L_B(w)|_{w_t+\hat\epsilon(w_t)},"
    r" \quad \hat\epsilon(w_t) = \rho\,\nabla L_B(w_t) / \|\nabla L_B(w_t)\|_2",
    function=sam.SAM,
    tolerance=1e-14,
)
def algorithm_1() -> float:
    """Steps on changing batches, replayed by hand; w kept bit for bit, two gradients a step."""
    steps, start = batches()
    w = start
    for batch in steps:
        g = batch.gradient(w)
        w = w - LR * batch.gradient(w + RHO * g / norm(g, 2))
    found = descend(sam.SAM(RHO), [batch.losses for batch in steps], start)
    return apart(found, w) + abs(gradients_taken(sam.SAM(RHO)) - 2)


@equation(
    title="Empirical risk minimisation",
    source="AE-SAM poster, 'Introduction'",
    latex=r"w_{t+1} = w_t - \eta\,\nabla L(B_t; w_t)",
    function=sam.ERM,
    tolerance=1e-14,
)
def erm() -> float:
    """Steps on changing batches, replayed by hand; one gradient a step."""
    steps, start = batches()
    w = start
    for batch in steps:
        w = w - LR * batch.gradient(w)
    found = descend(sam.ERM(), [batch.losses for batch in steps], start)
    return apart(found, w) + abs(gradients_taken(sam.ERM()) - 1)


@equation(
    title="SAM's gradient on a quadratic",
    source=f"{ALGORITHM}, for a quadratic loss",
    latex=r"L = \frac{1}{2} w^\top A w: \quad g_a = A w + \rho\,\frac{A^2 w}{\|A w\|_2},"
    r" \quad \frac{d}{dw}L(w+\hat\epsilon) = g_a + \frac{\rho}{\|g\|_2} A P g_a",
    function=sam.sam_gradient,
    tolerance=1e-14,
)
def sam_on_quadratic() -> float:
    """Both orders against the closed form."""
    a, w = quadratic()

    def loss(v: Array) -> Array:
        return 0.5 * np.sum(v * (a @ v))

    g = a @ w
    length = norm(g, 2)
    g_a = g + RHO * a @ g / length
    full = g_a + RHO / length * a @ (g_a - g * (g @ g_a) / length**2)
    return max(
        apart(sam.sam_gradient(loss, w, RHO), g_a),
        apart(sam.sam_gradient(loss, w, RHO, order=2), full),
    )


@equation(
    title="SAM bounces across the sharpest direction of a quadratic for ever",
    source="SDE poster, reference 2 (Bartlett et al. 2022)",
    latex=r"L = \frac{1}{2} w^\top A w, \; A v = \lambda_{max} v: \quad w_t \to (-1)^t a v,"
    r" \quad |a| = \frac{\eta\lambda_{max}\rho}{2 - \eta\lambda_{max}}",
    function=sam.SAM,
    tolerance=1e-13,
)
def sam_two_cycle() -> float:
    """Where 300 and 301 steps of SAM end, against the two ends of the cycle."""
    a, start = quadratic()
    values, vectors = np.linalg.eigh(a)
    lr, top = 1.5 / values[-1], vectors[:, -1]

    def losses(v: Array) -> Array:
        return 0.5 * v * (a @ v) * v.size  # their mean is ½vᵀAv

    even = descend(sam.SAM(RHO), [losses] * 300, start, lr)
    odd = descend(sam.SAM(RHO), [losses], even, lr)
    end = lr * values[-1] * RHO / (2 - lr * values[-1]) * top * np.sign(even @ top)
    return max(apart(even, end), apart(odd, -end))


@equation(
    title="ASAM's perturbation in its own ball",
    source="ASAM (Kwon et al. 2021), beyond the five sources",
    latex=r"\hat\epsilon = \arg\max_{\|T^{-1}\epsilon\|_p \leq \rho} \epsilon^\top g:"
    r" \quad \|T^{-1}\hat\epsilon\|_p = \rho, \; \hat\epsilon^\top g = \rho\,\|T g\|_q,"
    r" \quad T = |w| + \eta",
    function=sam.asam_metric,
    tolerance=1e-14,
)
def asam_ball() -> float:
    """The length and the gain of ε̂, for every p."""
    example, w = exponentials()
    g = example.gradient(w)
    t = np.abs(w) + 0.1
    errors = []
    for p in EXPONENTS:
        e = sam.epsilon_hat(g, RHO, p, metric=sam.asam_metric(w, 0.1))
        gain = RHO * norm(t * g, sam.conjugate(p))
        errors += [abs(norm(e / t, p) / RHO - 1), abs(float(e @ g) / gain - 1)]
    return max(errors)


@equation(
    title="ASAM does not see a rescaling that leaves the function as it is",
    source="ASAM (Kwon et al. 2021), beyond the five sources",
    latex=r"L(Dw) = L(w) \;\forall w \;\Rightarrow\;"
    r" \hat\epsilon(Dw) = D\,\hat\epsilon(w), \quad T = |w|, \; D \;\mathrm{diagonal}",
    function=sam.asam_metric,
    tolerance=1e-14,
)
def asam_invariance() -> float:
    """A loss of products a_i b_i, at (a, b) and at (D a, b / D)."""
    example, a = exponentials()
    rng = np.random.default_rng(9)
    w = np.concatenate([a, rng.normal(size=a.size)])
    scale = np.exp(rng.normal(size=a.size))
    scale = np.concatenate([scale, 1 / scale])

    def climb(w: Real, p: float) -> Array:
        g = grad(lambda w: example.loss(w[: a.size] * w[a.size :]))(w)
        return sam.epsilon_hat(g, RHO, p, metric=sam.asam_metric(w, 0.0))

    return max(apart(climb(scale * w, p) / scale, climb(w, p)) for p in SMOOTH)


@equation(
    title="The mean squared norm of a batch's gradient",
    source="AE-SAM poster, 'A Sharpness Measure'",
    latex=r"E_B\|\nabla L(B)\|^2 = \|\nabla L(D)\|^2 + \frac{\mathrm{tr}\,C}{b}\,\frac{N-b}{N-1},"
    r" \quad C = \frac{1}{N}\sum_i (g_i - \bar g)(g_i - \bar g)^\top",
    function=nn.per_example_gradients,
    tolerance=1e-14,
)
def batch_gradient_norm() -> float:
    """All batches of 1 to 6 of the 6 examples, one by one, against the formula."""
    model, w, x, labels = classification()
    x, labels = x[:6], labels[:6]
    rows = nn.per_example_gradients(model, nn.cross_entropy, w, x, labels)
    n, mean = len(rows), np.mean(rows, axis=0)
    spread = float(np.mean(np.sum((rows - mean) ** 2, axis=1)))
    errors = []
    for b in range(1, n + 1):
        squares = []
        for chosen in map(list, combinations(range(n), b)):
            g = grad(lambda w, i=chosen: np.mean(nn.cross_entropy(model(w, x[i]), labels[i])))(w)
            squares.append(float(g @ g))
        expected = float(mean @ mean) + spread / b * (n - b) / (n - 1)
        errors.append(abs(np.mean(squares) / expected - 1))
    return float(max(errors))


EQUATIONS = (
    algorithm_1,
    erm,
    sam_on_quadratic,
    sam_two_cycle,
    asam_ball,
    asam_invariance,
    batch_gradient_norm,
)
