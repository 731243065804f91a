"""Sums of products by index: NumPy's values and transposes, for any subscripts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minisam as ms
from minisam.ops.einsum import einsum

LENGTHS = {"i": 2, "j": 3, "k": 1, "l": 2, "m": 0}


@st.composite
def problems(draw, empty=False):
    """Subscripts of up to three operands and shapes that fit them."""
    letters = "ijklm" if empty else "ijkl"
    ellipsis = draw(st.booleans())
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        labels = draw(st.text(letters, max_size=3))
        # A length of 1 broadcasts, for all repetitions of a label in the operand.
        lengths = {c: draw(st.sampled_from((LENGTHS[c], LENGTHS[c], 1))) for c in set(labels)}
        shape = [lengths[c] for c in labels]
        if ellipsis and draw(st.booleans()):
            rest = draw(st.sampled_from(((), (2,), (3, 2), (1, 2), (3, 1))))
            at = draw(st.integers(0, len(labels)))
            labels = labels[:at] + "..." + labels[at:]
            shape[at:at] = rest
        terms.append(labels)
        shapes.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        output = draw(st.permutations(sorted(set(subscripts) - {",", "."})))
        output = "".join(output[: draw(st.integers(0, len(output)))])
        subscripts += "->" + ("..." if "." in subscripts else "") + output
    return subscripts, shapes


def numpy_einsum(subscripts, *operands):
    return np.einsum(subscripts, *operands, optimize=False)


@settings(deadline=None, max_examples=250)
@given(problems() | problems(empty=True), st.integers(0, 2**32 - 1))
def test_any_subscripts(problem, seed):
    """Value, push and pull against NumPy's own loop, which knows no derivative.

    The form is linear in each operand, so its derivative along v is the form with v in place.
    """
    subscripts, shapes = problem
    rng = np.random.default_rng(seed)
    operands = [np.asarray(rng.normal(size=s)) for s in shapes]
    tangents = [np.asarray(rng.normal(size=s)) for s in shapes]
    along = [
        numpy_einsum(subscripts, *operands[:i], v, *operands[i + 1 :])
        for i, v in enumerate(tangents)
    ]
    f = lambda *xs: np.einsum(subscripts, *xs)  # noqa: E731
    value, tangent = ms.jvp(f, tuple(operands), tuple(tangents))
    expected = numpy_einsum(subscripts, *operands)
    assert np.shape(value) == np.shape(expected) == np.shape(tangent)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tangent, sum(along), rtol=1e-12, atol=1e-12)
    ct = np.asarray(rng.normal(size=np.shape(value)))
    _, pullback = ms.vjp(f, *operands)
    found = pullback(ct)
    for x, g, v, moved in zip(
        operands, found if len(operands) > 1 else [found], tangents, along, strict=True
    ):
        assert g.shape == x.shape
        np.testing.assert_allclose(np.vdot(g, v), np.vdot(ct, moved), rtol=1e-11, atol=1e-11)


@settings(deadline=None, max_examples=15)
@given(problems(), st.integers(0, 2**32 - 1))
def test_any_subscripts_to_second_order(problem, seed):
    subscripts, shapes = problem
    rng = np.random.default_rng(seed)
    operands = [np.asarray(rng.normal(size=s)) for s in shapes]
    ms.check_grads(lambda *xs: np.einsum(subscripts, *xs), tuple(operands), order=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: np.einsum("ij,jk,kl->il", a, b, a),
        lambda a, b: np.einsum("ii,jj", a, b),
        lambda a, b: np.einsum("ij,ij,ij->i", a, b, b),
        lambda a, b: np.tensordot(a, b, 1) * a,
        lambda a, b: np.inner(a, b),
        lambda a, b: np.outer(a[0], b[0]),
        lambda a, b: np.kron(a[0], b),
        lambda a, b: np.dot(a[None], np.stack([b, b])),
    ],
)
def test_derivatives_to_third_order(f, dtype):
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(2, 2)).astype(dtype) for _ in range(2))
    ms.check_grads(f, (a, b), order=3)


def test_one_tensor_may_be_several_operands():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(ms.grad(lambda x: np.einsum("i,i,i->", x, x, x))(x), 3 * x**2)
    np.testing.assert_allclose(
        ms.hessian(lambda x: np.einsum("i,i,i->", x, x, x))(x), np.diag(6 * x), rtol=1e-14
    )


def test_constants_may_be_lists_integers_and_numbers():
    x = np.array([1.0, 2.0], dtype=np.float32)
    g = ms.grad(lambda x: np.einsum("i,i,->", x, [3, 4], 2))(x)
    np.testing.assert_array_equal(g, np.array([6, 8], dtype=np.float32))
    assert g.dtype == np.float32


def test_plain_arrays_give_plain_arrays():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(einsum("ij->j", a), a.sum(axis=0))


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_tensordot(data, seed):
    shape_a = data.draw(st.lists(st.integers(0, 3), max_size=3))
    shape_b = data.draw(st.lists(st.integers(0, 3), max_size=3))
    paired = data.draw(st.integers(0, min(len(shape_a), len(shape_b))))
    axes_a = data.draw(st.permutations(range(len(shape_a))))[:paired]
    axes_b = data.draw(st.permutations(range(len(shape_b))))[:paired]
    for i, j in zip(axes_a, axes_b, strict=True):
        shape_b[j] = shape_a[i]
    axes_b = [j - len(shape_b) for j in axes_b]
    rng = np.random.default_rng(seed)
    a, b = (np.asarray(rng.normal(size=s)) for s in (shape_a, shape_b))
    value, pullback = ms.vjp(lambda a, b: np.tensordot(a, b, axes=(axes_a, axes_b)), a, b)
    expected = np.tensordot(a, b, axes=(axes_a, axes_b))
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    ct = np.asarray(rng.normal(size=value.shape))
    for x, g in zip((a, b), pullback(ct), strict=True):
        # Bilinear: ⟨ȳ, y⟩ = ⟨ā, a⟩ = ⟨b̄, b⟩.
        assert g.shape == x.shape
        np.testing.assert_allclose(np.vdot(g, x), np.vdot(ct, expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: np.einsum("ij,jk", x, x), ms.ShapeError, r"einsum: .*\(2, 3\), \(2, 3\)"),
        (lambda x: np.einsum("ij,j", x), ms.ShapeError, "names 2 operands, 1 are given"),
        (lambda x: np.einsum("ijk", x), ms.ShapeError, r"'ijk'.*operand 0 has 2 axes"),
        (lambda x: np.einsum("i", x), ms.ShapeError, r"operand 0 has 2 axes. Write '...'"),
        (lambda x: np.einsum("...i...", x), ms.ShapeError, "once"),
        (lambda x: np.einsum("ij->ik", x), ms.ShapeError, "output label"),
        (lambda x: np.einsum("ij->ii", x), ms.ShapeError, "only once in the output"),
        (lambda x: np.einsum("i...->i", x), ms.ShapeError, r"output needs '\.\.\.'"),
        (lambda x: np.einsum("i1", x), ms.ShapeError, "labels must be letters"),
        (lambda x: np.einsum("ij->i,j", x), ms.ShapeError, "labels must be letters"),
        (lambda x: np.einsum("ii", x), ms.ShapeError, "einsum"),
        (lambda x: np.einsum(x, [0, 1], [0]), TypeError, "subscripts as one string"),
        (lambda x: np.tensordot(x, x, 1), ms.ShapeError, r"tensordot: axes \[1\].*\(2, 3\)"),
        (lambda x: np.tensordot(x, x, 3), np.exceptions.AxisError, "tensordot: axis -3"),
        (lambda x: np.tensordot(x, x, ([1, 1], [1, 1])), ms.ShapeError, "no axis may occur twice"),
        (lambda x: np.tensordot(x, x, ([0, 1], [0])), ms.ShapeError, "tensordot"),
    ],
)
def test_errors(f, kind, message):
    with pytest.raises(kind, match=message):
        ms.linearize(f, np.ones((2, 3)))
