"""Eigenvalues at both ends of the Hessian's spectrum, from Hessian-vector products alone."""

from typing import Any

from minisam.arrays import Array
from minisam.sharpness.lanczos import lanczos
from minisam.sharpness.products import hessian_product
from minisam.sharpness.streaming import Loss


def top_eigenvalues(loss: Loss, w: Array, k: int = 1, **options: Any) -> Array:
    """Compute the k largest eigenvalues of the Hessian of a loss.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``; for a data set that is too large to be recorded at once see `streamed`.
    w : array, (d,)
        Where.
    k : int
        How many, in [1, d].
    **options
        ``starts``, ``seed``, ``tol``, ``max_products`` and ``progress`` of `lanczos`.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In falling order, each as often as it occurs. The recording of ∇L is made once; no d×d
        matrix is formed.

    Raises
    ------
    ValueError
        k is not in [1, d], or the Hessian at w is not finite.
    ShapeError
        The loss is not a scalar.

    Examples
    --------
    >>> import numpy as np
    >>> top_eigenvalues(lambda w: np.sum(np.array([1.0, 5.0, 3.0]) * w**2), np.ones(3), k=2)
    array([10.,  6.])
    """
    return top_eigenvectors(loss, w, k, **options)[0]


def top_eigenvectors(loss: Loss, w: Array, k: int = 1, **options: Any) -> tuple[Array, Array]:
    """Compute the k largest eigenvalues of the Hessian of a loss, and their eigenvectors.

    Parameters
    ----------
    loss, w, k, **options
        As for `top_eigenvalues`.

    Returns
    -------
    values : numpy.ndarray of float64, (k,)
        In falling order.
    vectors : numpy.ndarray of float64, (k, d)
        Orthonormal rows; of repeated eigenvalues, some basis of their space.

    Examples
    --------
    >>> import numpy as np
    >>> loss = lambda w: np.sum(np.array([1.0, 5.0, 3.0]) * w**2)
    >>> values, vectors = top_eigenvectors(loss, np.ones(3), k=2)
    >>> abs(vectors).round(6)
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    return lanczos(*hessian_product(loss, w), k, **options)


def bottom_eigenvalues(loss: Loss, w: Array, k: int = 1, **options: Any) -> Array:
    """Compute the k smallest eigenvalues of the Hessian of a loss: negative at a saddle.

    Parameters
    ----------
    loss, w, k, **options
        As for `top_eigenvalues`.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In rising order.

    Examples
    --------
    >>> bottom_eigenvalues(lambda w: w[0] ** 2 - w[1] ** 2, [1.0, 1.0])
    array([-2.])
    """
    product, d = hessian_product(loss, w)
    return -lanczos(lambda v: -product(v), d, k, **options)[0]


def eigenvalue_ratio(values: Array) -> float:
    """Divide the first eigenvalue by the last: λmax/λ5 of the SAM paper, given five.

    Parameters
    ----------
    values : array, (k,)
        From `top_eigenvalues`.

    Returns
    -------
    float
        At least 1: by how much the sharpest direction stands out. Unlike λmax it does not change
        when the loss is multiplied by a number.

    Raises
    ------
    ValueError
        The last one is not positive, so that the ratio says nothing.

    Examples
    --------
    >>> eigenvalue_ratio([10.0, 8.0, 6.0, 5.0, 4.0])
    2.5
    """
    if not values[-1] > 0:
        raise ValueError(f"eigenvalue_ratio: λ{len(values)} = {values[-1]:g} is not positive.")
    return float(values[0] / values[-1])
