"""``minisam book``: the chapters, notebooks and reference, executed and checked, as web pages."""

import shutil
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import minisam
from minisam.cli.preparing import writable

NEEDED = (
    *("sphinx", "myst_nb", "numpydoc", "sphinx_book_theme", "sphinxcontrib.bibtex"),
    "sphinx-mathjax-offline",  # no name for an import statement, but that of a folder
)


def run(args: Namespace) -> int:
    """Make the book, and say where it is.

    Parameters
    ----------
    args : argparse.Namespace
        ``out``, the folder to write to; a book that is there is replaced.

    Returns
    -------
    int
        0, or 1 if a page has a fault; a book that is there is then left as it is.

    Raises
    ------
    ImportError
        What makes the book is not installed.
    FileExistsError
        The folder holds something else than a book.
    FileNotFoundError
        This is not a checkout.
    """
    out = Path(args.out)
    print("minisam book: every notebook runs; it takes some minutes.", file=sys.stderr)
    code = build(out)
    if code == 0:
        print(f"The book is in {out / 'index.html'}")
    return code


def build(out: Path) -> int:
    """Make the book with Sphinx, each warning an error.

    Parameters
    ----------
    out : pathlib.Path
        Folder to write to.

    Returns
    -------
    int
        Exit code of Sphinx.
    """
    pages = _pages()
    missing = [name for name in NEEDED if not installed(name)]
    if missing:
        raise ImportError(
            f"the book needs {', '.join(missing)}. In the checkout: "
            "python -m pip install '.[book]'."
        )
    if out.is_file() or (
        (out.exists() and any(out.iterdir())) and not (out / "searchindex.js").exists()
    ):
        raise FileExistsError(f"{out} holds something else than a book; name another with --out.")
    writable(out)
    from sphinx.cmd.build import main

    with TemporaryDirectory() as folder:
        source, html = Path(folder, "source"), Path(folder, "html")
        source.mkdir()
        where = ["-c", str(pages), "-d", f"{folder}/doctrees", str(source), str(html)]
        code = main(["-q", "-W", "--keep-going", "-j", "auto", *where])
        if code == 0:
            shutil.rmtree(out, ignore_errors=True)  # it need not be there
            shutil.copytree(html, out)
    return code


def _pages() -> Path:
    for root in (Path(minisam.__file__).parents[1], Path.cwd()):
        if (root / "book" / "conf.py").exists():
            return root / "book"
    raise FileNotFoundError(
        "the book's pages are not part of the installed package. Go to the checkout's folder, "
        "which has the folder book, and run: python -m minisam book"
    )


def installed(name: str) -> bool:
    """Say whether a module is there, without importing it."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it is a part of
        return False
