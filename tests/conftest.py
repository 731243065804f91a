"""One BLAS thread, and the kill rate of `check_grads` in pytest's summary."""

import os
from typing import Any

# Tests are small: threads that wait for each other cost more than they do.

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported, or it has no effect


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
