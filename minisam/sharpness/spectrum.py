"""Eigenvalues of the Hessian from Hessian-vector products alone, by Lanczos' method."""

import warnings
from collections.abc import Callable

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import grad, linearize

NEGLIGIBLE = 0.01
"""Beside the largest eigenvalue in magnitude: with the default tolerance, what is resolved of a
smaller one is 1e-6 of the largest, the accuracy of products in float32."""


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
        Stop when the error bound of every wanted eigenvalue is below ``tol`` times its magnitude,
        or ``tol`` times 1 % of the largest magnitude of all if that is more. (The bound is a
        residual; the errors are usually near its square.) In float32 the products themselves are
        good to about 1e-6 of the largest.
    max_products : int
        Stop after so many Hessian-vector products in any case, but not before k of them; if the
        bounds are not reached then, with a RuntimeWarning.

    Returns
    -------
    numpy.ndarray of float64, (k,)
        In falling order, each as often as it occurs. The recording of ∇L is made once; no d×d
        matrix is formed.

    Raises
    ------
    ValueError
        k is not in [1, d], or the Hessian at w is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> top_eigenvalues(lambda w: np.sum(np.array([1.0, 5.0, 3.0]) * w**2), np.ones(3), k=2)
    array([10.,  6.])
    """
    if not hasattr(w, "dtype"):
        w = np.asarray(w)
    d = w.size
    if not 1 <= k <= d:
        raise ValueError(
            f"top_eigenvalues: k must be in [1, {d}], the number of parameters; got {k}."
        )
    _, product = linearize(grad(loss), w)
    return lanczos(
        lambda v: to_numpy(product(np.asarray(v, dtype=w.dtype, like=w))).astype(np.float64),
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

    Lanczos' method for a band: it starts from k random vectors, because from one vector an
    eigenvalue is only ever found once, however often it occurs. Every new vector is orthogonalised
    against all before it (twice: rounding would bring the large eigenvalues back as copies).

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

    Raises
    ------
    ValueError
        A product is not finite.

    Examples
    --------
    >>> lanczos(lambda v: np.array([3.0, 1.0, 3.0]) * v, 3, 2)
    array([3., 3.])
    """
    rng = np.random.default_rng(seed)
    basis = np.empty((0, d))
    for _ in range(k):
        basis = _extended(basis, rng.standard_normal(d), rng)
    projected = np.empty((k, 0))  # v_i · A v_j
    while True:
        n = projected.shape[1]
        image = product(basis[n])
        if not np.isfinite(image).all():
            raise ValueError("a product with the Hessian is not finite: there is no spectrum.")
        if n == 0:  # eigenvalues of any scale: no square overflows below
            scale = np.abs(image).max() or 1.0
        image = image / scale
        if len(basis) < d:
            basis = _extended(basis, image, rng)
        # A v_j has no part outside of the basis as it was extended by it: new rows begin with 0.
        projected = np.pad(projected, ((0, len(basis) - len(projected)), (0, 1)))
        projected[:, n] = basis @ image
        n += 1
        values, vectors = np.linalg.eigh(projected[:n])
        if n < k:
            continue
        # What A leaves outside of the first n vectors bounds each eigenvalue's error.
        residuals = np.linalg.norm(projected[n:] @ vectors[:, -k:], axis=0)
        sizes = np.abs(values)
        excess = residuals - tol * np.maximum(sizes[-k:], NEGLIGIBLE * sizes.max())
        if n < d and n >= max_products and excess.max() > 0:
            warnings.warn(
                f"after {n} products with the Hessian its largest eigenvalues are only known to "
                f"±{residuals.max() * scale:.1e}. Raise max_products, or tol={tol:g}.",
                RuntimeWarning,
                stacklevel=2,
            )
        if excess.max() <= 0 or n == d or n >= max_products:
            return scale * values[::-1][:k]


def _extended(basis: Array, v: Array, rng: np.random.Generator) -> Array:
    """Append to an orthonormal basis what is new in a vector; if nothing is, a random vector."""
    while True:
        whole = np.linalg.norm(v)
        for _ in range(2):
            v = v - basis.T @ (basis @ v)
        length = np.linalg.norm(v)
        if length > 1e-12 * whole:
            return np.concatenate([basis, v[None] / length])
        v = rng.standard_normal(len(v))
