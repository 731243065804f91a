"""Noise: what is drawn has the covariance it should, and belongs to its path alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minisam import sde
from minisam.sde.streams import BLOCK, paths_per_block

SKEWED = np.array([[2.0, 0.7, 0.0], [0.7, 1.0, -0.3], [0.0, -0.3, 0.5]])


@pytest.mark.parametrize(
    "covariance", [SKEWED, np.diag([1.0, 4.0, 0.0]), np.eye(3), np.zeros((3, 3))]
)
def test_root_squared_is_the_covariance(covariance):
    noise = sde.Gaussian(covariance)
    np.testing.assert_allclose(noise.root @ noise.root, covariance, atol=1e-12)
    xi = np.random.default_rng(0).standard_normal((5, 3))
    np.testing.assert_allclose(noise.spread(xi), xi @ noise.root, atol=1e-12)


def test_samples_have_the_covariance():
    """Each entry of the sample covariance within four of its standard errors (seed 0)."""
    noise, n = sde.Gaussian(SKEWED), 200_000
    for substeps in (1, 4):
        streams = sde.Streams(0, 0, n, 3)
        z = noise.sample(streams, streams.normals(substeps))
        error = np.sqrt((np.outer(np.diag(SKEWED), np.diag(SKEWED)) + SKEWED**2) / n)
        assert (np.abs(z.T @ z / n - SKEWED) < 4 * error).all()
        assert (np.abs(z.mean(axis=0)) < 4 * np.sqrt(np.diag(SKEWED) / n)).all()


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(float, (3, 3), elements=st.floats(-2, 2)))
def test_a_covariance_is_taken_and_anything_else_refused(a):
    noise = sde.Gaussian(a @ a.T)
    np.testing.assert_allclose(noise.root @ noise.root, a @ a.T, atol=1e-6)
    shift = np.linalg.eigvalsh(a @ a.T)[0] + 0.1
    with pytest.raises(ValueError, match=r"indefinite: its eigenvalues go from -0.1"):
        sde.Gaussian(a @ a.T - shift * np.eye(3))


def test_bad_covariances_are_refused():
    with pytest.raises(ValueError, match=r"covariance is not symmetric: entry \(0, 1\) is 0.5"):
        sde.Gaussian([[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match="eigenvalues go from -1 to 3"):
        sde.Gaussian([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="eigenvalues go from -1 to 2"):
        sde.Gaussian(np.diag([2.0, -1.0]))
    with pytest.raises(ValueError, match="sigma must be at least 0"):
        sde.Gaussian.isotropic(-1.0, 2)
    with pytest.raises(
        ValueError, match=r"1×1, but saddle has 2 parameters.*isotropic\(sigma, 2\)"
    ):
        sde.discrete(sde.SGD, sde.saddle(), sde.Gaussian([[1.0]]), 0.1)
    with pytest.raises(ValueError, match="1×1, but saddle has 2"):
        sde.additive(sde.SGD, sde.saddle(), sde.Gaussian([[1.0]]))


# Mini-batches.


def test_batches_average_to_the_full_gradient():
    problem = sde.logistic("iris", examples=12)
    x = problem.start + np.random.default_rng(0).standard_normal((2, problem.d))
    for rows in (sde.all_batches(12, 3), sde.one_epoch(12, 3, seed=5)):
        noise = sde.MiniBatches(rows)
        found = [noise.gradient(problem, np.tile(batch, (2, 1)))(x) for batch in rows]
        np.testing.assert_allclose(np.mean(found, axis=0), problem.gradient(x), atol=1e-13)


def test_batches_are_drawn_equally_often():
    """Chi-squared with 5 degrees of freedom: 99.99 % are below 25.7 (seed 1)."""
    noise, n = sde.MiniBatches(sde.all_batches(4, 2)), 60_000
    rows = noise.sample(sde.Streams(1, 0, n, 1), np.empty((1, n, 1)))
    counts = np.unique(rows, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.sum((counts - n / 6) ** 2 / (n / 6)) < 25.7


def test_bad_batches_are_refused():
    with pytest.raises(ValueError, match="counts go from 1 to 2"):
        sde.MiniBatches(np.array([[0, 1], [1, 2]]))
    with pytest.raises(ValueError, match="counts go from 0 to 1"):
        sde.MiniBatches(np.array([[1], [2]]))
    with pytest.raises(ValueError, match=r"b must be in \[1, 3\]"):
        sde.all_batches(3, 4)
    with pytest.raises(ValueError, match="100,000 at most"):
        sde.all_batches(60, 30)
    with pytest.raises(ValueError, match="10 examples cannot be cut into batches of 3"):
        sde.one_epoch(10, 3)
    noise = sde.MiniBatches(sde.one_epoch(12, 3))
    with pytest.raises(ValueError, match="batches are of 12 examples, but cosh has none: it is no"):
        sde.discrete(sde.SGD, sde.cosh(), noise, 0.1)
    with pytest.raises(ValueError, match="12 examples, but logistic regression on iris has 20"):
        sde.general(sde.SGD, sde.logistic("iris", examples=20), noise)


# Streams.


@pytest.mark.parametrize("d", [1, 3, 700, 2000])
def test_numbers_depend_on_the_path_alone(d):
    block = paths_per_block(d)
    assert block == max(1, BLOCK // d)
    count = 2 * block + 1
    whole = sde.Streams(7, 0, count, d)
    normals, integers = [whole.normals(2) for _ in range(3)], whole.integers(10)
    for first, n in ((0, 1), (block, 1), (block, block + 1)):
        part = sde.Streams(7, first, n, d)
        for drawn in normals:
            np.testing.assert_array_equal(part.normals(2), drawn[:, first : first + n])
        np.testing.assert_array_equal(part.integers(10), integers[first : first + n])


def test_numbers_of_different_paths_steps_and_seeds_differ():
    a, b = sde.Streams(0, 0, 3000, 2), sde.Streams(1, 0, 3000, 2)
    drawn = np.concatenate([a.normals(2).ravel(), a.normals(2).ravel(), b.normals(2).ravel()])
    assert len(np.unique(drawn)) == drawn.size


def test_paths_are_uncorrelated():
    """Correlation of neighbours, within a block and across: |r| < 4/√n (seed 0)."""
    steps = 20_000
    streams = sde.Streams(0, 0, BLOCK + 1, 1)
    x = np.array([streams.normals(1)[0, [0, 1, BLOCK - 1, BLOCK], 0] for _ in range(steps)])
    r = np.corrcoef(x.T)[np.triu_indices(4, 1)]
    assert (np.abs(r) < 4 / np.sqrt(steps)).all()


def test_a_stream_begins_at_a_block():
    with pytest.raises(ValueError, match=f"multiple of {BLOCK}, got 5"):
        sde.Streams(0, 5, 1, 1)
