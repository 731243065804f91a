"""``minisam verify``: every equation, its error and its tolerance."""

import json
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from minisam import equations
from minisam.cli.table import table


def run(args: Namespace) -> int:
    """Check equations, and print what was found.

    Parameters
    ----------
    args : argparse.Namespace
        ``equations``, a list of names; and ``json``.

    Returns
    -------
    int
        0, or 1 if one does not hold.

    Raises
    ------
    ValueError
        A name is unknown.
    """
    results = equations.verify(args.equations or None)
    failed = [result.name for result in results if not result.passed]
    if args.json:
        print(json.dumps([_entry(result) for result in results], indent=1))
    else:
        rows = [["equation", "source", "error", "tolerance", ""]]
        for result in results:
            error, tolerance = f"{result.error:.1e}", f"{result.tolerance:.0e}"
            source = equations.find(result.name).source
            rows.append([result.name, source, error, tolerance, "ok" if result.passed else "FAIL"])
        print(table(rows, "<<>><"))
        for result in results:
            if result.message:
                print(f"{result.name}: {result.message}")
        seconds = sum(result.seconds for result in results)
        verdict = f"FAIL: {', '.join(failed)}" if failed else "all hold"
        print(f"{len(results)} checked in {seconds:.1f} s: {verdict}")
    return 1 if failed else 0


def _entry(result: Any) -> dict[str, Any]:
    return asdict(result)
