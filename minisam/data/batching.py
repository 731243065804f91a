"""Mini-batches: one seeded permutation of the examples, cut in pieces."""

from collections.abc import Sequence

import numpy as np

from minisam.arrays import Array


def batches(
    n: int,
    batch_size: int,
    rng: np.random.Generator | int | Sequence[int],
    *,
    drop_last: bool = False,
    like: Array | None = None,
) -> list[Array]:
    """Return the index batches of one epoch.

    The indices 0 … n−1 are permuted once and cut in consecutive pieces, so every example is seen
    exactly once. With a seed the result is a pure function of the arguments: give ``(seed, epoch)``
    and any epoch can be drawn again, which is what resuming a run needs.

    Parameters
    ----------
    n : int
        Number of examples.
    batch_size : int
        Examples per batch. When it does not divide ``n`` the last batch is the shorter rest.
    rng : numpy.random.Generator, int or sequence of int
        A generator, which is advanced, or a seed for a new one.
    drop_last : bool
        Leave the shorter last batch out; full batches are always kept.
    like : array, optional
        Of these examples: the permutation, drawn on the host, is brought to where they are.

    Returns
    -------
    list of array
        Arrays of int64 with shape (batch_size,), the last one perhaps shorter. They are views of
        one permutation.

    Raises
    ------
    ValueError
        If ``n`` or ``batch_size`` is below 1, or ``drop_last`` would leave no batch.
    TypeError
        If ``rng`` is None: a run that cannot be repeated has to be asked for by a generator.

    Examples
    --------
    >>> [batch.tolist() for batch in batches(5, 2, rng=0)]
    [[2, 4], [3, 0], [1]]
    >>> [batch.tolist() for batch in batches(5, 2, rng=0, drop_last=True)]
    [[2, 4], [3, 0]]
    >>> [batch.tolist() for batch in batches(5, 5, rng=(0, 7))]  # seed 0, epoch 7
    [[0, 4, 3, 2, 1]]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}: there is nothing to draw from.")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    if drop_last and batch_size > n:
        raise ValueError(
            f"drop_last leaves no batch: batch_size is {batch_size}, there are {n} examples."
        )
    if rng is None:
        raise TypeError("rng is None; give a numpy.random.Generator or a seed.")
    order: Array = np.random.default_rng(rng).permutation(n)
    if like is not None:
        order = np.asarray(order, like=like)
    stop = n - n % batch_size if drop_last else n
    return [order[start : start + batch_size] for start in range(0, stop, batch_size)]
