import gzip
import hashlib
import io
import pickle
import struct

import numpy as np
import pytest

from minisam.data import DamagedFileError, decode_delta, load, sources


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("mnist", "mnist/train-images-idx3-ubyte.gz"),
        ("fashion-mnist", "fashion_mnist/train-images-idx3-ubyte"),
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("cifar10-16", "cifar10/cifar10_16x16_12k_10k.npz"),
        ("optdigits", "optdigits/optdigits.npz"),
        ("letter", "letter/letter.npz"),
    ],
)
def test_missing_data_says_where_to_put_it(nowhere, name, path):
    with pytest.raises(FileNotFoundError) as caught:
        load(name, root=nowhere)
    assert str(nowhere / path) in str(caught.value)
    assert "://" not in str(caught.value)


@pytest.fixture
def npz(monkeypatch):
    """Make every reader of an npz file read these arrays, whatever their hash."""

    def pretend(**arrays):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        monkeypatch.setattr(sources, "read_known", lambda *_: buffer.getvalue())

    return pretend


def test_compact_cifar_is_decoded_and_plain_cifar_is_not(npz):
    rng = np.random.default_rng(0)
    d, x = rng.integers(0, 256, (2, 3, 3, 4, 4), np.uint8)
    y = np.array([0, 9, 4], np.uint8)
    npz(dx_train=d, y_train=y, x_test=x, y_test=y[::-1])
    raw = sources.cifar10_16(None)
    np.testing.assert_array_equal(raw.x_train, decode_delta(d))
    np.testing.assert_array_equal(raw.x_test, x)
    assert (raw.y_train.tolist(), raw.y_test.tolist()) == ([0, 9, 4], [4, 9, 0])


def test_letter_is_split_after_16000_rows(npz):
    x = np.random.default_rng(0).integers(0, 16, (20_000, 16), np.uint8)
    y = (np.arange(20_000) % 26).astype(np.uint8)
    npz(x=x, y=y)
    data = load("letter", dtype="float64")
    assert (data.x_train.shape, data.x_test.shape, data.classes) == ((16_000, 16), (4000, 16), 26)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_test]), y)
    expected = (x[16_000:] - x[:16_000].mean(0)) / x[:16_000].std(0)
    np.testing.assert_allclose(data.x_test, expected, atol=1e-12)


def test_optdigits_get_a_channel(npz):
    x = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    npz(x_train=x, y_train=np.arange(3), x_test=x[:2], y_test=np.arange(2))
    raw = sources.optdigits(None)
    assert (raw.x_train.shape, raw.x_test.shape) == ((3, 1, 8, 8), (2, 1, 8, 8))


def test_pickles_inside_an_npz_file_are_refused(npz):
    npz(x=np.array([{}], object), y=np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load("letter")


def idx(x):
    return struct.pack(f">HBB{x.ndim}I", 0, 8, x.ndim, *x.shape) + x.tobytes()


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files_become_images(nowhere, monkeypatch, zipped):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (30, 28, 28), np.uint8), rng.integers(0, 10, 30).astype(np.uint8)
    parts = {"train-images-idx3-ubyte": x[:20], "train-labels-idx1-ubyte": y[:20]}
    parts |= {"t10k-images-idx3-ubyte": x[20:], "t10k-labels-idx1-ubyte": y[20:]}
    hashes = {}
    for name, part in parts.items():
        content = gzip.compress(idx(part)) if zipped else idx(part)
        (nowhere / (f"{name}.gz" if zipped else name)).write_bytes(content)
        hashes[name] = (md5(content), "-") if zipped else ("-", md5(content))
    monkeypatch.setattr(sources, "_MNIST", hashes)
    data = load("mnist", root=nowhere)
    assert data.x_train.shape == (20, 1, 28, 28)
    assert data.y_train.tolist() == y[:20].tolist()
    assert data.y_test.tolist() == y[20:].tolist()
    expected = (x[20:, None] - x[:20].mean()) / x[:20].std()
    np.testing.assert_allclose(data.x_test, expected, atol=1e-6)


def test_hashes_are_checked_before_parsing(nowhere, monkeypatch):
    monkeypatch.setattr(sources, "decode_idx", lambda *_: pytest.fail("parsed"))
    (nowhere / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((2, 28, 28), np.uint8)))
    with pytest.raises(DamagedFileError, match="6bbc9ace898e44ae57da46a324031adb"):
        load("mnist", root=nowhere)
    monkeypatch.setattr(sources, "decode_cifar_batch", lambda *_: pytest.fail("parsed"))
    (nowhere / "data_batch_1").write_bytes(pickle.dumps({}))
    with pytest.raises(DamagedFileError, match="c99cafc152244af753f735de768cd75f"):
        load("cifar10", root=nowhere)


@pytest.fixture
def cifar_files(nowhere, monkeypatch):
    rng = np.random.default_rng(0)
    (nowhere / "cifar-10-batches-py").mkdir()
    hashes = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        x, y = rng.integers(0, 256, (4, 3072), np.uint8), rng.integers(0, 10, 4).tolist()
        content = pickle.dumps({"data": x, "labels": y}, protocol=4)
        (nowhere / "cifar-10-batches-py" / name).write_bytes(content)
        hashes[name] = md5(content)
    monkeypatch.setattr(sources, "_CIFAR10_TEST", {"test_batch": hashes.pop("test_batch")})
    monkeypatch.setattr(sources, "_CIFAR10_TRAIN", hashes)
    return nowhere


def test_cifar_batches_are_joined_in_order(cifar_files):
    data = load("cifar10", root=cifar_files)
    assert data.x_train.shape == (20, 3, 32, 32)
    assert data.x_test.shape == (4, 3, 32, 32)
    assert "five batches" in data.source
    third = pickle.loads((cifar_files / "cifar-10-batches-py" / "data_batch_3").read_bytes())
    assert data.y_train[8:12].tolist() == third["labels"]
    order = np.argsort(data.x_train[8, 0].ravel(), kind="stable")
    np.testing.assert_array_equal(order, np.argsort(third["data"][0, :1024], kind="stable"))


def test_an_incomplete_set_of_batches_is_never_replaced_by_the_compact_file(cifar_files):
    (cifar_files / "cifar10_20k_10k_delta.npz").write_bytes(b"never read")
    (cifar_files / "cifar-10-batches-py" / "data_batch_2").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_2"):
        load("cifar10", root=cifar_files)


def test_the_compact_file_is_read_when_there_are_no_batches(nowhere):
    (nowhere / "cifar10_20k_10k_delta.npz").write_bytes(b"wrong")
    with pytest.raises(DamagedFileError, match="275fbc0876be230f892e840ea06c930f"):
        load("cifar10", root=nowhere)
