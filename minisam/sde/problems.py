"""What is minimised: a function of many paths at once, and its derivatives from minisam's engine.

A path is one run of an algorithm, one row of ``x``. A function takes all rows, (paths, d), and
gives one value for each, (paths,). No row sees another, so the gradient of the *sum* is every
row's own gradient, and one Hessian-vector product is one for every row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.transforms import grad, linearize

Losses: TypeAlias = Callable[[Array, NDArray[np.intp]], Array]


@dataclass(frozen=True, eq=False)
class Problem:
    """A function f, where to start, and if f is a mean of losses, each of them.

    Parameters
    ----------
    name : str
        What it is called.
    f : callable
        ``(paths, d) -> (paths,)``, of NumPy operations, each row by itself.
    start : array_like, (d,)
        Where every path begins.
    losses : callable, optional
        ``(x, rows) -> (paths, b)``: losses of the examples ``rows``, (b,) for all paths alike or
        (paths, b). With it f is the mean over all examples, and mini-batches can be drawn.
    examples : int
        How many there are.
    width : int, optional
        Floats that one path needs in one evaluation, d by default. Chunks are measured by it.

    Raises
    ------
    ShapeError
        ``f`` gives another shape than (paths,), or ``start`` is no vector.

    Examples
    --------
    >>> bowl = Problem("bowl", lambda x: np.sum(x**2, axis=1), [1.0, 2.0])
    >>> bowl.gradient(np.array([[1.0, 0.0], [0.0, 3.0]]))
    array([[2., 0.],
           [0., 6.]])
    """

    name: str
    f: Callable[[Array], Array]
    start: Array
    losses: Losses | None = None
    examples: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        start = np.array(self.start, dtype=np.float64)
        if start.ndim != 1:
            raise ShapeError(f"{self.name}: start has shape {start.shape}; expected (d,).")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "width", self.width or start.size)
        found = np.shape(self.f(np.stack([start, start])))
        if found != (2,):
            raise ShapeError(
                f"{self.name}: f of x with shape (2, {start.size}) gave shape {found}; expected "
                "(2,), one value for each row. Did you mean np.sum(..., axis=1)?"
            )

    def __repr__(self) -> str:
        return f"Problem({self.name!r}, d={self.d})"

    @property
    def d(self) -> int:
        """Number of parameters."""
        return int(self.start.size)

    def gradient(self, x: Array) -> Array:
        """Return ∇f of every row, (paths, d)."""
        return grad(lambda x: np.sum(self.f(x)))(x)

    def linearize(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Return ∇f of every row, and ``v -> ∇²f v`` from the same recording."""
        return linearize(grad(lambda x: np.sum(self.f(x))), x)

    def hessian(self, x: Array) -> Array:
        """Return ∇²f of every row, (paths, d, d), by d Hessian-vector products."""
        _, product = self.linearize(x)
        return columns(product, x.shape)

    def batch_losses(self, x: Array, rows: NDArray[np.intp]) -> Array:
        """Return the mean loss of every row's batch, (paths,)."""
        assert self.losses is not None  # `MiniBatches.check` has been here
        return np.mean(self.losses(x, rows), axis=1)


def columns(product: Callable[[Array], Array], shape: tuple[int, ...]) -> Array:
    """Turn ``v -> A v``, for rows v of ``shape`` (paths, d), into the matrices, (paths, d, d)."""
    basis = np.eye(shape[1])
    return np.stack([product(np.broadcast_to(e, shape).copy()) for e in basis], axis=-1)


def finite_sum(
    name: str, losses: Losses, examples: int, start: Array, *, width: int = 0
) -> Problem:
    """Make the problem f = mean over all examples of their losses.

    Parameters
    ----------
    name, losses, examples, start, width
        As for `Problem`.

    Returns
    -------
    Problem
        With mini-batches.

    Examples
    --------
    >>> a = np.array([1.0, 3.0])
    >>> pair = finite_sum("pair", lambda x, rows: a[rows] * x**2, 2, np.ones(1))
    >>> pair.f(np.array([[1.0]]))
    array([2.])
    """
    everything = np.arange(examples)
    return Problem(
        name,
        lambda x: np.mean(losses(x, everything), axis=1),
        start,
        losses,
        examples,
        width,
    )


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


def symmetric(matrix: Array, what: str) -> Array:
    """Return a matrix as float64 if it is symmetric up to rounding, else raise ValueError."""
    a = np.array(matrix, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"{what} must be a square matrix, got shape {a.shape}.")
    if not np.isfinite(a).all():
        raise ValueError(f"{what} has an entry that is not finite.")
    gap = np.abs(a - a.T)
    if gap.max() > 1e-12 * np.abs(a).max():
        i, j = (int(k) for k in np.unravel_index(int(gap.argmax()), a.shape))
        raise ValueError(
            f"{what} is not symmetric: entry ({i}, {j}) is {a[i, j]:g} and ({j}, {i}) is "
            f"{a[j, i]:g}. Did you mean (A + A.T)/2?"
        )
    return (a + a.T) / 2


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
