"""Work on the images of a batch, split over a few threads.

NumPy lets other threads run while it computes, so two of them on halves of a batch are nearly twice
as fast as one. BLAS has threads of its own, but a convolution hands it products too small to be
worth dividing, and its threads, when they have nothing to do, keep the cores busy waiting. So it is
one or the other: inside of `threads`, BLAS is held at one thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")


class _Helpers(NamedTuple):
    number: int  # of threads, this one included
    pool: "Executor"


_HELPERS: ContextVar[_Helpers | None] = ContextVar("helpers", default=None)


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
        variables like ``OPENBLAS_NUM_THREADS`` say.

    Yields
    ------
    int
        How many threads there are.

    Raises
    ------
    ValueError
        The number is not positive.
    ImportError
        threadpoolctl is not installed.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> model = ms.nn.cnn((1, 8, 8), channels=(4,), hidden=8, classes=2)
    >>> w, x = model.init(0, "float64"), np.ones((6, 1, 8, 8))
    >>> with ms.threads(2):
    ...     y = model(w, x)
    >>> np.allclose(y, model(w, x), rtol=1e-12)
    True
    """
    if number is not None and number < 1:
        raise ValueError(f"threads: the number must be at least 1, got {number}.")
    from concurrent.futures import ThreadPoolExecutor

    try:
        from threadpoolctl import ThreadpoolController
    except ImportError as error:
        raise ImportError("threads needs threadpoolctl: pip install threadpoolctl") from error
    blas = ThreadpoolController().select(user_api="blas")
    if number is None:
        outer = _HELPERS.get()
        allowed = [library.num_threads for library in blas.lib_controllers]
        number = outer.number if outer else max(allowed, default=1)
    with blas.limit(limits=1), ThreadPoolExecutor(max(1, number - 1)) as pool:
        before = _HELPERS.set(_Helpers(number, pool) if number > 1 else None)
        try:
            yield number
        finally:
            _HELPERS.reset(before)


def in_parts(work: Callable[[slice], T], n: int) -> list[T]:
    """Do work on n examples, a part of them on each thread.

    Parameters
    ----------
    work : callable
        Of a slice of the examples.
    n : int
        Their number.

    Returns
    -------
    list
        What ``work`` gave, in the order of the examples.

    Examples
    --------
    >>> in_parts(lambda part: part.stop - part.start, 5)
    [5]
    """
    helpers = _HELPERS.get()
    if helpers is None or n < 2:
        return [work(slice(0, n))]
    parts = min(helpers.number, n)
    edges = [n * i // parts for i in range(parts + 1)]
    slices = [slice(*pair) for pair in pairwise(edges)]
    # In this thread's context, for NumPy's errstate is part of it.
    others = [helpers.pool.submit(copy_context().run, _alone, work, p) for p in slices[1:]]
    try:
        first = work(slices[0])
    finally:  # what they write to must not outlive this call
        rest = [other.result() for other in others]
    return [first, *rest]


def _alone(work: Callable[[slice], T], part: slice) -> T:
    _HELPERS.set(None)  # what a helper calls is not split again, as it would wait for itself
    return work(part)
