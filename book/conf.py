"""How Sphinx makes the book. `minisam book` calls it; the pages are gathered by `gather`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the kernels that run beside each other

project = "minisam"
author = "the minisam authors"
copyright = author
root_doc = "index"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinxcontrib.bibtex",
    "myst_nb",
    "api",
    "gather",
    "typeset",
]

nb_execution_mode = "force"  # the cache knows a notebook's text, but not the library it calls
# Notebooks not to execute, for tests of the pages: other tests run every notebook.
nb_execution_excludepatterns = os.environ.get("MINISAM_BOOK_UNEXECUTED", "").split()
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_output_stderr = "remove-warn"
myst_enable_extensions = ["deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
bibtex_bibfiles = [str(HERE / "references.bib")]
bibtex_reference_style = "author_year"

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections have them
autosummary_generate = False
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
add_module_names = False
python_maximum_signature_line_length = 80

# A checkout may have no notebook.
suppress_warnings = ["toc.empty_glob"]

html_theme = "sphinx_book_theme"
html_title = "minisam"
html_favicon = str(HERE / "_static" / "favicon.svg")
html_static_path = [str(HERE / "_static")]
html_domain_indices = False  # the sidebar lists the modules
html_css_files = ["book.css"]
html_theme_options = {
    "path_to_docs": "book",
    "show_toc_level": 2,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the sidebar has the search
}
html_context = {"default_mode": "auto"}

# MathJax with every extension inside, and its fonts: nothing is loaded from elsewhere.
mathjax_path = "mathjax/tex-chtml-full.js"


def copy_mathjax(app: Sphinx, failure: Exception | None) -> None:
    """Copy the two parts of MathJax that the pages load out of the package that carries it."""
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent  # type: ignore
    if failure is None:
        static = app.outdir / "_static" / "mathjax"
        copy_asset(package / "static" / "mathjax" / "tex-chtml-full.js", static)
        fonts = "output/chtml/fonts"
        copy_asset(package / "static" / "mathjax" / fonts, static / fonts)


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("build-finished", copy_mathjax)
