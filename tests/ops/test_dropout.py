"""Dropout: its mask, its mean, and that it is one function in both passes of a step."""

import numpy as np
import pytest

import minisam as ms
from minisam.ops.dropout import dropout

SEEDS = (0, np.random.SeedSequence(5), (1, 2, 3))


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_seed_is_a_mask(seed):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    y = dropout(x, 0.4, seed)
    np.testing.assert_array_equal(dropout(x, 0.4, seed), y)
    np.testing.assert_array_equal(dropout(np.ones_like(x), 0.4, seed) * x, y)
    assert 0 < np.count_nonzero(y) < y.size


def test_seeds_differ():
    masks = [dropout(np.ones(64), 0.5, s).tobytes() for s in (0, 1, (1, 2), (2, 1))]
    assert len(set(masks)) == 4


def test_the_mask_knows_neither_dtype_nor_memory_order():
    x = np.ones((4, 5, 6))
    mask = dropout(x, 0.5, 0) > 0
    np.testing.assert_array_equal(dropout(x.astype(np.float32), 0.5, 0) > 0, mask)
    np.testing.assert_array_equal(dropout(np.asfortranarray(x), 0.5, 0) > 0, mask)
    np.testing.assert_array_equal(dropout(np.ones((8, 5, 6))[::2], 0.5, 0) > 0, mask)


def test_a_generator_moves_on():
    x, rng = np.ones(64), np.random.default_rng(0)
    first, second = dropout(x, 0.5, rng), dropout(x, 0.5, rng)
    assert not np.array_equal(first, second)
    again = np.random.default_rng(0)
    np.testing.assert_array_equal(dropout(x, 0.5, again), first)
    np.testing.assert_array_equal(dropout(x, 0.5, again), second)


def test_global_randomness_plays_no_part():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    dropout(np.ones(9), 0.5, 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_share_and_mean(rate):
    n = 40_000
    y = dropout(np.ones(n), rate, 7)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-15)
    assert abs(np.mean(y == 0) - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    assert abs(y.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / n)


def test_rate_zero_is_the_identity():
    x = np.random.default_rng(1).normal(size=7)
    y = dropout(x, 0, 0)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype(dtype):
    x = np.ones((2, 3), dtype)
    y, pullback = ms.vjp(lambda x: dropout(x, 0.3, 0), x)
    assert y.dtype == pullback(y).dtype == dtype
    assert dropout(x[0, 0], 0.3, 0).dtype == dtype


def test_integers_become_floats():
    ones = np.ones(9, dtype=int)
    np.testing.assert_array_equal(dropout(ones, 0.6, 1), dropout(np.ones(9), 0.6, 1))


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_derivatives(shape):
    x = np.asarray(np.random.default_rng(2).normal(size=shape))
    ms.check_grads(lambda x: dropout(np.sin(x), 0.5, 3), (x,), order=3, analytic=True)


def test_gradient_is_the_mask():
    x = np.random.default_rng(3).normal(size=20)
    gradient = ms.grad(lambda x: np.sum(dropout(x, 0.25, 4)))(x)
    np.testing.assert_array_equal(gradient, dropout(np.ones(20), 0.25, 4))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_rate_error(rate):
    with pytest.raises(ValueError) as error:
        dropout(np.ones(3), rate, 0)
    assert str(error.value) == (
        f"dropout: rate must be in [0, 1), got {rate}: at 1 nothing is left."
    )


def test_no_seed_is_an_error():
    with pytest.raises(TypeError, match=r"^dropout: seed is None, which would draw another mask"):
        dropout(np.ones(3), 0.5, None)
