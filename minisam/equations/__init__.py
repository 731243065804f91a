"""The index: every equation of the sources, the function that implements it, a check of it.

An entry's check measures by how much its statement is violated, always the same number, and
compares it with a stated tolerance. Errors in the sources are entries too: there the corrected
form must hold and the printed one must fail. ``minisam verify`` walks this index.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any

from minisam.equations import (
    algorithm,
    bound,
    curvature,
    dual_norm,
    errors_blog,
    errors_notes,
    errors_posters,
    errors_sde,
    gradient,
    objective,
    sde,
)
from minisam.equations.entry import EXPOSED, Equation, Result

__all__ = ["EQUATIONS", "EXPOSED", "Equation", "Result", "find", "to_data", "to_table", "verify"]

EQUATIONS: tuple[Equation, ...] = (
    *objective.EQUATIONS,
    *dual_norm.EQUATIONS,
    *gradient.EQUATIONS,
    *algorithm.EQUATIONS,
    *curvature.EQUATIONS,
    *bound.EQUATIONS,
    *sde.EQUATIONS,
    *errors_notes.EQUATIONS,
    *errors_blog.EQUATIONS,
    *errors_posters.EQUATIONS,
    *errors_sde.EQUATIONS,
)
"""All entries, in the order of the derivation; the errors in the sources come last."""


def find(name: str) -> Equation:
    """Return the equation of this name.

    Parameters
    ----------
    name : str
        As in the table of `to_table`.

    Returns
    -------
    Equation
        The entry.

    Raises
    ------
    ValueError
        There is none; the message has the nearest names.

    Examples
    --------
    >>> find("rescaled-gradient").source
    "SAM paper (Foret et al. 2021), footnote 2; SDE poster, 'Recap on SAM'"
    >>> find("dual-norm")
    Traceback (most recent call last):
    ...
    ValueError: unknown equation 'dual-norm'. Did you mean dual-norm-value, ...
    """
    by_name = {equation.name: equation for equation in EQUATIONS}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, n=3)
    near = near or [known for known in by_name if name and name in known][:5]
    hint = f"Did you mean {', '.join(near)}? " if near else ""
    every = f"`minisam verify` without a name lists all {len(by_name)}."
    raise ValueError(f"unknown equation {name!r}. {hint}{every}")


def verify(names: Iterable[str] | None = None) -> list[Result]:
    """Check equations.

    Parameters
    ----------
    names : iterable of str, optional
        Which; by default all of them. One name may be given as a string.

    Returns
    -------
    list of Result
        In the order of the names.

    Raises
    ------
    ValueError
        A name is unknown; nothing is checked then.

    Examples
    --------
    >>> [result.passed for result in verify(["dual-norm-length", "notes-multiplication"])]
    [True, True]
    """
    if names is None:
        return [equation.verify() for equation in EQUATIONS]
    chosen = [find(name) for name in ([names] if isinstance(names, str) else names)]
    return [equation.verify() for equation in chosen]


def to_data(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Return results as plain data, each with its equation: ready for `json.dumps`.

    Parameters
    ----------
    results : iterable of Result
        From `verify`.

    Returns
    -------
    list of dict
        Strings, numbers, booleans and None; a number that is not finite is None.

    Examples
    --------
    >>> data = to_data(verify("dual-norm-length"))[0]
    >>> data["function"], data["passed"], data["kind"]
    ('minisam.sam.epsilon_hat', True, 'holds')
    """
    return [_row(result, find(result.name)) for result in results]


def _row(result: Result, equation: Equation) -> dict[str, Any]:
    return {
        "name": equation.name,
        "title": equation.title,
        "source": equation.source,
        "latex": equation.latex,
        "printed_latex": equation.printed_latex,
        "function": equation.implementation,
        "measures": equation.measures,
        "kind": result.kind,
        "error": _finite(result.error),
        "tolerance": result.tolerance,
        "printed_error": _finite(result.printed_error),
        "passed": result.passed,
        "seconds": result.seconds,
        "message": result.message,
    }


def _finite(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None


def to_table(results: Iterable[Result]) -> str:
    """Return results as a table for a terminal.

    Parameters
    ----------
    results : iterable of Result
        From `verify`.

    Returns
    -------
    str
        A line for each result, and one that sums them up.

    Examples
    --------
    >>> print(to_table(verify("blog-efficiency")))
    equation         function         error  tolerance  as printed
    --------------------------------------------------------------------------------
    blog-efficiency  minisam.sam.SAM  0      0          0.5         fails as printed
    --------------------------------------------------------------------------------
    1 of 1 verified in ... s; of them 1 misprint, which fails as printed and holds as corrected
    """
    results = list(results)
    rows = [("equation", "function", "error", "tolerance", "as printed", "")]
    for r in results:
        printed = "" if r.printed_error is None else f"{r.printed_error:.2g}"
        rows.append(
            (
                r.name,
                find(r.name).implementation,
                f"{r.error:.1e}" if r.error else "0",
                f"{r.tolerance:g}",
                printed,
                r.kind if r.passed else f"FAILED {r.message}".rstrip(),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    passed, seconds = sum(r.passed for r in results), sum(r.seconds for r in results)
    verdict = f"{passed} of {len(results)} verified in {seconds:.1f} s"
    misprints = sum(r.passed and r.kind == "fails as printed" for r in results)
    if misprints:
        what = "misprint, which fails" if misprints == 1 else "misprints, which fail"
        also = "holds" if misprints == 1 else "hold"
        verdict += f"; of them {misprints} {what} as printed and {also} as corrected"
    return "\n".join([lines[0], rule, *lines[1:], rule, verdict])
