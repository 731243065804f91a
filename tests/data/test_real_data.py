"""The real files: these tests are skipped when ``MINISAM_DATA`` has none of them."""

import gzip
import hashlib

import numpy as np
import pytest

from minisam.data import load, sources
from minisam.data.files import candidates, is_present


def need(folder, name, root):
    if not is_present(folder, [name], root):
        pytest.skip(f"MINISAM_DATA has no {name}")


def check(data, n_train, n_test, shape, dtype):
    assert data.x_train.shape == (n_train, *shape)
    assert data.x_test.shape == (n_test, *shape)
    assert data.x_train.dtype == dtype
    assert np.array_equal(np.unique(data.y_train), np.arange(data.classes))
    axes = (0, *range(2, data.x_train.ndim))
    np.testing.assert_allclose(data.x_train.mean(axes, dtype=float), 0, atol=2e-6)
    np.testing.assert_allclose(data.x_train.std(axes, dtype=float), 1, atol=2e-6)


def test_fashion_mnist(real_root):
    need("fashion_mnist", "t10k-images-idx3-ubyte.gz", real_root)
    data = load("fashion-mnist", root=real_root)
    check(data, 60_000, 10_000, (1, 28, 28), "float32")
    assert np.bincount(data.y_train).tolist() == [6000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.y_train[:5].tolist() == [9, 0, 0, 3, 0]


def test_hashes_of_the_raw_fashion_mnist_files(real_root):
    need("fashion_mnist", "t10k-images-idx3-ubyte.gz", real_root)
    for name, (_, expected) in sources._FASHION_MNIST.items():
        paths = candidates("fashion_mnist", [f"{name}.gz"], real_root)
        path = next(path for path in paths if path.is_file())
        plain = gzip.decompress(path.read_bytes())
        assert hashlib.md5(plain, usedforsecurity=False).hexdigest() == expected


def test_mnist(real_root):
    need("mnist", "t10k-images-idx3-ubyte.gz", real_root)
    data = load("mnist", root=real_root)
    check(data, 60_000, 10_000, (1, 28, 28), "float32")
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]


def test_cifar10_batches(real_root):
    need("cifar-10-batches-py", "data_batch_1", real_root)
    data = load("cifar10", root=real_root)
    check(data, 50_000, 10_000, (3, 32, 32), "float32")
    assert np.bincount(data.y_test).tolist() == [1000] * 10


def test_small_cifar10_is_the_large_one_averaged(real_root):
    """Two files that were coded differently agree pixel by pixel, so both are decoded right."""
    need("cifar10", "cifar10_20k_10k_delta.npz", real_root)
    need("cifar10", "cifar10_16x16_12k_10k.npz", real_root)
    large = sources._compact(
        "cifar10_20k_10k_delta.npz", "275fbc0876be230f892e840ea06c930f", real_root
    )
    small = sources.cifar10_16(real_root)
    np.testing.assert_array_equal(small.y_test, large.y_test)
    squares = large.x_test[:2000].reshape(-1, 3, 16, 2, 16, 2).astype(np.int16).sum(axis=(3, 5))
    np.testing.assert_array_equal((squares + 2) // 4, small.x_test[:2000])
    assert small.x_train.shape == (12_000, 3, 16, 16)
    assert np.bincount(small.y_test).tolist() == [1000] * 10


def test_part_of_the_compact_cifar10(real_root):
    need("cifar10", "cifar10_16x16_12k_10k.npz", real_root)
    check(load("cifar10-16", root=real_root), 12_000, 10_000, (3, 16, 16), "float32")
    data = load("cifar10-16", root=real_root, dtype="float64", train=500, test=100, seed=3)
    check(data, 500, 100, (3, 16, 16), "float64")
    assert "cifar10_16x16_12k_10k.npz" in data.source


def test_optdigits_ends_with_the_digits_of_scikit_learn(real_root):
    need("optdigits", "optdigits.npz", real_root)
    check(load("optdigits", root=real_root), 3823, 1797, (1, 8, 8), "float32")
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    raw = sources.optdigits(real_root)
    np.testing.assert_array_equal(raw.x_test[:, 0], digits.images)
    np.testing.assert_array_equal(raw.y_test, digits.target)


def test_letter(real_root):
    need("letter", "letter.npz", real_root)
    data = load("letter", root=real_root)
    check(data, 16_000, 4000, (16,), "float32")
    assert data.classes == 26
    assert "".join(chr(65 + y) for y in data.y_train[:5]) == "TIDNG"
