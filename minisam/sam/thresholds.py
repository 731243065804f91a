"""Which thresholds make AE-SAM climb how often, if s were normal and independent of its past."""

import math


def expected_fraction(lambda1: float, lambda2: float) -> float:
    r"""Predict the fraction of AE-SAM's steps that climb.

    For independent normal s a step climbs with probability Φ(-c_t) (the means' factors cancel, see
    `Adaptive`), and c_t runs evenly from λ₂ to λ₁:

    .. math::
        \frac{G(\lambda_1) - G(\lambda_2)}{\lambda_1 - \lambda_2},
        \qquad G(c) = c\,\Phi(-c) - \varphi(c).

    Squared norms are skewed, and shrink in training: measured fractions are lower, often 0.4 to
    0.5 where 0.5 is predicted. The mean and the variance of AE-SAM are themselves random, which
    adds about 0.01 where the prediction is 0.2.

    Parameters
    ----------
    lambda1, lambda2 : float
        Thresholds at the end and at the start; both may be the same infinity.

    Returns
    -------
    float
        In [0, 1]; exactly 1/2 for λ₁ = -λ₂.

    Examples
    --------
    >>> expected_fraction(-1.0, 1.0)
    0.5
    >>> round(expected_fraction(0.0, 2.0), 4)
    0.1952
    """
    middle, width = (lambda1 + lambda2) / 2, abs(lambda1 - lambda2)
    if lambda1 == lambda2 or width < 1e-5:  # the quotient would lose its digits
        return _upper(lambda1 if lambda1 == lambda2 else middle)
    if not width < math.inf:
        raise ValueError(
            f"lambda1 and lambda2 must be finite, or both the same infinity; got {lambda1} and "
            f"{lambda2}."
        )
    return (_antiderivative(lambda1) - _antiderivative(lambda2)) / (lambda1 - lambda2)


def solve_thresholds(fraction: float, width: float = 2.0) -> tuple[float, float]:
    """Find AE-SAM's thresholds for a wanted fraction of steps that climb.

    Of all pairs with this fraction it takes the one with λ₂ - λ₁ = ``width``: the paper's
    (-1, 1), which gives one half, shifted. A width of 0 is a constant threshold.

    Parameters
    ----------
    fraction : float
        Wanted fraction, in (0, 1).
    width : float
        λ₂ - λ₁ >= 0.

    Returns
    -------
    lambda1, lambda2 : float
        For `AESAM`, by the prediction of `expected_fraction`.

    Raises
    ------
    ValueError
        The fraction is not in (0, 1), or the width is negative.

    Examples
    --------
    >>> solve_thresholds(0.5)
    (-1.0, 1.0)
    >>> [round(c, 3) for c in solve_thresholds(0.2)]
    [-0.02, 1.98]
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"fraction must be in (0, 1), got {fraction}; for 0 and 1 use ERM and SAM."
        )
    if not 0 <= width < math.inf:
        raise ValueError(f"width must be a finite number >= 0, got {width}.")
    # The fraction falls with the middle; beyond 40 deviations it is 0 or 1 in floating point.
    low, high = -40.0 - width, 40.0 + width
    while True:
        middle = (low + high) / 2
        found = expected_fraction(middle - width / 2, middle + width / 2)
        if found == fraction or middle in (low, high):
            return middle - width / 2, middle + width / 2
        low, high = (middle, high) if found > fraction else (low, middle)


def _upper(c: float) -> float:
    """Return Φ(-c), the probability that a standard normal number is larger than c."""
    return math.erfc(c / math.sqrt(2)) / 2


def _antiderivative(c: float) -> float:
    """Return G(c) = c Φ(-c) - φ(c), whose derivative is Φ(-c)."""
    return c * _upper(c) - math.exp(-c * c / 2) / math.sqrt(2 * math.pi)
