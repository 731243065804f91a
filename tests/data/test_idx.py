import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisam.data import DamagedFileError, read_idx
from minisam.data.idx import decode_idx

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def encode_idx(x):
    """Write what `decode_idx` reads, value by value, with struct instead of NumPy's byte orders."""
    header = struct.pack(">HBB", 0, CODES[x.dtype.name], x.ndim) + struct.pack(
        f">{x.ndim}I", *x.shape
    )
    letter = {"uint8": "B", "int8": "b", "int16": "h", "int32": "i", "float32": "f", "float64": "d"}
    return header + struct.pack(f">{x.size}{letter[x.dtype.name]}", *x.ravel().tolist())


@settings(deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(sorted(CODES)).map(np.dtype),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5),
    ),
    st.booleans(),
)
def test_round_trip(x, zipped):
    content = encode_idx(x)
    y = decode_idx(gzip.compress(content, mtime=0) if zipped else content)
    assert y.dtype == x.dtype
    assert y.dtype.isnative
    assert y.flags.writeable
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("dtype", sorted(CODES))
@pytest.mark.parametrize("zipped", [False, True])
def test_reads_every_dtype_from_a_file(tmp_path, dtype, zipped):
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    # The name says nothing: a gzip file is recognised by its first bytes.
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(encode_idx(x)) if zipped else encode_idx(x))
    np.testing.assert_array_equal(read_idx(path), x)
    assert read_idx(str(path)).dtype == dtype


def test_values_are_big_endian():
    assert decode_idx(b"\0\0\x0c\1" + b"\0\0\0\1" + b"\0\0\1\2").tolist() == [258]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", "missing"),
        (b"\0\0", "00 00"),
        (b"\1\0\x08\1\0\0\0\0", "01 00 08 01"),
        (b"\0\1\x08\1\0\0\0\0", "00 01 08 01"),
        (b"\0\0\x0a\1\0\0\0\0", "00 00 0a 01"),
        (b"\0\0\x08\0\7", "00 00 08 00"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"\7", "00 00 08 41"),
    ],
)
def test_bad_magic_number(content, shown):
    with pytest.raises(DamagedFileError, match=f"some file: magic number is {shown}"):
        decode_idx(content, "some file")


@pytest.mark.parametrize("change", [-1, 1, -24])
def test_wrong_length_says_expected_and_found(change):
    content = encode_idx(np.zeros((2, 3, 4), np.uint8))
    assert len(content) == 40
    wrong = content[:change] if change < 0 else content + b"\0" * change
    with pytest.raises(DamagedFileError, match=rf"needs 40 bytes .* found {40 + change}"):
        decode_idx(wrong)


def test_short_header():
    with pytest.raises(DamagedFileError, match="header of 3 dimensions needs 16 bytes, found 10"):
        decode_idx(b"\0\0\x08\3" + b"\0" * 6)


def test_absurd_sizes_are_refused_without_allocating():
    sizes = (2**32 - 1,) * 8
    content = b"\0\0\x0e\x08" + struct.pack(">8I", *sizes) + b"\0" * 100
    with pytest.raises(DamagedFileError, match=f"needs {36 + 8 * math.prod(sizes)} bytes"):
        decode_idx(content)


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_truncated_gzip(cut):
    zipped = gzip.compress(encode_idx(np.arange(200, dtype=np.uint8)))
    with pytest.raises(DamagedFileError, match=f"ends early, after {len(zipped) - cut} bytes"):
        decode_idx(zipped[:-cut])


def test_broken_gzip_checksum():
    zipped = bytearray(gzip.compress(encode_idx(np.arange(200, dtype=np.uint8))))
    zipped[-8] ^= 1
    with pytest.raises(DamagedFileError, match="gzip stream is broken"):
        decode_idx(bytes(zipped))
