"""The data sets themselves: which files each has, their hashes, and the bytes in them."""

import io
from typing import NamedTuple

import numpy as np

from minisam.arrays import Array
from minisam.data.cifar import decode_cifar_batch, decode_delta
from minisam.data.files import StrPath, is_present, read_known
from minisam.data.idx import decode_idx


class Raw(NamedTuple):
    """A data set as stored: examples uint8 of shape (n, channels, …), labels of any integer type.

    Parameters
    ----------
    x_train, y_train, x_test, y_test : numpy.ndarray
        Examples and labels.
    classes : int
        Number of classes.
    source : str
        Where they come from.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    classes: int
    source: str


# For every part of an IDX data set the gzip file and the raw file, first choice first.
_MNIST = {
    "train-images-idx3-ubyte": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    "train-labels-idx1-ubyte": (
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    "t10k-images-idx3-ubyte": (
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "t10k-labels-idx1-ubyte": (
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    ),
    "train-labels-idx1-ubyte": (
        "25c81989df183df01b3e8a0aad5dffbe",
        "9018921c3c673c538a1fc5bad174d6f9",
    ),
    "t10k-images-idx3-ubyte": (
        "bef4ecab320f06d8554ea6380940ec79",
        "8181f5470baa50b63fa0f6fddb340f0a",
    ),
    "t10k-labels-idx1-ubyte": (
        "bb300cfdad3c16e7a12a480ee83cd310",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}
_CIFAR10_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
_CIFAR10_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}


def mnist(root: StrPath | None) -> Raw:
    """MNIST: 60,000 + 10,000 handwritten digits, (1, 28, 28); folder ``mnist``."""
    return _idx("mnist", _MNIST, root)


def fashion_mnist(root: StrPath | None) -> Raw:
    """Fashion-MNIST: 60,000 + 10,000 pictures of clothes, (1, 28, 28); folder ``fashion_mnist``."""
    return _idx("fashion_mnist", _FASHION_MNIST, root)


def _idx(folder: str, md5s: dict[str, tuple[str, str]], root: StrPath | None) -> Raw:
    parts = {
        name: decode_idx(read_known(folder, {f"{name}.gz": zipped, name: plain}, root), name)
        for name, (zipped, plain) in md5s.items()
    }
    x_train, y_train, x_test, y_test = parts.values()
    return Raw(x_train[:, None], y_train, x_test[:, None], y_test, 10, f"{folder}: IDX files")


def cifar10(root: StrPath | None) -> Raw:
    """CIFAR-10: colour pictures, (3, 32, 32), 10,000 of them for testing.

    The Python version (folder ``cifar-10-batches-py``) has 50,000 for training. If not even one of
    its files is anywhere, the compact file of 20,000 (folder ``cifar10``) is read instead.
    """
    folder = "cifar-10-batches-py"
    md5s = _CIFAR10_TRAIN | _CIFAR10_TEST
    compact = "cifar10_20k_10k_delta.npz"
    if is_present("cifar10", [compact], root) and not is_present(folder, md5s, root):
        return _compact(compact, "275fbc0876be230f892e840ea06c930f", root)
    *train, test = (
        decode_cifar_batch(read_known(folder, {name: md5}, root), name)
        for name, md5 in md5s.items()
    )
    x_train, y_train = (np.concatenate(part) for part in zip(*train, strict=True))
    return Raw(x_train, y_train, *test, 10, f"{folder}: all five batches")


def cifar10_16(root: StrPath | None) -> Raw:
    """CIFAR-10 made small: 12,000 + 10,000 pictures, (3, 16, 16); folder ``cifar10``.

    Every pixel is the mean of a 2×2 square, rounded half up.
    """
    return _compact("cifar10_16x16_12k_10k.npz", "471c9f2c3a7fb31b0dc5820d96d28e9c", root)


def _compact(name: str, md5: str, root: StrPath | None) -> Raw:
    file = _npz("cifar10", name, md5, root)
    x_train, x_test = (
        decode_delta(file[f"d{part}"]) if f"d{part}" in file else file[part]
        for part in ("x_train", "x_test")
    )
    return Raw(x_train, file["y_train"], x_test, file["y_test"], 10, f"cifar10: {name}")


def optdigits(root: StrPath | None) -> Raw:
    """Optical digits of UCI: 3,823 + 1,797 of (1, 8, 8); ``optdigits.npz``.

    Training and test digits come from different writers. The test part is scikit-learn's digits.
    """
    name = "optdigits.npz"
    file = _npz("optdigits", name, "1173a9d9b5a693d297e399753c31ce40", root)
    x_train, x_test = file["x_train"][:, None], file["x_test"][:, None]
    return Raw(x_train, file["y_train"], x_test, file["y_test"], 10, name)


def letter(root: StrPath | None) -> Raw:
    """Letters of UCI: 16 features of printed capitals, ``letter.npz``.

    As its authors do, the first 16,000 rows are for training and the last 4,000 for testing.
    """
    name = "letter.npz"
    file = _npz("letter", name, "801bbf3161fe33b0b7583b6a1e47aa2f", root)
    x, y = file["x"], file["y"]
    return Raw(x[:16000], y[:16000], x[16000:], y[16000:], 26, name)


def _npz(folder: str, name: str, md5: str, root: StrPath | None) -> dict[str, Array]:
    with np.load(io.BytesIO(read_known(folder, {name: md5}, root)), allow_pickle=False) as file:
        return dict(file)


def digits(rng: np.random.Generator) -> Raw:
    """Return the 1,797 digits inside scikit-learn, (1, 8, 8), split 1,200 + 597 by ``rng``."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "The digits are inside scikit-learn, which is not installed: "
            "pip install 'minisam[data]'."
        ) from error
    bunch = load_digits()
    order = rng.permutation(len(bunch.target))
    x, y = bunch.images.astype(np.uint8)[order, None], bunch.target[order]
    return Raw(x[:1200], y[:1200], x[1200:], y[1200:], 10, "scikit-learn: load_digits")
