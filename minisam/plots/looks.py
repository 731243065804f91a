"""What a method looks like: the same colour and style of line in every figure."""

import re
from collections.abc import Iterable
from itertools import cycle

COLOURS, STYLES = [f"C{i}" for i in range(7)], ("-", "--", ":", "-.", "-", "--", ":")
"""Those of the style sheet."""
PLAIN, TWICE = ("C1", "--"), ("C5", "-.")
LOOKS = {
    "SAM": ("C0", "-"),
    **dict.fromkeys(("ERM", "GD", "SGD", "SGD SDE"), PLAIN),
    **dict.fromkeys(("ERM (same gradients)", "ERM, twice the epochs"), TWICE),
    "SAM SDE": ("C2", ":"),
    "USAM": ("C3", "-."),
    "USAM SDE": ("C5", "--"),
    "DNSAM": ("C2", ":"),
    "DNSAM SDE": ("C6", ":"),
    "its drift only": ("C3", "-."),
}
"""Colour and style by name, or else by the first word of a name."""


def looks(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Give each name the colour and style of its method.

    Parameters
    ----------
    names : iterable of str
        Of the curves in one figure. Those of no known method, and a second one of the same, get
        what is left.

    Returns
    -------
    dict from str to dict
        For each name ``color`` and ``linestyle``, arguments of ``Axes.plot``.

    Examples
    --------
    >>> looks(["ERM", "SAM, ρ = 0.1"])["SAM, ρ = 0.1"]
    {'color': 'C0', 'linestyle': '-'}
    """
    names, found = list(names), dict[str, tuple[str, str]]()
    for name in names:
        look = LOOKS.get(name) or LOOKS.get(re.split("[ ,]", name)[0])
        if look and look not in found.values():
            found[name] = look
    every, taken = [*zip(COLOURS, STYLES, strict=True)], {colour for colour, _ in found.values()}
    every = every[2:] + every[:2]  # SAM's and ERM's last
    free = cycle(sorted(every, key=lambda look: look[0] in taken))
    shown = {name: found[name] if name in found else next(free) for name in names}
    return {name: {"color": colour, "linestyle": style} for name, (colour, style) in shown.items()}
