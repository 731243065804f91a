"""Directions along which a loss is looked at: random ones, scaled to the network, and principal."""

from collections.abc import Sequence

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.errors import ShapeError
from minisam.nn.layer import Layer


def filter_normalized(
    model: Layer, w: Array, count: int = 2, seed: int | Sequence[int] = 0
) -> Array:
    """Draw random directions in which each filter moves in proportion to its size (Li et al. 2018).

    A network of relus does not change when one layer is multiplied by a number and the next is
    divided by it, but its loss along a plain random direction does. Here each filter of the
    direction is given the norm of that filter of ``w``, so that slices of two networks can be
    compared.

    Parameters
    ----------
    model : Layer
        Tells which parameters are filters: all (c_in, h, w) weights of one output channel, or all
        weights into one unit.
    w : array, (d,)
        Where.
    count : int
        How many directions.
    seed : int or sequence of int
        Of the draws.

    Returns
    -------
    numpy.ndarray of float64, (count, d)
        Biases, and scales of normalisations, do not move.

    Examples
    --------
    >>> import minisam as ms
    >>> model = ms.nn.Linear(2, 2)
    >>> w = np.array([3.0, 1.0, 4.0, 0.0, 9.0, 9.0])      # units (3, 4) and (1, 0)
    >>> (v,) = filter_normalized(model, w, count=1)
    >>> np.linalg.norm(model.parameters(v)["weight"], axis=0).round(6)
    array([5., 1.])
    >>> model.parameters(v)["bias"]
    array([0., 0.])
    """
    w, rng = to_numpy(w).astype(np.float64), np.random.default_rng(seed)
    directions = np.zeros((count, w.size))
    for v in directions:
        named = zip(model.parameters(v).values(), model.parameters(w).values(), strict=True)
        for part, weights in named:
            if weights.ndim < 2:
                continue
            # A dense weight is (n_in, n_out), that of a convolution (c_out, c_in, h, w).
            axes = (0,) if weights.ndim == 2 else tuple(range(1, weights.ndim))
            part[...] = rng.standard_normal(part.shape)
            part *= _norms(weights, axes) / _norms(part, axes)
    return directions


def _norms(x: Array, axes: tuple[int, ...]) -> Array:
    norms: Array = np.sqrt(np.sum(x * x, axis=axes, keepdims=True))
    return norms


def principal_directions(trajectory: Array, k: int = 2) -> tuple[Array, Array]:
    """Find the plane through the end of a trajectory that it stays closest to.

    Parameters
    ----------
    trajectory : array_like, (T, d)
        Parameters after each step; the last row is the origin.
    k : int
        How many directions.

    Returns
    -------
    directions : numpy.ndarray of float64, (k, d)
        Orthonormal, the most important first: singular vectors of the differences to the end.
    explained : numpy.ndarray of float64, (k,)
        The fraction of the sum of their squares along each.

    Raises
    ------
    ShapeError
        The trajectory is no matrix.
    ValueError
        k is not in [1, min(T - 1, d)].

    Examples
    --------
    >>> directions, explained = principal_directions([[4.0, 3.0], [-4.0, 3.0], [0.0, 3.0]], k=1)
    >>> abs(directions), explained
    (array([[1., 0.]]), array([1.]))
    """
    ws = np.asarray(trajectory, dtype=np.float64)
    if ws.ndim != 2:
        raise ShapeError(f"principal_directions: trajectory of shape {ws.shape}, not (T, d).")
    most = min(len(ws) - 1, ws.shape[1])
    if not 1 <= k <= most:
        raise ValueError(f"principal_directions: k must be in [1, {most}], got {k}.")
    _, sizes, directions = np.linalg.svd(ws[:-1] - ws[-1], full_matrices=False)
    total = np.sum(sizes**2) or 1.0
    return directions[:k], sizes[:k] ** 2 / total
