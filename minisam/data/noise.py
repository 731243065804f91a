"""Wrong labels on purpose: which examples, which labels, and how many really changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Labels of which some are wrong.

    Attributes
    ----------
    y : array of int64, (n,)
        The labels.
    changed : array of bool, (n,)
        Where they differ from the true ones.
    """

    y: Array
    changed: Array

    @property
    def rate(self) -> float:
        """The effective rate: the fraction of the labels that differ from the true ones."""
        return float(self.changed.mean())


def symmetric_noise(
    y: Array,
    classes: int,
    rate: float,
    seed: int | Sequence[int],
    *,
    over: str = "others",
) -> NoisyLabels:
    """Give some examples a label drawn evenly.

    Exactly ⌊n · rate⌋ examples are drawn, without repetition. Two conventions are in use, and with
    the same rate the first is the harder one:

    ======== ================================= ==============================
    over     new label                         effective rate
    ======== ================================= ==============================
    others   one of the classes - 1 others     rate
    all      any of the classes, also the true rate (classes - 1) / classes, on
             one                               average
    ======== ================================= ==============================

    Parameters
    ----------
    y : array of int, (n,)
        True labels 0 … classes - 1; not written to.
    classes : int
        Number of classes, at least 2.
    rate : float
        Fraction of the examples to draw, in [0, 1].
    seed : int or sequence of int
        The same seed gives the same noise; with ``"others"``, the examples changed at a rate are
        also changed at any higher one.
    over : {"others", "all"}
        Which labels are drawn.

    Returns
    -------
    NoisyLabels
        Labels, where they changed, and the effective rate.

    Raises
    ------
    ValueError
        A label, the rate or ``over`` is out of range.

    Examples
    --------
    >>> noisy = symmetric_noise(np.zeros(10, int), 3, 0.4, seed=0)
    >>> noisy.y.tolist(), noisy.rate
    ([0, 0, 2, 0, 2, 0, 2, 2, 0, 0], 0.4)
    >>> symmetric_noise(np.zeros(1000, int), 10, 0.4, seed=0, over="all").rate
    0.369
    """
    if over not in ("others", "all"):
        raise ValueError(f"over must be 'others' or 'all', got {over!r}.")
    y = _checked(y, classes, rate)
    rows, rng = _drawn(len(y), rate, seed)
    noisy = y.copy()
    if over == "others":
        noisy[rows] = (y[rows] + rng.integers(1, classes, len(rows))) % classes
    else:
        noisy[rows] = rng.integers(classes, size=len(rows))
    return NoisyLabels(noisy, noisy != y)


def pair_noise(
    y: Array,
    classes: int,
    rate: float,
    seed: int | Sequence[int],
    *,
    pairs: dict[int, int] | None = None,
) -> NoisyLabels:
    """Give some examples the label of one other class, always the same for a class: asymmetric.

    Exactly ⌊n · rate⌋ examples are drawn, without repetition; those whose class has no partner
    keep their label, which the effective rate shows.

    Parameters
    ----------
    y : array of int, (n,)
        True labels 0 … classes - 1; not written to.
    classes : int
        Number of classes, at least 2.
    rate : float
        Fraction of the examples to draw, in [0, 1].
    seed : int or sequence of int
        The same seed gives the same noise.
    pairs : dict from int to int, optional
        The wrong label for each class that has one; by default the next class, the first after
        the last.

    Returns
    -------
    NoisyLabels
        Labels, where they changed, and the effective rate.

    Raises
    ------
    ValueError
        A label, the rate or a class of a pair is out of range.

    Examples
    --------
    >>> y = np.array([0, 1, 2, 0, 1, 2])
    >>> pair_noise(y, 3, 1.0, seed=0).y.tolist()
    [1, 2, 0, 1, 2, 0]
    >>> pair_noise(y, 3, 1.0, seed=0, pairs={2: 0}).rate
    0.3333333333333333
    """
    y = _checked(y, classes, rate)
    if pairs is None:
        pairs = {c: (c + 1) % classes for c in range(classes)}
    partner = np.arange(classes)
    for true, wrong in pairs.items():
        if not (0 <= true < classes and 0 <= wrong < classes and true != wrong):
            raise ValueError(
                f"pairs: {true} → {wrong} is no pair of two classes in 0 … {classes - 1}."
            )
        partner[true] = wrong
    rows, _ = _drawn(len(y), rate, seed)
    noisy = y.copy()
    noisy[rows] = partner[y[rows]]
    return NoisyLabels(noisy, noisy != y)


def _checked(y: Array, classes: int, rate: float) -> Array:
    y = np.asarray(y)
    if classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}.")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be in [0, 1], got {rate}: it is a fraction of the examples.")
    if y.dtype.kind not in "iu" or y.ndim != 1 or y.size == 0:
        raise ValueError(f"y has dtype {y.dtype} and shape {y.shape}; labels are int, (n,), n > 0.")
    if y.min() < 0 or y.max() >= classes:
        raise ValueError(f"y has labels from {y.min()} to {y.max()}, outside 0 … {classes - 1}.")
    return y.astype(np.int64)


def _drawn(n: int, rate: float, seed: int | Sequence[int]) -> tuple[Array, np.random.Generator]:
    if seed is None:
        raise ValueError("seed is None; give a seed, so that the noise can be repeated.")
    rng = np.random.default_rng(seed)
    # Rounded, because 0.29 · 100 is 28.999999999999996, which is meant to be 29.
    return rng.permutation(n)[: int(round(n * rate, 9))], rng
