"""The folder of a course, and nbgrader's view of it."""

import re
from pathlib import Path
from typing import Any

from minisam.course.notebooks import CourseError

SETTINGS = """\
# An nbgrader course: `nbgrader` commands, and `nbgrader formgrader` for manual grades, work here.
c = get_config()
c.CourseDirectory.course_id = ""
"""


def nbgrader_api(folder: Path, timeout: int = 30) -> Any:
    """Open a folder as a course of nbgrader, with the settings that minisam needs.

    Parameters
    ----------
    folder : pathlib.Path
        The course.
    timeout : int
        Seconds that a cell may take.

    Returns
    -------
    nbgrader.apps.NbGraderAPI
        nbgrader's own interface.

    Raises
    ------
    ImportError
        nbgrader is not installed.
    """
    require()
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.apps import NbGraderAPI
    from nbgrader.converters import Autograde, GenerateAssignment
    from nbgrader.preprocessors import ComputeChecksums, Execute, GetGrades
    from traitlets.config import Config

    from minisam.course.execution import ExecuteEachCell
    from minisam.course.preprocessors import HideTests, WriteManifest

    config = Config()
    config.CourseDirectory.root = str(folder.absolute())
    # Processes that grade beside each other wait for the gradebook: each writes for milliseconds.
    gradebook = folder.absolute() / "gradebook.db"
    config.CourseDirectory.db_url = f"sqlite:///{gradebook}?timeout=120"
    config.NbGraderAPI.log_level = "ERROR"
    steps = list(GenerateAssignment.preprocessors.default_args[0])
    steps.insert(steps.index(ComputeChecksums), WriteManifest)
    config.GenerateAssignment.preprocessors = steps
    config.Autograde.autograde_preprocessors = [
        ExecuteEachCell if step is Execute else step
        for step in Autograde.autograde_preprocessors.default_args[0]
    ]
    config.Execute.timeout = timeout
    config.OverwriteCells.add_missing_cells = True
    config.GenerateFeedback.preprocessors = [GetGrades, HideTests, CSSHTMLHeaderPreprocessor]
    return NbGraderAPI(config=config)


def require() -> None:
    """Raise unless nbgrader is there.

    Raises
    ------
    ImportError
        With what to install.
    """
    try:
        import nbgrader  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "a course needs nbgrader, which is not installed. In the checkout: "
            "python -m pip install '.[course]'."
        ) from error


def succeeded(result: dict[str, Any], what: str) -> None:
    """Raise if nbgrader says that a step failed.

    Parameters
    ----------
    result : dict
        As its interface returns it.
    what : str
        What was tried, for the message.

    Raises
    ------
    CourseError
        With the last exception that nbgrader logged, in one line.
    """
    if not result["success"]:
        said = [line.strip() for line in (result.get("log") or result["error"]).split("\n")]
        exceptions = [line for line in said if re.match(r"[\w.]+(Error|Exception)\b", line)]
        last = (exceptions or list(filter(None, said)) or ["It does not say why."])[-1]
        raise CourseError(f"{what}: nbgrader could not do it. {last}")
