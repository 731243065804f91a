"""The largest eigenvalues by products alone, against the whole matrix."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.sharpness import (
    bottom_eigenvalues,
    eigenvalue_ratio,
    top_eigenvalues,
    top_eigenvectors,
)
from minisam.sharpness.lanczos import _new, lanczos
from tests.sharpness.problems import NETWORKS, network, quadratic, rotated


@pytest.mark.parametrize(("model", "train"), NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("k", [1, 3, 10])
def test_networks(model, train, k):
    loss, w = network(model, train=train)
    expected = np.linalg.eigvalsh(ms.hessian(loss)(w))[::-1]
    found = top_eigenvalues(loss, w, k, tol=1e-9)
    np.testing.assert_allclose(found, expected[:k], rtol=0, atol=1e-6 * expected[0])
    # The default stops earlier; the error is about the square of the tolerance.
    found = top_eigenvalues(loss, w, k)
    np.testing.assert_allclose(found, expected[:k], rtol=0, atol=1e-4 * expected[0])


def test_all_of_them():
    loss, w = network(NETWORKS["mlp"][0])
    expected = np.linalg.eigvalsh(ms.hessian(loss)(w))[::-1]
    assert expected[-1] < 0, "negative ones are among them"
    np.testing.assert_allclose(
        top_eigenvalues(loss, w, w.size), expected, rtol=0, atol=1e-12 * expected[0]
    )


def test_float32():
    model = NETWORKS["mlp"][0]
    loss, w = network(model)
    expected = np.linalg.eigvalsh(ms.hessian(loss)(w))[::-1]
    loss, w = network(model, "float32")
    found = top_eigenvalues(loss, w, 2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected[:2], rtol=1e-4)
    for tol in (1e-6, 1e-12):  # beyond the accuracy of the products it still ends
        np.testing.assert_allclose(top_eigenvalues(loss, w, 1, tol=tol), expected[:1], rtol=1e-5)


@pytest.mark.parametrize(
    "eigenvalues",
    [
        [5, 5, 1, 1, 1],
        [7, 7, 7, 7],
        [5, 5, 5, 4, *[0] * 40],
        [3, 3, -9, -9, -9, *[0.5] * 30],
        [0.0] * 6,
        [-1, -2, -3, -3, -5],
        [1e-12, 1, 1e12],
        [2.0],
    ],
    ids=str,
)
def test_repeated_zero_and_negative_eigenvalues(eigenvalues):
    """The largest are meant, and not the largest in magnitude; each as often as it occurs."""
    eigenvalues = np.sort(np.array(eigenvalues, dtype=float))[::-1]
    d, scale = len(eigenvalues), np.abs(eigenvalues).max()
    for k in {1, min(2, d), min(4, d), d}:
        for seed in range(3):
            found = top_eigenvalues(quadratic(eigenvalues), np.ones(d), k, seed=seed, tol=1e-7)
            np.testing.assert_allclose(found, eigenvalues[:k], rtol=0, atol=1e-10 * scale)


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 3.0]), st.floats(-1e6, 1e6).map(lambda v: round(v, 3))
)


@settings(deadline=None, max_examples=60)
@given(eigenvalues=st.lists(numbers, min_size=1, max_size=12), data=st.data())
def test_any_spectrum(eigenvalues, data):
    eigenvalues = np.sort(eigenvalues)[::-1]
    k = data.draw(st.integers(1, len(eigenvalues)))
    a = rotated(eigenvalues)
    found, _ = lanczos(lambda v: a @ v, len(eigenvalues), k, tol=1e-8)
    scale = np.abs(eigenvalues).max()
    np.testing.assert_allclose(found, eigenvalues[:k], rtol=0, atol=2e-8 * scale)


def test_the_error_is_within_the_tolerance():
    """A residual bounds the error: also for a spectrum without a gap, where Lanczos is slow."""
    eigenvalues = np.linspace(0, 1, 300)[::-1]
    a = rotated(eigenvalues)
    for tol in (1e-1, 1e-2, 1e-4):
        calls = []

        def product(v, calls=calls):
            calls.append(1)
            return a @ v

        found, _ = lanczos(product, 300, 3, tol=tol, max_products=300)
        np.testing.assert_allclose(found, eigenvalues[:3], rtol=0, atol=tol)
        assert len(calls) < 300


def test_the_wanted_ones_have_to_converge():
    """The smallest are found after a few products here, when the largest are still far off."""
    eigenvalues = np.concatenate([np.linspace(1, 0, 300), [-4, -4.5, -5]])
    a = rotated(eigenvalues)
    found, _ = lanczos(lambda v: a @ v, 303, 3, tol=1e-5)
    np.testing.assert_allclose(found, eigenvalues[:3], rtol=0, atol=5e-5)


def test_the_tolerance_is_relative_to_the_wanted_ones():
    """The largest in magnitude is negative, and 25 times the largest; 1 % of it is negligible."""
    eigenvalues = np.concatenate([np.linspace(1, 0, 300), [-25]])
    a = rotated(eigenvalues)
    for tol in (1e-2, 1e-4):
        found, _ = lanczos(lambda v: a @ v, 301, 2, tol=tol, max_products=301)
        residual = np.linalg.svd(a - found[0] * np.eye(301), compute_uv=False)[-1]
        assert residual <= tol
        np.testing.assert_allclose(found, eigenvalues[:2], rtol=tol)
    calls = []

    def flat(v):
        calls.append(1)
        return rotated([0.0] * 300 + [-1.0]) @ v

    np.testing.assert_allclose(lanczos(flat, 301, 1)[0], [0.0], atol=1e-6)
    assert len(calls) < 10, "what is 0 is not resolved relative to 0"


def test_what_has_not_converged_is_told():
    a = rotated(np.linspace(0, 1, 300))
    message = r"after 20 products .* only known to ±(.*)\. Raise max_products, or tol=0\.0001"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        found, _ = lanczos(lambda v: 1e200 * (a @ v), 300, 1, max_products=20)
    bound = float(str(caught[0].message).split("±")[1].split(". ")[0])
    assert abs(found[0] - 1e200) <= bound < 0.2e200
    lanczos(lambda v: a @ v, 300, 1, max_products=300)  # and this one warns of nothing


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-3, 1e200, 1e300])
def test_a_hessian_of_any_scale(scale):
    eigenvalues = np.sort(np.concatenate([[5, 5, 4, -3], np.linspace(-1, 1, 36)]))[::-1]
    a = rotated(eigenvalues)
    for k in (1, 4):
        found, _ = lanczos(lambda v: scale * (a @ v), 40, k)
        np.testing.assert_allclose(found / scale, eigenvalues[:k], rtol=1e-4)
    found = top_eigenvalues(lambda w: 0.5 * (w @ (a @ w)) * scale, np.ones(40), 2)
    np.testing.assert_allclose(found / scale, [5, 5], rtol=1e-6)


def test_a_vector_within_the_span_extends_by_another():
    """What rounding leaves of it can lie within the span, too: here all of it does."""
    rng = np.random.default_rng(0)
    for angle in rng.uniform(0, 7, size=50):
        c, s = np.cos(angle), np.sin(angle)
        basis = np.array([[c, s, 0, 0], [-s, c, 0, 0]])
        basis /= np.linalg.norm(basis, axis=1, keepdims=True)
        new = _new(basis, np.array([*rng.normal(size=2), 0, 0]), rng)
        longer = np.concatenate([basis, new[None]])
        np.testing.assert_allclose(longer @ longer.T, np.eye(3), atol=1e-12)


def test_a_list_of_parameters():
    found = top_eigenvalues(lambda w: np.sum(np.array([3.0, 1.0]) * w**2), [1.0, 2.0])
    np.testing.assert_allclose(found, [6.0], rtol=1e-12)


def test_the_number_of_products_is_bounded():
    a = rotated(np.linspace(0, 1, 50))
    for k, limit, expected in ((1, 7, 7), (5, 9, 9), (5, 2, 5), (1, 1000, 50)):
        calls = []

        def product(v, calls=calls):
            calls.append(1)
            return a @ v

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, _ = lanczos(product, 50, k, tol=0.0, max_products=limit)
        assert len(calls) == expected
        assert found.shape == (k,)
        assert np.all(np.diff(found) <= 0)
        assert np.all(found <= 1 + 1e-12), "a Ritz value never exceeds the largest eigenvalue"


def test_the_gradient_is_recorded_once():
    calls = []

    def loss(w):
        calls.append(1)
        return np.sum(np.cos(w) * w)

    top_eigenvalues(loss, np.arange(6.0), 3)
    assert len(calls) == 1


def test_a_seed_decides():
    a = rotated(np.linspace(0, 1, 50))
    one, again, other = (
        lanczos(lambda v: a @ v, 50, 1, seed=seed, tol=1e-2)[0] for seed in (0, 0, 1)
    )
    assert one == again != other


@pytest.mark.parametrize("k", [0, -1, 4])
def test_how_many_there_are(k):
    with pytest.raises(ValueError, match=rf"k must be in \[1, 3\], .*; got {k}"):
        top_eigenvalues(lambda w: np.sum(w**2), np.ones(3), k)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_hessian_that_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        top_eigenvalues(lambda w: np.sum(w**0.5), np.zeros(3))


# Eigenvectors, and the other end.


def test_eigenvectors():
    loss, w = network(NETWORKS["mlp"][0])
    h = ms.hessian(loss)(w)
    values, vectors = top_eigenvectors(loss, w, 4, tol=1e-10)
    assert vectors.shape == (4, w.size)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-12)
    scale = np.abs(np.linalg.eigvalsh(h)).max()
    np.testing.assert_allclose(h @ vectors.T, values * vectors.T, atol=1e-9 * scale)


def test_eigenvectors_of_a_repeated_eigenvalue_span_its_space():
    a = rotated([5, 5, 5, 1, *[0.1] * 20])
    values, vectors = lanczos(lambda v: a @ v, 24, 3, tol=1e-10)
    np.testing.assert_allclose(values, 5, rtol=1e-12)
    np.testing.assert_allclose(vectors @ a @ vectors.T, 5 * np.eye(3), atol=1e-11)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 37])
def test_the_other_end(k):
    loss, w = network(NETWORKS["mlp"][0])
    assert w.size == 32
    k = min(k, w.size)
    expected = np.linalg.eigvalsh(ms.hessian(loss)(w))
    found = bottom_eigenvalues(loss, w, k, tol=1e-9)
    np.testing.assert_allclose(found, expected[:k], rtol=0, atol=1e-8 * expected[-1])
    assert found[0] < 0


def test_both_ends_against_a_dense_hessian_to_eight_digits():
    for model, train in NETWORKS.values():
        loss, w = network(model, train=train)
        expected = np.linalg.eigvalsh(ms.hessian(loss)(w))
        scale = np.abs(expected).max()
        top = top_eigenvalues(loss, w, 5, tol=1e-8)
        bottom = bottom_eigenvalues(loss, w, 5, tol=1e-8)
        np.testing.assert_allclose(top, expected[::-1][:5], rtol=0, atol=1e-8 * scale)
        np.testing.assert_allclose(bottom, expected[:5], rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("k", [1, 6, 40])
def test_against_arpack(k):
    """Where it needs no repeated eigenvalue, SciPy's solver gives the same to eight digits."""
    linalg = pytest.importorskip("scipy.sparse.linalg")
    rng = np.random.default_rng(3)
    eigenvalues = np.sort(rng.normal(size=200) ** 3)[::-1]
    a = rotated(eigenvalues)
    found, vectors = lanczos(lambda v: a @ v, 200, k, tol=1e-9, max_products=200)
    operator = linalg.LinearOperator((200, 200), matvec=lambda v: a @ v, dtype=float)
    values, theirs = linalg.eigsh(operator, k=k, which="LA", v0=np.ones(200))
    np.testing.assert_allclose(found, values[::-1], rtol=1e-8, atol=1e-8)
    cosines = np.abs(np.sum(vectors * theirs.T[::-1], axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-8)


def test_fewer_starts_take_fewer_products_and_miss_repetitions():
    a = rotated(np.sort(np.random.default_rng(0).normal(size=300) ** 3)[::-1])

    def count(matrix, k, **options):
        calls = []

        def product(v):
            calls.append(1)
            return matrix @ v

        values, vectors = lanczos(product, len(matrix), k, **options)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(k), atol=1e-12)
        return values, len(calls)

    (band, many), (single, few) = count(a, 8), count(a, 8, starts=1)
    np.testing.assert_allclose(single, band, rtol=1e-6)
    assert few < 0.7 * many
    repeated = rotated([5, 5, 4, 3, 2, *[0.01] * 25])
    np.testing.assert_allclose(count(repeated, 2)[0], [5, 5])
    np.testing.assert_allclose(count(repeated, 2, starts=1)[0], [5, 4])
    for starts in (0, 3):
        with pytest.raises(ValueError, match=rf"starts must be in \[1, 2\], .*; got {starts}"):
            lanczos(lambda v: v, 9, 2, starts=starts)


def test_the_papers_ratio():
    loss = quadratic([10.0, 8.0, 6.0, 5.0, 4.0, 1.0, -3.0])
    values = top_eigenvalues(loss, np.zeros(7), 5)
    assert eigenvalue_ratio(values) == pytest.approx(2.5, rel=1e-9)
    scaled = top_eigenvalues(lambda w: 7 * loss(w), np.zeros(7), 5)
    assert eigenvalue_ratio(scaled) == pytest.approx(2.5, rel=1e-9)
    with pytest.raises(ValueError, match="λ7 = -3 is not positive"):
        eigenvalue_ratio(top_eigenvalues(loss, np.zeros(7), 7))


def test_a_loss_that_is_not_a_scalar():
    with pytest.raises(ms.ShapeError, match=r"shape \(3,\); a gradient needs a scalar"):
        top_eigenvalues(lambda w: w**2, np.ones(3))
