"""Dropout: multiplication by a random mask, which is a constant to the derivative."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.tensor import value_of

Seed: TypeAlias = "int | Sequence[int] | np.random.SeedSequence | np.random.Generator"


def dropout(x: Array, rate: float, seed: Seed) -> Array:
    """Set each element to zero with probability ``rate`` and divide the others by ``1 - rate``.

    Parameters
    ----------
    x : array
        Any shape.
    rate : float
        Probability of zero, in [0, 1).
    seed : int, sequence of int, SeedSequence or Generator
        Where the mask comes from. All but a Generator give the same mask at each call, whatever
        x's dtype and memory order: so the two passes of a SAM step differentiate one function. A
        Generator moves on, and each call has another mask.

    Returns
    -------
    array
        ``x · mask / (1 - rate)``, on average x.

    Raises
    ------
    ValueError
        The rate is not in [0, 1).
    TypeError
        There is no seed: the mask would differ between the passes.

    Examples
    --------
    >>> import numpy as np
    >>> dropout(np.ones(6), 0.5, seed=0)
    array([2., 0., 0., 0., 2., 2.])
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate must be in [0, 1), got {rate}: at 1 nothing is left.")
    if seed is None:
        raise TypeError(
            "dropout: seed is None, which would draw another mask in each pass of a step. Give "
            "an int, or a numpy.random.Generator if that is meant."
        )
    value = value_of(x)
    kept = np.random.default_rng(seed).random(np.shape(value)) >= rate
    dtype = np.result_type(value, 1.0)
    scale = np.empty_like(value, dtype=dtype)  # as x is: on its device, in its memory order
    scale[...] = np.asarray(kept, like=scale) / (1 - rate)
    return x * scale
