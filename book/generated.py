"""Text made from `minisam.equations`: the equation index, the errata, what checks a source."""

import json
import re
import sys
from pathlib import Path

from minisam.equations import EQUATIONS, Equation, Result, verify

MODULE = "minisam.equations."


class Generated:
    """The parts of pages that follow from the library.

    Parameters
    ----------
    tutorials : pathlib.Path
        Folder of notebooks, searched for the names of equations.
    """

    def __init__(self, tutorials: Path) -> None:
        self.results = {result.name: result for result in verify()}
        failed = [name for name, result in self.results.items() if not result.passed]
        if failed:
            raise RuntimeError(f"equations do not hold: {', '.join(failed)}. See minisam verify.")
        self.notebooks = {path: _text(path) for path in sorted(tutorials.glob("*.ipynb"))}

    def index(self, _: str) -> str:
        """List every equation with its function, its measured error, and where it is derived."""
        rows = ["| equation | error | tolerance | function |", "|---|---|---|---|"]
        for e in EQUATIONS:
            r = self.results[e.name]
            numbers = f"{_number(r.error)} | {_number(r.tolerance)}"
            rows.append(f"| [{e.name}](#{_label(e)}) | {numbers} | {_link(e)} |")
        parts = ["\n".join(rows)]
        for heading, equations in _chapters().items():
            parts += [f"## {heading}", *(self._entry(e) for e in equations)]
        return "\n\n".join(parts)

    def errata(self, _: str) -> str:
        """List every form that a source prints and that fails, beside the one that holds."""
        wrong = [e for e in EQUATIONS if e.printed_latex is not None]
        parts = []
        for source in dict.fromkeys(_document(e) for e in wrong):
            parts.append(f"## {source[0].upper() + source[1:]}")
            parts += [self._erratum(e) for e in wrong if _document(e) == source]
        return "\n\n".join(parts)

    def checks(self, document: str) -> str:
        """List what is checked of one source, and what of it is misprinted."""
        mine = [e for e in EQUATIONS if document in e.source]
        right = [f"- [{e.name}](#{_label(e)}): {e.title}." for e in mine if not e.printed_latex]
        wrong = [f"- [{e.name}](#{_label(e)}): {e.title}." for e in mine if e.printed_latex]
        parts = ["## What is checked", "\n".join(right)]
        if wrong:
            parts += ["## What is misprinted", "\n".join(wrong)]
        return "\n\n".join(parts)

    def modules(self, names: str) -> str:
        """List what the named modules of `minisam.equations` check, and where it is derived."""
        lines = []
        for e in (e for name in names.split() for e in sys.modules[MODULE + name].EQUATIONS):
            where = self._derivations(e)
            lines.append(f"- [{e.name}](#{_label(e)}): {e.title}." + (where and f" {where}."))
        return "\n".join(lines)

    def count(self, what: str) -> str:
        """Count the equations, for a sentence."""
        misprints = sum(e.printed_latex is not None for e in EQUATIONS)
        return f"{len(EQUATIONS)} entries, {misprints} of them misprints. {what}".strip()

    def _entry(self, e: Equation) -> str:
        r = self.results[e.name]
        rows = [
            f"Source\n: {e.source}",
            f"Function\n: {_link(e)}",
            f"Check\n: {_measured(e, r)}",
        ]
        if found := self._derivations(e):
            rows.append(f"Derived in\n: {found}")
        return "\n\n".join([f"({_label(e)})=\n### {e.title}", f"`{e.name}`", _shown(e), *rows])

    def _erratum(self, e: Equation) -> str:
        r = self.results[e.name]
        return "\n\n".join(
            [
                f"### {e.title}",
                "Printed:",
                f"$$\n{e.printed_latex}\n$$",
                f"Its error is {_number(r.printed_error)}. Correct:",
                f"$$\n{e.latex}\n$$",
                f"Its error is {_number(r.error)}. Both are measured in the same way: "
                f"{_sentence(e.measures)} Place: {e.source}. "
                f"Entry: [{e.name}](#{_label(e)}).",
            ]
        )

    def _derivations(self, e: Equation) -> str:
        # The name as a word by itself: sam-objective is not in sde-sam-objective.
        word = re.compile(rf"(?<![\w-]){re.escape(e.name)}(?![\w-])")
        found = [path for path, text in self.notebooks.items() if word.search(text)]
        return ", ".join(f"[{_title(path)}](/tutorials/{path.name})" for path in found)


def _chapters() -> dict[str, list[Equation]]:
    """Group the equations by the module that checks them, under its docstring's first line."""
    chapters: dict[str, list[Equation]] = {}
    for name, module in sys.modules.items():
        if name.startswith(MODULE) and hasattr(module, "EQUATIONS"):
            heading = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
            chapters[heading] = list(module.EQUATIONS)
    order = {e.name: i for i, e in enumerate(EQUATIONS)}
    return dict(sorted(chapters.items(), key=lambda item: order[item[1][0].name]))


def _document(e: Equation) -> str:
    return e.source.split(",")[0].split(";")[0]


def _label(e: Equation) -> str:
    return f"equation-{e.name}"


def _link(e: Equation) -> str:
    short = e.implementation.removeprefix("minisam.")
    return f"{{py:obj}}`{short} <{e.implementation}>`"


def _measured(e: Equation, r: Result) -> str:
    bound = f"error {_number(r.error)}, tolerance {_number(r.tolerance)}"
    if r.printed_error is not None:
        bound += f"; as printed {_number(r.printed_error)}"
    return f"{_sentence(e.measures)} **{bound[0].upper() + bound[1:]}.**"


def _number(x: float | None) -> str:
    """Write a number as mathematics."""
    if x is None or x != x:
        return "not a number"
    if x == 0 or 0.01 <= x < 1e4:
        return f"{x:.3g}"
    digits, _, exponent = f"{x:.1e}".partition("e")
    digits = "" if float(digits) == 1 else rf"{digits.removesuffix('.0')} \cdot "
    return f"${digits}10^{{{int(exponent)}}}$"


def _sentence(text: str) -> str:
    """Join a docstring's lines; what Markdown would take for its own is escaped."""
    text = " ".join(text.split())
    return re.sub(r"([*_\\$<>|\[\]])", r"\\\1", text)


def _shown(e: Equation) -> str:
    shown = f"$$\n{e.latex}\n$$"
    if e.printed_latex is None:
        return shown
    return f"Holds:\n\n{shown}\n\nFails as printed:\n\n$$\n{e.printed_latex}\n$$"


def _text(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _title(path: Path) -> str:
    return _text(path).splitlines()[0].removeprefix("# ")
