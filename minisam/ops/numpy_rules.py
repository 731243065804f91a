"""Which minisam function stands for which NumPy function when an argument is a Tensor."""

from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.parts import getitem
from minisam.autodiff.tensor import NUMPY_RULES, Tensor, value_of
from minisam.ops import (
    contractions,
    determinants,
    diagonals,
    einsum,
    elementwise,
    indexing,
    linalg,
    products,
    reductions,
    shapes,
    symmetric,
)

SAME_NAME = {
    elementwise: (
        "add subtract multiply divide negative reciprocal power exp expm1 log log2 log10 log1p "
        "sqrt square sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh logaddexp absolute "
        "sign maximum minimum clip where"
    ),
    products: "matmul",
    reductions: "sum mean max min prod var std cumsum",
    shapes: (
        "reshape ravel transpose swapaxes moveaxis expand_dims squeeze broadcast_to flip pad "
        "diff concatenate stack vstack hstack atleast_1d atleast_2d matrix_transpose full_like"
    ),
    indexing: "take take_along_axis sort repeat tile roll split",
    diagonals: "diag diagonal trace tril triu",
    einsum: "einsum",
    contractions: "tensordot dot inner outer kron",
}
LINALG = {
    linalg: "solve inv norm",
    products: "matmul",
    shapes: "matrix_transpose",
    determinants: "det slogdet",
    symmetric: "cholesky eigh eigvalsh",
}
CONSTANT = (
    "greater greater_equal less less_equal equal not_equal isnan isinf isfinite signbit floor ceil "
    "rint argmax argmin argsort shape ndim size zeros_like ones_like empty_like "
    "iscomplexobj isrealobj any all count_nonzero array_equal allclose isclose may_share_memory "
    "shares_memory result_type nonzero searchsorted"
)
METHODS = (
    "sum mean max min prod var std cumsum reshape ravel transpose swapaxes squeeze clip repeat "
    "take trace diagonal dot argmax argmin argsort"
)


def constant(function: Any) -> Any:
    """Apply a function whose derivative is zero or meaningless to the values of Tensors.

    Parameters
    ----------
    function : callable
        A NumPy function that gives shapes, indices or truth values.

    Returns
    -------
    callable
        The same on Tensors; its results are plain arrays.

    Examples
    --------
    >>> import numpy as np
    >>> constant(np.argmax)([1.0, 3.0]).item()
    1
    """

    def on_values(*args: Any, **kwargs: Any) -> Any:
        return function(*map(value_of, args), **{k: value_of(v) for k, v in kwargs.items()})

    return on_values


def _method(name: str) -> Any:
    rule = NUMPY_RULES[getattr(np, name)]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Array:
        if name in ("reshape", "transpose") and len(args) > 1:
            args = (args,)  # t.reshape(2, 3) is t.reshape((2, 3))
        return rule(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As ``np.{name}(t, ...)``."
    return method


def install() -> None:
    """Fill the table of rules and give Tensor its methods; called once, when ops are imported."""
    NUMPY_RULES["getitem"] = getitem
    for module, names in SAME_NAME.items():
        for name in names.split():
            NUMPY_RULES[getattr(np, name)] = getattr(module, name)
    for name in CONSTANT.split():
        NUMPY_RULES[getattr(np, name)] = constant(getattr(np, name))
    for module, names in LINALG.items():
        for name in names.split():
            NUMPY_RULES[getattr(np.linalg, name)] = getattr(module, name)
    NUMPY_RULES[np.amax], NUMPY_RULES[np.amin] = reductions.max, reductions.min
    NUMPY_RULES[np.positive] = lambda t: t
    NUMPY_RULES[np.vdot] = lambda a, b: products.matmul(shapes.ravel(a), shapes.ravel(b))
    NUMPY_RULES[np.copy] = lambda t, **_: t
    for name in METHODS.split():
        if getattr(np, name) in NUMPY_RULES:
            setattr(Tensor, name, _method(name))
    Tensor.copy = lambda self: self  # type: ignore[attr-defined]
    Tensor.flatten = shapes.ravel  # type: ignore[attr-defined]
