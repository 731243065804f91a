import dataclasses

import numpy as np
import pytest

from minisam.data import Dataset
from minisam.data.standardize import channel_statistics, standardize


@pytest.fixture
def tiny():
    x, y = np.ones((6, 2, 3, 3), np.float32), np.arange(6) % 3
    return Dataset("tiny", x, y, x[:2].copy(), y[:2], classes=3)


def with_value(shape, index, value):
    x = np.ones(shape, np.float32)
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"classes": 1}, ValueError, "classes of 'tiny' must be at least 2, got 1"),
        ({"classes": 2}, ValueError, "label 2 at index 2 is outside 0 … 1"),
        ({"y_test": np.array([0, -1])}, ValueError, "y_test.*label -1 at index 1 is outside 0 … 2"),
        ({"y_test": np.array([0.0, 1.0])}, TypeError, "y_test.*float64, expected int64"),
        ({"y_train": np.zeros(5, int)}, ValueError, r"y_train.*\(5,\), expected \(6,\)"),
        ({"y_train": np.zeros((6, 1), int)}, ValueError, r"y_train.*\(6, 1\), expected \(6,\)"),
        ({"x_train": np.zeros((6, 18), np.uint8)}, TypeError, "x_train.*uint8"),
        ({"x_train": [[1.0]] * 6}, TypeError, "x_train of 'tiny' is a list, expected float32"),
        ({"y_train": [0, 1, 2] * 2}, TypeError, "y_train of 'tiny' is a list, expected int64"),
        ({"x_test": np.zeros((2, 2, 3, 3))}, TypeError, "float32 in training, float64 in test"),
        ({"x_test": np.zeros((2, 18), np.float32)}, ValueError, r"\(2, 3, 3\) in training, \(18,"),
        ({"x_test": np.zeros((0, 2, 3, 3), np.float32)}, ValueError, r"x_test.*\(0, 2, 3, 3\)"),
        ({"x_train": np.zeros(6, np.float32)}, ValueError, r"x_train.*shape \(6,\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny, changes, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(tiny, **changes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_values_that_are_not_finite_are_refused(tiny, part, value):
    x = with_value(getattr(tiny, part).shape, (1, 0, 2, 1), value)
    message = rf"{part} of 'tiny' is not finite: {value} at \(1, 0, 2, 1\), 1 such"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny, **{part: x})


def test_a_dataset_is_frozen_and_short_to_print(tiny):
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny.name = "other"
    assert repr(tiny) == "Dataset('tiny', 6 train + 2 test, each (2, 3, 3) float32, 3 classes)"
    assert tiny != dataclasses.replace(tiny)  # compared as objects, never array by array


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(200, 1, 4, 4), (50, 3, 4, 5), (300, 7)])
def test_standardisation_uses_training_statistics_only(shape, dtype):
    rng = np.random.default_rng(0)
    train = rng.integers(0, 100, shape, dtype=np.uint8)
    test = rng.integers(100, 256, (9, *shape[1:]), dtype=np.uint8)
    originals = train.copy(), test.copy()
    x, z = standardize(train, test, dtype)
    assert (x.dtype, z.dtype, x.shape, z.shape) == (dtype, dtype, train.shape, test.shape)
    # The reference scales to [0, 1] first, which must make no difference.
    axes = (0, *range(2, len(shape)))
    a, b = train / 255, test / 255
    mean, std = a.mean(axes, keepdims=True), a.std(axes, keepdims=True)
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(x, (a - mean) / std, rtol=0, atol=tolerance)
    np.testing.assert_allclose(z, (b - mean) / std, rtol=0, atol=tolerance)
    assert z.mean() > 1  # test images are brighter, and stay so
    other = standardize(train, test // 2, dtype)[0]
    np.testing.assert_array_equal(other, x)
    np.testing.assert_array_equal(train, originals[0])
    np.testing.assert_array_equal(test, originals[1])


def test_statistics_are_exact_where_floating_point_would_cancel():
    x = np.full((100_000, 2, 3), 255, np.uint8)
    x[17, 1, 2] = 254
    mean, std = channel_statistics(x)
    p = 1 / 300_000
    assert mean.tolist() == [255.0, (255 * 299_999 + 254) / 300_000]
    assert std[0] == 0
    np.testing.assert_allclose(std[1], np.sqrt(p * (1 - p)), rtol=1e-15)


def test_statistics_do_not_overflow():
    x = np.zeros((60_000, 1, 28, 28), np.uint8)
    x[::2] = 255
    mean, std = channel_statistics(x)
    assert (mean.item(), std.item()) == (127.5, 127.5)


def test_a_constant_channel_is_named():
    x = np.zeros((5, 3), np.uint8)
    x[0, [0, 2]] = 1
    with pytest.raises(ValueError, match=r"channels \[1\] are constant over the 5 training"):
        standardize(x, x, "float32")
