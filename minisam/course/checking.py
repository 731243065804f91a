"""For students: run a notebook as it will be run, and see which visible tests it passes."""

from pathlib import Path
from typing import NamedTuple

from minisam.course.folders import require
from minisam.course.messages import error_message, failed_cells
from minisam.course.notebooks import (
    MANIFEST,
    CourseError,
    graded_cells,
    missing_cells,
    read,
    refuse_foreign,
)


class Checked(NamedTuple):
    """One cell after a run: its name, its points, and the message if it failed."""

    cell: str
    score: float
    max_score: float
    message: str


def check(path: str | Path, *, timeout: int = 30) -> list[Checked]:
    """Run a notebook from the beginning, and say of each test in it whether it passes.

    The hidden tests are not in the notebook: a cell that passes here may lose its points there.

    Parameters
    ----------
    path : str or pathlib.Path
        The notebook, which is not changed.
    timeout : int
        Seconds that a cell may take.

    Returns
    -------
    list of Checked
        One for each other cell that failed by itself, with no points to win, and then one for
        each graded cell.

    Raises
    ------
    ImportError
        nbgrader is not installed.
    CourseError
        It does not open, is not of a course or not in Python, or graded cells are missing.

    Examples
    --------
    >>> check("A2-dual-norm.ipynb")  # doctest: +SKIP
    [Checked(cell='conjugate', score=1.0, max_score=1.0, message=''), ...]
    """
    require()
    from nbgrader.preprocessors import ClearOutput
    from nbgrader.utils import determine_grade

    from minisam.course.execution import ExecuteEachCell

    path = Path(path)
    notebook = read(path)
    manifest = notebook.metadata.get(MANIFEST)
    if manifest is None:
        manifest = list(graded_cells(notebook))
    refuse_foreign(notebook, manifest, path)
    missing = missing_cells(notebook, manifest)
    if missing:
        raise CourseError(
            f"{path}: graded cells are missing: {', '.join(missing)}. Copy your solutions into a "
            "fresh copy of the notebook that was handed out."
        )
    resources = {"metadata": {"path": str(path.absolute().parent)}}
    for step in (ClearOutput(), ExecuteEachCell(timeout=timeout)):
        notebook, resources = step.preprocess(notebook, resources)
    tests = graded_cells(notebook)
    found = [
        Checked(name, 0.0, 0.0, error_message(cell))
        for name, cell in failed_cells(notebook).items()
        if name not in tests
    ]
    for name, cell in tests.items():
        score, best = determine_grade(cell)
        found.append(Checked(name, score, best, error_message(cell)))
    return found
