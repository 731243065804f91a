"""What an array is: NumPy's or CuPy's, told apart by its own type and by nothing else.

This is the only file that knows CuPy. NumPy's functions find CuPy's by themselves where an argument
is one of its arrays, and ``np.zeros(n, like=x)`` makes an array where x is; so all other code is
written once. What is here is the rest: the way there and back, and the few things that the two do
differently.
"""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A NumPy array (or scalar), a CuPy array, or a Tensor that stands for one while a function is
differentiated. Functions of arrays run unchanged on all three: NumPy dispatches to the owner."""
Random: TypeAlias = "np.random.Generator"
"""In quotes: naming it at import would load a part of NumPy that takes a sixth of the time."""

INSTALL = "pip install 'minisam[cuda13]' (or cuda12, as `nvidia-smi` shows)"


class DeviceError(RuntimeError):
    """There is no such device."""


def on_host(x: Array) -> bool:
    """Tell whether an array is NumPy's, or a number: reading it then waits for nothing.

    Of an array on a device, each ``float(x)`` and each ``if x > 0`` makes the host wait until all
    work before it is done. So this is asked before anything is looked at only to be refused.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, or a scalar; no Tensor.

    Returns
    -------
    bool
        False for arrays on a device.

    Examples
    --------
    >>> on_host(np.zeros(2)), on_host(1.0)
    (True, True)
    """
    return not hasattr(type(x), "__cuda_array_interface__")


def device_of(x: Array) -> str:
    """Name the device that an array is on.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, or a scalar; no Tensor.

    Returns
    -------
    str
        ``"cpu"`` or ``"cuda"``.

    Examples
    --------
    >>> device_of(np.zeros(2))
    'cpu'
    """
    return "cpu" if on_host(x) else "cuda"


def check_device(device: str) -> None:
    """Refuse a name that is not one of a device.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    ValueError
        It is another one.

    Examples
    --------
    >>> check_device("cuda")
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(
            f"device {device!r}: expected 'cpu' or 'cuda'. Of several GPUs the environment "
            "variable CUDA_VISIBLE_DEVICES chooses one: CUDA_VISIBLE_DEVICES=1 the second."
        )


def moved(x: Array, device: str) -> Array:
    """Bring an array to a device, or to the host; see `minisam.to_device`.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, or anything `numpy.asarray` takes.
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    array
        The same values there; not a copy if they are there already.

    Raises
    ------
    ValueError
        The name is not one of a device.
    ImportError
        CuPy is not installed.
    DeviceError
        There is no such device.

    Examples
    --------
    >>> moved([1.0, 2.0], "cpu")
    array([1., 2.])
    """
    check_device(device)
    if device == "cpu":
        return np.asarray(x) if on_host(x) else x.get()
    if not on_host(x):
        return x
    try:
        import cupy
    except ImportError as error:
        raise ImportError(f"device {device!r} needs CuPy: {INSTALL}.") from error
    if not cupy.is_available():
        raise DeviceError(
            f"device {device!r}: CuPy is installed, but finds no GPU that it can use. "
            "`nvidia-smi` shows whether there is a driver; device='cpu' needs none."
        )
    return cupy.asarray(np.asarray(x))


def mixed(arrays: Any) -> str | None:
    """Say which devices some arrays are on, if it is more than one.

    Parameters
    ----------
    arrays : iterable
        Arrays; numbers, NumPy's scalars and other things count as being anywhere.

    Returns
    -------
    str or None
        For an error message; None if all are in one place.

    Examples
    --------
    >>> mixed([np.zeros(2), 1.0])
    """
    found = {device_of(x): x.shape for x in arrays if isinstance(x, np.ndarray) or not on_host(x)}
    if len(found) < 2:
        return None
    places = " and ".join(f"{shape} on {device!r}" for device, shape in sorted(found.items()))
    return f"arrays of shapes {places}; bring them to one: ms.to_device(x, {max(found)!r})"


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
    if not on_host(x):
        return x.copy(order="K")
    copy = np.array(x)
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
    found: np.ndarray[Any, Any] = moved(x, "cpu")
    return found


def zeros(shape: tuple[int, ...], like: Array) -> Array:
    """Make zeros of an array's dtype, where it is.

    CuPy takes ``shape=()`` in `numpy.zeros_like` for no shape at all, and NumPy's ``like=`` takes
    no scalar.

    Parameters
    ----------
    shape : tuple of int
        Of the result.
    like : array
        NumPy or CuPy array, or a scalar of NumPy's.

    Returns
    -------
    array
        A new one.

    Examples
    --------
    >>> zeros((), np.float32(1))
    array(0., dtype=float32)
    """
    if on_host(like):
        return np.zeros(shape, like.dtype)
    return np.zeros(shape, like.dtype, like=like)


def strided(x: Array, shape: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    """View a contiguous array with other axes: `numpy.lib.stride_tricks.as_strided`.

    Parameters
    ----------
    x : array
        Contiguous.
    shape : tuple of int
        Of the view.
    steps : tuple of int
        For each of its axes, how many elements further the next one is.

    Returns
    -------
    array
        A view, not to be written to: elements may occur in it many times.

    Examples
    --------
    >>> strided(np.arange(4), (3, 2), (1, 1))
    array([[0, 1],
           [1, 2],
           [2, 3]])
    """
    strides = tuple(x.itemsize * step for step in steps)
    if on_host(x):
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)
    import cupy

    return cupy.lib.stride_tricks.as_strided(x, shape, strides)
