"""Wrong labels: as many as asked for, where a seed says, and counted."""

import numpy as np
import pytest

from minisam.data import pair_noise, symmetric_noise

Y = np.random.default_rng(3).integers(10, size=5000)


@pytest.mark.parametrize("rate", [0, 0.2, 0.29, 0.8, 1])
def test_over_the_other_classes_every_drawn_label_changes(rate):
    noisy = symmetric_noise(Y, 10, rate, seed=1)
    assert noisy.changed.sum() == round(5000 * rate)
    assert noisy.rate == rate
    np.testing.assert_array_equal(noisy.changed, noisy.y != Y)
    shift = (noisy.y - Y)[noisy.changed] % 10
    counts = np.bincount(shift, minlength=10)
    assert counts[0] == 0
    if rate:
        expected = 5000 * rate / 9
        assert (abs(counts[1:] - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("rate", [0.4, 1])
def test_over_all_classes_some_keep_their_label(rate):
    noisy = symmetric_noise(Y, 10, rate, seed=1, over="all")
    assert noisy.rate == pytest.approx(rate * 0.9, abs=0.02)
    assert noisy.rate == noisy.changed.mean() == (noisy.y != Y).mean()
    counts = np.bincount(symmetric_noise(Y, 10, 1, seed=1, over="all").y, minlength=10)
    assert (abs(counts - 500) < 5 * np.sqrt(500)).all()


def test_pairs():
    noisy = pair_noise(Y, 10, 0.4, seed=1)
    assert noisy.rate == 0.4
    np.testing.assert_array_equal(noisy.y[noisy.changed], (Y[noisy.changed] + 1) % 10)
    cifar = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
    noisy = pair_noise(Y, 10, 0.4, seed=1, pairs=cifar)
    assert set(Y[noisy.changed]) == set(cifar)
    assert all(cifar[a] == b for a, b in zip(Y[noisy.changed], noisy.y[noisy.changed], strict=True))
    assert noisy.rate == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("make", [symmetric_noise, pair_noise])
def test_it_is_a_function_of_the_seed(make):
    y = Y.copy()
    y.flags.writeable = False
    one = make(y, 10, 0.3, seed=(1, 2))
    assert one.y.dtype == np.int64
    np.testing.assert_array_equal(one.y, make(y, 10, 0.3, seed=(1, 2)).y)
    assert not np.array_equal(one.y, make(y, 10, 0.3, seed=(1, 3)).y)
    more = make(y, 10, 0.5, seed=(1, 2))
    assert (more.changed | ~one.changed).all()


def test_a_rate_that_is_no_whole_number_of_examples():
    assert symmetric_noise(Y[:7], 10, 0.5, seed=0).changed.sum() == 3
    assert symmetric_noise(Y[:100], 10, 0.29, seed=0).changed.sum() == 29


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 1.1}, r"rate must be in \[0, 1\], got 1.1"),
        ({"rate": float("nan")}, "rate must be in"),
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"classes": 5}, r"labels from 0 to 9, outside 0 … 4"),
        ({"y": np.array([-1, 0])}, "labels from -1 to 0"),
        ({"y": np.array([0.5])}, "dtype float64"),
        ({"y": np.zeros((2, 2), int)}, r"shape \(2, 2\)"),
        ({"y": np.zeros(0, int)}, r"shape \(0,\)"),
        ({"seed": None}, "seed is None"),
    ],
)
@pytest.mark.parametrize("make", [symmetric_noise, pair_noise])
def test_what_is_refused(make, change, message):
    with pytest.raises(ValueError, match=message):
        make(**({"y": Y, "classes": 10, "rate": 0.1, "seed": 0} | change))


def test_options_of_each():
    with pytest.raises(ValueError, match="over must be 'others' or 'all', got 'any'"):
        symmetric_noise(Y, 10, 0.1, 0, over="any")
    for pairs in ({0: 10}, {-1: 0}, {3: 3}):
        with pytest.raises(ValueError, match="is no pair of two classes in 0 … 9"):
            pair_noise(Y, 10, 0.1, 0, pairs=pairs)
