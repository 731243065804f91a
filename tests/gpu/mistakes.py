"""Code that is right with NumPy and wrong with CuPy, and beside it how it is written here.

Each pair are functions of a vector x (-2 … 3), a matrix a (2 × 3) and indices i (2, 0, 2) that give
the same on the host. On a device the first fails, or waits, or copies from the host, or gives
something else; the second does not.
"""

import numpy as np

MISTAKES = {
    # It is no array of NumPy's.
    "a constant of the host": (
        lambda x, a, i: x * np.arange(6.0),
        lambda x, a, i: x * np.arange(6.0, like=x),
    ),
    "a 0-d constant of the host": (
        lambda x, a, i: np.where(x > 0, x, np.zeros((), x.dtype)),
        lambda x, a, i: np.where(x > 0, x, np.zeros((), x.dtype, like=x)),
    ),
    "converted by name": (
        lambda x, a, i: np.asarray(x) * 2,
        lambda x, a, i: x * 2,
    ),
    "copied by np.array": (
        lambda x, a, i: np.array(x, copy=True),
        lambda x, a, i: x.copy(order="K"),
    ),
    "made contiguous by np.ascontiguousarray": (
        lambda x, a, i: np.ascontiguousarray(a.T),
        lambda x, a, i: a.T.copy(),
    ),
    "written into a host buffer": (
        lambda x, a, i: np.add(x, x, out=np.empty(6)),
        lambda x, a, i: np.add(x, x, out=np.empty_like(x)),
    ),
    "added in place from the host": (
        lambda x, a, i: x.__iadd__(np.ones(6)),
        lambda x, a, i: x.__iadd__(np.ones_like(x)),
    ),
    "assigned from the host": (
        lambda x, a, i: a.__setitem__(0, np.ones(3)) or a,
        lambda x, a, i: a.__setitem__(0, 1.0) or a,
    ),
    "as_strided through NumPy": (
        lambda x, a, i: np.lib.stride_tricks.as_strided(x, (5, 2), (8, 8)).sum(axis=1),
        lambda x, a, i: x[:-1] + x[1:],
    ),
    "a list of device arrays": (
        lambda x, a, i: np.array([x[0], x[1]]),
        lambda x, a, i: np.stack([x[0], x[1]]),
    ),
    # Names and keywords it does not have.
    "where= in a reduction": (
        lambda x, a, i: np.sum(x, where=x > 0),
        lambda x, a, i: np.sum(x * (x > 0)),
    ),
    "initial= in a reduction": (
        lambda x, a, i: np.max(x, initial=0.0),
        lambda x, a, i: np.maximum(np.max(x), 0.0),
    ),
    "a method's initial=": (
        lambda x, a, i: x.max(initial=0.0),
        lambda x, a, i: np.maximum(x.max(), 0.0),
    ),
    "np.vecdot": (
        lambda x, a, i: np.vecdot(a, a),
        lambda x, a, i: (a * a).sum(axis=-1),
    ),
    "np.insert": (
        lambda x, a, i: np.insert(x, 0, 1.0),
        lambda x, a, i: np.concatenate([np.ones_like(x[:1]), x]),
    ),
    "np.eye with like=": (
        lambda x, a, i: np.eye(3, like=x),
        lambda x, a, i: (
            np.arange(3, like=x)[:, None] == np.arange(3, like=x)
        ).astype(x.dtype),
    ),
    "reshape by keyword": (
        lambda x, a, i: np.reshape(x, shape=(2, 3)),
        lambda x, a, i: np.reshape(x, (2, 3)),
    ),
    "flags.writeable": (
        lambda x, a, i: x * (1.0 if x.flags.writeable else 0.0),
        lambda x, a, i: x * (1.0 if getattr(x.flags, "writeable", True) else 0.0),
    ),
    "a sort that is not stable": (
        lambda x, a, i: np.sort(x, kind="quicksort"),
        lambda x, a, i: np.sort(x, kind="stable"),
    ),
    "repeats that are an array": (
        lambda x, a, i: np.repeat(x[:3], i),
        lambda x, a, i: np.repeat(x[:3], [2, 0, 2]),
    ),
    "a ufunc's reduce": (
        lambda x, a, i: np.add.reduce(x),
        lambda x, a, i: np.sum(x),
    ),
    # It waits.
    "if x.any()": (
        lambda x, a, i: x / np.abs(x).max() if x.any() else x,
        lambda x, a, i: x / np.where(x.any(), np.abs(x).max(), 1),
    ),
    "a norm compared by the host": (
        lambda x, a, i: x / top if (top := x.max()) > 0 else x,
        lambda x, a, i: x / np.where((top := x.max()) > 0, top, 1),
    ),
    "float() of a norm": (
        lambda x, a, i: x / float(np.sqrt(x @ x)),
        lambda x, a, i: x / np.sqrt(x @ x),
    ),
    "int() of a count": (
        lambda x, a, i: x / int((x > 0).sum()),
        lambda x, a, i: x / (x > 0).sum(),
    ),
    "max or 1": (
        lambda x, a, i: x / (x.max() or 1),
        lambda x, a, i: x / np.where(x.max() == 0, 1, x.max()),
    ),
    "a shape from a mask": (
        lambda x, a, i: x[x > 0].sum(),
        lambda x, a, i: (x * (x > 0)).sum(),
    ),
    "np.nonzero": (
        lambda x, a, i: x[np.nonzero(x > 0)].sum(),
        lambda x, a, i: np.where(x > 0, x, 0).sum(),
    ),
    "an array through a mask": (
        lambda x, a, i: x.__setitem__(x > 0, x[:3] * 2) or x,
        lambda x, a, i: np.concatenate([x[:3], x[:3] * 2]),
    ),
    "Python's max": (
        lambda x, a, i: x / max(x),
        lambda x, a, i: x / x.max(),
    ),
    "np.isfinite in an if": (
        lambda x, a, i: x if np.isfinite(x).all() else x * 0,
        lambda x, a, i: np.where(np.isfinite(x).all(), x, 0),
    ),
    "an f-string": (
        lambda x, a, i: x * float(f"{x[5]}"),
        lambda x, a, i: x * x[5],
    ),
    # It copies from the host in each step.
    "a list as index": (
        lambda x, a, i: x[[2, 0, 2]],
        lambda x, a, i: x[i],
    ),
    "an index of the host": (
        lambda x, a, i: a[np.arange(2), i[:2]],
        lambda x, a, i: a[np.arange(2, like=i), i[:2]],
    ),
    "drawn on the host, moved in the step": (
        lambda x, a, i: x * np.asarray(np.ones(6), like=x),
        lambda x, a, i: x * np.ones_like(x),
    ),
    # It gives something else, without a word.
    "an index out of range is expected to raise": (
        lambda x, a, i: _raises(lambda: x[i + 4]),
        lambda x, a, i: (i + 4).max() >= len(x),
    ),
    "a shape of no axes": (
        lambda x, a, i: np.ones_like(x, shape=()) * 2,
        lambda x, a, i: np.zeros((), x.dtype, like=x) + 2,
    ),
    "memory of empty taken for zeros": (
        lambda x, a, i: np.empty_like(np.zeros_like(x)) * 0 + x,
        lambda x, a, i: np.zeros_like(x) + x,
    ),
    "duplicates in an assignment: the last wins": (
        lambda x, a, i: _assigned(x, i, x[:3]),
        lambda x, a, i: np.concatenate([x[1:2], x[1:2], x[2:3], x[3:]]),
    ),
    "a singular matrix is expected to raise": (
        lambda x, a, i: _raises(lambda: np.linalg.inv(a[:, :2] * 0), np.linalg.LinAlgError),
        lambda x, a, i: (a * 0).sum() == 0,
    ),
    "elementwise results keep the order in memory": (
        lambda x, a, i: (a.T * 2).strides[0] * np.ones_like(x),
        lambda x, a, i: np.full_like(x, x.itemsize),
    ),
}  # fmt: skip


def _raises(f, kind=IndexError):
    try:
        f()
    except kind:
        return True
    return False


def _assigned(x, index, values):
    x = x.copy()
    x[index] = values
    return x
