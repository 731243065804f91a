"""``minisam course``: hand out assignments, grade what comes back, check one's own notebook."""

import sys
from argparse import Namespace
from pathlib import Path

import minisam
from minisam import course
from minisam.cli.parser import Refused
from minisam.cli.preparing import writable
from minisam.course import CourseError, Graded
from minisam.progress import progress_bar
from minisam.text import aligned

UNSANDBOXED = (
    "minisam course: students' code runs as you, unsandboxed. Grade in a container without "
    "network, or as a user with nothing to lose."
)


def run(args: Namespace) -> int:
    """Release, grade or check.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    int
        0, or 1 if a submission could not be graded, or a notebook does not pass.

    Raises
    ------
    Refused
        A notebook or a folder is not what a course needs.
    """
    steps = {"release": _release, "grade": _grade, "check": _check}
    try:
        return steps[args.step](args)
    except CourseError as error:
        raise Refused(f"minisam course {args.step}: {error}", 1) from error


def _release(args: Namespace) -> int:
    folder = writable(Path(args.folder))
    made = course.release(folder, None if course.releasing.is_course(folder) else _notebooks())
    print("To hand out, with requirements.txt beside them:", *made, sep="\n  ")
    needed = folder / "release" / "requirements.txt"
    if needed.read_text(encoding="utf-8") == course.releasing.NEEDED:
        print(f"First say in the last line of {needed} where students get minisam from.")
    where = folder / "submitted" / "STUDENT" / "ASSIGNMENT" / "ASSIGNMENT.ipynb"
    print(f"What comes back goes to\n  {where}")
    return 0


def _notebooks() -> Path:
    for root in (Path(minisam.__file__).parents[1], Path.cwd()):
        if (root / "tutorials" / "assignments").is_dir():
            return root / "tutorials" / "assignments"
    raise FileNotFoundError(
        "the instructor's notebooks are not part of the installed package, since they hold the "
        "solutions. Go to the checkout's folder, which has tutorials/assignments, and run: "
        "python -m minisam course release DIR"
    )


def _grade(args: Namespace) -> int:
    out = Path(args.out)
    writable(out.parent)
    if not args.quiet:
        print(UNSANDBOXED, file=sys.stderr)
    total = len(course.grading.submissions(Path(args.folder)))
    with progress_bar(total, "grading", not args.quiet, "submission") as advance:
        graded = course.grade(args.folder, jobs=args.jobs, timeout=args.timeout, advance=advance)
    course.write_csv(graded, out)
    print(_table(graded))
    for one in graded:
        if one.problem:
            print(f"{one.student}, {one.assignment}: {one.problem}", file=sys.stderr)
    print(f"Grades: {out}. Feedback: {Path(args.folder) / 'feedback'}")
    return int(any(one.score is None for one in graded))


def _table(graded: list[Graded]) -> str:
    """Lay out students by assignments."""
    names = sorted({one.assignment for one in graded})
    points = {(one.student, one.assignment): one for one in graded}

    def shown(student: str, name: str) -> str:
        one = points.get((student, name))
        if one is None:
            return ""
        return "–" if one.score is None else f"{one.score:g} / {one.max_score:g}"

    students = sorted({one.student for one in graded})
    rows = [[student, *(shown(student, name) for name in names)] for student in students]
    return aligned([["student", *names], *rows])


def _check(args: Namespace) -> int:
    found = course.check(args.notebook, timeout=args.timeout)
    tests = [one for one in found if one.max_score]
    for one in found:
        if one not in tests:
            print(f"cell {one.cell}: {one.message}\n")
    failed = [one for one in tests if one.score < one.max_score]
    rows = [[one.cell, f"{one.score:g} / {one.max_score:g}"] for one in tests]
    print(aligned([["test", "points"], *rows]))
    for one in failed:
        print(f"\n{one.cell}: {one.message}")
    score, best = sum(one.score for one in tests), sum(one.max_score for one in tests)
    print(f"\n{score:g} of {best:g} points by the visible tests; the grader has more.")
    return int(bool(failed))
