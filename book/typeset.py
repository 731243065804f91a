"""Two things that would be typeset otherwise than they are meant."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class Bars(SphinxTransform):
    """In our docstrings ``|w|`` is an absolute value; reStructuredText takes it for a macro."""

    default_priority = 219  # one before macros are replaced

    def apply(self, **_: Any) -> None:
        """Write the bars back."""
        for node in list(self.document.findall(nodes.substitution_reference)):
            node.replace_self(nodes.Text(f"|{node.astext()}|"))


class Tags(SphinxTransform):
    r"""Sphinx puts what has a ``\\`` into ``split``, in which MathJax refuses a ``\tag``."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Make an equation of it."""
        for node in self.document.findall(nodes.math_block):
            if r"\tag{" in node.astext():
                node["no-wrap"] = True
                node[:] = [nodes.Text(rf"\begin{{equation}}{node.astext()}\end{{equation}}")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both."""
    app.add_transform(Bars)
    app.add_transform(Tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
