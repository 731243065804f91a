"""Joblib's backend for Dask clusters; the only file that imports dask.distributed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.comm import get_address_host_port
from distributed.scheduler import KilledWorker
from joblib import parallel_config
from joblib._dask import DaskDistributedBackend

from minisam.experiments.parallel import WorkersLostError

PATIENCE = 5.0
"""Seconds to wait for a scheduler, and then for its first worker."""


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """Joblib's own, without two of its habits."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        # Where a cluster has one core, joblib would run everything in this process instead.
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        future = super().submit(func, callback)

        # Joblib waits for the callback, which it does not call when Dask gives a task up.
        def report(done: Any) -> None:
            if done.exception() is not None:
                callback(done.exception())

        future.add_done_callback(report)
        return future


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Let joblib run on a cluster.

    Parameters
    ----------
    address : str
        Of its scheduler.

    Yields
    ------
    None
        While it does.

    Raises
    ------
    ConnectionError
        No scheduler answers, or it has no workers.
    WorkersLostError
        A task has killed several workers, or the scheduler is gone.
    """
    try:
        get_address_host_port(address)  # a client of an address that is none takes 10 s to close
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {address!r}: {error}. Start one with 'dask scheduler'."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise ConnectionError(
                f"the Dask scheduler at {address!r} has no worker. Start one with "
                f"'dask worker {address} --nthreads 1'."
            ) from error
        try:
            with parallel_config(_Backend(client=client)):
                yield
        except KilledWorker as error:
            raise WorkersLostError(
                "every worker that some run was sent to has died; its log may say of what"
            ) from error
        except FutureCancelledError as error:
            raise WorkersLostError(f"the scheduler at {address} is gone") from error
