"""Which methods, with which of the options that were given."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

from minisam import sam
from minisam.cli.arguments import METHOD_OPTIONS, METHODS
from minisam.cli.parser import unknown
from minisam.sam import Method

MAKE: dict[str, tuple[Callable[..., Method], tuple[str, ...]]] = {
    "sam": (sam.SAM, ("rho", "p", "order", "eta", "steps", "chunk")),
    "erm": (sam.ERM, ()),
    "usam": (sam.USAM, ("rho",)),
    "dnsam": (sam.DNSAM, ("rho",)),
    "esam": (sam.ESAM, ("rho", "beta", "gamma")),
    "looksam": (sam.LookSAM, ("rho", "p", "k", "alpha")),
    "sssam": (sam.SSSAM, ("rho", "p", "probability")),
    "aesam": (sam.AESAM, ("rho", "p", "delta", "lambda1", "lambda2")),
    "aelooksam": (sam.AELookSAM, ("rho", "p", "alpha", "delta", "lambda1", "lambda2")),
    "gsam": (sam.GSAM, ("rho", "p", "alpha")),
    "fsam": (sam.FSAM, ("rho", "p")),
    "msam": (sam.MSAM, ("rho", "p")),
}
"""Constructors, and the options that each one takes."""
KINDS = {"rho": float, "p": float, **{name: kind for name, (kind, _) in METHOD_OPTIONS.items()}}


@dataclass(frozen=True)
class Named:
    """A method of a comparison.

    Parameters
    ----------
    name : str
        In its table.
    call : str
        What makes it, with all options, in Python.
    method : Method
        Itself.
    """

    name: str
    call: str
    method: Method


def method(args: Namespace) -> Method:
    """Make the method of a command line.

    Parameters
    ----------
    args : argparse.Namespace
        ``method``, and options; those that are None are left to the method.

    Returns
    -------
    Method
        Ready to train with.

    Raises
    ------
    ValueError
        An option is out of range, or is not for this method.
    """
    _refuse_what_is_for_none_of([args.method], args)
    make, takes = MAKE[args.method]
    return make(**_given(args, takes))


def methods(args: Namespace) -> list[Named]:
    """Make the methods of a comparison.

    Parameters
    ----------
    args : argparse.Namespace
        ``methods``, as in ``erm,sam,sam:rho=0.2:steps=3``, and options for all that take them.

    Returns
    -------
    list of Named
        A method that is there once goes by its name, others by their options as well.

    Raises
    ------
    ValueError
        A name or an option is not known, an option is out of range, or is for none of them.

    Examples
    --------
    >>> from minisam.cli.arguments import parse
    >>> args = parse(["compare", "--methods", "erm,sam,sam:rho=0.2", "--steps", "3"])
    >>> for named in methods(args):
    ...     print(named.name, "--", named.call)
    ERM -- ERM()
    SAM -- SAM(rho=0.05, p=2.0, order=1, steps=3)
    SAM rho=0.2 -- SAM(rho=0.2, p=2.0, order=1, steps=3)
    """
    texts = [text.strip().lower() for text in args.methods.split(",")]
    asked = [(text, *_parsed(text)) for text in texts]
    _refuse_what_is_for_none_of([name for _, name, _ in asked], args)
    made = [_named(text, name, own, args) for text, name, own in asked]
    calls = [named.call for named in made]
    for call in calls:
        if calls.count(call) > 1:
            raise ValueError(f"--methods has {call} twice.")
    names = [named.method.name for named in made]
    return [
        named if names.count(named.method.name) > 1 else replace(named, name=named.method.name)
        for named in made
    ]


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``name:option=value:option=value``."""
    name, *options = text.split(":")
    if not name:
        raise ValueError("--methods has an empty name; write erm,sam without a comma at the end.")
    if name not in MAKE:
        raise ValueError(unknown("method", name, METHODS))
    takes, own = MAKE[name][1], {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in takes:
            raise ValueError(f"in {text!r}: {unknown('option', key, takes or ('none',))}")
        if key in own:
            raise ValueError(f"in {text!r}: {key} is given twice.")
        try:
            own[key] = KINDS[key](value)
        except ValueError:
            raise ValueError(
                f"in {text!r}: {key} is {KINDS[key].__name__}, as in {name}:{key}=1, got {value!r}."
            ) from None
    return name, own


def _named(text: str, name: str, own: dict[str, Any], args: Namespace) -> Named:
    make, takes = MAKE[name]
    bound = signature(make).bind(**_given(args, takes) | own)
    bound.apply_defaults()
    words = [f"{key}={value!r}" for key, value in bound.arguments.items() if value is not None]
    method = make(*bound.args, **bound.kwargs)
    shown = " ".join([method.name, *text.split(":")[1:]])
    return Named(shown, f"{make.__name__}({', '.join(words)})", method)


def _given(args: Namespace, takes: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in takes if (value := getattr(args, name)) is not None}


def _refuse_what_is_for_none_of(names: list[str], args: Namespace) -> None:
    """Refuse an option that no method has a use for."""
    given = [option for option in METHOD_OPTIONS if getattr(args, option) is not None]
    if args.p != 2 and set(names) != {"erm"}:  # train measures ERM, too, in a ball of this p
        given.append("p")
    for option in given:
        if any(option in MAKE[name][1] for name in names):
            continue
        users = ", ".join(name for name, (_, takes) in MAKE.items() if option in takes)
        has = f"{names[0]} has" if len(names) == 1 else f"{', '.join(names)} have"
        raise ValueError(f"--{option} is for {users}; {has} no use for it.")
