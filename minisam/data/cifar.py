"""CIFAR-10: pickled batches read without trusting pickle, and images coded as differences."""

import io
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minisam.arrays import Array
from minisam.data.files import DamagedFileError, StrPath

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE


def read_cifar_batch(path: StrPath) -> tuple[Array, Array]:
    """Read one file of CIFAR-10's Python version, such as ``data_batch_1``.

    A pickle is a program. This reader runs it with an unpickler that knows plain containers and
    uint8 arrays, and refuses everything else before it is imported or called.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    x : numpy.ndarray
        Images, uint8 of shape (n, 3, 32, 32), channels red, green, blue.
    y : numpy.ndarray
        Labels 0 … 9, int64 of shape (n,).

    Raises
    ------
    DamagedFileError
        If the pickle is broken, asks for anything but a uint8 array, or does not hold ``data``
        of shape (n, 3072) with n ``labels`` from 0 to 9.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [3, 9]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data_batch_1")
    ...     _ = path.write_bytes(pickle.dumps(batch, protocol=2))
    ...     x, y = read_cifar_batch(path)
    >>> x.shape, y.tolist()
    ((2, 3, 32, 32), [3, 9])
    """
    return decode_cifar_batch(Path(path).read_bytes(), str(path))


def decode_cifar_batch(content: bytes, name: str = "CIFAR-10 batch") -> tuple[Array, Array]:
    r"""Decode the bytes of one CIFAR-10 batch; see `read_cifar_batch`.

    Parameters
    ----------
    content : bytes
        A pickled dictionary with ``data`` and ``labels``, written by Python 2 or 3.
    name : str
        What error messages call it.

    Returns
    -------
    x : numpy.ndarray
        Images, as in `read_cifar_batch`.
    y : numpy.ndarray
        Labels, as in `read_cifar_batch`.

    Raises
    ------
    DamagedFileError
        As in `read_cifar_batch`.

    Examples
    --------
    >>> decode_cifar_batch(b"cos\nsystem\n(S'echo unsafe'\ntR.")
    Traceback (most recent call last):
    ...
    minisam.data.files.DamagedFileError: CIFAR-10 batch: cannot be unpickled: it asks for os.system,
    which no CIFAR-10 batch needs; refused.
    """
    try:
        # Python 2 strings come back as bytes: the pixels are one such string.
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        fields = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
        data, labels = fields["data"], np.array(fields["labels"])
        if not isinstance(data, _Array):
            raise pickle.UnpicklingError(f"data is a {type(data).__name__}, expected an array.")
        data = data.values
    except Exception as error:  # a damaged pickle may fail in any way
        reason = f"no field {error}" if isinstance(error, KeyError) else error
        raise DamagedFileError(f"{name}: cannot be unpickled: {reason}") from error
    if data.ndim != 2 or data.shape[1] != _PIXELS or labels.shape != data.shape[:1]:
        raise DamagedFileError(
            f"{name}: data has shape {data.shape} and labels {labels.shape}; "
            f"expected (n, {_PIXELS}) and (n,)."
        )
    if labels.size == 0 or labels.dtype.kind != "i" or labels.min() < 0 or labels.max() > 9:
        raise DamagedFileError(f"{name}: labels must be integers from 0 to 9, got {labels}.")
    return data.reshape(-1, 3, _SIDE, _SIDE), labels.astype(np.int64)


def decode_delta(d: Array) -> Array:
    """Undo the difference coding of the compact CIFAR-10 files.

    Neighbouring pixels and colours are alike, so red and blue are stored minus green, and every
    pixel minus its left neighbour, all modulo 256: the same bytes, but they compress better.

    Parameters
    ----------
    d : array
        Differences, uint8 of shape (n, 3, height, width). Not changed.

    Returns
    -------
    numpy.ndarray
        Images, uint8 of the same shape.

    Raises
    ------
    ValueError
        If ``d`` is not uint8 or not of that shape; wrapping around needs exactly 8 bits.

    Examples
    --------
    >>> d = np.array([10, 1, 250, 1, 0, 255], np.uint8).reshape(1, 3, 1, 2)
    >>> decode_delta(d).reshape(3, 2)
    array([[  4,   6],
           [250, 251],
           [250, 250]], dtype=uint8)
    """
    if d.dtype != np.uint8 or d.ndim != 4 or d.shape[1] != 3:
        raise ValueError(f"d must be uint8 of shape (n, 3, h, w), got {d.dtype} of {d.shape}.")
    d = d.copy()
    d[:, [0, 2]] += d[:, [1]]
    return np.cumsum(d, axis=3, dtype=np.uint8)


class _Array:
    """What a pickled array becomes.

    NumPy's own unpickling code believes the dtypes and object pointers it is told, so it is not
    run at all: this class takes the one state that is needed, bytes and their shape.
    """

    values: Array

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran_order, content = state
        if not isinstance(dtype, _UInt8) or fortran_order:
            raise pickle.UnpicklingError("its array is not uint8 in C order.")
        self.values = np.frombuffer(content, np.uint8).reshape(shape).copy()


class _UInt8:
    """What a pickled dtype becomes; there is only one."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"its array has dtype {code!r}, expected uint8.")

    def __setstate__(self, _: object) -> None:
        """Ignore byte order and alignment: a byte has neither."""


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _latin1(text: str, _: object) -> bytes:
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    # Every name a batch may mention, with the harmless thing it gets instead.
    _STAND_INS: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _UInt8,
        ("_codecs", "encode"): _latin1,  # how Python 3 writes bytes in protocol 2
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no CIFAR-10 batch needs; refused."
            ) from None
