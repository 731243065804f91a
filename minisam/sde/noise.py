"""Why ∇f_γ is not ∇f: Gaussian noise that is injected, or the mini-batch.

A noise draws γ once for a step; both gradients of the step then see the same γ, as they see the
same batch in SAM.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array
from minisam.autodiff.transforms import grad
from minisam.sde.problems import Problem, symmetric
from minisam.sde.streams import Streams


class Gaussian:
    """Additive noise: ∇f_γ(x) = ∇f(x) + Z with Z ~ N(0, C), whatever x is.

    Parameters
    ----------
    covariance : array_like, (d, d)
        C, symmetric and positive semidefinite; 0 gives the algorithm with the full gradient.

    Attributes
    ----------
    covariance, root : array, (d, d)
        C and its symmetric root C^½.
    variances : array, (1,) or (d,)
        Eigenvalues of C; one number if all are equal.
    basis : array, (d, d), or None
        Its eigenvectors, in columns; None if C is diagonal.

    Raises
    ------
    ValueError
        C is not symmetric, not finite, or has a negative eigenvalue.

    Examples
    --------
    >>> Gaussian([[4.0, 0.0], [0.0, 1.0]]).root
    array([[2., 0.],
           [0., 1.]])
    >>> Gaussian([[1.0, 2.0], [2.0, 1.0]])
    Traceback (most recent call last):
    ...
    ValueError: the covariance is indefinite: its eigenvalues go from -1 to 3. ...
    """

    def __init__(self, covariance: Any) -> None:
        c = symmetric(covariance, "the covariance")
        self.d = len(c)
        self.basis: Array | None = None
        if (c == np.diag(np.diag(c))).all():
            values = np.diag(c)
            lowest, highest = float(values.min()), float(values.max())
        else:
            values, self.basis = np.linalg.eigh(c)
            lowest, highest = float(values[0]), float(values[-1])
        if lowest < -1e-12 * highest:
            raise ValueError(
                f"the covariance is indefinite: its eigenvalues go from {lowest:g} to {highest:g}. "
                "A covariance has none below 0."
            )
        values = np.maximum(values, 0.0)
        self.covariance = c
        self.variances: Array = values[:1].copy() if lowest == highest else values
        self.root: Array = np.diag(np.sqrt(values))
        if self.basis is not None:
            self.root = self.basis * np.sqrt(values) @ self.basis.T

    @classmethod
    def isotropic(cls, sigma: float, d: int) -> "Gaussian":
        """Return the noise σ·N(0, I_d).

        Parameters
        ----------
        sigma : float
            Standard deviation σ >= 0 of every coordinate.
        d : int
            Dimension.

        Returns
        -------
        Gaussian
            With C = σ²I.

        Examples
        --------
        >>> Gaussian.isotropic(0.5, 3).variances
        array([0.25])
        """
        if not 0 <= sigma < np.inf:
            raise ValueError(f"sigma must be at least 0 and finite, got {sigma}.")
        return cls(sigma**2 * np.eye(d))

    def check(self, problem: Problem) -> None:
        """Raise ValueError unless it is noise of the problem's dimension."""
        if self.d != problem.d:
            raise ValueError(
                f"the covariance is {self.d}×{self.d}, but {problem.name} has {problem.d} "
                f"parameters. For equal noise in all use Gaussian.isotropic(sigma, {problem.d})."
            )

    def spread(self, xi: Array) -> Array:
        """Return C^½ ξ for rows ξ."""
        if self.basis is None:
            return np.sqrt(self.variances) * xi
        return xi @ self.root

    def sample(self, streams: Streams, xi: Array) -> Array:
        """Draw γ of a step: Z itself, (paths, d).

        Z is made of the step's normal numbers ξ, (substeps, paths, d), so that an SDE simulated
        beside the algorithm is driven by the same noise. An algorithm subtracts its gradient, an
        SDE adds its noise: hence the sign.
        """
        return -self.spread(xi[0] if len(xi) == 1 else xi.sum(axis=0) / np.sqrt(len(xi)))

    def gradient(self, problem: Problem, gamma: Array) -> Callable[[Array], Array]:
        """Return ∇f_γ as a function of rows."""
        return lambda x: problem.gradient(x) + gamma


