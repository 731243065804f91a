"""One book for all tests, made by `minisam book`."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
EXECUTED = [path for i, path in enumerate(NOTEBOOKS) if i % 6 == 0]
"""The tests of the tutorials run every notebook; here some are enough."""


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the pages."""
    if find_spec("sphinx") is None or find_spec("myst_nb") is None:
        pytest.skip("Sphinx is not installed: pip install '.[book]'")
    out = tmp_path_factory.mktemp("book") / "pages"
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
    return out
