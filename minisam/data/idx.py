"""IDX, the format of MNIST and Fashion-MNIST: a magic number, the sizes, then the values."""

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from minisam.arrays import Array
from minisam.data.files import DamagedFileError, StrPath

# The third byte of the magic number. The format is big-endian throughout.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: StrPath) -> Array:
    """Read an IDX file, raw or gzip-compressed; the first bytes tell which.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    numpy.ndarray
        A new array with the file's shape and values, in the machine's byte order.

    Raises
    ------
    DamagedFileError
        If the content is not IDX; see `decode_idx`.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    return decode_idx(Path(path).read_bytes(), str(path))


def decode_idx(content: bytes, name: str = "IDX data") -> Array:
    """Decode the bytes of an IDX file, raw or gzip-compressed.

    Parameters
    ----------
    content : bytes
        Two zero bytes, a type code, the number of dimensions, every size as a big-endian uint32,
        then the values in C order.
    name : str
        What error messages call it.

    Returns
    -------
    numpy.ndarray
        A new array in the machine's byte order: uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    DamagedFileError
        If the gzip stream is broken or ends early, the magic number is wrong, there are fewer
        bytes than the header announces, or more.

    Examples
    --------
    >>> decode_idx(bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 255, 255]))
    array([[256,  -1]], dtype=int16)
    >>> decode_idx(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7]))
    Traceback (most recent call last):
    ...
    minisam.data.files.DamagedFileError: IDX data: shape (3,) of uint8 needs 11 bytes with the
    header, found 9.
    """
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(content, name)
    zeros, code, ndim = struct.unpack(">HBB", content[:4].ljust(4, b"\xff"))
    # 64 is the most dimensions NumPy has; the format itself would allow 255.
    if zeros or code not in _DTYPES or not 1 <= ndim <= 64:
        raise DamagedFileError(
            f"{name}: magic number is {content[:4].hex(' ') or 'missing'}, expected 00 00, a type "
            "(08 09 0b 0c 0d 0e) and the number of dimensions (01 to 40). Is it an IDX file?"
        )
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DamagedFileError(
            f"{name}: a header of {ndim} dimensions needs {start} bytes, found {len(content)}."
        )
    shape = struct.unpack(f">{ndim}I", content[4:start])
    dtype = np.dtype(_DTYPES[code])
    # Python integers: a header of absurd sizes is compared, never overflows or allocates.
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise DamagedFileError(
            f"{name}: shape {shape} of {dtype.name} needs {expected} bytes with the header, "
            f"found {len(content)}."
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _gunzip(content: bytes, name: str) -> bytes:
    stream = zlib.decompressobj(wbits=31)  # 31: a gzip header and checksum
    try:
        plain = stream.decompress(content)
    except zlib.error as error:
        raise DamagedFileError(f"{name}: the gzip stream is broken: {error}.") from error
    if not stream.eof:
        raise DamagedFileError(
            f"{name}: the gzip stream ends early, after {len(content)} bytes "
            f"({len(plain)} decompressed); the file is truncated."
        )
    return plain
