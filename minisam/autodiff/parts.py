"""Reading part of an array, and the adjoint of it: assembling an array from parts.

The cotangent of ``x[index]`` is zero except at ``index``. Written out each time, n reads of an
array of n elements would cost n² writes. So the rules of reading give a list of `Part`, the
traversal collects those of one Tensor, and `assemble` writes them all into one array. When they
are the slices of a parameter vector, side by side, that is a single copy.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array, Random, device_of, moved, on_host
from minisam.autodiff.primitive import Params, Primitive, jointly_linear, primitive
from minisam.autodiff.tensor import Tensor, value_of

Part: TypeAlias = tuple[Any, Array]
"""An index and an array: a cotangent that is this array there and zero everywhere else."""


def reads_once(index: Any) -> bool:
    """Whether an index surely reads each item once: integers, slices, None, Ellipsis or masks.

    Examples
    --------
    >>> reads_once((0, slice(None))), reads_once([0, 0])
    (True, False)
    """
    items = index if type(index) is tuple else (index,)
    return all(
        i is None
        or i is Ellipsis
        or isinstance(i, slice | int | np.integer | np.bool_)
        or getattr(getattr(i, "dtype", None), "kind", "") == "b"
        for i in items
    )


def _assemble(*arrays: Array, indices: tuple[Any, ...], like: Array) -> Array:
    if tiles(indices, like.shape):
        return np.concatenate(arrays)
    out = np.zeros_like(like, dtype=arrays[0].dtype)
    for index, array in zip(indices, arrays, strict=True):
        if reads_once(index):
            out[index] += array
        else:
            np.add.at(out, index, array)  # an advanced index may name an element twice
    return out


def tiles(indices: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether the indices are slices that tile a vector from its start to its end, in order.

    Examples
    --------
    >>> tiles((slice(0, 2), slice(2, 5)), (5,)), tiles((slice(0, 2), slice(3, 5)), (5,))
    (True, False)
    """
    if len(shape) != 1:
        return False
    end = 0
    for i in indices:
        if type(i) is not slice or i.start != end or i.step is not None or i.stop is None:
            return False
        end = i.stop
        if end < i.start:
            return False
    return end == shape[0]


def _reads(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
    x = rng.normal(size=(3, 4))
    for index in (
        1,
        -1,
        (slice(None), 2),
        (slice(None, None, -2),),
        (..., None, slice(1, 3)),
        ([0, 2, 2],),
        ([0, 2, 0], [1, 1, 1]),
        (slice(None), [3, 3]),
        np.array([[True, False, True, False]] * 3),
        slice(3, 3),
    ):
        yield (x,), {"index": index}


def _parts(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
    a, b = rng.normal(size=2), rng.normal(size=3)
    five, six = np.zeros(5), np.zeros(6)
    yield (a, b), {"indices": (slice(0, 2), slice(2, 5)), "like": five}
    yield (a, b), {"indices": (slice(1, 3), slice(2, 5)), "like": six}
    yield (a, b), {"indices": ([1, 1], [4, 0, 4]), "like": six}


def _sections(rng: Random) -> Iterator[tuple[tuple[Array, ...], Params]]:
    yield (rng.normal(size=7),), {"start": 1, "stop": 7, "shape": (2, 3)}
    yield (rng.normal(size=7),), {"start": 6, "stop": 7, "shape": ()}
    yield (rng.normal(size=(2, 7)),), {"start": 3, "stop": 7, "shape": (2, 2)}


def _read(x: Array, *, index: Any) -> Array:
    return x[index]


def _read_section(w: Array, *, start: int, stop: int, shape: tuple[int, ...]) -> Array:
    return w[..., start:stop].reshape(w.shape[:-1] + shape)


def _part_of_section(
    i: int, ct: Array, y: Array, w: Array, *, start: int, stop: int, shape: tuple[int, ...]
) -> list[Part]:
    if w.ndim == 1:
        return [(slice(start, stop), ct.reshape(-1))]
    return [((..., slice(start, stop)), ct.reshape((*w.shape[:-1], stop - start)))]


getitem_op: Primitive = primitive(
    "getitem",
    _read,
    lambda i, ct, y, x, index: [(index, ct)],
    lambda tangents, y, x, index: getitem_op(tangents[0], index=index),
    domain=_reads,
    doc="``x[index]``: basic, advanced or Boolean indexing.",
)

section: Primitive = primitive(
    "section",
    _read_section,
    _part_of_section,
    lambda tangents, y, w, **params: section(tangents[0], **params),
    domain=_sections,
    doc="``w[..., start:stop]`` in the given shape: a layer's view of the parameters.",
)

assemble: Primitive = jointly_linear(
    "assemble",
    _assemble,
    lambda i, ct, *arrays, indices, like: np.reshape(ct[indices[i]], arrays[i].shape),
    domain=_parts,
    doc="An array of zeros with each part added at its index: the adjoint of reading.",
)


def split(w: Array, layout: Sequence[Params], at: int = 0) -> list[Array]:
    """Cut the parameters of a layer out of the vector of all, without a copy.

    Parameters
    ----------
    w : array, (d,) or (..., d)
        All parameters; with leading axes, one set for each index.
    layout : sequence of dict
        For each parameter its ``start``, ``stop`` and ``shape``.
    at : int
        Where the layer's parameters begin: added to each start and stop.

    Returns
    -------
    list of array
        Views of ``w``, each of its leading axes and the given shape.

    Examples
    --------
    >>> import numpy as np
    >>> split(np.arange(4.0), [{"start": 0, "stop": 2, "shape": (2, 1)}])
    [array([[0.],
           [1.]])]
    """
    return [
        section(w, start=at + p["start"], stop=at + p["stop"], shape=p["shape"]) for p in layout
    ]


def getitem(x: Array, index: Any) -> Array:
    """Read part of an array: ``x[index]``, with a derivative.

    Parameters
    ----------
    x : array
        What to read from.
    index : int, slice, array of int or bool, or a tuple of these
        As for NumPy. A Tensor as index is an error: an index has no derivative.

    Returns
    -------
    array
        The selected elements.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.grad(lambda x: np.sum(x[[0, 0, 2]]))(np.zeros(3))
    array([2., 0., 1.])
    """
    items = index if type(index) is tuple else (index,)
    if any(type(i) is Tensor for i in items):
        raise TypeError("an index cannot be a Tensor: it has no derivative. Use t.value.")
    # The derivative reads the index again: it must not change in between.
    kept = tuple(_kept(i, x) for i in items)
    return getitem_op(x, index=kept if type(index) is tuple else kept[0])


def _kept(i: Any, x: Array) -> Any:
    """Copy an index, to where x is."""
    if isinstance(i, list | np.ndarray):
        return moved(np.array(i), device_of(value_of(x)))
    return i if on_host(i) else i.copy()


def total(arrived: list[Any], like: Array) -> Array:
    """Add up what arrived at a Tensor: arrays, and parts of arrays.

    Parameters
    ----------
    arrived : list of (array or list of Part)
        At least one.
    like : array
        The Tensor's value.

    Returns
    -------
    array
        Their sum, dense.
    """
    dense, parts = [], []
    # Reverse mode meets the reads in reverse; in order they are most often tiles.
    for a in reversed(arrived):
        if type(a) is list:
            parts += a
        else:
            dense.append(a)
    if parts:
        indices, arrays = zip(*parts, strict=True)
        dense.append(assemble(*arrays, indices=indices, like=like))
    out = dense[0]
    for array in dense[1:]:
        out = out + array
    return out
