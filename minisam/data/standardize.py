"""Standardisation: subtract the training mean, divide by the training standard deviation."""

import numpy as np

from minisam.arrays import Array


def standardize(x_train: Array, x_test: Array, dtype: str) -> tuple[Array, Array]:
    """Return both parts as floats with mean 0 and standard deviation 1 over the *training* part.

    There is one mean and one standard deviation per channel (axis 1): one pair for grey images,
    three for RGB, one for every feature of a table. Scaling pixels to [0, 1] first would change
    nothing, (x/255 − m/255) / (s/255) = (x − m)/s, so it is not done.

    The statistics are exact: integer sums of the bytes, with a single rounding at the end. The
    only floating-point arrays made are the two results.

    Parameters
    ----------
    x_train, x_test : numpy.ndarray
        uint8 of shape (n, channels, …), at least one training example.
    dtype : str
        ``"float32"`` or ``"float64"``.

    Returns
    -------
    x_train : numpy.ndarray
        The training part in ``dtype``, its shape unchanged.
    x_test : numpy.ndarray
        The test part, likewise.

    Raises
    ------
    ValueError
        If a channel is constant over the training part.

    Examples
    --------
    >>> train, test = np.array([[1], [3]], np.uint8), np.array([[4]], np.uint8)
    >>> [part.ravel().tolist() for part in standardize(train, test, "float64")]
    [[-1.0, 1.0], [2.0]]
    """
    mean, std = channel_statistics(x_train)
    if not std.all():
        raise ValueError(
            f"channels {np.flatnonzero(std == 0).tolist()} are constant over the {len(x_train)} "
            "training examples; keep more of them."
        )
    per_channel = (-1,) + (1,) * (x_train.ndim - 2)
    mean, std = mean.reshape(per_channel).astype(dtype), std.reshape(per_channel).astype(dtype)
    results = []
    for part in (x_train, x_test):
        x = part.astype(dtype)
        x -= mean
        x /= std
        results.append(x)
    return results[0], results[1]


def channel_statistics(x: Array) -> tuple[Array, Array]:
    """Return the exact mean and standard deviation of every channel.

    Parameters
    ----------
    x : numpy.ndarray
        uint8 of shape (n, channels, …), not empty.

    Returns
    -------
    mean, std : numpy.ndarray
        float64 of shape (channels,); ``std`` divides by the count, not by count − 1, and is 0
        exactly when the channel is constant.

    Examples
    --------
    >>> mean, std = channel_statistics(np.array([[1, 7], [3, 7]], np.uint8))
    >>> mean.tolist(), std.tolist()
    ([2.0, 7.0], [1.0, 0.0])
    """
    x = x.reshape(len(x), x.shape[1], -1)
    count = x.size // x.shape[1]
    sums = x.sum(axis=(0, 2), dtype=np.int64).tolist()
    squares = np.einsum("ncp,ncp->c", x, x, dtype=np.int64).tolist()
    # Python integers: count·Σx² does not fit in 64 bits for MNIST.
    variances = [(count * q - s * s) / count**2 for s, q in zip(sums, squares, strict=True)]
    return np.array(sums) / count, np.sqrt(variances)
