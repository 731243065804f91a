"""One book for all tests, made by `minisam book`."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minisam.cli.book import NEEDED, installed

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
EXECUTED = [path for i, path in enumerate(NOTEBOOKS) if i % 6 == 0]
"""The tests of the tutorials run every notebook; here some are enough."""


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the pages, which nobody writes to: parallel workers share it."""
    if missing := [name for name in NEEDED if not installed(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}; pip install '.[book]'")
    here = tmp_path_factory.getbasetemp()
    out = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "book"
    with open(f"{out}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            _make(out)
    return out


def _make(out):
    others = [f"tutorials/{path.name}" for path in NOTEBOOKS if path not in EXECUTED]
    done = subprocess.run(
        [sys.executable, "-m", "minisam", "book", "--out", str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "MINISAM_BOOK_UNEXECUTED": " ".join(others)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"The book is in {out / 'index.html'}\n"
    assert done.stderr.count("\n") == 1, done.stderr  # it says that it takes minutes
