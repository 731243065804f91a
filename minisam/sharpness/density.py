"""The density of the Hessian's eigenvalues, by stochastic Lanczos quadrature."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.lanczos import krylov
from minisam.sharpness.products import Product, hessian_product, ticking
from minisam.sharpness.streaming import Loss


@dataclass(frozen=True, eq=False)
class Density:
    """The distribution of eigenvalues as seen by some random vectors: called, a smooth density.

    Parameters
    ----------
    nodes : numpy.ndarray, (vectors, steps)
        For each vector, where its Gauss quadrature looks: the outermost are nearly eigenvalues.
    weights : numpy.ndarray, (vectors, steps)
        What fraction of all eigenvalues each node stands for; rows sum to 1.

    Examples
    --------
    >>> density = Density(np.array([[0.0, 2.0]]), np.array([[0.75, 0.25]]))
    >>> density([0.0, 1.0, 2.0], width=0.1).round(3)
    array([2.992, 0.   , 0.997])
    """

    nodes: Array
    weights: Array

    def __call__(self, x: Array, width: float | None = None) -> Array:
        """Smooth the distribution by a Gaussian.

        Parameters
        ----------
        x : array_like, (n,)
            Where.
        width : float, optional
            Standard deviation of the Gaussian; by default 1 % of the nodes' range.

        Returns
        -------
        numpy.ndarray, (n,)
            Density of eigenvalues; its integral is 1.

        Raises
        ------
        ValueError
            The width is not positive.
        """
        if width is None:
            width = 0.01 * float(np.ptp(self.nodes)) or 0.01
        if not width > 0:
            raise ValueError(f"the width of a density must be positive, got {width}.")
        apart = (np.asarray(x)[:, None] - self.nodes.ravel()) / width
        bumps = np.exp(-0.5 * apart**2) / (width * np.sqrt(2 * np.pi))
        smooth: Array = bumps @ self.weights.ravel() / len(self.nodes)
        return smooth

    def mean(self, f: Callable[[Array], Array]) -> Estimate:
        """Estimate the mean of a function over the eigenvalues, tr f(H) / d.

        Parameters
        ----------
        f : callable
            Elementwise, for example ``lambda x: x**2``; for polynomials of degree below twice the
            number of steps the only error is that of sampling.

        Returns
        -------
        Estimate
            Standard error from the spread over the vectors.

        Examples
        --------
        >>> import numpy as np
        >>> density = spectral_density(lambda w: np.sum(w**2), np.zeros(3), steps=2, vectors=2)
        >>> print(density.mean(np.square))
        4 ± 0
        """
        return Estimate.of((self.weights * f(self.nodes)).sum(axis=1))


def spectral_density(
    loss: Loss,
    w: Array,
    *,
    steps: int = 80,
    vectors: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> Density:
    """Estimate how the eigenvalues of the Hessian of a loss are distributed.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    steps, vectors, seed, progress
        As for `quadrature`.

    Returns
    -------
    Density
        Called with values and a width, the smoothed density.

    Examples
    --------
    >>> loss = lambda w: np.sum(np.arange(1.0, 51.0) * w**2)     # eigenvalues 2, 4, …, 100
    >>> density = spectral_density(loss, np.zeros(50), vectors=20)
    >>> density(np.array([51.0, 200.0]), width=10).round(3)
    array([0.01, 0.  ])
    """
    product, d = hessian_product(loss, w)
    return quadrature(product, d, steps=steps, vectors=vectors, seed=seed, progress=progress)


def quadrature(
    product: Product,
    d: int,
    *,
    steps: int = 80,
    vectors: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> Density:
    r"""Estimate the spectral density of an operator (Lin, Saad & Yang 2016; Ghorbani et al. 2019).

    For a unit vector v with random signs, Lanczos' method gives nodes θ and weights τ² with

    .. math::
        v^\top f(A)\, v = \sum_j \tau_j^2 f(\theta_j), \qquad
        \mathbb{E}\, v^\top f(A)\, v = \frac{1}{d}\,\mathrm{tr} f(A),

    the first exactly for polynomials f of degree below twice the number of steps.

    Parameters
    ----------
    product : callable
        ``v -> A v`` for float64 vectors of length d.
    d : int
        Its dimension.
    steps : int
        Nodes for each vector, at most d.
    vectors : int
        How many random vectors; error bars need two. Products spent: ``steps × vectors``.
    seed : int
        Of the vectors.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Density
        Nodes and weights.

    Raises
    ------
    ValueError
        Fewer than one step or vector.

    Examples
    --------
    >>> density = quadrature(lambda v: np.array([3.0, 1.0]) * v, 2, vectors=1)
    >>> density.nodes, density.weights
    (array([[1., 3.]]), array([[0.5, 0.5]]))
    """
    if steps < 1 or vectors < 1:
        raise ValueError(f"{steps} steps for {vectors} vectors; both must be at least 1.")
    steps = min(steps, d)
    rng = np.random.default_rng(seed)
    product = ticking(product, steps * vectors, "spectral density", progress)
    nodes, weights = np.empty((vectors, steps)), np.empty((vectors, steps))
    for i in range(vectors):
        start = rng.choice([-1.0, 1.0], size=(1, d))
        *_, (_, projected, scale) = krylov(product, start, steps, rng)
        values, basis = np.linalg.eigh(projected[:steps])
        nodes[i], weights[i] = scale * values, basis[0] ** 2
    return Density(nodes, weights)
