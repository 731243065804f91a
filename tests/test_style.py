"""The source itself: linted, formatted, typed, documented, and arranged as the design says."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = [
    "arrays",
    "autodiff",
    "ops",
    "nn",
    "sam",
    "optimizers",
    "sharpness",
    "sde",
    "data",
    "training",
    "equations",
    "plots",
    "cli",
]
SOURCES = sorted((ROOT / "minisam").rglob("*.py"))


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint():
    run("ruff", "check", "--no-cache", "--output-format", "concise", "minisam", "tests")


def test_format():
    run("ruff", "format", "--no-cache", "--check", "minisam", "tests")


def test_types():
    run("mypy", "--no-error-summary")


def test_docstrings_name_their_parameters():
    """Numpydoc's own validation: every documented parameter exists, none is forgotten."""
    paths = [str(path) for path in SOURCES]
    run("numpydoc.hooks.validate_docstrings", *paths)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward(path):
    own = path.relative_to(ROOT / "minisam").parts[0].removesuffix(".py")
    if own not in ORDER:
        return  # __init__ and __main__ stand above all
    for module in imports(path):
        if module.startswith("minisam."):
            other = module.split(".")[1]
            assert ORDER.index(other) <= ORDER.index(own), f"{own} imports {module}"
        if own != "arrays":
            assert module.split(".")[0] not in ("cupy", "cupyx")


def test_importing_minisam_loads_nothing_heavy():
    code = (
        "import sys, minisam; heavy = {'matplotlib', 'sklearn', 'scipy', 'cupy', 'autograd', 'tqdm'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_path_of_a_machine_in_the_sources():
    for path in (*SOURCES, *(ROOT / "tests").rglob("*.py"), ROOT / "README.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(work|root|home|Users)/\w", text), path
