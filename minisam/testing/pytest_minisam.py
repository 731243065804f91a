"""The pytest plugin: ``pytest --minisam-check mypackage.adapter``.

It is installed as a module of its own, outside the package, because pytest imports every plugin at
its start: here that costs neither minisam nor NumPy. Both are imported if the option is given.
"""

import sys
from importlib import import_module
from traceback import extract_tb
from typing import Any

import pytest

KEY = "minisam-check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("minisam").addoption(
        "--minisam-check",
        action="append",
        default=[],
        metavar="MODULE",
        help="check the derivatives of the engine that this adapter describes, and print a table; "
        "see help(minisam.testing). Without files or folders, run nothing else.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect no tests if only an engine is to be checked."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if config.getoption("minisam_check") and not named:
        config.args = []


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each primitive and order."""
    for name in config.getoption("minisam_check"):
        from minisam.testing import checks

        sys.path.insert(0, str(config.invocation_params.dir))  # as python -m pytest does
        try:
            adapter = import_module(name)
        except Exception as error:  # whatever a module does while it is imported
            raise pytest.UsageError(f"--minisam-check {name}: {_told(error)}") from error
        try:
            found = checks(adapter)
        except TypeError as error:
            raise pytest.UsageError(f"--minisam-check {name}: {error}") from error
        items += [
            CheckItem.from_parent(session, name=f"{name}::{check}", check=check, engine=name)
            for check in found
        ]


def _told(error: Exception) -> str:
    """Say in one line what an import raised, and where; a syntax error names its line itself."""
    said = f"{type(error).__name__}: {error}"
    frames = [each for each in extract_tb(error.__traceback__)[1:] if "importlib" not in each[0]]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: {said}" if frames else said


class CheckItem(pytest.Item):
    """One field of the table."""

    def __init__(self, *, check: Any, engine: str, **more: Any) -> None:
        super().__init__(**more)
        self.check, self.engine = check, engine

    def runtest(self) -> None:
        """Check all cases; the result travels in the report, also from parallel workers."""
        failed, cases = self.check.failures(), len(self.check.cases())
        field = (self.engine, self.check.name, self.check.order, len(failed), cases)
        self.user_properties.append((KEY, field))
        if failed:
            raise Failed("\n".join(failed))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show the cases that fail, and no traceback of what found them."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Name the field."""
        return self.engine, None, self.name


class Failed(AssertionError):
    """Some cases of a check fail."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the tables."""
    reports = (each for group in terminalreporter.stats.values() for each in group)
    fields = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for key, value in report.user_properties
        if key == KEY
    ]
    for engine in dict.fromkeys(field[0] for field in fields):
        from minisam.text import aligned

        found = {(name, order): rest for who, name, order, *rest in fields if who == engine}
        orders = sorted({order for _, order in found})
        rows = [["", *(f"order {order}" for order in orders)]]
        for name in dict.fromkeys(name for name, _ in found):
            rows.append([name, *(_shown(*found.get((name, order), (0, 0))) for order in orders)])
        terminalreporter.section(f"derivatives of {engine}")
        terminalreporter.write_line(aligned(rows))


def _shown(failed: int, cases: int) -> str:
    if failed:
        return f"{failed} of {cases} fail"
    return f"{cases} pass" if cases else "–"
