"""Tables as text."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], sides: str = "<>") -> str:
    """Align the columns of a table, and rule a line under its head.

    Parameters
    ----------
    rows : sequence of sequence of str
        The head first; all of one length.
    sides : str
        ``<`` or ``>`` for each column, to the left or to the right; the last stands for all that
        follow.

    Returns
    -------
    str
        Lines without spaces at their ends.

    Examples
    --------
    >>> print(aligned([["", "ERM", "SAM"], ["loss", "0.1", "0.25"]]))
          ERM   SAM
    ---------------
    loss  0.1  0.25
    """
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = sides.ljust(len(wide), sides[-1])
    head, *lines = (
        "  ".join(f"{cell:{side}{n}}" for cell, side, n in zip(row, sides, wide, strict=False))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in [head, "-" * len(head), *lines])
