"""Work split over threads: the same results, on several threads, with BLAS held at one."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextvars import copy_context
from importlib import import_module

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import minisam as ms
from minisam.ops import convolution, pooling, tiles
from minisam.threads import in_parts

MUCH = 2**40
ALLOWED = 3  # threads of BLAS: a number of cores that few machines have
SPLIT = [
    *(convolution.conv, convolution.conv_input, convolution.conv_kernel),
    *(pooling.window_max, pooling.window_sum, pooling.window_spread),
]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let BLAS have threads, which the other tests do not, and split what is small, too."""
    monkeypatch.setattr(import_module("minisam.threads"), "LEAST", 1)
    with threadpool_limits(ALLOWED, "blas"):
        assert blas_threads() == {ALLOWED}
        yield


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


def test_windows_side_by_side(monkeypatch):
    """Of images with channels last in memory: the maximum and its derivative."""

    def join(*args):
        seen.add(threading.get_ident())
        return original(*args)

    seen, original = set(), tiles._join
    monkeypatch.setattr(tiles, "_join", join)
    x = np.random.default_rng(0).integers(3, size=(5, 4, 6, 2)) * 1.0
    y, pullback = ms.vjp(lambda x: pooling.max_pool2d(x, 2), x.transpose(0, 3, 1, 2))
    alone = y, *pullback(y)
    assert len(seen) == 1
    with ms.threads(2):
        y, pullback = ms.vjp(lambda x: pooling.max_pool2d(x, 2), x.transpose(0, 3, 1, 2))
        split = y, *pullback(y)
    assert len(seen) == 2
    for a, b in zip(alone, split, strict=True):
        np.testing.assert_array_equal(b, a)


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
        found = in_parts(work, 7, MUCH)
    assert [part for part, _ in found] == [slice(0, 2), slice(2, 4), slice(4, 7)]
    assert len({thread for _, thread in found}) == 3
    assert found[0][1] == threading.get_ident()
    assert in_parts(lambda part: part, 7, MUCH) == [slice(0, 7)]


def test_little_is_not_split(monkeypatch):
    monkeypatch.setattr(import_module("minisam.threads"), "LEAST", 100)
    with ms.threads(3):
        found = [len(in_parts(lambda part: part, 7, products)) for products in (99, 199, 200, 900)]
    assert found == [1, 1, 2, 3]


def test_parts_are_not_split_again():
    """A helper that waited for a helper would wait for itself."""
    with ms.threads(2):
        found = in_parts(
            lambda part: in_parts(lambda inner: inner, part.stop - part.start, MUCH), 8, MUCH
        )
    assert found == [[slice(0, 2), slice(2, 4)], [slice(0, 4)]]


def test_errors_and_floating_point_flags_are_those_of_the_caller():
    def fail(part):
        if part.start:
            raise ZeroDivisionError("of a helper")

    with ms.threads(2):
        with pytest.raises(ZeroDivisionError, match="of a helper"):
            in_parts(fail, 2, MUCH)
        x = np.full((2, 1, 3, 3), 1e300)
        with np.errstate(all="ignore"):
            assert np.isinf(ms.ops.conv2d(x, 1e300 * np.ones((1, 1, 3, 3)))).all()
        with pytest.raises(FloatingPointError), np.errstate(all="raise"):
            in_parts(lambda part: np.exp(1e3 * part.start), 2, MUCH)


@pytest.mark.parametrize("interrupted", [False, True])
def test_helpers_are_done_before_an_error_is_raised(interrupted):
    def work(part):
        if part.start == 1:
            raise ZeroDivisionError("of a helper")
        if part.start == 2:
            time.sleep(0.2)
            done.append(part)
        elif interrupted:
            raise KeyboardInterrupt

    done = []
    with ms.threads(3):
        with pytest.raises(KeyboardInterrupt if interrupted else ZeroDivisionError):
            in_parts(work, 3, MUCH)
        assert done


def test_blas_is_held_and_let_go():
    with ms.threads(4) as number:
        assert number == 4
        assert blas_threads() == {1}
        with ms.threads() as number:
            assert number == 4
        with ms.threads(1):
            assert in_parts(lambda part: part, 5, MUCH) == [slice(0, 5)]
        assert blas_threads() == {1}
        assert len(in_parts(lambda part: part, 5, MUCH)) == 4
    assert blas_threads() == {ALLOWED}
    with pytest.raises(KeyError), ms.threads(2):
        raise KeyError
    assert blas_threads() == {ALLOWED}
    assert in_parts(lambda part: part, 5, MUCH) == [slice(0, 5)]
    with ms.threads() as number:
        assert number == ALLOWED


