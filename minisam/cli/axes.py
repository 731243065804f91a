"""Seeds and noise rates of a comparison, as they are written on a command line."""


def seeds(text: str) -> list[int]:
    """Read how many seeds, or which.

    Parameters
    ----------
    text : str
        ``5`` for 0 to 4, or ``3,7``; one seed alone is ``3,``.

    Returns
    -------
    list of int
        Each from 0 on.

    Raises
    ------
    ValueError
        It is neither.

    Examples
    --------
    >>> seeds("3"), seeds("3,7"), seeds("3,")
    ([0, 1, 2], [3, 7], [3])
    """
    words = text.split(",")
    if len(words) > 1 and not words[-1]:
        del words[-1]
    if not all(word.strip().isdecimal() for word in words) or text.strip() == "0":
        raise ValueError(f"--seeds is {text!r}; write how many, as in 5, or which, as in 3,7.")
    found = [int(word) for word in words]
    return found if "," in text else list(range(found[0]))


def rates(text: str) -> list[float]:
    """Read noise rates.

    Parameters
    ----------
    text : str
        As in ``0,0.2``.

    Returns
    -------
    list of float
        As written; the range is checked where they are used.

    Raises
    ------
    ValueError
        One is no number.

    Examples
    --------
    >>> rates("0,0.2")
    [0.0, 0.2]
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        hint = "write fractions of the training labels, as in 0,0.2"
        raise ValueError(f"--noise is {text!r}; {hint}.") from None
