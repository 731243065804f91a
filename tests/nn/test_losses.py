"""Losses, one for each example, and what they refuse."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff.errors import ShapeError
from minisam.nn import cross_entropy, mse


def test_cross_entropy_by_its_definition():
    rng = np.random.default_rng(0)
    z, y = 3 * rng.normal(size=(6, 4)), rng.integers(4, size=6)
    expected = [
        math.log(sum(math.exp(v) for v in row)) - row[k] for row, k in zip(z, y, strict=True)
    ]
    np.testing.assert_allclose(cross_entropy(z, y), expected, rtol=1e-13)
    # Its gradient is softmax minus one-hot.
    g = ms.grad(lambda z: cross_entropy(z, y).sum())(z)
    softmax = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(g, softmax - np.eye(4)[y], rtol=1e-12, atol=1e-15)


def test_cross_entropy_of_large_logits():
    z = np.array([[1e4, -1e4, 0.0], [-1e300, 1e300, 0.0]])
    np.testing.assert_allclose(cross_entropy(z, np.array([0, 1])), 0, atol=1e-300)
    np.testing.assert_allclose(cross_entropy(z, np.array([1, 0])), [2e4, 2e300], rtol=1e-14)
    assert np.isfinite(ms.grad(lambda z: cross_entropy(z, np.array([1, 2])).sum())(z)).all()


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "u8"])
def test_any_integer_is_a_label(dtype):
    z = np.random.default_rng(0).normal(size=(3, 5)).astype("f4")
    losses = cross_entropy(z, np.array([0, 4, 2], dtype))
    assert losses.dtype == np.float32
    np.testing.assert_array_equal(losses, cross_entropy(z, [0, 4, 2]))


def test_mse_by_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 3, 2))
    expected = [
        sum((u - v) ** 2 for u, v in zip(p.ravel(), q.ravel(), strict=True)) / 6
        for p, q in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(mse(a, b), expected, rtol=1e-13)
    np.testing.assert_allclose(mse(a[:, 0, 0], b[:, 0, 0]), (a - b)[:, 0, 0] ** 2, rtol=1e-15)
    ms.check_grads(lambda a: mse(a, b), (a,), order=2)


def test_lists_are_arrays():
    logits = [[0.0, 1.0], [2.0, -1.0]]
    expected = cross_entropy(np.array(logits), np.array([0, 1]))
    np.testing.assert_array_equal(cross_entropy(logits, [0, 1]), expected)
    np.testing.assert_array_equal(mse(logits, [[1.0, 1.0], [2.0, 3.0]]), [0.5, 8.0])


def test_no_examples_no_losses():
    assert cross_entropy(np.zeros((0, 3)), np.zeros(0, int)).shape == (0,)
    assert mse(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 3], ValueError, r"labels from 0 to 3, but the logits have 3 classes"),
        ([0, -1], ValueError, r"labels from -1 to 0"),
        ([0.0, 1.0], TypeError, r"labels have dtype float64.*astype\('int64'\)"),
        ([True, False], TypeError, "labels have dtype bool"),
        ([0, 1, 2], ShapeError, r"logits of shape \(2, 3\) and labels of shape \(3,\)"),
        ([[0], [1]], ShapeError, r"labels of shape \(2, 1\)"),
        (np.eye(3, dtype=int)[:2], ShapeError, r"labels of shape \(2, 3\)"),
        (0, ShapeError, r"labels of shape \(\)"),
    ],
)
def test_labels_that_do_not_fit(labels, error, message, differentiated):
    def call(z):
        return cross_entropy(z, np.array(labels)).sum()

    with pytest.raises(error, match=message):
        (ms.grad(call) if differentiated else call)(np.zeros((2, 3)))


def test_logits_that_do_not_fit():
    for shape in ((3,), (2, 3, 1)):
        with pytest.raises(ShapeError, match="logits of shape"):
            cross_entropy(np.zeros(shape), np.zeros(2, int))


def test_mse_never_broadcasts():
    for targets in (np.zeros(3), np.zeros((3, 1)), np.zeros((1, 2)), 0.0):
        with pytest.raises(ShapeError, match=r"mse: outputs of shape \(3, 2\), targets of"):
            mse(np.zeros((3, 2)), targets)
    with pytest.raises(ShapeError, match=r"y\[:, None\]"):
        mse(np.zeros((3, 1)), np.zeros(3))
