"""Wrong solutions: the right one with one thing changed, as a student would get it wrong."""

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import nbformat

NOTEBOOKS = sorted((Path(__file__).parents[2] / "tutorials" / "assignments").glob("*.ipynb"))


class Wrong(NamedTuple):
    """A misconception: ``old`` becomes ``new`` in the solution ``cell`` of the instructor.

    The test ``caught_by`` must fail with a message in which ``says`` is found; ``points`` of ten
    are what the rest deserves.
    """

    name: str
    cell: str
    old: str
    new: str
    caught_by: str
    says: str
    points: int


class Spoiled(NamedTuple):
    """A function of the solution ``cell`` that one test alone calls, to make it loop or crash."""

    cell: str
    function: str
    test: str


def data(assignment):
    """The module of an assignment's wrong solutions, with WRONG and SPOILED."""
    return import_module(f"tests.course.{assignment[:2].lower()}")


def read(path):
    return nbformat.read(path, as_version=4)


def named(notebook):
    """The cells that nbgrader knows, by name."""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells}


def filled_in(released, instructor):
    """The notebook of a student who knows everything: handed out, and every solution right."""
    notebook, solutions = read(released), named(read(instructor))
    for name, cell in named(notebook).items():
        if cell.metadata.nbgrader.solution:
            cell.source = solutions[name].source
    return notebook


def edited(notebook, cell, old, new):
    """The notebook with a piece of a cell replaced, which must be there exactly once."""
    target = named(notebook)[cell]
    assert target.source.count(old) == 1, f"{old!r} is not once in {cell}:\n{target.source}"
    target.source = target.source.replace(old, new)
    return notebook


def spoiled(notebook, where, line):
    """The notebook with a function that does this one thing instead."""
    target = named(notebook)[where.cell]
    body = "\n    ".join(line.split("\n"))
    target.source += f"\n\n\ndef {where.function}(*args, **kwargs):\n    {body}\n"
    return notebook
