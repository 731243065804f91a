"""What an array is: NumPy's or CuPy's, told apart by its own type and by nothing else."""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A NumPy array (or scalar), a CuPy array, or a Tensor that stands for one while a function is
differentiated. Functions of arrays run unchanged on all three: NumPy dispatches to the owner."""
Random: TypeAlias = "np.random.Generator"
"""In quotes: naming it at import would load a part of NumPy that takes a sixth of the time."""


def kept(x: Array) -> Array:
    """Copy an array that must not change while someone else goes on with the original.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, or a scalar.

    Returns
    -------
    array
        A copy; NumPy's refuses to be written to.

    Examples
    --------
    >>> kept(np.zeros(1)).flags.writeable
    False
    """
    copy = np.array(x)
    if isinstance(copy, np.ndarray):
        copy.flags.writeable = False
    return copy


def to_numpy(x: Array) -> np.ndarray[Any, Any]:
    """Return ``x`` as a NumPy array; the only way from a device to the host.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, or anything `numpy.asarray` takes.

    Returns
    -------
    numpy.ndarray
        The same values on the host; not a copy when ``x`` is one already.

    Examples
    --------
    >>> to_numpy([1.0, 2.0])
    array([1., 2.])
    """
    return np.asarray(x.get() if hasattr(x, "get") and hasattr(x, "device") else x)
