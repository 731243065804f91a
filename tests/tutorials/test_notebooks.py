"""The tutorials cannot rot: each runs, silently, and each of its derivations is checked.

A notebook runs in a fresh kernel of this interpreter, in an empty folder, without network and
without data sets, and every warning is an error there.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  makes the list of fonts if there is none
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from matplotlib import get_cachedir
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from minisam.equations import EQUATIONS

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

ENDING = ["What we showed", "Exercises", "References"]
IMPORTS = """\
try:
    import minisam as ms
except ModuleNotFoundError:  # opened in a checkout without an environment: install it from there
    %pip install -q "..[data,plots,progress]"
    import minisam as ms
import matplotlib.pyplot as plt
import numpy as np"""

STARTUP = """\
import socket, warnings

def refused(*args, **kwargs):
    raise OSError("a tutorial must not need the network")

socket.getaddrinfo = refused
warnings.simplefilter("error")
"""


def read(path):
    return nbformat.read(path, as_version=4)


def markdown(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def run(notebook, folder):
    """Execute a notebook in a folder, and refuse what it says on stderr."""
    profile = folder / "ipython" / "profile_default" / "startup"
    profile.mkdir(parents=True)
    (profile / "strict.py").write_text(STARTUP, encoding="utf-8")
    away = folder / "away"
    away.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "MINISAM_DATA"}
    environment |= {
        "HOME": str(away),  # no data sets in ~/.cache either
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": get_cachedir(),  # its list of fonts, and nobody's settings
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    # No folder of kernels: what remains is the kernel of the interpreter that runs the tests.
    manager = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )
    client = NotebookClient(notebook, km=manager, timeout=600, shutdown_kernel="immediate")
    client.execute(env=environment, cwd=str(away), cleanup_kc=True)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    said = "".join(out.text for out in outputs if out.get("name") == "stderr")
    assert not said, said


@every_notebook
def test_it_runs(path, tmp_path):
    run(read(path), tmp_path)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("assert 1 + 1 == 3", "AssertionError"),
        ("import numpy as np; np.log(np.zeros(1))", "RuntimeWarning"),
        ("import urllib.request as u; u.urlopen('http://localhost')", "must not need the network"),
        ("import minisam as ms; ms.data.load('mnist')", "FileNotFoundError"),
        ("import sys; print('careful', file=sys.stderr)", "careful"),
    ],
)
def test_a_rotten_notebook_is_found(code, why, tmp_path):
    with pytest.raises((CellExecutionError, AssertionError), match=why):
        run(new_notebook(cells=[new_code_cell(code)]), tmp_path)


@every_notebook
def test_it_is_committed_as_written(path):
    """Nothing that a run leaves behind: outputs, counts, the kernel's version, editors' marks."""
    text = path.read_text(encoding="utf-8")
    notebook = read(path)
    nbformat.validate(notebook)
    assert text == nbformat.writes(notebook) + "\n"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        assert not cell.metadata
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert not re.search(r"/(work|root|home|Users|tmp)/\w", text)


@every_notebook
def test_its_cells_have_names_of_their_own(path):
    names = [cell.id for cell in read(path).cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(path.name[:2] + r"-\w+", name) for name in names)


@every_notebook
def test_its_beginning_and_end_are_those_of_all(path):
    notebook = read(path)
    first, imports = notebook.cells[:2]
    assert re.match(rf"# {path.name[:2]} · \S", first.source)
    for heading in ("**You will learn**", "**You need**", "**Runs in**"):
        assert heading in first.source
    assert imports.source == IMPORTS
    titles = re.findall(r"^# .*$", "\n".join(markdown(notebook)), re.MULTILINE)
    assert len(titles) == 1, "a page has one title"
    sources = [cell.source for cell in notebook.cells]
    end = "\n".join(sources[summary(notebook) :])
    assert re.findall(r"^#+ (.*)$", end, re.MULTILINE) == ENDING


def summary(notebook):
    """Give the place of the cell that begins the end."""
    begins = [cell.source.startswith(f"## {ENDING[0]}\n") for cell in notebook.cells]
    assert sum(begins) == 1, f"one cell must begin with ## {ENDING[0]}"
    return begins.index(True)


def steps(notebook):
    """Yield each cell that derives or promises a check, and the code that has to keep it.

    After a displayed equation that is the code up to the next one, so that a cell with **Check**
    may come between; after **Check** it is the code up to the next cell with either.
    """
    cells = notebook.cells
    texts = [cell.source if cell.cell_type == "markdown" else "" for cell in cells]
    end = summary(notebook)
    equations = [i for i in range(end) if "$$" in texts[i]]
    checks = [i for i in range(end) if "**Check**" in texts[i]]
    for i in sorted({*equations, *checks}):
        stops = equations if i in equations else equations + checks
        stop = min([j for j in stops if j > i], default=end)
        yield cells[i], [c.source for c in cells[i:stop] if c.cell_type == "code"]


@every_notebook
def test_each_derivation_is_asserted(path):
    found = list(steps(read(path)))
    assert len(found) >= 3
    for cell, code in found:
        asserts = [n for text in code for n in ast.walk(ast.parse(text)) if type(n) is ast.Assert]
        # An assert that names nothing compares nothing.
        named = [n for a in asserts for n in ast.walk(a.test) if type(n) is ast.Name]
        assert named, f"no assert follows {cell.id}: {cell.source[:200]}"


@every_notebook
def test_its_equations_are_numbered_in_order(path):
    """With \\tag{}, which Jupyter understands; a label after the $$ it does not."""
    text = "\n".join(markdown(read(path)))
    assert text.count("$$") % 2 == 0
    assert not re.search(r"\$\$ *\(", text)
    tags = re.findall(r"\\tag\{(.*?)\}", text)
    assert tags == [f"{int(path.name[:2])}.{k}" for k in range(1, len(tags) + 1)]


@every_notebook
def test_its_links_lead_somewhere(path):
    text = "\n".join(markdown(read(path)))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://", target):
            assert (path.parent / target.split("#")[0]).is_file(), target
    named = re.findall(r"`minisam verify (?!--)([\w-]+)`", text)
    assert set(named) <= {equation.name for equation in EQUATIONS}


@every_notebook
def test_its_code_is_in_order(path):
    """What the linter asks of the library, but for docstrings and imports where they are used."""
    for command in (["check", "--extend-ignore", "D,E402"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_number_is_taken_once():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers
    assert len(set(numbers)) == len(numbers)
