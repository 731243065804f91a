"""`load`: a data set by its name, ready to train on."""

import operator

import numpy as np

from minisam.arrays import Array
from minisam.data import sources
from minisam.data.dataset import Dataset
from minisam.data.files import StrPath
from minisam.data.standardize import standardize

_READERS = {
    "mnist": sources.mnist,
    "fashion-mnist": sources.fashion_mnist,
    "cifar10": sources.cifar10,
    "cifar10-16": sources.cifar10_16,
    "optdigits": sources.optdigits,
    "letter": sources.letter,
}


def load(
    name: str,
    root: StrPath | None = None,
    dtype: str = "float32",
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Load a data set from this machine; nothing is downloaded.

    =================  ================  =======  ==============  ==========================
    name               train + test      classes  one example     folder in a place
    =================  ================  =======  ==============  ==========================
    ``digits``         1,200 + 597       10       (1, 8, 8)       none: inside scikit-learn
    ``mnist``          60,000 + 10,000   10       (1, 28, 28)     ``mnist``
    ``fashion-mnist``  60,000 + 10,000   10       (1, 28, 28)     ``fashion_mnist``
    ``cifar10``        50,000 + 10,000   10       (3, 32, 32)     ``cifar-10-batches-py``
    ``cifar10-16``     12,000 + 10,000   10       (3, 16, 16)     ``cifar10``
    ``optdigits``      3,823 + 1,797     10       (1, 8, 8)       ``optdigits``
    ``letter``         16,000 + 4,000    26       (16,)           ``letter``
    =================  ================  =======  ==============  ==========================

    A file is looked for in ``root``, in ``$MINISAM_DATA`` and in ``~/.cache/minisam``, in that
    order; in each of them inside the folder above and then directly. IDX files may be gzipped or
    raw. The MD5 of every file is checked before it is parsed. When none of CIFAR-10's batches is
    found but the compact file of 20,000 training examples is, ``cifar10`` is those; ``source``
    says which was read.

    Examples are standardised with the mean and standard deviation of the training examples that
    are kept: one pair for grey images, one per channel for RGB, one per feature for tables.

    Parameters
    ----------
    name : str
        One of the names above.
    root : path, optional
        A folder to look in first.
    dtype : str
        ``"float32"`` or ``"float64"``.
    train, test : int, optional
        How many examples to keep; all by default. They are drawn without replacement and without
        regard to class, and keep their order. With one seed, fewer examples are a subset of more.
    seed : int
        Decides which examples are kept, and for ``digits`` how they are split. ``train`` does not
        change which test examples are kept, nor the reverse.

    Returns
    -------
    Dataset
        Examples in ``dtype``, labels int64.

    Raises
    ------
    ValueError
        If ``name`` or ``dtype`` is unknown, more examples are asked for than there are, or so
        few are kept for training that a channel is constant.
    FileNotFoundError
        If a file is nowhere; the message lists every path looked at.
    DamagedFileError
        If a file has the wrong hash.
    ImportError
        If ``digits`` is asked for without scikit-learn.

    Examples
    --------
    >>> load("digits")
    Dataset('digits', 1200 train + 597 test, each (1, 8, 8) float32, 10 classes)
    >>> load("digits", dtype="float64", train=100, test=50, seed=1)
    Dataset('digits', 100 train + 50 test, each (1, 8, 8) float64, 10 classes)
    >>> load("digits", train=2000)
    Traceback (most recent call last):
    ...
    ValueError: train is 2000, but digits has 1200 train examples; use an int from 1 to 1200.
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}.")
    split_rng, train_rng, test_rng = np.random.default_rng(operator.index(seed)).spawn(3)
    if name == "digits":
        raw = sources.digits(split_rng)
    elif name in _READERS:
        raw = _READERS[name](root)
    else:
        known = ", ".join(["digits", *_READERS])
        raise ValueError(f"there is no data set {name!r}; choose from {known}.")
    x_train, y_train = _keep(raw.x_train, raw.y_train, train, train_rng, name, "train")
    x_test, y_test = _keep(raw.x_test, raw.y_test, test, test_rng, name, "test")
    x_train, x_test = standardize(x_train, x_test, dtype)
    return Dataset(
        name,
        x_train,
        y_train.astype(np.int64),
        x_test,
        y_test.astype(np.int64),
        raw.classes,
        raw.source,
    )


def _keep(
    x: Array, y: Array, count: int | None, rng: np.random.Generator, name: str, part: str
) -> tuple[Array, Array]:
    if count is None:
        return x, y
    if not isinstance(count, int | np.integer) or not 1 <= count <= len(x):
        raise ValueError(
            f"{part} is {count}, but {name} has {len(x)} {part} examples; use an int from 1 to "
            f"{len(x)}."
        )
    kept = np.sort(rng.permutation(len(x))[:count])
    return x[kept], y[kept]
