"""What a cell that was run says, in one line."""

import re
from typing import Any

ENDED = ("CellTimeoutError", "NoReply", "KernelDied")
"""Errors that are the grader's own: what it had to do, and no exception of the student's."""


def error_message(cell: Any) -> str:
    """Return what a cell's error says, the grader's own first; empty if it has none.

    Parameters
    ----------
    cell : nbformat.NotebookNode
        After it was run.

    Returns
    -------
    str
        Such as ``SyntaxError: expected ':' (line 2)``, or ``stopped after 30 s``.
    """
    errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    for output in sorted(errors, key=lambda error: error.ename not in ENDED):
        return in_words(output)
    for output in cell.get("outputs", ()):
        if output.output_type == "stream" and output.name == "stderr":
            return f"it printed to stderr: {output.text.strip()}"
    return ""


def in_words(error: Any) -> str:
    """Return what an output of the kind ``error`` says."""
    if error.ename in ENDED:
        return str(error.evalue)
    if error.ename == "NotImplementedError" and not error.evalue:
        return "not written yet"
    said = re.sub(r"\([^()]*, (line \d+)\)$", r"(\1)", error.evalue)  # of a file without a name
    return f"{error.ename}: {said}".rstrip(": ")


def failed_cells(notebook: Any) -> dict[str, Any]:
    """Give the cells that end in an error, by nbgrader's names, or their numbers from 1.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        After it was run.

    Returns
    -------
    dict
        From name to cell, in the notebook's order.
    """
    return {
        cell.metadata.get("nbgrader", {}).get("grade_id", f"number {number}"): cell
        for number, cell in enumerate(notebook.cells, 1)
        if any(output.output_type == "error" for output in cell.get("outputs", ()))
    }


def ended_cells(notebook: Any) -> list[str]:
    """Say of each cell that the grader stopped, or that ended the process, which and what.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        After it was run.

    Returns
    -------
    list of str
        Such as ``cell conjugate: stopped after 30 s``.
    """
    return [
        f"cell {name}: {error_message(cell)}"
        for name, cell in failed_cells(notebook).items()
        if any(output.get("ename") in ENDED for output in cell.outputs)
    ]
