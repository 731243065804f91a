"""A table as text."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], align: str) -> str:
    """Lay out rows of cells, with a rule under the first.

    Parameters
    ----------
    rows : sequence of sequence of str
        The heads, then the rest; all of one length.
    align : str
        For each column ``<`` or ``>``.

    Returns
    -------
    str
        One line for each row, and the rule.

    Examples
    --------
    >>> print(table([["name", "error"], ["a", "1"]], "<>"))
    name  error
    -----------
    a         1
    """
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:{a}{n}}" for cell, a, n in zip(row, align, wide, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * (sum(wide) + 2 * len(wide) - 2), *lines[1:]])
