"""Cross-entropy where it is hard: logits with a large common part, and hopeless predictions."""

import numpy as np
import pytest

import minisam as ms


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6, -1e6])
def test_what_all_logits_have_in_common_does_not_matter(offset):
    z = np.float32(offset) + np.array([[0.0, 1.0, -1.0]], dtype="float32")
    exact = z.astype("float64") - z.astype("float64").max()
    p = np.exp(exact) / np.exp(exact).sum()
    g = ms.grad(lambda z: np.sum(ms.nn.cross_entropy(z, np.array([1]))))(z)
    np.testing.assert_allclose(g, p - [[0, 1, 0]], atol=3e-7)


def test_a_hopeless_prediction_has_a_finite_gradient():
    z = np.array([[1e4, -1e4]])
    loss, g = ms.value_and_grad(lambda z: np.sum(ms.nn.cross_entropy(z, np.array([1]))))(z)
    assert loss == 2e4
    np.testing.assert_allclose(g, [[1.0, -1.0]])


@pytest.mark.parametrize("margin", [1e3, 1e5, 1e7, 1e12, np.inf])
def test_the_others_are_told_apart_however_far_below_them_the_label_is(margin):
    z, labels = np.array([[0.0, 0.3, -margin]], dtype="float32"), np.array([2])
    p = np.exp([0.0, 0.3]) / np.exp([0.0, 0.3]).sum()
    loss = lambda z: np.sum(ms.nn.cross_entropy(z, labels))  # noqa: E731
    np.testing.assert_allclose(ms.grad(loss)(z), [[*p, -1]], rtol=3e-7)
    v = np.array([[0.7, -0.2, 0.0]], dtype="float32")
    expected = [[*(p * v[0, :2] - p * (p @ v[0, :2])), 0]]
    np.testing.assert_allclose(ms.hvp(loss, z, v), expected, rtol=2e-6)


@pytest.mark.parametrize(
    "label",
    [np.int64(2**32), np.int64(2**40 + 1), np.int64(-(2**32)), np.uint64(2**32), np.uint64(2**63)],
)
def test_a_label_of_more_than_32_bits_is_out_of_range_too(label):
    with pytest.raises(ValueError, match=f"{label}.* must be in"):
        ms.nn.cross_entropy(np.zeros((2, 3)), np.array([0, label], dtype=label.dtype))
