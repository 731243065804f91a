"""The mean loss over a whole data set, of which one batch at a time is in memory."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.nn.layer import Layer
from minisam.nn.losses import cross_entropy
from minisam.ops.sums import sum_of

Loss: TypeAlias = Callable[[Array], Array]
"""``w -> scalar``."""

Losses: TypeAlias = Callable[[Array], Array]
"""``w -> (batch,)``: the losses ℓ(w, x_i, y_i) of some examples."""


def batched(
    model: Layer,
    x: Array,
    y: Array,
    size: int = 200,
    *,
    loss: Callable[[Array, Array], Array] = cross_entropy,
    statistics: Array | None = None,
) -> list[Losses]:
    """Cut a model's losses on a data set into batches.

    Parameters
    ----------
    model : Layer
        Gives logits; evaluated, not trained: dropout is off.
    x : array, (n, ...)
        Inputs.
    y : array, (n,)
        Labels.
    size : int
        Examples per batch; the last may be smaller. Memory grows with it.
    loss : callable
        ``(logits, labels) -> (batch,)``.
    statistics : array, optional
        From ``model.statistics(w, batches)``, for models with batch norm.

    Returns
    -------
    list of callable
        ``w -> (batch,)``, for `streamed`, `m_sharpness`, `noise_eigenvalues`, `pac_bayes_bound`.

    Raises
    ------
    ValueError
        There are no examples, or the size is below 1.
    ShapeError
        Inputs and labels differ in number.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> model = ms.nn.mlp([2, 3])
    >>> parts = batched(model, np.ones((5, 2)), np.zeros(5, int), size=2)
    >>> [len(part(np.zeros(model.size))) for part in parts]
    [2, 2, 1]
    """
    if len(x) == 0 or size < 1:
        raise ValueError(f"batched: {len(x)} examples in batches of {size}; both at least 1.")
    if len(x) != len(y):
        raise ShapeError(f"batched: {len(x)} inputs, but {len(y)} labels.")

    def part(rows: slice) -> Losses:
        return lambda w: loss(model(w, x[rows], statistics=statistics), y[rows])

    return [part(slice(start, start + size)) for start in range(0, len(x), size)]


def parts_of(losses: Losses | Sequence[Losses]) -> list[Losses]:
    """Return the losses of a data set as a list of parts, also if they were given as one."""
    parts = [losses] if callable(losses) else list(losses)
    if not parts:
        raise ValueError("there are no losses: give one function w -> (n,), or a list of them.")
    return parts


def streamed(losses: Losses | Sequence[Losses]) -> Loss:
    """Average the losses of all parts; only one part is recorded at a time, in every derivative.

    A Hessian-vector product with the plain mean keeps everything that the network computed for
    every example. With this one it keeps that of one part, and computes a gradient once more; for
    convolutions it is faster nevertheless, because a part stays in the processor's cache.

    Parameters
    ----------
    losses : callable or sequence of callable
        ``w -> (n,)``, or several of them for the parts of a data set, for example from `batched`.

    Returns
    -------
    callable
        ``w -> scalar``: the mean over all examples, differentiable as often as the parts.

    Raises
    ------
    ValueError
        There are none.
    ShapeError
        When it is called: a part returns something else than one loss for each example.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> loss = streamed([lambda w: w[0] * np.arange(3.0), lambda w: w[1] ** 2 * np.ones(1)])
    >>> float(loss(np.array([1.0, 3.0])))
    3.0
    >>> ms.hessian(loss)(np.array([1.0, 3.0]))
    array([[0. , 0. ],
           [0. , 0.5]])
    """
    parts = parts_of(losses)

    def loss(w: Array) -> Array:
        sizes = [0] * len(parts)

        def summed(i: int) -> Loss:
            def total(w: Array) -> Array:
                each = parts[i](w)
                if each.ndim != 1:
                    raise ShapeError(
                        f"streamed: part {i} returned shape {each.shape}; return one loss for "
                        "each example, (batch,), without np.mean."
                    )
                sizes[i] = each.size
                return each.sum()

            return total

        total = sum_of(w, functions=[summed(i) for i in range(len(parts))])
        return total / sum(sizes)

    return loss
