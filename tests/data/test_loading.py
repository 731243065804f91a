import sys

import numpy as np
import pytest

from minisam.data import load


def same(a, b):
    return all(
        np.array_equal(getattr(a, part), getattr(b, part))
        for part in ("x_train", "y_train", "x_test", "y_test")
    )


def rows(x):
    return {row.tobytes() for row in np.ascontiguousarray(x)}


@pytest.fixture
def sklearn_digits():
    return pytest.importorskip("sklearn.datasets").load_digits()


def test_digits_shapes_and_split(sklearn_digits):
    data = load("digits")
    assert data.x_train.shape == (1200, 1, 8, 8)
    assert data.x_test.shape == (597, 1, 8, 8)
    assert data.x_train.dtype == data.x_test.dtype == np.float32
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.classes == 10
    # Nothing is lost and no image is in both parts: one label and image for each original.
    labels = np.concatenate([data.y_train, data.y_test])
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(sklearn_digits.target))
    assert len(rows(data.x_train) | rows(data.x_test)) == len(rows(sklearn_digits.images))
    assert not rows(data.x_train) & rows(data.x_test)


def test_digits_keep_their_labels(sklearn_digits):
    data = load("digits", dtype="float64")
    originals = zip(sklearn_digits.images, sklearn_digits.target, strict=True)
    label = {image.tobytes(): y for image, y in originals}
    # Undo the standardisation: the smallest pixel is 0 and the largest 16.
    low, high = data.x_train.min(), data.x_train.max()
    for x, y in [(data.x_train, data.y_train), (data.x_test, data.y_test)]:
        images = np.rint((x - low) / (high - low) * 16)[:, 0]
        assert [label[image.tobytes()] for image in images] == y.tolist()


def test_digits_are_standardised_on_the_training_part():
    data = load("digits", dtype="float64")
    assert abs(data.x_train.mean()) < 1e-12
    assert abs(data.x_train.std() - 1) < 1e-12
    assert abs(data.x_test.mean()) > 1e-6


def test_the_seed_decides_the_split():
    assert same(load("digits"), load("digits", seed=0))
    assert rows(load("digits", seed=1).x_train) != rows(load("digits", seed=0).x_train)


def test_the_split_is_the_same_on_every_machine():
    data = load("digits")
    assert data.y_train[:12].tolist() == [3, 9, 1, 8, 6, 5, 7, 8, 9, 2, 5, 4]
    with pytest.raises(TypeError):
        load("digits", seed=None)


def test_fewer_examples_are_nested_ordered_and_independent():
    every = load("digits").y_train
    small, large = load("digits", train=50, test=7), load("digits", train=300)
    assert (len(small.x_train), len(small.x_test)) == (50, 7)
    assert len(large.x_test) == 597
    assert same(load("digits", train=50), load("digits", train=50, test=597))
    for train in (9, None):
        np.testing.assert_array_equal(load("digits", train=train, test=7).y_test, small.y_test)
    assert small.y_train.tolist() != every[:50].tolist()  # drawn, not simply the first
    np.testing.assert_array_equal(load("digits", train=1200).y_train, every)

    def pixels(data):
        # Standardisation differs between the two; grey levels in order of size do not.
        x = data.x_train.reshape(len(data.x_train), -1)
        return [tuple(np.unique(row, return_inverse=True)[1].tolist()) for row in x]

    of_large = iter(pixels(large))
    assert all(image in of_large for image in pixels(small))  # a subsequence


def test_statistics_are_those_of_the_kept_examples():
    data = load("digits", dtype="float64", train=100)
    assert abs(data.x_train.mean()) < 1e-12
    assert abs(data.x_train.std() - 1) < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 1201}, "train is 1201, but digits has 1200 train examples"),
        ({"test": 598}, "test is 598, but digits has 597 test examples"),
        ({"train": 0}, "train is 0"),
        (
            {"train": 100.0},
            "train is 100.0, but digits has 1200 train examples; use an int from 1 ",
        ),
        ({"test": -1}, "test is -1"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
    ],
)
def test_impossible_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        load("digits", **arguments)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'imagenet'; choose from digits, mnist, .*"):
        load("imagenet")


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[data\]'"):
        load("digits")
