"""A figure on paper: minisam's style sheet, and the two files that every figure becomes.

Figures are made with matplotlib's object-oriented interface: no window, no backend to choose, no
state shared with the caller's own pyplot figures.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

style = str(Path(__file__).with_name("minisam.mplstyle"))
"""The style sheet: ``plt.style.use(minisam.plots.style)``."""


def write(
    path: str | os.PathLike[str],
    draw: Callable[[Any], None],
    size: tuple[float, float] | None = None,
) -> tuple[Path, Path]:
    """Write what ``draw`` draws, as PNG and SVG.

    Parameters
    ----------
    path : path
        Where; its suffix is replaced by ``.png`` and ``.svg``.
    draw : callable
        Fills an empty ``matplotlib.figure.Figure``.
    size : (float, float), optional
        Width and height in inches; without it the style sheet's.

    Returns
    -------
    png, svg : pathlib.Path
        The two files.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    OSError
        The files cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     png, svg = write(f"{folder}/line", lambda figure: figure.subplots().plot([1, 2]))
    >>> png.name, svg.name
    ('line.png', 'line.svg')
    """
    sheets, figures = load_matplotlib()
    png, svg = (Path(path).with_suffix(suffix) for suffix in (".png", ".svg"))
    # The caller's own settings neither show in the figure nor are they changed.
    with sheets.context(style, after_reset=True):
        figure = figures.Figure(size)
        draw(figure)
        figure.savefig(png)
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def load_matplotlib() -> tuple[Any, Any]:
    """Import ``matplotlib.style`` and ``matplotlib.figure``, or say what to install.

    Returns
    -------
    style, figure : module
        The two modules.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    """
    try:
        from matplotlib import figure, style
    except ImportError as error:
        raise ImportError(
            "Figures need matplotlib, which is not installed: pip install 'minisam[plots]'."
        ) from error
    return style, figure
