import os
import pickle
import struct

import numpy as np
import pytest

from minisam.data import DamagedFileError, decode_delta, read_cifar_batch
from minisam.data.cifar import decode_cifar_batch


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return {
        "batch_label": "testing batch 1 of 1",
        "labels": rng.integers(0, 10, 4).tolist(),
        "data": rng.integers(0, 256, (4, 3072), dtype=np.uint8),
        "filenames": [f"{i}.png" for i in range(4)],
    }


def python2_pickle(batch, dtype="u1", fortran=b"I00\n"):
    """Write a batch with the opcodes Python 2's cPickle used: byte strings and numpy.core names."""

    def text(s):
        return b"U" + bytes([len(s)]) + s.encode()

    def integer(i):
        return b"J" + struct.pack("<i", i)

    data = batch["data"].tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + integer(0) + b"\x85" + text("b") + b"\x87R"
        + b"(" + integer(1) + integer(len(batch["labels"])) + integer(3072) + b"\x86"
        + b"cnumpy\ndtype\n" + text(dtype) + integer(0) + integer(1) + b"\x87R"
        + b"(" + integer(3) + text("|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
        + fortran + b"T" + struct.pack("<i", len(data)) + data + b"tb"
    )  # fmt: skip
    labels = b"](" + b"".join(integer(y) for y in batch["labels"]) + b"e"
    return b"\x80\x02}(" + text("data") + array + text("labels") + labels + b"u."


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_round_trip_of_a_python_3_pickle(tmp_path, batch, protocol):
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(batch, protocol=protocol))
    x, y = read_cifar_batch(path)
    assert (x.dtype, x.shape, y.dtype) == (np.uint8, (4, 3, 32, 32), np.int64)
    assert x.flags.writeable
    np.testing.assert_array_equal(x.reshape(4, 3072), batch["data"])
    assert y.tolist() == batch["labels"]
    # Row-major planes, red first: pixel 1 of green is value 1024 + 1 of the row.
    assert x[2, 1, 0, 1] == batch["data"][2, 1025]


def test_round_trip_of_a_python_2_pickle(batch):
    x, y = decode_cifar_batch(python2_pickle(batch))
    np.testing.assert_array_equal(x.reshape(4, 3072), batch["data"])
    assert y.tolist() == batch["labels"]


class Payload:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_does_not_run(tmp_path, batch, protocol):
    witness = tmp_path / "witness"
    batch["labels"] = Payload(os.system, f"echo > {witness}")
    with pytest.raises(DamagedFileError, match=r"asks for (posix|nt)\.system.*refused"):
        decode_cifar_batch(pickle.dumps(batch, protocol=protocol))
    assert not witness.exists()
    # The payload is a real one: without the restriction it would have run.
    pickle.loads(pickle.dumps(batch, protocol=protocol))
    assert witness.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "eval"),
        ("copyreg", "_reconstructor"),
        ("numpy", "load"),
        ("numpy", "dtype.__setstate__"),
        ("numpy.core.multiarray", "scalar"),
        ("_codecs", "decode"),
        ("minisam.data.cifar", "pickle.loads"),
    ],
)
def test_names_that_no_batch_needs_are_refused(module, name):
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    with pytest.raises(DamagedFileError, match=f"asks for {module}.{name}"):
        decode_cifar_batch(content)


def test_numpy_unpickling_code_never_runs(monkeypatch, batch):
    content = pickle.dumps(batch, protocol=4)

    def forbidden(*_):
        raise AssertionError("NumPy was asked to reconstruct an array")

    monkeypatch.setattr("numpy._core.multiarray._reconstruct", forbidden)
    decode_cifar_batch(content)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data", np.zeros((4, 3072), np.int16), "dtype .*i2.*, expected uint8"),
        ("data", np.zeros((4, 3072), object), "dtype .*O8.*, expected uint8"),
        ("data", np.zeros((3072, 4), np.uint8).T, "C order"),
        ("data", np.zeros((4, 3071), np.uint8), r"data has shape \(4, 3071\) and labels \(4,\)"),
        ("data", np.zeros((5, 3072), np.uint8), r"data has shape \(5, 3072\)"),
        ("data", np.zeros(3072, np.uint8), r"data has shape \(3072,\)"),
        ("data", {}, "data is a dict"),
        ("labels", [0, 1, 2, 10], "labels must be integers from 0 to 9"),
        ("labels", [0, 1, 2, -1], "labels must be integers from 0 to 9"),
        ("labels", [0.0, 1.0, 2.0, 3.0], "labels must be integers from 0 to 9"),
        ("labels", [[0], [1], [2], [3]], r"labels \(4, 1\)"),
    ],
)
def test_wrong_content(batch, field, value, message):
    batch[field] = value
    with pytest.raises(DamagedFileError, match=message):
        decode_cifar_batch(pickle.dumps(batch, protocol=4), "some file")


@pytest.mark.parametrize("field", ["data", "labels"])
def test_missing_field(batch, field):
    del batch[field]
    with pytest.raises(DamagedFileError, match=f"no field '{field}'"):
        decode_cifar_batch(pickle.dumps(batch, protocol=4))


def test_truncated_pickles(batch):
    content = python2_pickle(batch)
    for end in [0, 1, 2, 10, 100, 1000, len(content) // 2, len(content) - 1]:
        with pytest.raises(DamagedFileError, match="some file: cannot be unpickled"):
            decode_cifar_batch(content[:end], "some file")


@pytest.mark.parametrize("content", [b"N.", b"I5\n.", b"]."])
def test_pickle_of_something_else(content):
    with pytest.raises(DamagedFileError, match="cannot be unpickled"):
        decode_cifar_batch(content)


def slow_decode(d):
    x = np.zeros_like(d)
    n, _, height, width = d.shape
    for i in range(n):
        for r in range(height):
            red = green = blue = 0
            for c in range(width):
                dr, dg, db = (int(v) for v in d[i, :, r, c])
                red, green, blue = red + dr + dg, green + dg, blue + db + dg
                x[i, :, r, c] = red % 256, green % 256, blue % 256
    return x


def test_delta_decoding_agrees_with_a_loop():
    d = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 5), dtype=np.uint8)
    before = d.copy()
    x = decode_delta(d)
    np.testing.assert_array_equal(x, slow_decode(before))
    np.testing.assert_array_equal(d, before)
    assert x.dtype == np.uint8


def test_delta_decoding_undoes_the_encoding():
    x = np.random.default_rng(1).integers(0, 256, (2, 3, 6, 7), dtype=np.uint8)
    d = np.diff(x, axis=3, prepend=np.uint8(0))
    d[:, [0, 2]] -= d[:, [1]]
    d.flags.writeable = False
    np.testing.assert_array_equal(decode_delta(d), x)


@pytest.mark.parametrize("d", [np.zeros((1, 3, 2, 2), np.int16), np.zeros((1, 1, 2, 2), np.uint8)])
def test_delta_decoding_refuses_other_arrays(d):
    with pytest.raises(ValueError, match="must be uint8 of shape"):
        decode_delta(d)
