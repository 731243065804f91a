"""``minisam verify``: every equation, its error and its tolerance."""

import json
from argparse import Namespace

from minisam import equations


def run(args: Namespace) -> int:
    """Check equations, and print what was found.

    Parameters
    ----------
    args : argparse.Namespace
        ``equations``, a list of names, all if it is empty; and ``json``.

    Returns
    -------
    int
        0, or 1 if one does not pass.

    Raises
    ------
    ValueError
        A name is unknown.
    """
    results = equations.verify(args.equations or None)
    if args.json:
        print(json.dumps(equations.to_data(results), indent=1, allow_nan=False))
    else:
        print(equations.to_table(results))
    return 0 if all(result.passed for result in results) else 1
