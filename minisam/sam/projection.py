"""The nearest point of a p-ball, where a formula gives it."""

import numpy as np

from minisam.arrays import Array
from minisam.sam.perturbation import epsilon_hat

PROJECTED = (1.0, 2.0, np.inf)
"""The exponents of these balls; for others the projection takes an iteration."""


def project(e: Array, rho: float, p: float = 2) -> Array:
    """Return the point of the ball ‖ε‖_p <= ρ that is nearest to ``e`` in the Euclidean norm.

    Parameters
    ----------
    e : array, (d,)
        Any point.
    rho : float
        Radius ρ > 0.
    p : {1, 2, inf}
        Exponent of the ball.

    Returns
    -------
    array, (d,)
        ``e`` itself if it is in the ball; else scaled (p = 2), clipped (p = inf), or with the
        same number taken from every |e_i| that is larger, and 0 for the others (p = 1; Duchi et
        al. 2008).

    Raises
    ------
    ValueError
        Another p.

    Examples
    --------
    >>> e = np.array([3.0, -4.0, 0.5])
    >>> project(e, 1.0, 1), project(e, 3.0, np.inf)
    (array([ 0., -1.,  0.]), array([ 3. , -3. ,  0.5]))
    """
    if p not in PROJECTED:
        raise ValueError(f"the projection onto a ball is known for p = 1, 2 and inf; got {p}.")
    if p == np.inf:
        return np.clip(e, -rho, rho)
    if p == 2:
        return np.where(np.sqrt((e * e).sum()) <= rho, e, epsilon_hat(e, rho))
    size = np.abs(e)
    falling = np.sort(size)[::-1]
    cut = (np.cumsum(falling, dtype="float64") - rho) / np.arange(1, e.size + 1, like=e)
    # Taking cut[j] from the j + 1 largest leaves a sum of ρ; the right j is the last one at which
    # all of them stay positive.
    j = np.maximum((falling > cut).sum(), 1) - 1
    left = np.maximum(size - cut[j].astype(e.dtype), 0)
    length = left.sum()
    outside = np.sign(e) * left * (rho / np.where(length == 0, 1, length))  # and what rounding took
    return np.where(size.sum() <= rho, e, outside)
