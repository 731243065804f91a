"""What the book is made of: its own pages, every notebook, and a page for each public module.

Sphinx reads them from a folder that is filled here anew for each build, so that nothing is listed
twice and nothing generated lies in the checkout.
"""

import json
import os
import re
import sys
from pathlib import Path

import api
import nbformat
from generated import Generated
from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
MARK = re.compile(r"^% generated: (\w+) ?(.*)$", re.MULTILINE)
SOURCE = re.compile(r"\[([^]]+)\]\(\.\./(minisam/[\w/]+)\.py\)")


def fill(app: Sphinx) -> None:
    """Fill the source folder, and check the equations once for all pages."""
    source = Path(app.srcdir)
    for page in HERE.rglob("*.md"):
        _write(source / page.relative_to(HERE), page.read_text(encoding="utf-8"))
    for module in api.public_modules():
        _write(source / "api" / f"{module}.md", api.page(module))
    for notebook in sorted((ROOT / "tutorials").glob("*.ipynb")):
        _write(source / "tutorials" / notebook.name, _with_sources(notebook))
    app.env.generated = Generated(ROOT / "tutorials")  # type: ignore[attr-defined]
    _set_up_kernel(source.parent / "jupyter")


def complete(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put what is generated in its place in a page."""
    generated: Generated = app.env.generated  # type: ignore[attr-defined]
    content[0] = MARK.sub(lambda m: getattr(generated, m[1])(m[2]), content[0])


def _with_sources(path: Path) -> str:
    """Return a notebook whose links to source files lead to their pages in the book."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = SOURCE.sub(r'<a href="../_modules/\2.html">\1</a>', cell.source)
    return nbformat.writes(notebook)


def _set_up_kernel(folder: Path) -> None:
    """Run cells by the interpreter that makes the book, on this checkout."""
    log = "--log-level=ERROR"  # without it each kernel says that it is not encrypted
    argv = [sys.executable, "-m", "ipykernel_launcher", log, "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    _write(folder / "kernels" / "python3" / "kernel.json", json.dumps(spec))
    for name, path in (("JUPYTER_PATH", folder), ("PYTHONPATH", ROOT)):
        os.environ[name] = os.pathsep.join([str(path), os.environ.get(name, "")]).rstrip(os.pathsep)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both hooks."""
    app.connect("builder-inited", fill)
    app.connect("source-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