def test_blas_is_let_go_whoever_leaves_first():
    def second():
        with ms.threads() as number:
            entered.set()
            left.wait(60)
            found.append(number)

    found, entered, left = [], threading.Event(), threading.Event()
    other = threading.Thread(target=second)
    with ms.threads(2):
        other.start()
        assert entered.wait(60)
        assert blas_threads() == {1}
    left.set()
    other.join()
    assert found == [ALLOWED]
    assert blas_threads() == {ALLOWED}
    with ms.threads() as number:
        assert number == ALLOWED
        assert blas_threads() == {1}


def number_of_parts():
    return len(in_parts(lambda part: part, 5, MUCH))


def test_a_context_may_outlive_the_block():
    with ms.threads(4):
        context = copy_context()
        assert context.run(number_of_parts) == 4
    assert context.run(number_of_parts) == 1
    with ms.threads(2):
        assert context.run(number_of_parts) == 1, "each context has its own block"

    def again():
        with ms.threads() as number:
            return number, number_of_parts()

    assert context.run(again) == (ALLOWED, ALLOWED), "as many as BLAS may use"


def test_a_task_may_outlive_the_block():
    async def parts():
        await asyncio.sleep(0)
        return number_of_parts()

    async def main():
        with ms.threads(3):
            assert await asyncio.create_task(parts()) == 3
            after = asyncio.create_task(parts())
        return await after

    assert asyncio.run(main()) == 1


def test_the_block_may_end_while_work_is_divided(monkeypatch):
    """A thread that has the context, as of `asyncio.to_thread`, does the rest by itself."""

    def late(pairs):
        block.__exit__(None, None, None)
        return pairwise(pairs)

    module, block = import_module("minisam.threads"), ms.threads(2)
    pairwise = module.pairwise
    monkeypatch.setattr(module, "pairwise", late)
    block.__enter__()
    assert in_parts(lambda part: part, 5, MUCH) == [slice(0, 2), slice(2, 5)]


def test_a_generator_may_be_closed_in_another_context():
    def results():
        with ms.threads(3):
            yield number_of_parts()

    generator = results()
    assert next(generator) == 3
    copy_context().run(generator.close)
    assert number_of_parts() == 1, "the variable still has its block"
    assert blas_threads() == {ALLOWED}
    generator = results()
    context = copy_context()
    assert context.run(next, generator) == 3
    with ms.threads(2):
        generator.close()
        assert number_of_parts() == 2, "the block of this context is still there"
    assert context.run(number_of_parts) == 1
    generator = results()
    assert next(generator) == 3
    with ms.threads(2):
        generator.close()
        assert number_of_parts() == 2, "a block entered meanwhile is not undone"
    assert number_of_parts() == 1


FORK = """
import os, signal
from importlib import import_module
import minisam as ms
threads = import_module("minisam.threads")
threads.LEAST = 1

def parts():
    return len(threads.in_parts(lambda part: part, 6, 2**40))

with ms.threads(3):
    assert parts() == 3
    child = os.fork()
    if not child:
        signal.alarm(20)  # ends it, also where it waits for a thread that it does not have
        assert parts() == 1
        with ms.threads(2):
            assert parts() == 2
    else:
        assert os.waitpid(child, 0)[1] == 0
        assert parts() == 3
assert parts() == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_has_none_of_the_threads():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_bad_input(monkeypatch):
    with pytest.raises(ValueError, match="at least 1, got 0"), ms.threads(0):
        pass
    for number in (2.5, "2"):
        with pytest.raises(TypeError, match=f"must be an int, got {number!r}"), ms.threads(number):
            pass
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ImportError, match="pip install threadpoolctl"), ms.threads(2):
        pass


@pytest.mark.parametrize("kind", ["convolution", "dense"])
def test_training_holds_blas_for_convolutions(kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 1, 4, 4)).astype(np.float32), rng.integers(2, size=8)
    data = ms.data.Dataset("random", x, y, x, y, classes=2)
    first = [ms.nn.Conv2d(1, 1, 1)] if kind == "convolution" else []
    model = ms.nn.Sequential(*first, ms.nn.Flatten(), ms.nn.Linear(16, 2))
    seen = []

    def loss(logits, labels):
        seen.append(blas_threads())
        return ms.nn.cross_entropy(logits, labels)

    sgd = ms.optimizers.SGD(0.1)
    ms.train(model, data, ms.sam.ERM(), sgd, epochs=1, loss=loss, progress=False)
    assert seen
    assert all(found == ({1} if kind == "convolution" else {ALLOWED}) for found in seen)
    assert blas_threads() == {ALLOWED}
