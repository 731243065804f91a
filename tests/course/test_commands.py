"""What the commands refuse, and how they say so; what a student sees."""

import csv
import re

import nbformat
import pytest

from minisam import course
from minisam.cli import course as cli_course
from minisam.cli import main
from minisam.course import CourseError
from minisam.course.folders import succeeded
from tests.course.wrong import NOTEBOOKS, edited, filled_in, named, read

A2 = next(path for path in NOTEBOOKS if path.stem == "A2-dual-norm")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course of A2 alone."""
    folder = tmp_path_factory.mktemp("instructor")
    (folder / A2.name).write_bytes(A2.read_bytes())
    made = course.release(folder / "course", folder)
    assert made == [folder / "course" / "release" / A2.stem / A2.name]
    return folder / "course"


def written(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def student_version(released):
    return released / "release" / A2.stem / A2.name


def test_a_student_sees_which_visible_tests_pass(released, tmp_path, capsys):
    notebook = filled_in(student_version(released), A2)
    right = written(notebook, tmp_path / "right.ipynb")
    before = right.read_bytes()
    assert main(["course", "check", str(right)]) == 0
    assert "10 of 10 points by the visible tests" in capsys.readouterr().out
    assert right.read_bytes() == before

    lost = edited(notebook, "epsilon-hat", "return rho * np.sign(g) * a", "return rho * a")
    assert main(["course", "check", str(written(lost, tmp_path / "lost.ipynb"))]) == 1
    out = capsys.readouterr().out
    assert "signs: AssertionError: sign lost" in out
    assert "of 10 points by the visible tests; the grader has more" in out


def test_a_notebook_that_is_not_there(capsys, tmp_path):
    assert main(["course", "check", str(tmp_path / "none.ipynb")]) == 1
    assert "there is no such file. The folder holds no notebook." in capsys.readouterr().err
    (tmp_path / "my solution.ipynb").touch()
    assert main(["course", "check", str(tmp_path / "none.ipynb")]) == 1
    assert "The folder holds 'my solution.ipynb'." in capsys.readouterr().err
    assert main(["course", "check", str(tmp_path)]) == 1
    assert "is a folder, and a notebook is wanted. The folder holds" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "print('hello')", '{"cells": [1]}', '{"nbformat": 4}'])
def test_a_file_that_is_no_notebook(text, capsys, tmp_path):
    path = tmp_path / "mine.ipynb"
    path.write_text(text)
    assert main(["course", "check", str(path)]) == 1
    assert "does not open as a notebook" in capsys.readouterr().err


def test_a_notebook_of_something_else(capsys, tmp_path):
    path = written(nbformat.v4.new_notebook(), tmp_path / "essay.ipynb")
    assert main(["course", "check", str(path)]) == 1
    assert "no notebook of this course" in capsys.readouterr().err


def test_a_notebook_in_another_language(released, capsys, tmp_path):
    notebook = read(student_version(released))
    notebook.metadata.kernelspec = {"display_name": "R", "language": "R", "name": "ir"}
    path = written(notebook, tmp_path / "r.ipynb")
    assert main(["course", "check", str(path)]) == 1
    assert "its kernel is 'R'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def conjugate(p)\n    return 1", "SyntaxError: expected ':' (line 1)"),
        ("import time\ntime.sleep(99)", "stopped after 8 s"),
        ("import os\nos._exit(0)", "ended the Python process"),
    ],
)
def test_a_student_sees_the_error_of_the_own_cell(source, says, released, tmp_path, capsys):
    notebook = filled_in(student_version(released), A2)
    named(notebook)["conjugate"].source = source
    path = str(written(notebook, tmp_path / "mine.ipynb"))
    assert main(["course", "check", path, "--timeout", "8"]) == 1
    out = capsys.readouterr().out
    assert f"cell conjugate: {says}\n" in out.partition("conjugate-inside")[0]
    assert "NameError: name 'conjugate' is not defined" in out.partition("conjugate-inside")[2]


def test_what_is_not_written_yet_is_said_to_be(released, capsys):
    assert main(["course", "check", str(student_version(released))]) == 1
    assert "\nconjugate-inside: not written yet\n" in capsys.readouterr().out


def test_numbers_in_messages_are_plain(released, tmp_path, capsys):
    right = "return rho * np.sign(g) * a"
    wrong = edited(filled_in(student_version(released), A2), "epsilon-hat", right, f"{right} * 3")
    assert main(["course", "check", str(written(wrong, tmp_path / "wrong.ipynb"))]) == 1
    out = capsys.readouterr().out
    assert re.search(r"‖ε̂‖₂/ρ is \[3\. 3\. 3\.", out), out


def test_what_the_table_of_grades_says(tmp_path, capsys):
    a1, a5 = A2.with_name("A1-reverse-mode.ipynb"), A2.with_name("A5-sde.ipynb")
    for path in (a1, A2, a5):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    folder = tmp_path / "course"
    course.release(folder, tmp_path)

    def hand_in(student, notebook, name=A2.name):
        written(notebook, folder / "submitted" / student / A2.stem / name)

    for student, source in (
        ("endless", "while True:\n    pass"),
        ("dead", "import os\nos._exit(1)"),
    ):
        notebook = filled_in(student_version(folder), A2)
        named(notebook)["conjugate"].source = source
        hand_in(student, notebook)
    hand_in("other", read(folder / "release" / a1.stem / a1.name))
    hand_in("stranger", read(a5))
    hand_in("teacher", read(A2))
    hand_in("misnamed", read(A2), "my solution.ipynb")
    out = str(tmp_path / "grades.csv")
    assert main(["course", "grade", str(folder), "--out", out, "--quiet", "--timeout", "8"]) == 1
    with open(out, encoding="utf-8") as file:
        problems = {row["student"]: row["problem"] for row in csv.DictReader(file)}
    assert problems["teacher"] == ""
    assert problems["endless"] == "cell conjugate: stopped after 8 s"
    assert problems["dead"] == "cell conjugate: ended the Python process"
    assert problems["other"].endswith(": this is A1-reverse-mode, handed in as A2-dual-norm.")
    assert problems["stranger"].endswith(": this is A5-sde, handed in as A2-dual-norm.")
    assert problems["misnamed"].endswith("The folder holds 'my solution.ipynb'.")


def test_of_a_traceback_the_exception_is_kept():
    log = (
        "[ERROR] failed\n  Traceback\n    x = y\n    a.KeyError: 'grade_id'\n  \n[ERROR] See above."
    )
    with pytest.raises(CourseError) as caught:
        succeeded({"success": False, "log": log}, "grading")
    assert str(caught.value) == "grading: nbgrader could not do it. a.KeyError: 'grade_id'"


def test_cells_that_are_missing(released, capsys, tmp_path):
    notebook = read(student_version(released))
    cells = named(notebook)
    notebook.cells = [c for c in notebook.cells if c not in (cells["ties"], cells["zero"])]
    path = written(notebook, tmp_path / "short.ipynb")
    assert main(["course", "check", str(path)]) == 1
    assert "graded cells are missing: zero, ties" in capsys.readouterr().err


def test_submissions_that_cannot_be_graded_do_not_stop_the_others(released, tmp_path, capsys):
    def path(student, assignment=A2.stem):
        return released / "submitted" / student / assignment / f"{assignment}.ipynb"

    written(filled_in(student_version(released), A2), path("ada"))
    path("ben").parent.mkdir(parents=True)
    path("ben").write_text("no notebook")
    foreign = read(student_version(released))
    foreign.metadata.kernelspec = {"display_name": "Julia 1.10", "language": "julia", "name": "j"}
    written(foreign, path("cyd"))
    written(nbformat.v4.new_notebook(), path("dan"))
    path("eve").parent.mkdir(parents=True)
    written(read(student_version(released)), path("fay", "A9-unknown"))
    out = tmp_path / "grades.csv"
    assert main(["course", "grade", str(released), "--out", str(out), "--quiet"]) == 1
    with out.open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {name: row["score"] for name, row in rows.items()} == {
        "ada": "10.0",
        "ben": "",
        "cyd": "",
        "dan": "",
        "eve": "",
        "fay": "",
    }
    for student, problem in (
        ("ada", ""),
        ("ben", "does not open as a notebook"),
        ("cyd", "its kernel is 'Julia 1.10'"),
        ("dan", "no notebook of this course"),
        ("eve", "there is no such file"),
        ("fay", "no assignment of this name. It has A2-dual-norm"),
    ):
        assert problem in rows[student]["problem"]
        assert bool(problem) == bool(rows[student]["problem"])
    captured = capsys.readouterr()
    assert re.search(r"^ada +10 / 10$", captured.out, re.MULTILINE)
    assert re.search(r"^ben +–$", captured.out, re.MULTILINE)
    assert "ben, A2-dual-norm: " in captured.err
    assert "unsandboxed" not in captured.err  # it was told to be quiet


def test_a_folder_that_is_no_course(tmp_path, capsys):
    assert main(["course", "grade", str(tmp_path)]) == 1
    assert "run 'minisam course release" in capsys.readouterr().err
    (tmp_path / "thesis.txt").write_text("three years")
    assert main(["course", "release", str(tmp_path)]) == 1
    assert "something else than a course" in capsys.readouterr().err
    with pytest.raises(CourseError, match="no notebook is there"):
        course.release(tmp_path / "new", tmp_path)


def test_a_teachers_edits_survive_a_second_release(tmp_path):
    (tmp_path / A2.name).write_bytes(A2.read_bytes())
    course.release(tmp_path / "course", tmp_path)
    source = tmp_path / "course" / "source" / A2.stem / A2.name
    notebook = read(source)
    notebook.cells[0].source += "\n\nHand in by Friday."
    nbformat.write(notebook, source)
    (path,) = course.release(tmp_path / "course", tmp_path)
    assert "Hand in by Friday." in read(path).cells[0].source


@pytest.mark.parametrize(
    "words", [["grade", "x", "--jobs", "0"], ["grade", "x", "--timeout", "0"], ["grad", "x"], []]
)
def test_wrong_arguments(words, capsys):
    assert main(["course", *words]) == 2
    assert capsys.readouterr().err.startswith("minisam course")


def test_a_step_that_was_misspelt(capsys):
    assert main(["course", "relase", "x"]) == 2
    assert "Did you mean 'release'?" in capsys.readouterr().err


def test_an_option_that_was_misspelt(capsys):
    assert main(["course", "grade", "x", "--timeot", "3"]) == 2
    assert "Did you mean '--timeout'" in capsys.readouterr().err


def test_without_nbgrader_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "nbgrader", None)
    for words in (["release", str(tmp_path / "new")], ["check", str(A2)], ["grade", str(tmp_path)]):
        assert main(["course", *words]) == 1
        assert ".[course]" in capsys.readouterr().err


def test_without_a_checkout_it_says_where_the_notebooks_are(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli_course.minisam, "__file__", str(tmp_path / "minisam" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert main(["course", "release", "new"]) == 1
    assert "tutorials/assignments" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_second_release_needs_no_checkout(monkeypatch, capsys, tmp_path):
    (tmp_path / A2.name).write_bytes(A2.read_bytes())
    course.release(tmp_path / "course", tmp_path)
    needed = tmp_path / "course" / "release" / "requirements.txt"
    assert needed.read_text().splitlines()[-1].startswith("# REPLACE THIS LINE")
    monkeypatch.setattr(cli_course.minisam, "__file__", str(tmp_path / "minisam" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert main(["course", "release", "course"]) == 0
    out = capsys.readouterr().out
    assert A2.name in out
    assert f"in the last line of {needed.relative_to(tmp_path)} where students get minisam" in out
    needed.write_text("minisam.whl\n")
    assert main(["course", "release", "course"]) == 0
    assert "where students get minisam" not in capsys.readouterr().out
    assert needed.read_text() == "minisam.whl\n"