@dataclass(frozen=True, eq=False)
class MiniBatches:
    """The real noise of SGD: γ is one batch of a list, all equally likely.

    Parameters
    ----------
    rows : array of int, (batches, b)
        The examples of each batch. Every example must be in equally many, or the mean of ∇f_γ would
        not be ∇f. Make them with `all_batches` or `one_epoch`.

    Raises
    ------
    ValueError
        Some examples are in more batches than others.

    Examples
    --------
    >>> MiniBatches(all_batches(4, 2)).rows.shape
    (6, 2)
    """

    rows: NDArray[np.intp]

    def __post_init__(self) -> None:
        counts = np.bincount(np.ravel(self.rows), minlength=1)
        if np.ndim(self.rows) != 2 or counts.min() < max(1, counts.max()):
            raise ValueError(
                f"rows of shape {np.shape(self.rows)} must be (batches, b), with every example in "
                f"equally many batches; the counts go from {counts.min()} to {counts.max()}. "
                "Use all_batches or one_epoch."
            )

    def check(self, problem: Problem) -> None:
        """Raise ValueError unless the batches are made of all the problem's examples."""
        examples = int(self.rows.max()) + 1
        if examples != problem.examples:
            raise ValueError(
                f"the batches are of {examples} examples, but {problem.name} has "
                f"{problem.examples or 'none: it is no mean of losses. Use Gaussian noise'}."
            )

    def sample(self, streams: Streams, xi: Array) -> NDArray[np.intp]:
        """Draw γ of a step: a batch for each path, (paths, b)."""
        return self.rows[streams.integers(len(self.rows))]

    def gradient(self, problem: Problem, gamma: NDArray[np.intp]) -> Callable[[Array], Array]:
        """Return ∇f_γ as a function of rows."""
        return grad(lambda x: np.sum(problem.batch_losses(x, gamma)))


Noise: TypeAlias = Gaussian | MiniBatches


def all_batches(examples: int, b: int) -> NDArray[np.intp]:
    """List all batches of b different examples.

    Parameters
    ----------
    examples : int
        How many examples there are.
    b : int
        Batch size, in [1, examples].

    Returns
    -------
    array of int, (batches, b)
        For `MiniBatches`.

    Raises
    ------
    ValueError
        b is out of range, or there would be more than 100,000.

    Examples
    --------
    >>> all_batches(3, 2)
    array([[0, 1],
           [0, 2],
           [1, 2]])
    """
    from math import comb

    if not 1 <= b <= examples or comb(examples, b) > 100_000:
        raise ValueError(
            f"batches of {b} out of {examples} examples: b must be in [1, {examples}], and there "
            "may be 100,000 at most to list them all. Use one_epoch."
        )
    return np.array(list(combinations(range(examples), b)))


def one_epoch(examples: int, b: int, seed: int = 0) -> NDArray[np.intp]:
    """Shuffle the examples and cut them into batches, as one epoch of training does.

    Parameters
    ----------
    examples : int
        How many examples there are; a multiple of ``b``.
    b : int
        Batch size.
    seed : int
        Of the order.

    Returns
    -------
    array of int, (examples / b, b)
        For `MiniBatches`.

    Raises
    ------
    ValueError
        ``examples`` is no multiple of ``b``.

    Examples
    --------
    >>> one_epoch(6, 3).shape
    (2, 3)
    """
    if b < 1 or examples % b:
        raise ValueError(f"{examples} examples cannot be cut into batches of {b}.")
    return np.random.default_rng(seed).permutation(examples).reshape(-1, b)
