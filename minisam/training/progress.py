"""A progress line on a terminal; nothing in a file or a pipe."""

import sys
from collections.abc import Iterable, Iterator


def with_progress(
    epochs: range, total: int, what: str, show: bool, unit: str = "epoch"
) -> Iterator[int]:
    """Yield the epochs, with a tqdm bar if someone can see it and tqdm is installed.

    Parameters
    ----------
    epochs : range
        Those still to do.
    total : int
        All, those done before included.
    what : str
        Shown before the bar.
    show : bool
        False for no bar in any case.
    unit : str
        What they are, if not epochs.

    Yields
    ------
    int
        Each epoch.

    Examples
    --------
    >>> list(with_progress(range(1, 3), 3, "SAM", show=False))
    [1, 2]
    """
    shown: Iterable[int] = epochs
    if show and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass  # a bar is a comfort: training goes on without it
        else:
            shown = tqdm(epochs, desc=what, total=total, initial=epochs.start, unit=unit)
    yield from shown
