"""A progress line on a terminal; nothing in a file or a pipe."""

import sys
from collections.abc import Iterable, Iterator


def with_progress(
    steps: range, total: int, what: str, show: bool, unit: str = "epoch"
) -> Iterator[int]:
    """Yield the steps, with a tqdm bar if someone can see it and tqdm is installed.

    Parameters
    ----------
    steps : range
        Those still to do.
    total : int
        All, those done before included.
    what : str
        Shown before the bar.
    show : bool
        False for no bar in any case.
    unit : str
        What a step is.

    Yields
    ------
    int
        Each step.

    Examples
    --------
    >>> list(with_progress(range(1, 3), 3, "SAM", show=False))
    [1, 2]
    """
    shown: Iterable[int] = steps
    if show and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass  # a bar is a comfort: the work goes on without it
        else:
            shown = tqdm(steps, desc=what, total=total, initial=steps.start, unit=unit)
    yield from shown
