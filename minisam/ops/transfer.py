"""From the host to a device and back: linear maps, each the transpose of the other."""

from minisam.arrays import Array, check_device, device_of, moved
from minisam.autodiff.primitive import Primitive, linear
from minisam.autodiff.tensor import value_of
from minisam.ops.domains import cases

moved_op: Primitive = linear(
    "moved",
    moved,
    lambda ct, x, device: moved_op(ct, device=device_of(value_of(x))),
    domain=cases(((2, 3), {"device": "cpu"}), ((), {"device": "cpu"})),
    doc="The same values on another device.",
)


def to_device(x: Array, device: str) -> Array:
    """Bring an array to a device: from then on, what is made of it is computed there.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, anything `numpy.asarray` takes, or a Tensor.
    device : str
        ``"cuda"`` is the GPU, of several the first that CUDA_VISIBLE_DEVICES names; ``"cpu"`` is
        the host.

    Returns
    -------
    array
        CuPy's, or NumPy's for ``"cpu"``; not a copy if it is there already. The derivative goes
        back to where x was.

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
    >>> import minisam as ms
    >>> ms.to_device([1.0, 2.0], "cpu")
    array([1., 2.])
    """
    check_device(device)  # before the operation, which takes a ValueError to be about shapes
    return moved_op(x, device=device)


def to_numpy(x: Array) -> Array:
    """Bring an array to the host; the only way there from a device.

    Parameters
    ----------
    x : array
        NumPy or CuPy array, anything `numpy.asarray` takes, or a Tensor.

    Returns
    -------
    numpy.ndarray
        The same values; not a copy if they are there already. The host waits until the device has
        computed them.

    Examples
    --------
    >>> import minisam as ms
    >>> ms.to_numpy([1.0, 2.0])
    array([1., 2.])
    """
    return moved_op(x, device="cpu")
