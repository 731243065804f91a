"""`pytest --minisam-check`, as another project would call it. It needs `pip install -e .`."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADAPTER = """
import numpy as np
import minisam as ms

functions = {"sin": np.sin, "exp": lambda x: np.exp(x) * (1 + 1e-3 * (x - getattr(x, "value", x)))}
vjp, order = ms.vjp, 2
"""


@pytest.fixture(autouse=True)
def _installed():
    assert entry_points(group="pytest11", name="minisam"), "install it again: pip install -e ."


def run(*words, cwd):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "adapter.py").write_text(ADAPTER)
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    return tmp_path


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_a_table_and_the_failures(project, parallel):
    done = run("--minisam-check", "engine.adapter", *parallel, cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["order", "1", "order", "2"] in rows
    assert ["sin", "7", "pass", "7", "pass"] in rows
    assert ["exp", "6", "of", "7", "fail", "6", "of", "7", "fail"] in rows, done.stdout
    assert "wrong derivative (reverse)" in done.stdout
    assert "2 failed, 2 passed" in done.stdout
    assert "Traceback" not in done.stdout


def test_tests_that_are_named_run_beside_it(project):
    done = run("--minisam-check", "engine.adapter", "test_own.py", cwd=project)
    assert "2 failed, 3 passed" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No module named"),
        ("functions = {}", "has no 'vjp'"),
        ("functions = {}; vjp = None", "offers no functions"),
        ("import nothing", "nothing"),
        ("import os\n\n1 / 0", "other.py, line 3: ZeroDivisionError: division by zero"),
        ("def f(:", "other.py, line 1)"),
    ],
)
def test_an_adapter_that_is_none(project, text, says):
    if text is not None:
        (project / "other.py").write_text(text)
    done = run("--minisam-check", "other", cwd=project)
    assert done.returncode == 4
    assert "--minisam-check other: " in done.stderr
    assert says in done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_it_costs_nothing_when_it_is_not_asked_for(project):
    code = (
        "import pytest, sys; code = pytest.main(['-q', '-p', 'no:cacheprovider']); "
        "sys.exit(code or ', '.join({'minisam', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
