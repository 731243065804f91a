"""An equation, its check, and what checking it found."""

import inspect
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Check: TypeAlias = Callable[[], float]

EXPOSED = 0.01
"""A form that is wrong must be off by at least this much, relative to the right answer."""


@dataclass(frozen=True)
class Equation:
    r"""One equation of the sources, the function that implements it, and a check that can fail.

    Parameters
    ----------
    name : str
        Short, lower case, with hyphens: what the command line takes.
    title : str
        What it says, in a few words.
    source : str
        The document, and where in it.
    latex : str
        The statement that holds.
    function : callable
        What implements it.
    measures : str
        What `check` measures, in one sentence.
    check : callable
        ``() -> float``: by how much the statement is violated, relative to its terms' size. The
        same number at every call.
    tolerance : float
        The largest error that rounding, or the order of a limit, explains.
    printed : callable, optional
        For an error in a source, the same measurement of the form that is printed there.
    printed_latex : str, optional
        That form.

    Examples
    --------
    >>> import minisam as ms
    >>> length = ms.equations.find("dual-norm-length")
    >>> print(length.latex)
    \|\hat\epsilon\|_p = \rho
    >>> length.implementation
    'minisam.sam.epsilon_hat'
    >>> length.check() <= length.tolerance
    True
    """

    name: str
    title: str
    source: str
    latex: str
    function: Callable[..., Any]
    measures: str
    check: Check
    tolerance: float
    printed: Check | None = None
    printed_latex: str | None = None

    @property
    def implementation(self) -> str:
        """The function's dotted name, from the outermost package that offers it."""
        name = self.function.__name__
        parts = self.function.__module__.split(".")
        for i in range(1, len(parts) + 1):
            module = ".".join(parts[:i])
            if getattr(sys.modules[module], name, None) is self.function:
                return f"{module}.{name}"
        raise LookupError(f"{self.name}: {name} is not a public name of {self.function.__module__}")

    def verify(self) -> "Result":
        """Run the check, and for an error in a source the printed form as well.

        Returns
        -------
        Result
            An exception counts as a failure, with its text as the message.

        Examples
        --------
        >>> import minisam as ms
        >>> ms.equations.find("notes-absolute-value").verify().kind
        'fails as printed'
        """
        start = time.perf_counter()
        error, printed_error, message = math.nan, None, ""
        try:
            error = float(self.check())
            if self.printed is not None:
                printed_error = float(self.printed())
        except Exception as e:
            message = f"{type(e).__name__}: {e}"
        # Written so that NaN fails where a form must hold, and counts as wrong where it must not.
        passed = not message and error <= self.tolerance
        if printed_error is not None:
            passed = passed and not printed_error <= EXPOSED
        seconds = time.perf_counter() - start
        kind: Literal["holds", "fails as printed"]
        kind = "holds" if self.printed is None else "fails as printed"
        return Result(
            self.name, error, self.tolerance, passed, seconds, kind, printed_error, message
        )


@dataclass(frozen=True)
class Result:
    """What checking one equation found.

    Parameters
    ----------
    name : str
        The equation's.
    error, tolerance : float
        What was measured for the form that should hold, and what is allowed.
    passed : bool
        The error is within its tolerance; and if the source prints another form, that one is
        wrong by more than `EXPOSED`.
    seconds : float
        How long it took.
    kind : {"holds", "fails as printed"}
        What passing means.
    printed_error : float or None
        The error of the printed form.
    message : str
        Of the exception that a check raised, else empty.

    Examples
    --------
    See `minisam.equations.verify`.
    """

    name: str
    error: float
    tolerance: float
    passed: bool
    seconds: float
    kind: Literal["holds", "fails as printed"]
    printed_error: float | None = None
    message: str = ""


def equation(
    *, title: str, source: str, latex: str, function: Callable[..., Any], tolerance: float
) -> Callable[[Check], Equation]:
    """Turn a check into an `Equation` named after it.

    Parameters
    ----------
    title, source, latex, function, tolerance
        As for `Equation`.

    Returns
    -------
    callable
        A decorator of ``() -> float``.

    Examples
    --------
    >>> import math
    >>> @equation(title="", source="", latex="", function=math.sin, tolerance=1e-15)
    ... def odd_sine() -> float:
    ...     "|sin(-1) + sin(1)|."
    ...     return abs(math.sin(-1) + math.sin(1))
    >>> odd_sine.name, odd_sine.verify().passed
    ('odd-sine', True)
    """

    def decorate(check: Check) -> Equation:
        name, measures = _described(check)
        return Equation(name, title, source, latex, function, measures, check, tolerance)

    return decorate


def misprint(
    *,
    title: str,
    source: str,
    latex: str,
    printed_latex: str,
    function: Callable[..., Any],
    tolerance: float,
    correct: Callable[..., Any],
    printed: Callable[..., Any],
) -> Callable[[Callable[[Callable[..., Any]], float]], Equation]:
    """Turn a measurement into an `Equation` that holds as corrected and fails as printed.

    One and the same measurement is made of both forms.

    Parameters
    ----------
    title, source, latex, printed_latex, function, tolerance
        As for `Equation`.
    correct, printed : callable
        The two forms, of whatever arguments the measurement gives them.

    Returns
    -------
    callable
        A decorator of ``form -> float``.

    Examples
    --------
    >>> import math
    >>> @misprint(title="", source="", latex="", printed_latex="", function=math.sin,
    ...           tolerance=1e-15, correct=lambda c: 1 - c * c, printed=lambda c: 1 - c)
    ... def sine_squared(form) -> float:
    ...     "The form at cos 1, against sin² 1."
    ...     return abs(form(math.cos(1)) - math.sin(1) ** 2)
    >>> sine_squared.verify().kind, sine_squared.verify().passed
    ('fails as printed', True)
    """

    def decorate(measure: Callable[[Callable[..., Any]], float]) -> Equation:
        name, measures = _described(measure)
        return Equation(
            name,
            title,
            source,
            latex,
            function,
            measures,
            lambda: measure(correct),
            tolerance,
            lambda: measure(printed),
            printed_latex,
        )

    return decorate


def _described(f: Callable[..., float]) -> tuple[str, str]:
    return f.__name__.replace("_", "-"), inspect.getdoc(f) or ""
