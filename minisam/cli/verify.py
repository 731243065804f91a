"""``minisam verify``: every equation, its error and its tolerance."""

import json
from argparse import Namespace

from minisam import equations
from minisam.equations import Equation


def run(args: Namespace) -> int:
    """Check equations, and print what was found.

    Parameters
    ----------
    args : argparse.Namespace
        ``equations``, a list of names in any case, all if it is empty; and ``json``.

    Returns
    -------
    int
        0, or 1 if one does not pass.

    Raises
    ------
    ValueError
        A name is unknown.
    """
    results = equations.verify([name.lower() for name in args.equations] or None)
    if args.json:
        print(json.dumps(equations.to_data(results), indent=1, allow_nan=False))
    else:
        if args.equations:
            print(*(_entry(equations.find(result.name)) for result in results), sep="\n")
        print(equations.to_table(results))
    return 0 if all(result.passed for result in results) else 1


def _entry(equation: Equation) -> str:
    lines = [
        f"{equation.name}: {equation.title}",
        f"  source    {equation.source}",
        f"  function  {equation.implementation}",
        f"  holds     {equation.latex}",
    ]
    if equation.printed_latex is not None:
        lines.append(f"  printed   {equation.printed_latex}")
    return "\n".join([*lines, ""])
