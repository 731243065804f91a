"""The source itself: linted, formatted, typed, documented, and arranged as the design says."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from inspect import isclass, ismodule, isroutine
from pathlib import Path

import pytest
from numpydoc.validate import validate

import minisam as ms

ROOT = Path(__file__).parents[1]
ORDER = [  # of the house: a file imports its own kind and what stands before it
    *("arrays", "threads", "progress", "text", "autodiff", "ops", "nn", "testing", "sam"),
    *("optimizers", "sharpness", "sde", "data", "training", "equations", "experiments", "plots"),
    *("course", "cli"),
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


MODULES = ["minisam", "minisam.autodiff"] + [
    f"minisam.{name}" for name in ms.__all__ if ismodule(getattr(ms, name))
]
PUBLIC = [
    f"{module}.{name}"
    for module in MODULES
    for name in getattr(import_module(module), "__all__", ())
    if isclass(thing := getattr(import_module(module), name)) or isroutine(thing)
]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings(name):
    """Each public name has a summary, its parameters, what it returns, and an example."""
    module, _, attribute = name.rpartition(".")
    thing = getattr(import_module(module), attribute)
    needed = {"GL08", "SS01", "PR02", "PR01", "RT01", "EX01"}
    if isinstance(thing, ms.autodiff.Primitive):
        needed = {"GL08"}  # a primitive is its one line of mathematics
    elif isinstance(thing, type) and issubclass(thing, Exception | tuple):
        needed = {"GL08", "SS01"}
    elif re.search(r"\bas for `|\bas `", thing.__doc__, re.IGNORECASE):
        needed -= {"PR01", "RT01"}  # they stand in the docstring that is named
    elif "Attributes\n" in thing.__doc__:
        needed -= {"PR01", "EX01"}  # made by the library: its attributes are documented instead
    found = {code: text for code, text in validate(name)["errors"] if code in needed}
    assert not found


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
    heavy = {"matplotlib", "sklearn", "scipy", "cupy", "autograd", "tqdm"}
    heavy |= {"joblib", "threadpoolctl", "dask", "distributed"}
    code = f"import sys, minisam; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_path_of_a_machine_in_the_sources():
    for path in (*SOURCES, *(ROOT / "tests").rglob("*.py"), ROOT / "README.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(work|root|home|Users)/\w", text), path


def test_the_top_level_holds_the_agreed_names_only():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    found = {line.strip('"').split("/")[0] for line in done.stdout.splitlines()}
    agreed = {"pyproject.toml", "README.md", "LICENSE", "minisam", "tutorials", "tests", "book"}
    assert {name for name in found if not name.startswith(".")} <= agreed
