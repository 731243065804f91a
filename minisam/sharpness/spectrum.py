"""Eigenvalues of the Hessian from Hessian-vector products alone, by Lanczos' method."""

from collections.abc import Callable

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import grad, linearize


def top_eigenvalues(
    loss: Callable[[Array], Array],
    w: Array,
    k: int = 1,
    *,
    seed: int = 0,
    tol: float = 1e-4,
    max_products: int = 200,
) -> Array:
    """Compute the k largest eigenvalues of the Hessian of a loss.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    k : int
        How many, in [1, d].
    seed : int
        Of the starting vector.
    tol : float
        Stop when the residual bound of every wanted eigenvalue is below ``tol`` times the largest.
    max_products : int
        Stop after so many Hessian-vector products in any case.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In falling order. The recording of ∇L is made once; no d×d matrix is formed.

    Raises
    ------
    ValueError
        k is not in [1, d].

    Examples
    --------
    >>> import numpy as np
    >>> top_eigenvalues(lambda w: np.sum(np.array([1.0, 5.0, 3.0]) * w**2), np.ones(3), k=2)
    array([10.,  6.])
    """
    d = w.size
    if not 1 <= k <= d:
        raise ValueError(
            f"top_eigenvalues: k must be in [1, {d}], the number of parameters; got {k}."
        )
    _, product = linearize(grad(loss), w)
    return lanczos(
        lambda v: to_numpy(product(v.astype(w.dtype))).astype(np.float64),
        d,
        k,
        seed=seed,
        tol=tol,
        max_products=max_products,
    )


def lanczos(
    product: Callable[[Array], Array],
    d: int,
    k: int,
    *,
    seed: int = 0,
    tol: float = 1e-4,
    max_products: int = 200,
) -> Array:
    """Compute the k largest eigenvalues of a symmetric operator.

    Lanczos' three-term recurrence, with every new vector orthogonalised against all before it
    (twice: rounding would bring the large eigenvalues back as copies).

    Parameters
    ----------
    product : callable
        ``v -> A v`` for float64 vectors of length d.
    d : int
        Its dimension.
    k : int
        How many eigenvalues.
    seed, tol, max_products
        As for `top_eigenvalues`.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In falling order.

    Examples
    --------
    >>> lanczos(lambda v: np.array([3.0, 1.0]) * v, 2, 1)
    array([3.])
    """
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(d)
    basis = [v / np.linalg.norm(v)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        v = product(basis[-1])
        diagonal.append(float(v @ basis[-1]))
        known = np.array(basis)
        for _ in range(2):
            v = v - known.T @ (known @ v)
        length = float(np.linalg.norm(v))
        tridiagonal = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, vectors = np.linalg.eigh(tridiagonal)
        n = len(diagonal)
        scale = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
        # |β s_n| bounds each Ritz value's error; an invariant subspace of k or more is exact.
        found = n >= k and np.all(length * np.abs(vectors[-1, -k:]) <= tol * scale)
        if found or n == d or n >= max(max_products, k):
            return values[::-1][:k].copy()
        if length <= 1e-12 * scale:  # invariant before k values were found: start a new block
            v = rng.standard_normal(d)
            for _ in range(2):
                v = v - known.T @ (known @ v)
            beside.append(0.0)
            basis.append(v / np.linalg.norm(v))
        else:
            beside.append(length)
            basis.append(v / length)
