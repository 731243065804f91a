"""Which method is better, here and in print; what is within one standard error is a tie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from minisam.experiments.summary import spread


@dataclass(frozen=True)
class Difference:
    """By how much one method is more accurate than another, paired by seed.

    Cells of one seed share examples, labels, first parameters and batches, so that most of what
    varies from seed to seed is in both, and cancels.

    Attributes
    ----------
    mean : float
        Of the differences at the seeds that both have; NaN if there are none.
    error : float
        Its standard error, s/√n with n - 1 in s; NaN below two seeds.

    Examples
    --------
    >>> difference({0: 97.0, 1: 98.0, 2: 96.0}, {0: 96.0, 1: 96.0, 2: 93.0})
    Difference(mean=2.0, error=0.577...)
    """

    mean: float
    error: float

    @property
    def sign(self) -> str:
        """Return ``>`` or ``<``, ``≈`` for a tie, ``?`` where there is no standard error."""
        if math.isnan(self.error):
            return "?"
        if abs(self.mean) <= self.error:
            return "≈"
        return ">" if self.mean > 0 else "<"


def difference(a: Mapping[int, float], b: Mapping[int, float]) -> Difference:
    """Compare two methods.

    Parameters
    ----------
    a, b : mapping from int to float
        Accuracy by seed.

    Returns
    -------
    Difference
        Of a over b.

    Examples
    --------
    >>> difference({0: 97.0, 1: 98.0}, {0: 97.0, 1: 98.0}).sign
    '≈'
    """
    common = [seed for seed in a if seed in b]
    over = spread(a[seed] - b[seed] for seed in common)
    return Difference(over.mean, over.std / math.sqrt(len(common)) if common else math.nan)


def order(accuracies: Mapping[str, Mapping[int, float]]) -> str:
    """Write methods in the order of their mean accuracy, with a sign between neighbours.

    Parameters
    ----------
    accuracies : mapping from str to mapping
        Accuracy by method and seed; a method without any is left out.

    Returns
    -------
    str
        A tie with a neighbour is no tie with the neighbour's neighbour: ``a ≈ b ≈ c`` leaves open
        whether a is better than c.

    Examples
    --------
    >>> order({"ERM": {0: 95.0, 1: 96.0}, "SAM": {0: 97.0, 1: 98.0}})
    'SAM > ERM'
    """
    finished = [name for name, by_seed in accuracies.items() if by_seed]
    finished.sort(key=lambda name: -spread(accuracies[name].values()).mean)
    text = finished[0] if finished else ""
    for a, b in pairwise(finished):
        text += f" {difference(accuracies[a], accuracies[b]).sign} {b}"
    return text


def printed_order(published: Mapping[str, float]) -> str:
    """Write methods in the order of their printed accuracy; equal numbers get ``=``.

    Parameters
    ----------
    published : mapping from str to float
        Accuracy by method.

    Returns
    -------
    str
        In falling order.

    Examples
    --------
    >>> printed_order({"ERM": 95.4, "SAM": 96.5, "ESAM": 96.5})
    'SAM = ESAM > ERM'
    """
    names = sorted(published, key=lambda name: -published[name])
    text = names[0] if names else ""
    for a, b in pairwise(names):
        text += f" {'=' if published[a] == published[b] else '>'} {b}"
    return text


def against_published(
    accuracies: Mapping[str, Mapping[int, float]], published: Mapping[str, float]
) -> Sequence[tuple[str, str, Difference]]:
    """Compare, pair by pair, with an order that was printed.

    Parameters
    ----------
    accuracies : mapping from str to mapping
        Ours, by method and seed.
    published : mapping from str to float
        Printed, by method.

    Returns
    -------
    sequence of (str, str, Difference)
        For each two methods in both of which the first has the larger printed number: by how much
        it is better here. Equal printed numbers say nothing, and are left out.

    Examples
    --------
    >>> ours = {"ERM": {0: 97.0, 1: 98.0}, "SAM": {0: 96.0, 1: 97.0}}
    >>> against_published(ours, {"ERM": 95.4, "SAM": 96.5})
    [('SAM', 'ERM', Difference(mean=-1.0, error=0.0))]
    """
    both = sorted((name for name in published if name in accuracies), key=lambda n: -published[n])
    return [
        (a, b, difference(accuracies[a], accuracies[b]))
        for a, b in combinations(both, 2)
        if published[a] > published[b]
    ]


def verdict(pairs: Sequence[tuple[str, str, Difference]]) -> str:
    """Say plainly whether our ranking is the published one.

    Parameters
    ----------
    pairs : sequence
        From `against_published`.

    Returns
    -------
    str
        A sentence, how many pairs agree, tie and differ, and a line for each that differs, with
        its points and their standard error.

    Examples
    --------
    >>> print(verdict([("SAM", "ERM", Difference(-1.0, 0.25)), ("SAM", "ESAM", Difference(2, 3))]))
    Our ranking differs from the published one. Of 2 pairs: same order 0, tie 1, opposite order 1.
      published SAM > ERM, here 1.00 ± 0.25 points the other way
    """
    signs = [found.sign for *_, found in pairs]
    names = {">": "same order", "≈": "tie", "<": "opposite order", "?": "not known"}
    counts = ", ".join(
        f"{name} {signs.count(sign)}" for sign, name in names.items() if sign != "?" or "?" in signs
    )
    if "<" in signs:
        plainly = "Our ranking differs from the published one."
    elif "?" in signs:
        plainly = "Our ranking is not known: a standard error takes two seeds."
    elif "≈" in signs:
        plainly = "Our ranking leaves open what the published one decides, and contradicts nothing."
    else:
        plainly = "Our ranking is the published one."
    lines = [f"{plainly} Of {len(pairs)} pairs: {counts}."]
    lines += [
        f"  published {a} > {b}, here {-found.mean:.2f} ± {found.error:.2f} points the other way"
        for a, b, found in pairs
        if found.sign == "<"
    ]
    return "\n".join(lines)
