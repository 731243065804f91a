"""Lanczos' method: what a symmetric matrix does to a few vectors, and to their images, and so on.

One solver does for all of this package, with NumPy alone. Its basis is kept and kept orthogonal,
which costs memory for one vector per product, and gives what ARPACK (SciPy's ``eigsh``), which
starts from one vector and restarts, cannot promise: repeated eigenvalues are found as often as
they occur. For five eigenvalues of a network it takes about twice ARPACK's products, and with
``starts=1`` about as many. The tests compare their results.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from minisam.arrays import Array
from minisam.sharpness.products import Product, ticking

NEGLIGIBLE = 0.01
"""Beside the largest eigenvalue in magnitude: with the default tolerance, what is resolved of a
smaller one is 1e-6 of the largest, the accuracy of products in float32."""


def lanczos(
    product: Product,
    d: int,
    k: int,
    *,
    starts: int | None = None,
    seed: int = 0,
    tol: float = 1e-4,
    max_products: int = 200,
    progress: bool = False,
) -> tuple[Array, Array]:
    """Compute the k largest eigenvalues of a symmetric operator, and their eigenvectors.

    Lanczos' method for a band: it starts from several random vectors, because from one vector an
    eigenvalue is only ever found once, however often it occurs.

    Parameters
    ----------
    product : callable
        ``v -> A v`` for float64 vectors of length d.
    d : int
        Its dimension.
    k : int
        How many eigenvalues, in [1, d].
    starts : int, optional
        Random vectors to start from: an eigenvalue is found at most so often. By default k; fewer
        take fewer products, and are right where no wanted eigenvalue is repeated.
    seed : int
        Of the starting vectors.
    tol : float
        Stop when the error bound of every wanted eigenvalue is below ``tol`` times its magnitude,
        or ``tol`` times 1 % of the largest magnitude of all if that is more. (The bound is a
        residual; an eigenvalue's error is usually near its square, an eigenvector's near the
        residual over the distance to the next eigenvalue.) In float32 the products themselves
        are good to about 1e-6 of the largest.
    max_products : int
        Stop after so many products in any case, but not before k of them; if the bounds are not
        reached then, with a RuntimeWarning.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    values : numpy.ndarray of float64, (k,)
        In falling order, each as often as it occurs.
    vectors : numpy.ndarray of float64, (k, d)
        Row i belongs to value i; orthonormal.

    Raises
    ------
    ValueError
        k is not in [1, d], or the starts not in [1, k].

    Examples
    --------
    >>> values, vectors = lanczos(lambda v: np.array([3.0, 1.0, 3.0]) * v, 3, 2)
    >>> values
    array([3., 3.])
    """
    if not 1 <= k <= d:
        raise ValueError(f"k must be in [1, {d}], the number of parameters; got {k}.")
    starts = k if starts is None else starts
    if not 1 <= starts <= k:
        raise ValueError(f"starts must be in [1, {k}], the number of eigenvalues; got {starts}.")
    rng = np.random.default_rng(seed)
    limit = min(d, max(max_products, k))
    product = ticking(product, limit, "Lanczos", progress)
    growing = krylov(product, rng.standard_normal((starts, d)), limit, rng)
    while True:
        basis, projected, scale = next(growing)
        n = projected.shape[1]
        values, vectors = np.linalg.eigh(projected[:n])
        if n < k:
            continue
        # What A leaves outside of the first n vectors bounds each eigenvalue's error.
        residuals = np.linalg.norm(projected[n:] @ vectors[:, -k:], axis=0)
        sizes = np.abs(values)
        excess = residuals - tol * np.maximum(sizes[-k:], NEGLIGIBLE * sizes.max())
        if n == limit < d and excess.max() > 0:
            warnings.warn(
                f"after {n} products the largest eigenvalues are only known to "
                f"±{residuals.max() * scale:.1e}. Raise max_products, or tol={tol:g}.",
                RuntimeWarning,
                stacklevel=2,
            )
        if n == limit or excess.max() <= 0:
            return scale * values[::-1][:k], vectors[:, ::-1][:, :k].T @ basis[:n]


def krylov(
    product: Product, start: Array, limit: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, float]]:
    """Extend a basis by its images, one product at a time.

    Every new vector is orthogonalised against all before it (twice: rounding would bring the
    large eigenvalues back as copies).

    Parameters
    ----------
    product : callable
        ``v -> A v`` for float64 vectors of length d.
    start : numpy.ndarray, (k, d)
        Where to begin; not written to.
    limit : int
        How many products, at most d.
    rng : numpy.random.Generator
        Where nothing new is left of a vector, a random one takes its place.

    Yields
    ------
    basis : numpy.ndarray of float64, (m, d)
        Orthonormal, for n products k + n of them, but at most d; the first k span ``start``.
    projected : numpy.ndarray of float64, (m, n)
        v_i · A v_j / scale.
    scale : float
        The size of A, divided out so that no square overflows.

    Examples
    --------
    >>> steps = krylov(lambda v: np.array([2.0, 4.0]) * v, np.ones((1, 2)), 2, None)
    >>> _, (basis, projected, scale) = steps
    >>> scale * projected
    array([[3., 1.],
           [1., 3.]])
    """
    k, d = start.shape
    basis = np.empty((min(limit + k, d), d))  # memory is taken when it is written to
    size = 0
    for v in start:
        basis[size] = _new(basis[:size], v, rng)
        size += 1
    projected = np.empty((k, 0))
    for n in range(limit):
        image = product(basis[n])
        if n == 0:
            scale = float(np.abs(image).max()) or 1.0
        image = image / scale
        if size < len(basis):
            basis[size] = _new(basis[:size], image, rng)
            size += 1
        # A v_j has no part outside of the basis as it was extended by it: new rows begin with 0.
        projected = np.pad(projected, ((0, size - len(projected)), (0, 1)))
        projected[:, n] = basis[:size] @ image
        yield basis[:size], projected, scale


def _new(basis: Array, v: Array, rng: np.random.Generator) -> Array:
    """Return what is new in a vector beside an orthonormal basis, as a unit vector."""
    while True:
        whole = np.linalg.norm(v)
        for _ in range(2):
            v = v - basis.T @ (basis @ v)
        length = np.linalg.norm(v)
        if length > 1e-12 * whole:
            return v / length
        v = rng.standard_normal(len(v))
