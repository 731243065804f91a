"""What the instructor's notebooks are: clean files, ten points, messages that teach."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.course.test_round_trip import minisam
from tests.course.wrong import NOTEBOOKS, data, edited, named, read

ROOT = Path(__file__).parents[2]
TUTORIALS = {path.name for path in (ROOT / "tutorials").glob("*.ipynb")}
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells_of(path, **marks):
    found = named(read(path)).values()
    return [c for c in found if all(c.metadata.nbgrader[k] == v for k, v in marks.items())]


def asserts(cell):
    return [n for n in ast.walk(ast.parse(cell.source)) if type(n) is ast.Assert]


@every_notebook
def test_it_is_committed_as_written(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.read_text(encoding="utf-8") == nbformat.writes(notebook) + "\n"
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert re.fullmatch(path.name[:2] + r"-[\w-]+", cell.id)
        assert set(cell.metadata) <= {"nbgrader"}


@every_notebook
def test_it_gives_ten_points_in_small_cells(path):
    points = [cell.metadata.nbgrader.points for cell in cells_of(path, grade=True)]
    assert sum(points) == 10
    assert max(points) <= 2
    assert len(points) >= 6


@every_notebook
def test_it_says_what_it_needs_and_where_that_is_taught(path):
    first = read(path).cells[0].source
    assert first.startswith(f"# {path.name[:2]} · ")
    for heading in ("**You need**", "**It gives** 10 points", "**It takes**"):
        assert heading in first
    named_notebooks = set(re.findall(r"`(\d\d-[\w-]+\.ipynb)`", first))
    assert named_notebooks
    assert named_notebooks <= TUTORIALS


@every_notebook
def test_each_solution_and_each_hidden_test_is_marked(path):
    for word, marks in (("SOLUTION", {"solution": True}), ("HIDDEN TESTS", {"grade": True})):
        for cell in cells_of(path, **marks):
            found = re.findall(rf"### (BEGIN|END) {word}$", cell.source, re.MULTILINE)
            assert found == ["BEGIN", "END"] * (len(found) // 2) != []
    assert all(cell.metadata.nbgrader.locked for cell in cells_of(path, grade=True))
    for cell in read(path).cells:
        if not cell.metadata.get("nbgrader", {}).get("grade"):
            assert "HIDDEN TESTS" not in cell.source


@every_notebook
def test_each_assert_says_what_is_wrong(path):
    for cell in cells_of(path, grade=True):
        assert asserts(cell)
        assert [a.lineno for a in asserts(cell) if a.msg is None] == [], cell.source


@every_notebook
def test_wrong_solutions_are_of_this_notebook(path):
    tests = {cell.metadata.nbgrader.grade_id for cell in cells_of(path, grade=True)}
    wrong = data(path.stem).WRONG
    assert len({one.name for one in wrong}) == len(wrong) >= 8
    for one in wrong:
        edited(read(path), one.cell, one.old, one.new)
        assert one.caught_by in tests
        assert len(one.says) > 5
        assert one.points < 10
    assert len({one.caught_by for one in wrong}) >= len(tests) - 2, "tests that catch nothing"


@every_notebook
def test_its_code_is_in_order(path):
    for command in (["check", "--extend-ignore", "D,E402"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_released_holds_no_solution_and_no_hidden_test(tmp_path):
    done = minisam("course", "release", tmp_path / "course", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for path in NOTEBOOKS:
        released = read(tmp_path / "course" / "release" / path.stem / path.name)
        text = "\n".join(cell.source for cell in released.cells)
        assert "SOLUTION" not in text
        assert "HIDDEN" not in text
        original = "\n".join(cell.source for cell in read(path).cells)
        secret = r"### BEGIN (SOLUTION|HIDDEN TESTS)\n.*?### END \1"
        stub = ["# YOUR CODE HERE", "raise NotImplementedError()"]
        allowed = {*re.sub(secret, "", original, flags=re.DOTALL).split("\n"), *stub}
        assert {line.strip() for line in text.split("\n")} <= {line.strip() for line in allowed}
        for cell in cells_of(path, solution=True):
            source = named(released)[cell.metadata.nbgrader.grade_id].source
            assert source.count(stub[1]) == cell.source.count("### BEGIN SOLUTION") > 0
        assert released.metadata.minisam_course == [
            cell.metadata.nbgrader.grade_id for cell in cells_of(path, grade=True)
        ]
