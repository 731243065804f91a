"""Work split over threads: the same results, on several threads, with BLAS held at one."""

import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import minisam as ms
from minisam.ops import convolution, pooling
from minisam.threads import in_parts

SPLIT = [
    *(convolution.conv, convolution.conv_input, convolution.conv_kernel),
    *(pooling.window_max, pooling.window_sum, pooling.window_spread),
]


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.mark.parametrize("number", [2, 3, 7])
@pytest.mark.parametrize("op", SPLIT, ids=lambda op: op.name)
def test_every_kernel_gives_the_same(op, number):
    """Also with fewer images than threads, and with none."""
    for args, params in op.domain(np.random.default_rng(0)):
        alone = op(*args, **params)
        with ms.threads(number):
            split, again = op(*args, **params), op(*args, **params)
        np.testing.assert_allclose(split, alone, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(again, split)


@pytest.mark.parametrize(("channels", "stride"), [((32, 40), 1), ((3, 5), 2)])
def test_a_network_and_its_hessian(channels, stride):
    """With Winograd's algorithm and with patches, and where BLAS adds up a part on each thread."""
    rng = np.random.default_rng(1)
    first, second = channels
    model = ms.nn.Sequential(
        ms.nn.Conv2d(2, first, 3, padding=1),
        ms.nn.Tanh(),
        ms.nn.MaxPool2d(2),
        ms.nn.Conv2d(first, second, 3, stride=stride, padding=1),
        ms.nn.GlobalAvgPool2d(),
    )
    w, v = rng.normal(size=(2, model.size)) / 10
    x, labels = rng.normal(size=(5, 2, 9, 6)), rng.integers(second, size=5)

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, x), labels))

    def results():
        return [*ms.value_and_grad(loss)(w), ms.hvp(loss, w, v)]

    alone = results()
    with ms.threads(3):
        split, again = results(), results()
    for a, b, c in zip(alone, split, again, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-11 * np.abs(a).max())
        np.testing.assert_array_equal(c, b)


def test_in_parts():
    def work(part):
        everyone.wait(timeout=60)  # breaks unless all three work at the same time
        return part, threading.get_ident()

    everyone = threading.Barrier(3)
    with ms.threads(3):
        found = in_parts(work, 7)
    assert [part for part, _ in found] == [slice(0, 2), slice(2, 4), slice(4, 7)]
    assert len({thread for _, thread in found}) == 3
    assert found[0][1] == threading.get_ident()
    assert in_parts(lambda part: part, 7) == [slice(0, 7)]


def test_parts_are_not_split_again():
    """A helper that waited for a helper would wait for itself."""
    with ms.threads(2):
        found = in_parts(lambda part: in_parts(lambda inner: inner, part.stop - part.start), 8)
    assert found == [[slice(0, 2), slice(2, 4)], [slice(0, 4)]]


def test_errors_and_floating_point_flags_are_those_of_the_caller():
    def fail(part):
        if part.start:
            raise ZeroDivisionError("of a helper")

    with ms.threads(2):
        with pytest.raises(ZeroDivisionError, match="of a helper"):
            in_parts(fail, 2)
        x = np.full((2, 1, 3, 3), 1e300)
        with np.errstate(all="ignore"):
            assert np.isinf(ms.ops.conv2d(x, 1e300 * np.ones((1, 1, 3, 3)))).all()
        with pytest.raises(FloatingPointError), np.errstate(all="raise"):
            in_parts(lambda part: np.exp(1e3 * part.start), 2)


def test_blas_is_held_and_let_go():
    before = blas_threads()
    with ms.threads(3) as number:
        assert number == 3
        assert blas_threads() == {1}
        with ms.threads() as number:
            assert number == 3
        with ms.threads(1):
            assert in_parts(lambda part: part, 5) == [slice(0, 5)]
        assert len(in_parts(lambda part: part, 5)) == 3
    assert blas_threads() == before
    with pytest.raises(KeyError), ms.threads(2):
        raise KeyError
    assert blas_threads() == before
    assert in_parts(lambda part: part, 5) == [slice(0, 5)]
    with ms.threads() as number:
        assert number == max(before)


def test_bad_input(monkeypatch):
    with pytest.raises(ValueError, match="at least 1, got 0"), ms.threads(0):
        pass
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ImportError, match="pip install threadpoolctl"), ms.threads(2):
        pass


@pytest.mark.parametrize("kind", ["images", "vectors"])
def test_training_on_images_holds_blas(kind):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 1, 4, 4)).astype(np.float32)
    x = images if kind == "images" else images.reshape(8, 16)
    y = rng.integers(2, size=8)
    data = ms.data.Dataset("random", x, y, x, y, classes=2)
    model = ms.nn.Sequential(*([ms.nn.Flatten()] if kind == "images" else []), ms.nn.Linear(16, 2))
    seen, before = [], blas_threads()

    def loss(logits, labels):
        seen.append(blas_threads())
        return ms.nn.cross_entropy(logits, labels)

    sgd = ms.optimizers.SGD(0.1)
    ms.train(model, data, ms.sam.ERM(), sgd, epochs=1, loss=loss, progress=False)
    assert seen
    assert all(found == ({1} if kind == "images" else before) for found in seen)
    assert blas_threads() == before
