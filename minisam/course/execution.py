"""Running a student's notebook so that one bad cell costs no more than its own points."""

from typing import Any
from uuid import uuid4

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import default


class ThisPython(AsyncKernelManager):
    """Starts kernels of the interpreter that grades, whatever kernels are installed beside it."""

    @default("kernel_spec_manager")
    def _own_kernel_only(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)


class ExecuteEachCell(Execute):
    """As nbgrader's, but a cell that takes the kernel with it does not take the others.

    nbgrader interrupts a cell at its time limit and goes on. A cell that ends the process, or
    does not let itself be interrupted, ends the grading there; here it is marked as failed, and
    the notebook is run again without it.

    nbclient skips a cell with a certain tag, and a test that is skipped does not fail. So the tag
    is one that no student can know.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("kernel_manager_class", ThisPython)
        kwargs.setdefault("shutdown_kernel", "immediate")
        # Without it each kernel says that it is not encrypted.
        kwargs.setdefault("extra_arguments", ["--log-level=ERROR"])
        super().__init__(*args, skip_cells_with_tag=f"lost-{uuid4()}", **kwargs)
        said = f"stopped after {self.timeout} s"
        self.error_on_timeout = {
            "ename": "CellTimeoutError",
            "evalue": said,
            "traceback": [f"CellTimeoutError: {said}"],
        }
        # How long the outputs of a finished cell may take to arrive: on a busy machine, long.
        self.iopub_timeout = self.timeout
        self.running: Any = None

    def on_cell_start(self, cell: Any, cell_index: int) -> None:
        """Remember which cell is to blame (called by nbclient)."""
        self.running = cell

    def preprocess(self, nb: Any, resources: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Run all cells, each once or not at all."""
        lost: list[Any] = []
        try:
            while True:
                self.running = None
                try:
                    done: tuple[Any, Any] = super().preprocess(nb, resources, **kwargs)
                    return done
                except (DeadKernelError, CellTimeoutError) as error:
                    if self.running is None:
                        raise  # the kernel did not even start
                    lost.append(self.running)
                    self._blame(error)
                    self.running.metadata["tags"] = [self.skip_cells_with_tag]
        finally:
            for cell in lost:
                del cell.metadata["tags"]

    def _blame(self, error: Exception) -> None:
        """Give the cell the output that says what it did."""
        if isinstance(error, DeadKernelError):
            name, what = "KernelDied", "ended the Python process"
        else:
            name, what = "NoReply", f"went on after {self.timeout} s, and could not be stopped"
        self.running.outputs = [
            new_output("error", ename=name, evalue=what, traceback=[f"{name}: {what}"]),
        ]
