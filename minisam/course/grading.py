"""From a folder of submissions to grades and feedback."""

import csv
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from minisam.course.folders import nbgrader_api, require, succeeded
from minisam.course.messages import ended_cells
from minisam.course.notebooks import (
    CourseError,
    changed_cells,
    graded_cells,
    missing_cells,
    read,
    refuse_foreign,
)
from minisam.course.releasing import assignments, is_course


class Graded(NamedTuple):
    """One student's assignment: the points, those of each cell, and what was wrong with the file.

    ``score`` is None if it could not be graded, and ``problem`` then says why.
    """

    student: str
    assignment: str
    score: float | None
    max_score: float
    cells: dict[str, float]
    problem: str


def grade(
    folder: str | Path,
    *,
    jobs: int | None = None,
    timeout: int = 30,
    advance: Callable[[int], Any] = lambda n: None,
) -> list[Graded]:
    """Grade all submissions of a course, and write feedback for each.

    A submission is ``submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb``. It is run from the
    beginning in a process of its own, after its tests were replaced by the course's: whatever was
    done to them is undone. The graded notebook goes to ``autograded``, the points to
    ``gradebook.db``, and a page for the student, without hidden tests, to ``feedback``.

    **Students' code runs as you, unsandboxed**: it can read, change and send what you can. Grade
    in a container without network, or as another user on a machine with nothing of value.

    Parameters
    ----------
    folder : str or pathlib.Path
        A course that `release` made.
    jobs : int, optional
        Processes that grade beside each other; by default one for each core.
    timeout : int
        Seconds that a cell may take. A cell that takes longer, or ends the process, fails; the
        others are graded.
    advance : callable
        Called with 1 whenever a submission is done.

    Returns
    -------
    list of Graded
        One for each submission, by student and assignment.

    Raises
    ------
    ImportError
        nbgrader or joblib is not installed.
    CourseError
        The folder is no course, or nothing was submitted.
    ValueError
        ``jobs`` or ``timeout`` is below 1.

    Examples
    --------
    >>> grade("my-course")  # doctest: +SKIP
    [Graded(student='ada', assignment='A2-dual-norm', score=10.0, max_score=10.0, ...
    """
    for name, value in (("jobs", jobs), ("timeout", timeout)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    require()
    from joblib import Parallel, delayed, parallel_config

    course = Path(folder)
    if not is_course(course):
        raise CourseError(f"{course} is no course: run 'minisam course release {course}' first.")
    found = submissions(course)
    if not found:
        raise CourseError(
            f"{course / 'submitted'}: nothing was handed in. A submission is "
            "submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, and an assignment one of "
            f"{', '.join(assignments(course))}."
        )
    graded = []
    tasks = (delayed(_grade_one)(course, *submission, timeout) for submission in found)
    # One BLAS thread in each kernel: it inherits the environment of its worker.
    with parallel_config("loky", inner_max_num_threads=1):
        for one in Parallel(n_jobs=jobs or -1, return_as="generator_unordered")(tasks):
            graded.append(one)
            advance(1)
    return sorted(graded)


def submissions(course: Path) -> list[tuple[str, str]]:
    """List what was handed in.

    Parameters
    ----------
    course : pathlib.Path
        The course.

    Returns
    -------
    list of (str, str)
        Student and assignment; an assignment that the course does not have is among them.
    """
    return sorted(
        (path.parent.name, path.name)
        for path in (course / "submitted").glob("*/*")
        if path.is_dir() or path.suffix == ".ipynb"
    )


def _grade_one(course: Path, student: str, assignment: str, timeout: int) -> Graded:
    """Grade one submission; what is wrong with it is part of the result."""
    released = course / "release" / assignment / f"{assignment}.ipynb"
    worth = 0.0
    try:
        if not released.is_file():
            raise CourseError(
                f"submitted/{student}/{assignment}: the course has no assignment of this name. It "
                f"has {', '.join(assignments(course))}."
            )
        original = read(released)
        cells = graded_cells(original)
        worth = sum(float(cell.metadata.nbgrader.points) for cell in cells.values())
        path = course / "submitted" / student / assignment / f"{assignment}.ipynb"
        notebook = read(path)
        missing = missing_cells(notebook, cells)
        if 2 * len(missing) > len(cells):
            _refuse_another(course, notebook, assignment, path)
        refuse_foreign(notebook, cells, path)
        instructors = read(course / "source" / assignment / path.name)
        remarks = {
            "graded cells were missing, and put back": missing,
            "tests were changed, and restored": changed_cells(notebook, original, instructors),
        }
        api = nbgrader_api(course, timeout)
        with warnings.catch_warnings():  # SQLAlchemy's on how nbgrader uses it
            warnings.filterwarnings("ignore", "Object of type <Submitted")
            succeeded(api.autograde(assignment, student), f"grading {path}")
            succeeded(api.generate_feedback(assignment, student), f"writing feedback on {path}")
        with api.gradebook as book:
            entry = book.find_submission_notebook(assignment, assignment, student)
            points = {each.name: float(each.score) for each in entry.grades}
            score = float(entry.score)
        ended = ended_cells(read(course / "autograded" / student / assignment / path.name))
    except CourseError as error:
        return Graded(student, assignment, None, worth, {}, str(error))
    said = [f"{what}: {', '.join(names)}" for what, names in remarks.items() if names]
    said += ended
    return Graded(student, assignment, score, worth, points, "; ".join(said))


def _refuse_another(course: Path, notebook: Any, assignment: str, path: Path) -> None:
    """Raise if another assignment of the course has more of a notebook's cells."""
    names, shared = graded_cells(notebook).keys(), {}
    for released in (course / "release").glob("*/*.ipynb"):
        shared[released.stem] = len(names & graded_cells(read(released)).keys())
    name = max(shared, key=lambda name: shared[name])
    if shared[name] > shared[assignment]:
        raise CourseError(f"{path}: this is {name}, handed in as {assignment}.")


def write_csv(graded: Iterable[Graded], path: str | Path) -> None:
    """Write grades as a table, one line for each student and assignment.

    Parameters
    ----------
    graded : iterable of Graded
        From `grade`.
    path : str or pathlib.Path
        The file; one that is there is replaced.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "grades.csv")
    ...     write_csv([Graded("ada", "A2-dual-norm", 9.0, 10.0, {"scale": 0.0}, "")], path)
    ...     print(path.read_text())
    student,assignment,score,max_score,problem
    ada,A2-dual-norm,9.0,10.0,
    """
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["student", "assignment", "score", "max_score", "problem"])
        for one in graded:
            score = "" if one.score is None else one.score
            table.writerow([one.student, one.assignment, score, one.max_score, one.problem])
