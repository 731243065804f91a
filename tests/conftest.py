"""One BLAS thread, and the kill rate of `check_grads` in pytest's summary."""

import os
import sys
from typing import Any

# Tests are small: threads that wait for each other cost more than they do.

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported, or it has no effect

DEVICE = os.environ.get("MINISAM_TEST_DEVICE")  # "fake": see tests/on_device.py


def pytest_configure(config: Any) -> None:
    if DEVICE == "fake":
        from tests import on_device

        on_device.prepare()


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    if DEVICE != "fake":
        return
    from tests import on_device

    on_device.adopt_primitives()
    for name, module in list(sys.modules.items()):
        if on_device.belongs(name):
            on_device.adopt(module)
    for item in items:
        on_device.adopt_item(item)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # User properties travel from the workers of a parallel run, too.
    fates = [
        dict(report.user_properties)["mutant"]
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        and any(key == "mutant" for key, _ in report.user_properties)
    ]
    if fates:
        killed = fates.count("killed")
        terminalreporter.write_line(
            f"mutants: {killed} of {len(fates)} wrong rules rejected by check_grads, "
            f"kill rate {killed / len(fates):.0%}"
        )
