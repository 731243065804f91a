"""The losses of some training examples as a function of the parameters: what a method is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.data.dataset import Dataset
from minisam.nn.layer import Layer


@dataclass(frozen=True)
class Examples:
    """Losses of a batch in training mode; called twice, it is the same function.

    Parameters
    ----------
    model : Layer
        Gives logits.
    loss : callable
        ``(logits, labels) -> (batch,)``.
    data : Dataset
        Where the examples are.
    seed : tuple of int
        Of the dropout masks.
    batch : slice or array of int
        Which training examples.

    Examples
    --------
    >>> import minisam as ms
    >>> data = ms.data.load("digits", train=100, test=10)
    >>> model = ms.nn.mlp([64, 10])
    >>> Examples(model, ms.nn.cross_entropy, data, (0, 2, 0), slice(8))(model.init(0)).shape
    (8,)
    """

    model: Layer
    loss: Callable[[Array, Array], Array]
    data: Dataset
    seed: tuple[int, ...]
    batch: Any

    def __call__(self, w: Array, rows: Any = None) -> Array:
        """Compute the losses of the batch, or of some rows of it with the masks they have there."""
        x, y, seed = self.data.x_train[self.batch], self.data.y_train[self.batch], self.seed
        if rows is None:
            return self.loss(self.model(w, x, train=True, seed=seed), y)
        masks: Any = _MasksOf(np.random.PCG64(seed), len(x), rows)
        return self.loss(self.model(w, x[rows], train=True, seed=masks), y[rows])

    def full(self, size: int) -> list["Examples"]:
        """Return all training examples, in parts of this size."""
        starts = range(0, len(self.data.x_train), size)
        parts = (slice(start, start + size) for start in starts)
        return [Examples(self.model, self.loss, self.data, self.seed, part) for part in parts]


class _MasksOf(np.random.Generator):
    """Draws for a whole batch and gives some rows: an example keeps its mask in a smaller pass."""

    def __init__(self, bits: np.random.BitGenerator, size: int, rows: Any) -> None:
        super().__init__(bits)
        self._size, self._rows = size, rows

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        rows = self._rows if isinstance(self._rows, slice) else to_numpy(self._rows)
        return super().random((self._size, *size[1:]), *args, **kwargs)[rows]
