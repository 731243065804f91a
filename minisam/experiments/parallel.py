"""Cells in parallel processes of this machine, or on the workers of a Dask cluster."""

import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from minisam.experiments.cell import Cell, Experiment, run_cell
from minisam.threads import threads


class WorkersLostError(RuntimeError):
    """Worker processes were killed, or a cluster is no longer reached."""


def run_cells(
    experiment: Experiment,
    cells: Sequence[Cell],
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    run: Callable[[Experiment, Cell], dict[str, Any]] = run_cell,
) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Run cells, each in one process with one BLAS thread, and give them as they are finished.

    What is random in a cell is decided by its seed alone, so that neither the number of processes
    nor the machine matters, but for the last digits where a processor or a BLAS is another one.

    Parameters
    ----------
    experiment : Experiment
        What they share; it is pickled by cloudpickle, which knows lambdas.
    cells : sequence of Cell
        Which to run.
    jobs : int, optional
        How many processes; by default as many as there are cores. With one, cells run in this
        process.
    cluster : str, optional
        Address of a Dask scheduler, whose workers have minisam and the data: they run the cells.
        What a worker was at when it died is run again by another.
    run : callable
        ``(experiment, cell) -> dict``: what is done with a cell.

    Yields
    ------
    cell : Cell
        One that is finished.
    result : dict
        What ``run`` returned.

    Raises
    ------
    ImportError
        Joblib and threadpoolctl, or dask.distributed, are not installed.
    ConnectionError
        No scheduler answers, or it has no workers.
    WorkersLostError
        A worker process was killed, a cell has killed several workers of a cluster, or its
        scheduler is gone.

    Examples
    --------
    >>> import minisam as ms
    >>> experiment = Experiment(
    ...     lambda seed: ms.data.load("digits", train=200, test=100, seed=seed),
    ...     lambda data: ms.nn.mlp([64, 16, 10]),
    ...     ms.optimizers.SGD(0.1),
    ...     epochs=2,
    ... )
    >>> cells = [Cell(ms.sam.ERM(), seed) for seed in range(3)]
    >>> [result["evaluations"] for cell, result in run_cells(experiment, cells, jobs=1)]
    [8.0, 8.0, 8.0]
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}.")
    try:
        import threadpoolctl  # noqa: F401 (needed by each cell)
        from joblib import Parallel, cpu_count, delayed
    except ImportError as error:
        raise ImportError(
            "Running cells needs joblib and threadpoolctl, which are not installed: "
            "pip install 'minisam[compare]'."
        ) from error
    if not cells:
        return
    with _backend(min(jobs or cpu_count(), len(cells)), cluster):
        # One cell at a time, and each given back when it is finished: a run that is killed loses
        # those it was at, and no other.
        # A cluster is told all of them, because it may grow; processes, as many as they can queue,
        # because others are an error of their own when the user interrupts.
        ahead = "all" if cluster else "2 * n_jobs"
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=ahead)
        with _without_ctrl_c():
            finished = parallel(
                delayed(_alone)(run, experiment, i, cell) for i, cell in enumerate(cells)
            )
        try:
            for i, result in finished:
                yield cells[i], result
        except BrokenProcessPool as error:
            raise WorkersLostError(
                "a worker process was killed, perhaps for want of memory, of which fewer need less"
            ) from error
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # who does not want the rest knows that it is lost
                finished.close()


def _alone(
    run: Callable[[Experiment, Cell], dict[str, Any]], experiment: Experiment, i: int, cell: Cell
) -> tuple[int, dict[str, Any]]:
    """Run a cell on one thread: threads change the order of sums, and wait for others."""
    with threads(1):
        return i, run(experiment, cell)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start processes that are deaf to Ctrl-C: who started them ends them, without a traceback.

    A process inherits what its parent ignores. Another thread than the main one cannot set that;
    nor does it get Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _backend(jobs: int, cluster: str | None) -> AbstractContextManager[Any]:
    from joblib import parallel_config

    if cluster is None:
        # Workers that another user of joblib left may hear Ctrl-C: joblib takes none that have not
        # this initializer, which is also for those that it replaces, outside of _without_ctrl_c.
        deaf = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
        backend: AbstractContextManager[Any] = parallel_config("loky", n_jobs=jobs, **deaf)
        return backend
    try:
        from minisam.experiments.cluster import connected
    except ImportError as error:
        raise ImportError(
            "A cluster needs dask.distributed, which is not installed: "
            "pip install 'minisam[cluster]'."
        ) from error
    return connected(cluster)
