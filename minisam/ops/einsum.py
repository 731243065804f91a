"""Sums of products by index, in Einstein's convention.

Einsum is linear in each operand, and the cotangent of one operand is again an einsum, of the
output's cotangent and the other operands::

    y = einsum("ij,jk->ik", a, b)        ā = einsum("ik,jk->ij", ȳ, b)

Two kinds of labels have no partner there. One that occurs only in the operand itself was summed
alone: its cotangent is constant along that axis, which a factor of ones says. One that the operand
repeats was read on a diagonal: a factor of the identity says so.
"""

import math
from functools import lru_cache
from string import ascii_letters
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import primitive, unbroadcast
from minisam.autodiff.tensor import value_of
from minisam.ops.domains import cases

LOOPS = 2**15
"""From how many products on NumPy's search for matrix products in a sum pays (it takes 20 µs)."""


def _forward(*operands: Array, subscripts: str) -> Array:
    # Without a path NumPy loops over all labels at once: slow for two large operands, hopeless for
    # more.
    paths = len(operands) > 2
    # Of the lengths of a label the dictionary keeps the last, so sorted: one of 1 may broadcast.
    if len(operands) == 2:
        labels = subscripts.partition("->")[0].replace(",", "")
        lengths = np.shape(operands[0]) + np.shape(operands[1])
        paths = math.prod(dict(sorted(zip(labels, lengths, strict=False))).values()) >= LOOPS
    return np.einsum(subscripts, *operands, optimize=paths)


def _pull(i: int, ct: Array, y: Array, *operands: Array, subscripts: str) -> Array:
    inputs, _, output = subscripts.partition("->")
    labels = inputs.split(",")
    own, x = labels[i], value_of(operands[i])
    terms = [output, *labels[:i], *labels[i + 1 :]]
    factors = [ct, *operands[:i], *operands[i + 1 :]]
    named = set("".join(terms))
    wide = {  # a label may broadcast: elsewhere of length 1, it does not give the length n
        label
        for term, factor in zip(terms, factors, strict=True)
        for label, m in zip(term, np.shape(factor), strict=True)
        if m != 1
    }
    spare = iter([c for c in ascii_letters if c not in subscripts])
    axes = ""
    for label, n in zip(own, x.shape, strict=True):
        axis = label
        if label in axes:
            axis = next(spare)
            terms.append(label + axis)
            places = np.arange(n, like=x)  # CuPy takes no like= for np.eye
            factors.append((places[:, None] == places).astype(x.dtype))
        elif label not in (named if n == 1 else wide):
            terms.append(label)
            factors.append(np.ones_like(x, shape=(n,)))
        axes += axis
    found = einsum_op(*factors, subscripts=f"{','.join(terms)}->{axes}")
    return unbroadcast(found, x)


def _push(tangents: list[Array | None], y: Array, *operands: Array, subscripts: str) -> Array:
    terms = [
        einsum_op(*operands[:i], t, *operands[i + 1 :], subscripts=subscripts)
        for i, t in enumerate(tangents)
        if t is not None
    ]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


einsum_op = primitive(
    "einsum",
    _forward,
    _pull,
    _push,
    domain=cases(
        (((2, 3), (3, 1)), {"subscripts": "ij,jk->ik"}),
        (((1, 2), (2,), (1,)), {"subscripts": "ij,j,i->"}),
        (((2, 3),), {"subscripts": "ij->j"}),
        (((3, 3),), {"subscripts": "ii->i"}),
        (((2, 2), (2, 1)), {"subscripts": "ii,ij->"}),
        (((2, 1), (3, 1)), {"subscripts": "ij,jk->ik"}),
        (((), (2,)), {"subscripts": ",i->i"}),
        (((2, 0), (0, 3)), {"subscripts": "ij,jk->ik"}),
    ),
    doc="Sum of products by index, with explicit labels for every axis.",
)


@lru_cache(maxsize=512)
def _explicit(subscripts: str, ndims: tuple[int, ...]) -> str:
    """Subscripts with a letter for every axis and an output: "...i,i" becomes "ai,i->a"."""

    def wrong(why: str) -> ShapeError:
        return ShapeError(f"einsum: {subscripts!r} does not fit operands of {ndims} axes: {why}")

    inputs, arrow, output = subscripts.replace(" ", "").replace("...", ".").partition("->")
    terms = inputs.split(",")
    if not set(inputs) - {",", "."} | set(output) - {"."} <= set(ascii_letters):
        raise wrong("labels must be letters a-z or A-Z, and '...' stands for the other axes.")
    if len(terms) != len(ndims):
        raise wrong(f"it names {len(terms)} operands, {len(ndims)} are given.")
    spare = [c for c in ascii_letters if c not in inputs]
    others = "".join(spare[: max(n - len(t) + 1 for t, n in zip(terms, ndims, strict=True))])
    used = 0
    for i, (term, n) in enumerate(zip(terms, ndims, strict=True)):
        dots, rest = term.count("."), n - len(term.replace(".", ""))
        if dots > 1 or rest < 0 or (rest > 0 and not dots):
            raise wrong(f"operand {i} has {n} axes. Write '...' for axes without a label, once.")
        terms[i] = term.replace(".", others[len(others) - rest :] if rest else "")
        used = max(used, rest)
    others = others[len(others) - used :] if used else ""
    if not arrow:
        output = "." + "".join(sorted(c for c in set(inputs) - {",", "."} if inputs.count(c) == 1))
    if others and output.count(".") != 1:
        raise wrong("the output needs '...' once, for the axes without a label.")
    output = output.replace(".", others)
    if len(set(output)) < len(output) or not set(output) <= set("".join(terms)):
        raise wrong("an output label must occur in an operand, and only once in the output.")
    return f"{','.join(terms)}->{output}"


def einsum(subscripts: str, /, *operands: Array, optimize: Any = True) -> Array:
    """Sum products of elements by index: Einstein's convention, as `numpy.einsum`.

    Parameters
    ----------
    subscripts : str
        Labels of the axes of each operand, and of the output after ``->``. Without an arrow the
        output has the labels that occur once, in alphabetical order. A label repeated in one
        operand reads its diagonal; ``...`` stands for axes that broadcast.
    *operands : array
        Any number; axes with one label have one length, or length 1.
    optimize : any
        Accepted because NumPy does; the order of contraction is always optimized.

    Returns
    -------
    array
        The sums.

    Raises
    ------
    ShapeError
        The subscripts do not fit the operands.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    >>> einsum("ij,j->i", a, b)
    array([-1., -1.])
    >>> ms.grad(lambda a: np.einsum("ii", a))(a)
    array([[1., 0.],
           [0., 1.]])
    """
    if not isinstance(subscripts, str):
        raise TypeError("einsum: give the subscripts as one string first: einsum('ij,j->i', a, b).")
    return einsum_op(*operands, subscripts=_explicit(subscripts, tuple(map(np.ndim, operands))))
