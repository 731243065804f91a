"""Functions on a line or in space that one can look at, each with something to see."""

import numpy as np

from minisam.arrays import Array
from minisam.sde.problems import Problem, symmetric


def quadratic(hessian: Array, start: Array | None = None, *, name: str = "quadratic") -> Problem:
    """Make f(x) = ½ xᵀHx, for any symmetric H.

    Parameters
    ----------
    hessian : array_like, (d, d)
        H; negative eigenvalues make a saddle.
    start : array_like, (d,), optional
        All ones by default.
    name : str
        What it is called.

    Returns
    -------
    Problem
        The quadratic.

    Raises
    ------
    ValueError
        H is not symmetric.

    Examples
    --------
    >>> quadratic([[1.0, 0.0], [0.0, 3.0]]).gradient(np.array([[1.0, 1.0]]))
    array([[1., 3.]])
    """
    h = symmetric(hessian, "the Hessian")
    start = np.ones(len(h)) if start is None else start
    diagonal = np.diag(h)
    if (h == np.diag(diagonal)).all():  # a product for each coordinate, and no matrix product
        return Problem(name, lambda x: 0.5 * np.sum(diagonal * x**2, axis=1), start)
    return Problem(name, lambda x: 0.5 * np.sum(x * (x @ h), axis=1), start)


def random_quadratic(d: int = 2, seed: int = 0) -> Problem:
    """Make the quadratic of the SDE paper's experiments: H = AAᵀ/(2d), x₀ ~ N(0, I).

    A is (d, 2d) of standard normals. Read in the authors' code.

    Parameters
    ----------
    d : int
        Dimension.
    seed : int
        Of A and x₀.

    Returns
    -------
    Problem
        Positive definite with probability 1.

    Examples
    --------
    >>> random_quadratic(20).d
    20
    """
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((d, 2 * d))
    return quadratic(a @ a.T / (2 * d), rng.standard_normal(d), name=f"quadratic in R^{d}")


def saddle(negative: float = 1.0, start: Array | None = None) -> Problem:
    """Make f(x) = ½(x₁² - μ x₂²), with a saddle at 0.

    Parameters
    ----------
    negative : float
        μ > 0.
    start : array_like, (2,), optional
        (0.1, 0.1) by default.

    Returns
    -------
    Problem
        Unbounded below.

    Examples
    --------
    >>> saddle().gradient(np.array([[1.0, 1.0]]))
    array([[ 1., -1.]])
    """
    start = np.full(2, 0.1) if start is None else start
    return quadratic(np.diag([1.0, -negative]), start, name="saddle")


def embedded_saddle(d: int = 2, negative: float = 1.0, quartic: float = 0.1) -> Problem:
    """Make a saddle at 0 with two minima beside it: ½(‖x‖² - (1+μ) x_d²) + ¼ c Σ x_i⁴.

    The minima are at x_d = ±√(μ/c), all other coordinates 0. The SDE paper has an embedded saddle,
    too; this one is ours.

    Parameters
    ----------
    d : int
        Dimension.
    negative : float
        μ > 0, the curvature down.
    quartic : float
        c > 0.

    Returns
    -------
    Problem
        It starts at 0.1 in every coordinate.

    Examples
    --------
    >>> embedded_saddle(2, 1.0, 0.25).gradient(np.array([[0.0, 2.0]]))
    array([[0., 0.]])
    """
    diagonal = np.ones(d)
    diagonal[-1] = -negative

    def f(x: Array) -> Array:
        return np.sum(0.5 * diagonal * x**2 + 0.25 * quartic * x**4, axis=1)

    return Problem("embedded saddle", f, np.full(d, 0.1))


def wavy(start: float = 1.5) -> Problem:
    """Make f(x) = x²/2 + cos(2x)/2 in one dimension: two minima and a maximum at 0.

    Parameters
    ----------
    start : float
        Where to begin.

    Returns
    -------
    Problem
        Its second derivative is 1 - 2cos(2x), from -1 to 3.

    Examples
    --------
    >>> wavy().hessian(np.zeros((1, 1)))
    array([[[-1.]]])
    """
    return Problem("wavy", lambda x: np.sum(x**2 / 2 + np.cos(2 * x) / 2, axis=1), [start])


def cosh(start: float = 1.0) -> Problem:
    """Make f(x) = cosh x in one dimension: the steeper, the farther away.

    Parameters
    ----------
    start : float
        Where to begin.

    Returns
    -------
    Problem
        Its minimum is at 0.

    Examples
    --------
    >>> cosh().f(np.zeros((1, 1)))
    array([1.])
    """
    return Problem("cosh", lambda x: np.sum(np.cosh(x), axis=1), [start])


def two_wells(start: float = 0.5) -> Problem:
    """Make f(x) = (x² - 1)²/4 in one dimension.

    Parameters
    ----------
    start : float
        Where to begin.

    Returns
    -------
    Problem
        Its minima are at ±1, with second derivative 2.

    Examples
    --------
    >>> two_wells().f(np.array([[-1.0], [0.0], [1.0]]))
    array([0.  , 0.25, 0.  ])
    """
    return Problem("two wells", lambda x: np.sum((x**2 - 1) ** 2 / 4, axis=1), [start])
