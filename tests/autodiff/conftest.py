"""Primitives made for a test, and pytest's summary of how many wrong ones were rejected."""

from collections.abc import Iterator
from typing import Any

import pytest

from minisam.autodiff import PRIMITIVES


@pytest.fixture
def scratch_primitives() -> Iterator[None]:
    """Leave the registry as it was, whatever a test registers."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


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
