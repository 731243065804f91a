"""The PAC-Bayes theorem: each step of its proof that is a formula."""

import itertools
import math

import numpy as np

from minisam import sharpness
from minisam.equations.entry import equation
from minisam.equations.problems import RHO

SOURCE = "handwritten notes, 'Theorem'; blog introduction, 'Sharpness-based generalization bounds'"
SIZES = tuple(itertools.product((30, 1000, 10**6), (2, 40, 1000)))
"""Training examples n and parameters k at which the steps are checked."""


def divergence(w_norm: float, sigma: float, k: int) -> float:
    """Return the smallest KL(N(w, σ²I) ‖ N(0, s²I)) over s, attained at s² = σ² + ‖w‖²/k."""
    ratio = sigma**2 / (sigma**2 + w_norm**2 / k)
    return 0.5 * (k * ratio + k * (1 - ratio) - k - k * math.log(ratio))


@equation(
    title="h is the distance of the weights from the best prior",
    source=f"{SOURCE}: the strictly increasing function h (SAM paper, theorem 2)",
    latex=r"h(x)^2 = \frac{1}{n-1}\left[k\ln\left(1 + x\left(1+\sqrt{\ln n/k}\right)^2\right)"
    r" + 4\ln\frac{n}{\delta} + 8\ln(6n+3k)\right], \quad k\ln\left(1 + \frac{\|w\|_2^2}{\rho^2}"
    r"\left(1+\sqrt{\ln n/k}\right)^2\right) = 2\,\min_s KL(N(w, \sigma^2 I), N(0, s^2 I))",
    function=sharpness.complexity,
    tolerance=1e-12,
)
def complexity_of_weights() -> float:
    """h² times n - 1, less twice the divergence, against the two logarithms, from the formulas."""

    def error(n: int, k: int, w_norm: float, delta: float) -> float:
        terms = sharpness.complexity((w_norm / RHO) ** 2, n, k, delta)
        kl = divergence(w_norm, sharpness.noise_scale(RHO, n, k), k)
        exact = 2 * kl + 4 * math.log(n / delta) + 8 * math.log(6 * n + 3 * k)
        return abs(terms.h**2 * (n - 1) / exact - 1)

    return max(error(n, k, norm, 0.05) for n, k in SIZES for norm in (0.1, 1.0, 30.0))


@equation(
    title="h increases strictly, and vanishes with more data",
    source=f"{SOURCE}: 'strictly increasing function'",
    latex=r"x_1 > x_2 \;\Rightarrow\; h(x_1) > h(x_2), \qquad \lim_{n \to \infty} h(x) = 0",
    function=sharpness.complexity,
    tolerance=1e-3,
)
def monotone_complexity() -> float:
    """Steps of h that do not rise, in a range of 12 decades; and h at n = 10^15 relative to 1."""
    x = np.logspace(-6, 6, 100)
    falls = 0.0
    for n, k in SIZES:
        h = np.array([sharpness.complexity(each, n, k).h for each in x])
        falls += float(np.sum(np.diff(h) <= 0))
    return falls + sharpness.complexity(1.0, 10**15, 1000).h


@equation(
    title="The noise of the proof stays in the ball",
    source=f"{SOURCE}: the maximum over the ball (SAM paper, proof of theorem 2)",
    latex=r"P\left(\|\epsilon\|_2 > \rho\right) \leq \frac{1}{\sqrt{n}}, \quad"
    r" \epsilon \sim N(0, \sigma^2 I), \quad \sigma = \frac{\rho}{\sqrt{k} + \sqrt{\ln n}}",
    function=sharpness.noise_scale,
    tolerance=0.0,
)
def noise_in_the_ball() -> float:
    """The excess of the probability over 1/√n; it is a finite sum for an even number k."""

    def outside(half: float, k: int) -> float:
        # P(χ²_k > 2a) = e^{-a} Σ_{j < k/2} a^j / j!, term by term from the logarithms.
        logs = [j * math.log(half) - half - math.lgamma(j + 1) for j in range(k // 2)]
        return math.fsum(math.exp(log) for log in logs)

    def excess(n: int, k: int) -> float:
        half = (RHO / sharpness.noise_scale(RHO, n, k)) ** 2 / 2
        return max(0.0, outside(half, k) * math.sqrt(n) - 1)

    return max(excess(n, k) for n, k in SIZES)


@equation(
    title="The printed bound is above what the proof gives",
    source=f"{SOURCE} (SAM paper, the last step of the proof)",
    latex=r"\sqrt{\frac{\frac{1}{2} + \frac{k}{2}\ln(\ldots) + 2\ln\frac{n}{\delta}"
    r" + 4\ln(6n+3k)}{2(n-1)}} + \frac{1}{\sqrt{n}} \leq h(\|w\|_2^2/\rho^2)",
    function=sharpness.complexity,
    tolerance=0.0,
)
def last_step() -> float:
    """The excess of the left side over the right one, relative to it."""

    def excess(n: int, k: int, x: float) -> float:
        sigma = sharpness.noise_scale(1.0, n, k)
        kl = divergence(math.sqrt(x), sigma, k)
        logs = 2 * math.log(n / 0.05) + 4 * math.log(6 * n + 3 * k)
        left = math.sqrt((0.5 + kl + logs) / (2 * (n - 1))) + 1 / math.sqrt(n)
        return max(0.0, left / sharpness.complexity(x, n, k).h - 1)

    return max(excess(n, k, x) for n, k in SIZES for x in (0.0, 1.0, 1e4))


EQUATIONS = (complexity_of_weights, monotone_complexity, noise_in_the_ball, last_step)
