"""Release, hand in, grade: with every submission that a teacher gets, on the real command line.

One test for each assignment, so that parallel test processes share them. It reports all that is
wrong at once: a submission takes a second or two.
"""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.course.wrong import NOTEBOOKS, data, edited, filled_in, named, read, spoiled

ROOT = Path(__file__).parents[2]
TIMEOUT = 10
"""Seconds for a cell: each loop takes as long, and no honest cell on the slowest machine."""
SPECIAL = {  # loops that sleep: they are as endless, and leave the processor to the others
    "endless": "import time\nwhile True:\n    time.sleep(0.1)",
    "stubborn": "import time\nwhile True:\n    try:\n        time.sleep(60)\n"
    "    except KeyboardInterrupt:\n        pass",
    "crashing": "import os\nos._exit(3)",
}


def minisam(*command, cwd):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "minisam", *map(str, command)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def hand_in(course, assignment, student, notebook):
    path = course / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def messages(course, assignment, student):
    """What each cell of a graded notebook says, if it failed."""
    notebook = read(course / "autograded" / student / assignment / f"{assignment}.ipynb")
    return {
        name: f"{output.ename}: {output.evalue}"
        for name, cell in named(notebook).items()
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    }


def hidden_lines(instructor):
    """The lines that no student may see: of hidden tests, and nowhere else."""
    text = "\n".join(cell.source for cell in instructor.cells)
    regions = r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS"
    seen = {line.strip() for line in re.sub(regions, "", text, flags=re.DOTALL).split("\n")}
    hidden = {
        line.strip() for each in re.findall(regions, text, re.DOTALL) for line in each.split("\n")
    }
    return {line for line in hidden - seen if len(line) > 12}


@pytest.mark.parametrize("instructor", NOTEBOOKS, ids=lambda path: path.stem)
def test_round_trip(instructor, tmp_path):
    assignment, course = instructor.stem, tmp_path / "course"
    wrong, where = data(assignment).WRONG, data(assignment).SPOILED
    assert len(wrong) >= 8
    done = minisam("course", "release", course, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    released = course / "release" / assignment / f"{assignment}.ipynb"
    assert str(released) in done.stdout

    hand_in(course, assignment, "empty", read(released))
    hand_in(course, assignment, "perfect", filled_in(released, instructor))
    for i, one in enumerate(wrong):
        notebook = edited(filled_in(released, instructor), one.cell, one.old, one.new)
        hand_in(course, assignment, f"wrong-{i}", notebook)
    for name, line in SPECIAL.items():
        hand_in(course, assignment, name, spoiled(filled_in(released, instructor), where, line))
    tampered = spoiled(filled_in(released, instructor), where, "return None")
    named(tampered)[where.test].source = "assert True"
    hand_in(course, assignment, "tampered", tampered)
    skipped = spoiled(filled_in(released, instructor), where, "return None")
    for cell in skipped.cells:
        cell.metadata["tags"] = ["skip-execution"]  # nbclient would obey
    hand_in(course, assignment, "skipped", skipped)
    bare = filled_in(released, instructor)
    bare.cells.remove(named(bare)[where.test])
    hand_in(course, assignment, "bare", bare)

    out = tmp_path / "grades.csv"
    command = ("course", "grade", course, "--out", out, "--timeout", TIMEOUT, "--jobs", 2)
    done = minisam(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unsandboxed" in done.stderr
    with out.open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(wrong) + len(SPECIAL) + 5
    assert {row["max_score"] for row in rows.values()} == {"10.0"}

    faults = []

    def expect(student, points, test=None, says="", problem=""):
        row, said = rows[student], messages(course, assignment, student)
        found = [
            float(row["score"]) == points or f"{row['score']} points instead of {points}",
            bool(re.search(problem, row["problem"])) or f"problem is {row['problem']!r}",
            test is None or says in said.get(test, "–") or f"{test} says {said.get(test)!r}",
        ]
        for fault in found:
            if fault is not True:
                faults.append(f"{student}: {fault}; failed: {sorted(said)}")

    expect("perfect", 10, problem="^$")
    expect("empty", 0, problem="^$")
    for i, one in enumerate(wrong):
        before = len(faults)
        expect(f"wrong-{i}", one.points, one.caught_by, one.says, "^$")
        faults[before:] = [f"{one.name}: {fault}" for fault in faults[before:]]
    rest = 10 - named(read(instructor))[where.test].metadata.nbgrader.points
    expect("endless", rest, where.test, "CellTimeoutError", f"stopped after {TIMEOUT} s$")
    expect("stubborn", rest, where.test, "could not be stopped", "could not be stopped$")
    expect("crashing", rest, where.test, "ended the Python process", "ended the Python process$")
    expect("tampered", rest, where.test, problem=f"changed, and restored: {where.test}")
    expect("skipped", rest, problem="^$")
    expect("bare", 10, problem=f"missing, and put back: {where.test}")
    assert not faults, "\n".join(faults)

    secret = hidden_lines(read(instructor))
    assert secret
    for student in rows:
        page = course / "feedback" / student / assignment / f"{assignment}.html"
        text = page.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in text
        plain = re.sub(r"<[^>]*>", "", text)
        for mark, sign in (("&quot;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")):
            plain = plain.replace(mark, sign)
        seen = [line for line in secret if line in plain]
        assert not seen, f"{student}: {seen}"
    text = (course / "feedback" / "wrong-0" / assignment / f"{assignment}.html").read_text("utf-8")
    assert wrong[0].says in text, "the feedback does not say what is wrong"
