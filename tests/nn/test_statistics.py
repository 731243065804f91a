"""Batch-norm statistics: a function of w and the inputs, and what evaluation uses."""

import numpy as np
import pytest

from minisam import nn
from minisam.autodiff.errors import ShapeError


def test_they_are_those_of_all_examples():
    """However the examples are cut into batches: each counts once."""
    rng = np.random.default_rng(0)
    x = 3 + 2 * rng.normal(size=(11, 2, 3, 3))
    model = nn.BatchNorm(2)
    w = model.init(0, "float64")
    expected = np.stack([x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))])
    for cuts in ([], [3], [1, 2, 10], [5, 6]):
        found = model.statistics(w, np.split(x, cuts))
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_allclose(model.statistics(w, iter(np.split(x, [4]))), expected, rtol=1e-13)


def test_a_small_variance_beside_a_large_mean():
    """Computed as E x² - (E x)² in float32 it would be lost, or negative."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(600, 3))).astype("f4")
    model = nn.BatchNorm(3)
    mean, var = model.statistics(model.init(0), np.split(x, [200, 400]))
    np.testing.assert_allclose(mean, x.astype("f8").mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype("f8").var(axis=0), rtol=1e-3)


def test_evaluation_uses_them_in_the_model_s_order():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(9, 3))
    model = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm(4), nn.Residual(nn.Sequential(nn.BatchNorm(4), nn.Tanh()))
    )
    w = rng.normal(size=model.size)
    statistics = model.statistics(w, [x])
    assert statistics.shape == (2, 8)
    # The batch is all there is: training and evaluation normalise alike.
    np.testing.assert_allclose(
        model(w, x, statistics=statistics), model(w, x, train=True), rtol=1e-12, atol=1e-13
    )
    # Each example by itself, too: nothing of the batch is left in evaluation.
    alone = [model(w, x[i : i + 1], statistics=statistics)[0] for i in range(9)]
    np.testing.assert_allclose(alone, model(w, x, statistics=statistics), rtol=1e-12, atol=1e-13)
    other = model.statistics(2 * w, [x])
    assert not np.allclose(other, statistics), "they belong to w"


def test_the_later_layers_see_the_batch():
    """The second batch norm's statistics are of what the first one gives in training."""
    rng = np.random.default_rng(2)
    x = 5 + rng.normal(size=(40, 2))
    model = nn.Sequential(nn.BatchNorm(2), nn.BatchNorm(2))
    statistics = model.statistics(model.init(0, "float64"), np.split(x, 2))
    np.testing.assert_allclose(statistics[0, 2:], 0, atol=1e-12)
    np.testing.assert_allclose(statistics[1, 2:], 1, rtol=1e-4)


def test_they_see_no_dropout():
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm(2))
    x = np.random.default_rng(0).normal(size=(6, 2))
    w = model.init(0, "float64")
    statistics = model.statistics(w, [x])  # and no seed is asked for
    np.testing.assert_allclose(statistics, np.stack([x.mean(axis=0), x.var(axis=0)]), rtol=1e-12)


def test_a_single_example():
    """Variance 0 in training: the output is the shift, and nothing is divided by 0."""
    model = nn.BatchNorm(3)
    w = np.arange(6.0)
    x = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(model(w, x, train=True), [[3.0, 4.0, 5.0]])
    statistics = model.statistics(w, [x])
    np.testing.assert_array_equal(statistics, [[1, 2, 3], [0, 0, 0]])
    assert np.isfinite(model(w, x + 1, statistics=statistics)).all()


def test_a_model_without_batch_norm():
    model = nn.mlp([3, 2])
    w, x = model.init(0), np.ones((4, 3), "f4")
    statistics = model.statistics(w, [x, x])
    assert statistics.shape == (2, 0)
    assert statistics.dtype == np.float32
    np.testing.assert_array_equal(model(w, x, statistics=statistics), model(w, x))


def test_they_are_not_written_to():
    model = nn.Sequential(nn.BatchNorm(2), nn.BatchNorm(2))
    w, x = model.init(0, "float64"), np.random.default_rng(0).normal(size=(4, 2))
    statistics = model.statistics(w, [x])
    before = statistics.copy()
    model(w, x, statistics=statistics)
    model(w, x, train=True, statistics=statistics)
    np.testing.assert_array_equal(statistics, before)


def test_errors():
    model = nn.Sequential(nn.BatchNorm(2), nn.BatchNorm(2))
    w, x = model.init(0, "float64"), np.ones((4, 2))
    with pytest.raises(ValueError, match=r"statistics=model\.statistics\(w, batches\)"):
        model(w, x)
    with pytest.raises(ValueError, match="no batch was given"):
        model.statistics(w, [])
    with pytest.raises(ShapeError, match="fewer channels than the model"):
        model(w, x, statistics=np.ones((2, 3)))
    with pytest.raises(ShapeError, match="1 channels more than the model"):
        model(w, x, statistics=np.ones((2, 5)))
    with pytest.raises(ShapeError, match="4 channels more than the model"):
        nn.Linear(2, 2)(np.ones(6), x, statistics=np.ones((2, 4)))
