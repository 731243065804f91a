"""The parser that all commands share: one line for what it does not understand."""

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class Refused(Exception):
    """Something expected went wrong.

    Parameters
    ----------
    message : str
        What the user is told.
    code : int
        The exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Parser(argparse.ArgumentParser):
    """Refuses with one line, where argparse prints the whole usage as well."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where help is."""
        raise Refused(f"{self.prog}: {message.rstrip('.')}. See '{self.prog} --help'.", 2)

    def add(self, name: str, default: Any, what: str, kind: Any = None, metavar: str = "X") -> None:
        """Declare an option of a type, by default that of its default."""
        shown = what if default is None else f"{what} (default: %(default)s)"
        kind = kind or type(default)
        self.add_argument(name, default=default, help=shown, type=kind, metavar=metavar)

    def choose(self, name: str, kind: str, known: Sequence[str]) -> None:
        """Declare an option with a few known values, the first by default."""
        self.add(name, known[0], ", ".join(known), one_of(kind, known), "NAME")


class Version(argparse.Action):
    """Looks the version up only when asked: that takes longer than all the parsing."""

    def __call__(self, *_: Any) -> NoReturn:
        """Print it."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"minisam {version('minisam')}")
        except PackageNotFoundError:
            print("minisam, run from its source without being installed")
        raise SystemExit(0)


def one_of(kind: str, known: Sequence[str]) -> Callable[[str], str]:
    """Give the type of an argument that is one of some names."""

    def parse(text: str) -> str:
        if text.lower() not in known:
            raise argparse.ArgumentTypeError(unknown(kind, text, known))
        return text.lower()

    return parse


def widths(text: str) -> tuple[int, ...]:
    """Read ``64,64``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        hint = "write 64,64 for two layers of 64"
        raise argparse.ArgumentTypeError(f"{text!r} is no list of widths; {hint}") from None


def seed_of(text: str) -> int:
    """Read a whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0 on")
    return int(text)


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Say that a name is not known, which one may have been meant, and which there are.

    Parameters
    ----------
    kind : str
        What it should be the name of.
    name : str
        As it was written.
    known : sequence of str
        Those there are.

    Returns
    -------
    str
        Two or three sentences.
    """
    return f"unknown {kind} {name!r}. {nearest(name, known)}Choose from {', '.join(known)}."


def nearest(name: str, known: Sequence[str]) -> str:
    """Ask about the name that may have been meant, if one is near."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}? " if near else ""
