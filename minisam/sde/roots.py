"""Square roots of matrices that should be covariances, and what had to be cut off for it."""

import numpy as np

from minisam.arrays import Array

ROUNDING = 1e-12
"""Eigenvalues below zero by less, relative to the largest, are rounding and not counted."""


class Clips:
    """How often a matrix had a negative eigenvalue, and the extreme eigenvalues of all.

    A covariance that is only right to first order in ρ, such as SAM's, can be indefinite.

    Examples
    --------
    >>> clips = Clips()
    >>> _ = psd_root(np.diag([4.0, -1.0])[None], clips)
    >>> clips
    1 of 1 matrices clipped; eigenvalues go from -1 to 4
    """

    def __init__(self) -> None:
        self._seen: list[tuple[int, int, float, float]] = []  # an append is safe among threads

    def add(self, lowest: Array, highest: Array) -> None:
        """Count matrices by their lowest and highest eigenvalues."""
        clipped = lowest < -ROUNDING * np.maximum(highest, 0)
        extremes = float(lowest.min()), float(highest.max())
        self._seen.append((int(clipped.sum()), lowest.size, *extremes))

    @property
    def clipped(self) -> int:
        """How many had a negative eigenvalue."""
        return sum(clipped for clipped, *_ in self._seen)

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(total for _, total, *_ in self._seen)

    @property
    def lowest(self) -> float:
        """The lowest eigenvalue of all."""
        return min((lowest for _, _, lowest, _ in self._seen), default=np.inf)

    @property
    def highest(self) -> float:
        """The highest."""
        return max((highest for *_, highest in self._seen), default=-np.inf)

    def __repr__(self) -> str:
        if not self.total:
            return "no matrix seen"
        return (
            f"{self.clipped:,} of {self.total:,} matrices clipped; eigenvalues go from "
            f"{self.lowest:.3g} to {self.highest:.3g}"
        )


def psd_root(matrices: Array, clips: Clips | None = None) -> Array:
    """Return the symmetric positive semidefinite square root of symmetric matrices.

    By eigendecomposition; eigenvalues below 0 become 0, which is the nearest covariance in the
    Frobenius norm. A singular value decomposition would give the root of another matrix, |A|.

    Parameters
    ----------
    matrices : array, (..., d, d)
        Symmetric.
    clips : Clips, optional
        Counts those that were indefinite.

    Returns
    -------
    array, (..., d, d)
        S = Sᵀ with S S the matrix, clipped.

    Raises
    ------
    ValueError
        A matrix is not symmetric.
    FloatingPointError
        One is not finite.

    Examples
    --------
    >>> psd_root(np.array([[[2.0, 0.0], [0.0, 9.0]]])).round(6)
    array([[[1.414214, 0.      ],
            [0.      , 3.      ]]])
    """
    gap = np.abs(matrices - np.swapaxes(matrices, -1, -2)).max()
    if not np.isfinite(gap):
        raise FloatingPointError("psd_root: a matrix is not finite. Lower eta, or raise substeps.")
    if gap > 1e-8 * np.abs(matrices).max():
        raise ValueError(
            f"psd_root: a matrix differs from its transpose by {gap:.3g}; an asymmetric matrix has "
            "no such root. A covariance is S + Sᵀ, for example ΣH + HΣᵀ and not H(Σ + Σᵀ)."
        )
    if matrices.shape[-1] == 1:  # no decomposition for a number
        if clips is not None:
            clips.add(matrices[..., 0, 0], matrices[..., 0, 0])
        return np.sqrt(np.maximum(matrices, 0))
    values, vectors = np.linalg.eigh(matrices)
    if clips is not None:
        clips.add(values[..., 0], values[..., -1])
    scaled = vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
    return scaled @ np.swapaxes(vectors, -1, -2)
