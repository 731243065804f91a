"""What a notebook must be before it is run: readable, of this course, whole, and in Python."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

MANIFEST = "minisam_course"
"""Where a released notebook says in its metadata which graded cells it has."""


class CourseError(Exception):
    """A notebook or a folder is not what a course needs; the message says what to do."""


def read(path: Path) -> Any:
    """Read a notebook.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    nbformat.NotebookNode
        In the current format.

    Raises
    ------
    CourseError
        It is not there, or no notebook.
    """
    import nbformat

    if path.is_dir():
        raise CourseError(f"{path} is a folder, and a notebook is wanted. {_beside(path)}")
    try:
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        return nbformat.convert(notebook, 4)
    except FileNotFoundError as error:
        raise CourseError(f"{path}: there is no such file. {_beside(path.parent)}") from error
    except Exception as error:  # nbformat raises what its parsers do: a dozen classes
        reason = str(error).strip().partition("\n")[0][:100]
        raise CourseError(
            f"{path}: it does not open as a notebook ({type(error).__name__}: {reason}). "
            "Open it in Jupyter, save it again as .ipynb, and hand that in."
        ) from error


def _beside(folder: Path) -> str:
    names = ", ".join(repr(path.name) for path in sorted(folder.glob("*.ipynb")))
    return f"The folder holds {names}." if names else "The folder holds no notebook."


def graded_cells(notebook: Any) -> dict[str, Any]:
    """Give the cells that carry points, by nbgrader's names for them.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Any.

    Returns
    -------
    dict
        From name to cell, in the notebook's order.
    """
    marked = ((cell.metadata.get("nbgrader", {}), cell) for cell in notebook.cells)
    return {marks["grade_id"]: cell for marks, cell in marked if marks.get("grade")}


def refuse_foreign(notebook: Any, known: Iterable[str], path: Path) -> None:
    """Raise if a notebook cannot be graded at all.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        What was handed in.
    known : iterable of str
        The names of the assignment's graded cells.
    path : pathlib.Path
        Its file, for the message.

    Raises
    ------
    CourseError
        It is of another language than Python, or has none of these cells.
    """
    kernel = notebook.metadata.get("kernelspec", {})
    language = kernel.get("language") or notebook.metadata.get("language_info", {}).get("name")
    if language not in (None, "python"):
        raise CourseError(
            f"{path}: its kernel is {kernel.get('display_name', language)!r}, of the language "
            f"{language!r}; the course is in Python. In Jupyter choose Kernel, Change Kernel, a "
            "Python 3, run all cells, save."
        )
    if not set(known) & set(graded_cells(notebook)):
        raise CourseError(
            f"{path}: this is no notebook of this course: it has none of the graded cells. Fill "
            "in the notebook that was handed out; cells copied into a new one lose their marks."
        )


def missing_cells(notebook: Any, known: Iterable[str]) -> list[str]:
    """Name the graded cells that a notebook has lost.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        What was handed in.
    known : iterable of str
        The names of the assignment's graded cells.

    Returns
    -------
    list of str
        Those that are not in it.
    """
    found = graded_cells(notebook)
    return [name for name in known if name not in found]


def changed_cells(notebook: Any, released: Any, instructors: Any) -> list[str]:
    """Name the graded cells whose text is neither that handed out nor the instructor's.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        What was handed in.
    released : nbformat.NotebookNode
        What was handed out.
    instructors : nbformat.NotebookNode
        What that was made of; it holds the hidden tests as well.

    Returns
    -------
    list of str
        Names of cells.
    """
    found, full = graded_cells(notebook), graded_cells(instructors)
    return [
        name
        for name, cell in graded_cells(released).items()
        if name in found and found[name].source not in (cell.source, full.get(name, cell).source)
    ]
