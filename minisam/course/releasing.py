"""From the instructor's notebooks to what students are given."""

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minisam.course.folders import SETTINGS, nbgrader_api, require, succeeded
from minisam.course.notebooks import CourseError

NEEDED = """\
# What the assignments need: python -m pip install -r requirements.txt
jupyterlab
numpy>=2.0
# REPLACE THIS LINE by where students get minisam from, such as /PATH/TO/CHECKOUT[course]
"""


def release(folder: str | Path, notebooks: str | Path | None = None) -> list[Path]:
    """Make a course, or renew one: student versions of all its assignments.

    The instructor's notebooks are copied to ``source``, unless one of that name is there: a copy
    is the teacher's to edit, and more assignments may be put beside it. From ``source`` nbgrader
    makes the student versions in ``release``, without solutions and hidden tests, and notes in
    ``gradebook.db`` what each cell is worth.

    Parameters
    ----------
    folder : str or pathlib.Path
        Of the course; made if it is not there.
    notebooks : str or pathlib.Path, optional
        Folder of the instructor's notebooks; without it those in the course's ``source``.

    Returns
    -------
    list of pathlib.Path
        The notebooks to hand out.

    Raises
    ------
    ImportError
        nbgrader is not installed.
    CourseError
        There is no notebook, one has no graded cell, or nbgrader refuses it.
    FileExistsError
        The folder is not empty, and no course.

    Examples
    --------
    >>> release("my-course", "tutorials/assignments")  # doctest: +SKIP
    [PosixPath('my-course/release/A2-dual-norm/A2-dual-norm.ipynb'), ...]
    """
    require()
    course = Path(folder)
    if course.is_file() or (course.is_dir() and any(course.iterdir()) and not is_course(course)):
        raise FileExistsError(f"{course} holds something else than a course; name a new folder.")
    where = course / "source" if notebooks is None else Path(notebooks)
    found = sorted(where.glob("*.ipynb"))
    if not found and not (notebooks is None and is_course(course)):
        raise CourseError(f"{where}: no notebook is there.")
    for path in found:
        target = course / "source" / path.stem / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (course / "submitted").mkdir(exist_ok=True)
    settings = course / "nbgrader_config.py"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    api = nbgrader_api(course)
    made = []
    with _own_scripts_first():
        for assignment in assignments(course):
            succeeded(api.generate_assignment(assignment), f"releasing {assignment}")
            made.append(course / "release" / assignment / f"{assignment}.ipynb")
    needed = course / "release" / "requirements.txt"
    if not needed.exists():  # the teacher's to edit, as source is
        needed.write_text(NEEDED, encoding="utf-8")
    return made


@contextmanager
def _own_scripts_first() -> Iterator[None]:
    """Let nbgrader find alembic, which it calls as a program, in an environment not activated."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def is_course(folder: Path) -> bool:
    """Say whether a folder was made by `release`."""
    return (folder / "nbgrader_config.py").is_file() and (folder / "source").is_dir()


def assignments(course: Path) -> list[str]:
    """Name the assignments of a course, in order."""
    return sorted(path.name for path in (course / "source").iterdir() if path.is_dir())
