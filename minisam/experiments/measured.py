"""Sharpness of a trained model: on which examples, and with which batch-norm statistics."""

from collections.abc import Callable

import numpy as np

from minisam.arrays import Array
from minisam.data import Dataset
from minisam.nn.layer import Layer
from minisam.sharpness.streaming import Losses, batched
from minisam.training.loop import statistics_at

EXAMPLES = 1000
"""How many training examples sharpness is measured on, where nothing else is said."""


def measured_losses(
    model: Layer, data: Dataset, w: Array, examples: int = EXAMPLES, size: int | None = None
) -> list[Losses]:
    """Return the losses that sharpness at ``w`` is measured on, in batches.

    They are those of some training examples, always the same ones: drawn at random, because a
    file may be sorted by class. Batch norm keeps the statistics it has at ``w``; there is no
    dropout.

    Parameters
    ----------
    model : Layer
        Gives logits.
    data : Dataset
        Its training examples, with the labels they have there.
    w : array, (d,)
        Where sharpness is to be measured.
    examples : int
        At most so many of them.
    size : int, optional
        Examples in a batch; by default all in one.

    Returns
    -------
    list of callable
        As of `minisam.sharpness.batched`.

    Examples
    --------
    >>> import minisam as ms
    >>> data, model = ms.data.load("digits", train=100), ms.nn.mlp([64, 10])
    >>> w = np.zeros(model.size, "float32")
    >>> [part(w).shape for part in measured_losses(model, data, w, 50, size=30)]
    [(30,), (20,)]
    """
    statistics = statistics_at(model, w, data.x_train)
    rows = np.random.default_rng(0).permutation(len(data.x_train))[:examples]
    x, y = data.x_train[rows], data.y_train[rows]
    return batched(model, x, y, size or len(rows), statistics=statistics)


def measured_loss(
    model: Layer, data: Dataset, w: Array, examples: int = EXAMPLES
) -> Callable[[Array], Array]:
    """Return the training loss as a function of the parameters, for measuring sharpness at ``w``.

    Parameters
    ----------
    model, data, w, examples
        As for `measured_losses`.

    Returns
    -------
    callable
        ``w -> scalar``: the mean of those losses.

    Examples
    --------
    >>> import minisam as ms
    >>> data, model = ms.data.load("digits", train=100), ms.nn.mlp([64, 10])
    >>> w = np.zeros(model.size, "float32")
    >>> measured_loss(model, data, w)(w), np.log(10)
    (np.float32(2.302585...), np.float64(2.302585...))
    """
    (losses,) = measured_losses(model, data, w, examples)
    return lambda w: np.mean(losses(w))
