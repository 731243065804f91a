"""The reference, from docstrings: one page for each module that says what is public."""

import inspect
import re
from importlib import import_module
from pkgutil import iter_modules, walk_packages
from typing import Any

import numpy as np
from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

import minisam


def public_modules() -> list[str]:
    """Name minisam, and each part of it that has an ``__all__``."""
    parts = [f"minisam.{info.name}" for info in iter_modules(minisam.__path__)]
    return ["minisam", *(part for part in parts if part != "minisam.__main__" and _names(part))]


def _names(module: str) -> list[str]:
    return list(getattr(import_module(module), "__all__", ()))


def home(module: str, name: str) -> str:
    """Return the module whose page documents what a module calls by a name.

    That is minisam itself if it offers it, else the part that it is made in, else the module.
    """
    thing = getattr(import_module(module), name)
    made_in = getattr(thing, "__module__", None) or ""
    for place in ("minisam", ".".join(made_in.split(".")[:2])):
        offers = place.startswith("minisam") and name in _names(place)
        if offers and getattr(import_module(place), name) is thing:
            return place
    return module


def page(module: str) -> str:
    """Write a module's page: a table of its names, then those that have their place here."""
    things = {name: getattr(import_module(module), name) for name in _names(module)}
    things = {name: thing for name, thing in things.items() if not inspect.ismodule(thing)}
    lines = [f"# {module}", "```{eval-rst}", f".. automodule:: {module}", ""]
    lines += [f".. currentmodule:: {module}", "", ".. autosummary::", "   :nosignatures:", ""]
    for name, thing in things.items():
        if inspect.isroutine(thing) or inspect.isclass(thing) or _is_primitive(thing):
            place = home(module, name)
            lines.append(f"   {name if place == module else f'~{place}.{name}'}")
    for name, thing in things.items():
        if home(module, name) == module:
            lines += ["", *_entry(module, name, thing)]
    return "\n".join([*lines, "```", ""])


def _entry(module: str, name: str, thing: Any) -> list[str]:
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, Exception) else "class"
        return [f".. auto{kind}:: {name}", "   :members:"]
    if inspect.isfunction(thing):
        return [f".. autofunction:: {name}"]
    # A primitive carries its line of mathematics; an alias or a constant is documented in the
    # source, below it.
    text = inspect.getdoc(thing) if _is_primitive(thing) else _comment(module, name)
    return [f".. data:: {name}", "", *(f"   {line}" for line in (text or "").splitlines())]


def _is_primitive(thing: Any) -> bool:
    return isinstance(thing, minisam.autodiff.Primitive)


def _comment(module: str, name: str) -> str:
    """Return the docstring that follows an assignment in the module, or in a part of it."""
    package = import_module(module)
    parts = [i.name for i in walk_packages(getattr(package, "__path__", []), f"{module}.")]
    for each in (module, *parts):
        try:
            found = ModuleAnalyzer.for_module(each).find_attr_docs()
        except PycodeError:
            continue
        if ("", name) in found:
            return "\n".join(found["", name])
    return ""


def _skip(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    return True if isinstance(thing, np.ufunc) else None  # NumPy's docstring is not ours


def _source(app: Sphinx, module: str, name: str) -> str:
    """Say in which file of ours a name is made: its class's, if it is part of a class."""
    top = getattr(import_module(module), name.split(".")[0], None)
    found: str = getattr(top, "__module__", None) or ""
    return found if found.startswith("minisam") else module


def _back(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Correct the links from a file back to the reference.

    Viewcode takes all names of a file for names of one module: `minisam.train` and
    `minisam.training.DivergedError`, made in the same file, would both be sought in `minisam`.
    """

    def corrected(match: re.Match[str]) -> str:
        place, anchor = match.groups()
        for module in sorted(public_modules(), key=len, reverse=True):
            if anchor.startswith(f"{module}."):
                return f"api/{place}.html#{place}{anchor.removeprefix(module)}"
        return match[0]

    if page.startswith("_modules/"):
        link = r"api/(minisam[\w.]*)\.html#(minisam[\w.]*)"
        context["body"] = re.sub(link, corrected, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks."""
    app.connect("html-page-context", _back)
    app.connect("viewcode-follow-imported", _source)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
