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
