"""Losses: one number for each example, ℓ(w, x_i, y_i); the training loss is their mean."""

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.ops.classification import cross_entropy

__all__ = ["cross_entropy", "mse"]


def mse(outputs: Array, targets: Array) -> Array:
    """Squared error, averaged over the outputs of each example.

    Parameters
    ----------
    outputs, targets : array, (batch, ...)
        Of the same shape.

    Returns
    -------
    array, (batch,)
        ``mean_j (outputs_ij - targets_ij)²``.

    Raises
    ------
    ShapeError
        The shapes differ: broadcasting here is nearly always a mistake.

    Examples
    --------
    >>> mse(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    array([2.])
    """
    if not hasattr(outputs, "shape"):
        outputs = np.asarray(outputs)
    if outputs.shape != np.shape(targets):
        raise ShapeError(
            f"mse: outputs of shape {outputs.shape}, targets of {np.shape(targets)}; they must be "
            "equal. Reshape the targets: y[:, None]."
        )
    difference = outputs - targets
    square = difference * difference
    return square if outputs.ndim == 1 else square.mean(axis=tuple(range(1, outputs.ndim)))
