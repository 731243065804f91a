r"""The PAC-Bayes theorem behind SAM, every term of it as a number.

For losses in [0, 1], n training examples drawn from D, k parameters, and ρ and δ fixed beforehand,
with probability at least 1 - δ over the training set S (Foret et al. 2021, theorem 2):

.. math::
    L_D(w) \le \max_{\|\epsilon\|_2 \le \rho} L_S(w + \epsilon) + h(\|w\|_2^2 / \rho^2), \qquad
    h(x) = \sqrt{\frac{k \ln(1 + x (1 + \sqrt{\ln n / k})^2)
    + 4 \ln(n/\delta) + 8 \ln(6n + 3k)}{n - 1}}

for all w at which Gaussian noise does not lower the population loss on average:

.. math::
    L_D(w) \le \mathbb{E}_{\epsilon \sim N(0, \sigma^2 I)}\, L_D(w + \epsilon), \qquad
    \sigma = \rho / (\sqrt k + \sqrt{\ln n}).

That σ is where the proof uses the condition: so small that the noise leaves the ball with
probability at most 1/√n.
"""

from typing import NamedTuple

import numpy as np


class Complexity(NamedTuple):
    """The three terms under the root of h, each already divided by n - 1."""

    norm: float
    """k ln(1 + x(1 + √(ln n/k))²): twice the distance of N(w, σ²I) from the best prior, in nats."""
    confidence: float
    """4 ln(n/δ): for all but a fraction δ of training sets."""
    grid: float
    """8 ln(6n + 3k): because the prior's width is chosen from a grid after w is known."""

    @property
    def h(self) -> float:
        """What the theorem adds to the largest training loss in the ball."""
        return float(np.sqrt(sum(self)))


def complexity(x: float, n: int, k: int, delta: float = 0.05) -> Complexity:
    """Compute h(x) and its terms; h increases strictly in x, and so falls as ρ grows.

    Parameters
    ----------
    x : float
        ‖w‖²/ρ² >= 0.
    n : int
        Training examples, at least 2.
    k : int
        Parameters.
    delta : float
        Probability δ in (0, 1) that the training set is one for which the bound fails.

    Returns
    -------
    Complexity
        Its ``h`` is the root of the sum of its three terms.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> round(complexity(100.0, n=60_000, k=100_000).h, 2)
    2.78
    >>> round(complexity(100.0, n=60_000, k=10).h, 2)
    0.06
    """
    if not (x >= 0 and n >= 2 and k >= 1 and 0 < delta < 1):
        raise ValueError(
            f"complexity: x = {x}, n = {n}, k = {k}, delta = {delta}; needed are x >= 0, n >= 2, "
            "k >= 1 and 0 < delta < 1."
        )
    norm = k * np.log1p(x * (1 + np.sqrt(np.log(n) / k)) ** 2)
    terms = norm, 4 * np.log(n / delta), 8 * np.log(6 * n + 3 * k)
    return Complexity(*(float(term / (n - 1)) for term in terms))


def noise_scale(rho: float, n: int, k: int) -> float:
    """Return σ = ρ/(√k + √ln n), for which ‖ε‖₂ <= ρ with probability at least 1 - 1/√n.

    Parameters
    ----------
    rho : float
        Radius ρ.
    n, k : int
        Training examples, and parameters.

    Returns
    -------
    float
        Standard deviation of each coordinate of ε ~ N(0, σ²I).

    Examples
    --------
    >>> round(noise_scale(0.05, n=60_000, k=100_000), 6)
    0.000156
    """
    return float(rho / (np.sqrt(k) + np.sqrt(np.log(n))))
