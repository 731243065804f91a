"""Work on the images of a batch, split over a few threads.

NumPy lets other threads run while it computes, so two of them on halves of a batch are nearly twice
as fast as one. BLAS has threads of its own, but a convolution hands it products too small to be
worth dividing, and its threads, when they have nothing to do, keep the cores busy waiting. So it is
one or the other: inside of `threads`, BLAS is held at one thread.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from itertools import pairwise
from operator import index
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")
LEAST = 2**22
"""Products for which a thread of its own pays: it takes about 0.04 ms to start and to wait for."""


class _Helpers:
    """The threads of one block, which contexts copied inside of it may outlive."""

    def __init__(self, number: int, pool: "Executor") -> None:
        self.number, self.pool = number, pool  # of threads, this one included
        self.process, self.open, self.lock = os.getpid(), True, Lock()


_HELPERS: ContextVar[_Helpers | None] = ContextVar("helpers", default=None)


def _helpers() -> _Helpers | None:
    """Give those that are still there: not after their block, nor in a fork, which has none."""
    helpers = _HELPERS.get()
    return helpers if helpers and helpers.open and helpers.process == os.getpid() else None


class _Blas:
    """BLAS, whose number of threads is the whole process's: who comes first holds it.

    It must be let go by the same thread. If that leaves before another that came meanwhile, BLAS
    has its threads again, which disturbs the other but changes none of its results.
    """

    def __init__(self) -> None:
        self.lock, self.taken, self.allowed = Lock(), False, 1

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold it at one thread; yields how many it may use otherwise."""
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError as error:
            raise ImportError("threads needs threadpoolctl: pip install threadpoolctl") from error
        with self.lock:
            first = not self.taken
            if first:
                blas = ThreadpoolController().select(user_api="blas")
                # One that is not known to threadpoolctl, as Apple's, is not held.
                known = [library.num_threads for library in blas.lib_controllers]
                self.allowed = max(known, default=os.cpu_count() or 1)
                limit = blas.limit(limits=1)
                self.taken = True
        try:
            yield self.allowed
        finally:
            if first:
                with self.lock:
                    limit.restore_original_limits()
                    self.taken = False


_BLAS = _Blas()


def one_blas_thread() -> AbstractContextManager[int]:
    """Hold BLAS at one thread, and split nothing, except where `threads` is asked for.

    Returns
    -------
    context manager
        Gives how many threads BLAS may use otherwise, which is what `threads` goes by.

    Raises
    ------
    ImportError
        On entering: threadpoolctl is not installed.

    Examples
    --------
    >>> with one_blas_thread() as allowed:
    ...     pass
    >>> allowed >= 1
    True
    """
    return _BLAS.held()


@contextmanager
def threads(number: int | None = None) -> Iterator[int]:
    """Split convolutions and pooling over threads, and hold BLAS at one.

    `minisam.train` does this by itself for networks with convolutions. Networks of dense layers
    alone are better served by the threads of BLAS. It needs threadpoolctl, which scikit-learn
    brings along. Results depend on the number of threads in the last digits, as sums are formed in
    another order, and for a given number are the same each time.

    Parameters
    ----------
    number : int, optional
        How many; by default as many as BLAS may use, which is the number of cores or what
        variables like ``OPENBLAS_NUM_THREADS`` say; inside of another ``threads``, as many as that.

    Yields
    ------
    int
        How many threads there are.

    Raises
    ------
    TypeError, ValueError
        The number is not an int, or not positive.
    ImportError
        threadpoolctl is not installed.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> model = ms.nn.cnn((1, 28, 28), 10)
    >>> w, x = model.init(0), np.ones((64, 1, 28, 28), dtype="float32")
    >>> with ms.threads(2):
    ...     y = model(w, x)
    >>> np.allclose(y, model(w, x), rtol=1e-5)
    True
    """
    try:
        number = None if number is None else index(number)
    except TypeError:
        raise TypeError(f"threads: the number must be an int, got {number!r}.") from None
    if number is not None and number < 1:
        raise ValueError(f"threads: the number must be at least 1, got {number}.")
    from concurrent.futures import ThreadPoolExecutor

    outer = _helpers()
    with _BLAS.held() as allowed:
        number = number or (outer.number if outer else allowed)
        with ThreadPoolExecutor(max(1, number - 1)) as pool:
            helpers = _Helpers(number, pool)
            before = _HELPERS.set(helpers)
            try:
                yield number
            finally:
                with helpers.lock:
                    helpers.open = False
                # A generator may be closed in another context, where there is nothing to undo.
                with suppress(ValueError):
                    if _HELPERS.get() is helpers:  # else a block was entered meanwhile
                        _HELPERS.reset(before)


def in_parts(work: Callable[[slice], T], n: int, products: int) -> list[T]:
    """Do work on n examples, a part of them on each thread.

    Parameters
    ----------
    work : callable
        Of a slice of the examples.
    n : int
        Their number.
    products : int
        About how much work it is, in multiplications of two numbers; a number that is only moved
        counts for 16. What is little is not split.

    Returns
    -------
    list
        What ``work`` gave, in the order of the examples.

    Examples
    --------
    >>> in_parts(lambda part: part.stop - part.start, 5, 1000)
    [5]
    """
    helpers = _helpers()
    parts = min(helpers.number, n, products // LEAST) if helpers else 1
    if helpers is None or parts < 2:
        return [work(slice(0, n))]
    from concurrent.futures import wait

    slices = [slice(*pair) for pair in pairwise(n * i // parts for i in range(parts + 1))]
    others = []
    with helpers.lock:
        if helpers.open:  # the block may have ended meanwhile, in another thread
            # In this thread's context, for NumPy's errstate is part of it.
            others = [helpers.pool.submit(copy_context().run, _alone, work, p) for p in slices[1:]]
    try:
        ours = [work(part) for part in slices[: parts - len(others)]]
    finally:  # what they write to is not read, nor an error raised, before they are done
        wait(others)
    return [*ours, *(other.result() for other in others)]


def _alone(work: Callable[[slice], T], part: slice) -> T:
    _HELPERS.set(None)  # what a helper calls is not split again, as it would wait for itself
    return work(part)
