"""What a data set is: four arrays that are known to fit together."""

from dataclasses import dataclass, replace

import numpy as np

from minisam.arrays import Array, device_of, mixed, moved


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples, checked when made.

    `dataclasses.replace` gives a changed copy (other labels, fewer examples), checked again.

    Parameters
    ----------
    name : str
        What it is called.
    x_train, x_test : array
        Examples, float32 or float64 (one of them for both) of shape (n, …): images are
        (n, channels, height, width), tables (n, features). All values are finite.
    y_train, y_test : array
        Labels 0 … ``classes`` − 1, int64 of shape (n,).
    classes : int
        Number of classes, at least 2. Not every class needs to occur.
    source : str
        Where the examples come from.

    Raises
    ------
    ValueError
        If a part is empty, shapes disagree, a value is not finite or a label is out of range.
    TypeError
        If a dtype is another one, or the parts are not all on one device.

    Examples
    --------
    >>> x, y = np.zeros((3, 1, 2, 2)), np.array([0, 1, 1])
    >>> Dataset("tiny", x, y, x[:1], y[:1], classes=2)
    Dataset('tiny', 3 train + 1 test, each (1, 2, 2) float64, 2 classes)
    >>> Dataset("tiny", x, y + 1, x[:1], y[:1], classes=2)
    Traceback (most recent call last):
    ...
    ValueError: y_train of 'tiny': label 2 at index 1 is outside 0 … 1 (2 classes).
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    classes: int
    source: str = ""

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"classes of {self.name!r} must be at least 2, got {self.classes}.")
        if apart := mixed((self.x_train, self.y_train, self.x_test, self.y_test)):
            raise TypeError(f"parts of {self.name!r}: {apart}.")
        _check_examples(f"x_train of {self.name!r}", self.x_train)
        _check_examples(f"x_test of {self.name!r}", self.x_test)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise ValueError(
                f"examples of {self.name!r} differ in shape: {self.x_train.shape[1:]} in training, "
                f"{self.x_test.shape[1:]} in test."
            )
        if self.x_train.dtype != self.x_test.dtype:
            raise TypeError(
                f"examples of {self.name!r} differ in dtype: {self.x_train.dtype} in training, "
                f"{self.x_test.dtype} in test."
            )
        _check_labels(f"y_train of {self.name!r}", self.y_train, len(self.x_train), self.classes)
        _check_labels(f"y_test of {self.name!r}", self.y_test, len(self.x_test), self.classes)

    @property
    def device(self) -> str:
        """Where the examples are: ``"cpu"`` or ``"cuda"``."""
        return device_of(self.x_train)

    def to_device(self, device: str) -> "Dataset":
        """Bring all examples to a device, where they are then trained on.

        Parameters
        ----------
        device : str
            As for `minisam.to_device`.

        Returns
        -------
        Dataset
            The same examples there.
        """
        if device == self.device:
            return self
        names = ("x_train", "y_train", "x_test", "y_test")
        return replace(self, **{name: moved(getattr(self, name), device) for name in names})

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {len(self.x_train)} train + {len(self.x_test)} test, each "
            f"{self.x_train.shape[1:]} {self.x_train.dtype}, {self.classes} classes)"
        )


def _kind(x: object) -> str:
    return f"has dtype {x.dtype}" if hasattr(x, "dtype") else f"is a {type(x).__name__}"


def _check_examples(what: str, x: Array) -> None:
    if getattr(x, "dtype", None) not in (np.float32, np.float64):
        raise TypeError(
            f"{what} {_kind(x)}, expected float32 or float64: np.asarray(x, 'float32')."
        )
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"{what} has shape {x.shape}, expected (n, …) with no size 0.")
    # Both extremes are finite only if everything is: NaN propagates, and no mask is allocated.
    low, high = x.min(), x.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        wrong = ~np.isfinite(x)
        first = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), x.shape))
        raise ValueError(
            f"{what} is not finite: {x[first]} at {first}, {wrong.sum()} such values in {x.shape}."
        )


def _check_labels(what: str, y: Array, n: int, classes: int) -> None:
    if getattr(y, "dtype", None) != np.int64:
        raise TypeError(
            f"{what} {_kind(y)}, expected int64: np.asarray(y, 'int64'), if all are whole."
        )
    if y.shape != (n,):
        raise ValueError(f"{what} has shape {y.shape}, expected ({n},): one label per example.")
    wrong = (y < 0) | (y >= classes)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"{what}: label {y[i]} at index {i} is outside 0 … {classes - 1} ({classes} classes)."
        )
