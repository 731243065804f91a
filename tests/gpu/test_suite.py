"""The tests of everything that computes, once more on the fake device.

By hand: ``MINISAM_TEST_DEVICE=fake python -m pytest tests/ops``. Left out are
`tests/data`, which reads files; `tests/experiments`, `tests/plots` and `tests/book`, which compute
through what is tested here; `sharpness`, of which `test_sharpness.py` tests six measures on the
fake; and `sde` and `equations`, which are for the host.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.on_device import HOST_ONLY, covers

ROOT = Path(__file__).parents[2]
PARTS = [
    (450, ["tests/ops/test_primitives.py"]),
    (1900, ["tests/ops", "--ignore=tests/ops/test_primitives.py"]),
    (1000, ["tests/sam", "tests/test_optimizers.py"]),
    (800, ["tests/autodiff", "tests/nn", "tests/training"]),
]
"""How many tests must pass, at least, of which files: skipped tests are no failure to pytest."""


def run(*words, **environment):
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-p", "no:xdist", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("least", "part"), PARTS, ids=[part[0] for _, part in PARTS])
def test_it_passes_on_the_fake(least, part):
    done = run(*part, MINISAM_TEST_DEVICE="fake")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2000:]
    assert int(passed[1]) >= least


def test_exceptions_are_needed():
    """Each is a test or a file; one without items needs a library that is not here."""
    parts = [word for _, part in PARTS for word in part if word[0] != "-"]
    items = run("--collect-only", "-q", *parts).stdout.splitlines()
    unknown = [name for name in HOST_ONLY if not any(covers(name, item) for item in items)]
    assert [name for name in unknown if not (ROOT / "tests" / name).is_file()] == []


def test_an_exception_is_no_wider_than_it_says():
    nodes = ["::test_errors", "::test_errors[a]", "::test_errors_of_others", "::test_error"]
    found = [
        covers("ops/test_linalg.py::test_errors", f"tests/ops/test_linalg.py{n}") for n in nodes
    ]
    assert found == [True, True, False, False]
    assert covers("ops/test_linalg.py", "tests/ops/test_linalg.py::test_errors")
