"""The loss along lines and planes through w, and where a trajectory runs in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.transforms import as_variable
from minisam.progress import with_progress
from minisam.sharpness.streaming import Loss


@dataclass(frozen=True, eq=False)
class Landscape:
    """Losses on a grid of one or two directions.

    Parameters
    ----------
    steps : tuple of numpy.ndarray
        For each direction, the multiples of it at which the loss was computed.
    values : numpy.ndarray, (len(steps[0]),) or (len(steps[0]), len(steps[1]))
        Losses: ``values[i, j]`` is that at ``w + steps[0][i] u + steps[1][j] v``.

    Examples
    --------
    See `landscape`.
    """

    steps: tuple[Array, ...]
    values: Array


def landscape(
    loss: Loss,
    w: Array,
    directions: Array,
    steps: Array | Sequence[Array] | None = None,
    *,
    progress: bool = False,
) -> Landscape:
    """Compute the loss along a line or in a plane.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        The origin.
    directions : array, (d,), (1, d) or (2, d)
        For example from `filter_normalized`, `top_eigenvectors` or `principal_directions`. They
        need not be orthogonal, nor of length 1.
    steps : array_like or a pair of them, optional
        Multiples of the directions; one array serves both. By default 41 from -1 to 1.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Landscape
        The grid and the losses on it, as they are: NaN or infinite where they overflow.

    Raises
    ------
    ShapeError
        The directions are not one or two vectors like ``w``, the steps not one array for each, or
        the loss not a scalar.

    Examples
    --------
    >>> valley = landscape(lambda w: w[0] ** 2 + 9 * w[1] ** 2, np.zeros(2), np.eye(2), [-1, 0, 1])
    >>> valley.values
    array([[10.,  1., 10.],
           [ 9.,  0.,  9.],
           [10.,  1., 10.]])
    """
    w = as_variable(w)
    vectors = np.atleast_2d(to_numpy(directions)).astype(np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != w.size or len(vectors) not in (1, 2):
        raise ShapeError(
            f"landscape: directions of shape {np.shape(directions)}; expected one or two vectors "
            f"like w, (1, {w.size}) or (2, {w.size})."
        )
    if steps is None:
        steps = np.linspace(-1, 1, 41)
    if np.ndim(steps[0]) == 0:
        steps = [steps] * len(vectors)
    axes = tuple(np.asarray(each, dtype=np.float64) for each in steps)
    if len(axes) != len(vectors) or any(axis.ndim != 1 for axis in axes):
        raise ShapeError(f"landscape: {len(axes)} arrays of steps for {len(vectors)} directions.")
    values = np.empty([axis.size for axis in axes])
    places = list(np.ndindex(values.shape))
    for n in with_progress(range(len(places)), len(places), "landscape", progress, "point"):
        multiples = [axis[i] for axis, i in zip(axes, places[n], strict=True)]
        value = loss(w + np.asarray(multiples @ vectors, dtype=w.dtype, like=w))
        if np.shape(value) != ():
            raise ShapeError(f"landscape: the loss returned shape {np.shape(value)}, not a scalar.")
        values[places[n]] = float(value)
    return Landscape(axes, values)


def interpolation(loss: Loss, a: Array, b: Array, steps: Array | None = None) -> Landscape:
    """Compute the loss on the line from one solution, at 0, to another, at 1.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    a, b : array, (d,)
        The solutions.
    steps : array_like, optional
        Where on the line; by default 41 from -0.5 to 1.5.

    Returns
    -------
    Landscape
        Along ``(1 - t) a + t b``.

    Raises
    ------
    ShapeError
        The solutions differ in shape.

    Examples
    --------
    >>> line = interpolation(lambda w: (w[0] ** 2 - 1) ** 2, [-1.0], [1.0], [0, 0.5, 1])
    >>> line.values, barrier(line)
    (array([0., 1., 0.]), 1.0)
    """
    a, b = as_variable(a), as_variable(b)
    if a.shape != b.shape:
        raise ShapeError(f"interpolation: the solutions have shapes {a.shape} and {b.shape}.")
    return landscape(loss, a, b - a, np.linspace(-0.5, 1.5, 41) if steps is None else steps)


def barrier(line: Landscape) -> float:
    """Measure how far the loss rises above the chord between two solutions.

    Parameters
    ----------
    line : Landscape
        From `interpolation`, with 0 and 1 among its steps.

    Returns
    -------
    float
        The largest L(t) - [(1 - t) L(0) + t L(1)] for t in [0, 1]; 0 if the loss nowhere rises
        above the chord.

    Raises
    ------
    ValueError
        The loss at one of the solutions is not among the values, or it is no line.

    Examples
    --------
    See `interpolation`.
    """
    t = line.steps[0]
    ends = [np.flatnonzero(np.isclose(t, end, rtol=0, atol=1e-9)) for end in (0, 1)]
    if len(line.steps) != 1 or not all(len(end) for end in ends):
        raise ValueError("barrier: it is between the solutions at steps 0 and 1 of a line.")
    start, stop = (line.values[end[0]] for end in ends)
    inside = (t >= 0) & (t <= 1)
    rise = line.values - (1 - t) * start - t * stop
    return float(np.max(rise[inside], initial=0.0))


@dataclass(frozen=True, eq=False)
class Projection:
    """A trajectory as it is seen in a plane, and how much of it is not.

    Parameters
    ----------
    coordinates : numpy.ndarray, (T, k)
        Multiples of the directions, as in `Landscape`.
    left_out : numpy.ndarray, (T,)
        Distance of each point to the plane.
    fraction : float
        √(Σ left_out² / Σ distance²), the distance being that to the origin: 0 if the trajectory
        runs in the plane, 1 if the plane shows nothing of it.

    Examples
    --------
    See `project_trajectory`.
    """

    coordinates: Array
    left_out: Array
    fraction: float


def project_trajectory(trajectory: Array, origin: Array, directions: Array) -> Projection:
    """Project a trajectory on the line or plane of a landscape.

    Parameters
    ----------
    trajectory : array_like, (T, d)
        Parameters after each step.
    origin : array, (d,)
        That of the landscape.
    directions : array, (k, d)
        Linearly independent; they need not be orthogonal.

    Returns
    -------
    Projection
        The nearest points of the plane.

    Raises
    ------
    ShapeError
        The vectors differ in length.
    ValueError
        The directions are linearly dependent.

    Examples
    --------
    >>> seen = project_trajectory([[3.0, 2.0, 4.0]], np.zeros(3), [[1.0, 0, 0], [1.0, 1.0, 0]])
    >>> seen.coordinates, seen.left_out, round(seen.fraction, 3)
    (array([[1., 2.]]), array([4.]), 0.743)
    """
    ws, start = (np.asarray(to_numpy(x), dtype=np.float64) for x in (trajectory, origin))
    plane = np.atleast_2d(to_numpy(directions)).astype(np.float64)
    if ws.ndim != 2 or start.shape != ws.shape[1:] or plane.shape[1:] != start.shape:
        raise ShapeError(
            f"project_trajectory: trajectory {ws.shape}, origin {start.shape}, directions "
            f"{plane.shape}; expected (T, d), (d,) and (k, d)."
        )
    away = ws - start
    coordinates, _, rank, _ = np.linalg.lstsq(plane.T, away.T, rcond=None)
    if rank < len(plane):
        raise ValueError("project_trajectory: the directions are linearly dependent.")
    left = np.linalg.norm(away.T - plane.T @ coordinates, axis=0)
    whole = np.linalg.norm(away)
    return Projection(coordinates.T, left, float(np.linalg.norm(left) / whole) if whole else 0.0)
