import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisam.data import batches

sizes = st.integers(1, 60)


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 2**32))
def test_an_epoch_is_a_permutation(n, batch_size, seed):
    epoch = batches(n, batch_size, seed)
    assert sorted(np.concatenate(epoch).tolist()) == list(range(n))
    assert [len(batch) for batch in epoch[:-1]] == [batch_size] * (len(epoch) - 1)
    assert len(epoch[-1]) == (n % batch_size or batch_size)
    assert all(batch.dtype == np.int64 for batch in epoch)


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 2**32))
def test_drop_last_only_drops_the_short_batch(n, batch_size, seed):
    if batch_size > n:
        with pytest.raises(ValueError, match="drop_last leaves no batch"):
            batches(n, batch_size, seed, drop_last=True)
        return
    full = [batch.tolist() for batch in batches(n, batch_size, seed) if len(batch) == batch_size]
    assert [batch.tolist() for batch in batches(n, batch_size, seed, drop_last=True)] == full


def test_a_seed_decides_and_a_generator_advances():
    def flat(rng):
        return np.concatenate(batches(50, 7, rng)).tolist()

    assert flat(3) == flat(3) == flat(np.random.default_rng(3))
    assert flat((3, 0)) == flat((3, 0)) != flat((3, 1))
    rng = np.random.default_rng(3)
    assert flat(rng) != flat(rng)


def test_global_random_state_is_neither_read_nor_changed():
    state = np.random.get_state()  # noqa: NPY002
    first = np.concatenate(batches(50, 7, 0)).tolist()
    after = np.random.get_state()  # noqa: NPY002
    assert state[2:] == after[2:]
    np.testing.assert_array_equal(state[1], after[1])
    assert np.concatenate(batches(50, 7, 0)).tolist() == first


def test_every_order_is_equally_likely():
    rng = np.random.default_rng(0)
    counts = np.zeros((4, 4))
    for _ in range(4000):
        counts[np.arange(4), np.concatenate(batches(4, 2, rng))] += 1
    # Each index is at each position 1000 times, give or take 5 standard deviations (27).
    assert np.abs(counts - 1000).max() < 140


@pytest.mark.parametrize(
    ("n", "batch_size", "message"),
    [(0, 1, "n must be at least 1, got 0"), (5, 0, "batch_size must be at least 1, got 0")],
)
def test_nothing_to_do_is_an_error(n, batch_size, message):
    with pytest.raises(ValueError, match=message):
        batches(n, batch_size, 0)


def test_no_seed_is_an_error():
    with pytest.raises(TypeError, match="rng is None"):
        batches(5, 2, None)
