"""A course: assignments that grade themselves, on nbgrader.

`release` makes a course of the instructor's notebooks and the student versions of them, `grade`
runs what students handed in, and `check` is for the students themselves. The converting, running
and grading is nbgrader's: what is made here is an nbgrader course, and its own commands and its
pages for manual grading work on it.
"""

from minisam.course.checking import Checked, check
from minisam.course.grading import Graded, grade, write_csv
from minisam.course.notebooks import CourseError
from minisam.course.releasing import release

__all__ = ["Checked", "CourseError", "Graded", "check", "grade", "release", "write_csv"]
