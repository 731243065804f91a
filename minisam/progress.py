"""A progress line on a terminal; nothing in a file or a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar(
    total: int, what: str, show: bool, unit: str, initial: int = 0
) -> Iterator[Callable[[int], Any]]:
    """Show a tqdm bar while the block runs, if someone can see it and tqdm is installed.

    Parameters
    ----------
    total : int
        How much there is to do, with what was done before.
    what : str
        Shown before the bar.
    show : bool
        False for no bar in any case.
    unit : str
        What is counted.
    initial : int
        How much was done before.

    Yields
    ------
    callable
        To be called with a number whenever so much is done.

    Examples
    --------
    >>> with progress_bar(2, "SAM", show=False, unit="path") as advance:
    ...     advance(2)
    """
    if show and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass  # a bar is a comfort: the work goes on without it
        else:
            with tqdm(desc=what, total=total, initial=initial, unit=unit) as bar:
                yield bar.update
            return
    yield lambda _: None


def with_progress(
    steps: range, total: int, what: str, show: bool, unit: str = "epoch"
) -> Iterator[int]:
    """Yield the steps, with a bar as above.

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
    with progress_bar(total, what, show, unit, steps.start) as advance:
        for step in steps:
            yield step
            advance(1)
