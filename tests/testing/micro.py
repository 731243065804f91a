"""A student's engine: the one of assignment A1, taken from the instructor's notebook."""

from pathlib import Path
from types import SimpleNamespace

import nbformat

A1 = Path(__file__).parents[2] / "tutorials" / "assignments" / "A1-reverse-mode.ipynb"


def adapter(edit=lambda cell, source: source):
    """The adapter of the engine, each cell of which may be edited first."""
    names = {}
    for cell in nbformat.read(A1, as_version=4).cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks and not marks["grade"]:
            exec(edit(marks["grade_id"], cell.source), names)

    def vjp(f, *args):
        tensors = [names["Tensor"](a) for a in args]
        y = f(*tensors)
        return y.value, lambda ct: tuple(names["gradient"](y, tensors, ct))

    offered = {name: names[name] for name in ("add", "multiply", "exp", "matmul")}
    return SimpleNamespace(functions=offered, vjp=vjp, order=1)


functions, vjp, order = (getattr(adapter(), name) for name in ("functions", "vjp", "order"))
