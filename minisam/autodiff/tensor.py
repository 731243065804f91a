"""A Tensor is a value and how it was made; that is the whole graph.

While a function is differentiated its argument is a `Tensor`. Each operation on it records one
more Tensor: the value, the operation, its inputs and its static parameters. There is no tape, no
node class beside it and no switch. Why the design is so, by the example that breaks the others::

    grad(lambda x: x * grad(lambda y: x * y)(1.0))(3.0) == 6.0

The inner derivative is x, and must stay a function of x. Engines that keep the adjoint *in* the
tensor (`.grad`) mix the inner one with the outer one. Here adjoints belong to a traversal (see
`traverse`), and a Tensor only knows its *root*: the oldest differentiation in progress that it
depends on. If that is older than the variable at hand, the derivative is itself recorded; if not,
it is computed on plain arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.linalg import LinAlgError

from minisam.arrays import Array, device_of, mixed, moved
from minisam.autodiff.errors import ShapeError

if TYPE_CHECKING:
    from minisam.autodiff.primitive import Primitive

_numbers = itertools.count()

_NO_KEYWORDS = (
    "np.{}: a Tensor takes no {}=, which has no derivative rule. Select with np.where, and cast "
    "before differentiating: f(x.astype('float32'))."
)

NUMPY_RULES: dict[Any, Callable[..., Array]] = {}
"""Which minisam function stands for which NumPy function on a Tensor; filled by `minisam.ops`."""


class Root:
    """One differentiation in progress: when it began, its dtype, and whether it still runs.

    A Tensor whose root has finished is a constant: it keeps its value and nothing records it.
    """

    __slots__ = ("alive", "dtype", "number")

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.number = next(_numbers)
        self.dtype = dtype
        self.alive = True


class Tensor:
    """A value and how it was made.

    Tensors are made by the transforms (`minisam.grad` and its family), not by hand. They behave
    as NumPy arrays: operators, methods, indexing and NumPy's functions all work on them, and each
    records a new Tensor. They are immutable. Constants are recorded as they are, not copied: an
    array that a function uses must not be overwritten before its derivative has been computed.

    Attributes
    ----------
    value : array
        The NumPy or CuPy array (or scalar).
    op : Primitive or None
        The operation that made it; None for the variable of a transform.
    args : tuple
        The operation's array arguments, as plain values.
    parents : tuple
        For each of them the Tensor that it is the value of, or None if it is a constant.
    params : dict
        Its static parameters (an axis, a shape, an index).
    root : Root
        The oldest differentiation in progress that the value depends on.
    number : int
        Creation number: a Tensor is newer than all its inputs.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> def f(x):
    ...     print(type(x).__name__, x.shape)
    ...     return np.sum(np.sin(x) * x)
    >>> ms.grad(f)(np.array([0.0, 1.0])).round(4)
    Tensor (2,)
    array([0.    , 1.3818])
    """

    __slots__ = ("__weakref__", "args", "number", "op", "params", "parents", "root", "value")
    __array_priority__ = 1000.0  # CuPy asks for this one

    def __init__(
        self,
        value: Array,
        op: Primitive | None,
        args: tuple[Any, ...],
        parents: tuple[Tensor | None, ...],
        params: dict[str, Any],
        root: Root,
    ) -> None:
        self.value = value
        self.op = op
        self.args = args
        self.parents = parents
        self.params = params
        self.root = root
        self.number = next(_numbers)

    # What an array says of itself.

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return self.value.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of elements of the value."""
        return self.value.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the value."""
        return self.value.dtype  # type: ignore[no-any-return]

    @property
    def T(self) -> Array:
        """The transpose, all axes reversed."""
        return NUMPY_RULES[np.transpose](self)

    @property
    def mT(self) -> Array:
        """The transpose of the last two axes."""
        return NUMPY_RULES[np.swapaxes](self, -1, -2)

    def astype(self, dtype: Any) -> Tensor:
        """The Tensor itself: only its own dtype is possible, because the variable's decides."""
        if np.dtype(dtype) != self.dtype:
            raise TypeError(
                f"a Tensor of {self.dtype} cannot become {np.dtype(dtype)}: the variable's dtype "
                f"decides. Cast it before differentiating: f(x.astype('{np.dtype(dtype)}'))."
            )
        return self

    def __copy__(self) -> Tensor:
        return self  # immutable; a copy of its root would be a differentiation of its own

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self.value)))

    def __repr__(self) -> str:
        made_by = self.op.name if self.op else "variable"
        return f"Tensor({self.value!r}, made by {made_by})"

    # NumPy's functions find their rules here.

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Array:
        if kwargs.get("out") is not None:
            raise TypeError(
                f"np.{ufunc.__name__}(..., out=): a Tensor cannot be written into an array in "
                "place. Write a = a + t instead of a += t or out=a."
            )
        if method != "__call__":
            raise TypeError(
                f"np.{ufunc.__name__}.{method} has no derivative rule. Use the function instead "
                "(np.sum for np.add.reduce, np.cumsum for np.add.accumulate)."
            )
        if kwargs:
            raise TypeError(_NO_KEYWORDS.format(ufunc.__name__, ", ".join(kwargs)))
        rule = NUMPY_RULES.get(ufunc) or _no_rule(ufunc)
        return rule(*args)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Array:
        rule = NUMPY_RULES.get(func) or _no_rule(func)
        try:
            return rule(*args, **kwargs)
        except TypeError:
            takes = signature(rule).parameters
            unknown = [k for k in kwargs if k not in takes]
            if not unknown or any(p.kind is p.VAR_KEYWORD for p in takes.values()):
                raise
        raise TypeError(_NO_KEYWORDS.format(func.__name__, ", ".join(unknown)))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "A Tensor was turned into a plain array, which would cut its derivative off. Use it "
            "as it is (np.exp(t), t @ a), or t.value for a constant copy of its value."
        )

    def __float__(self) -> NoReturn:
        raise TypeError(
            "float(), int(), bool() and item() of a Tensor would cut its derivative off. Use "
            "t.value where a constant is meant; comparisons (t > 0) already give constants."
        )

    __int__ = __bool__ = __index__ = __complex__ = item = tolist = __float__

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            "Tensors are immutable: t[index] = v is not possible. Use np.where(mask, v, t), or "
            "build the array with np.concatenate or np.stack."
        )

    # Operators: each is the NumPy function of that name.

    def __getitem__(self, index: Any) -> Array:
        return NUMPY_RULES["getitem"](self, index)

    def __neg__(self) -> Array:
        return NUMPY_RULES[np.negative](self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Array:
        return NUMPY_RULES[np.absolute](self)

    def __add__(self, other: Any) -> Array:
        return NUMPY_RULES[np.add](self, other)

    def __radd__(self, other: Any) -> Array:
        return NUMPY_RULES[np.add](other, self)

    def __sub__(self, other: Any) -> Array:
        return NUMPY_RULES[np.subtract](self, other)

    def __rsub__(self, other: Any) -> Array:
        return NUMPY_RULES[np.subtract](other, self)

    def __mul__(self, other: Any) -> Array:
        return NUMPY_RULES[np.multiply](self, other)

    def __rmul__(self, other: Any) -> Array:
        return NUMPY_RULES[np.multiply](other, self)

    def __truediv__(self, other: Any) -> Array:
        return NUMPY_RULES[np.divide](self, other)

    def __rtruediv__(self, other: Any) -> Array:
        return NUMPY_RULES[np.divide](other, self)

    def __pow__(self, other: Any) -> Array:
        return NUMPY_RULES[np.power](self, other)

    def __rpow__(self, other: Any) -> Array:
        return NUMPY_RULES[np.power](other, self)

    def __matmul__(self, other: Any) -> Array:
        return NUMPY_RULES[np.matmul](self, other)

    def __rmatmul__(self, other: Any) -> Array:
        return NUMPY_RULES[np.matmul](other, self)

    # Comparisons are piecewise constant: plain Boolean arrays.

    def __lt__(self, other: Any) -> Array:
        return self.value < value_of(other)

    def __le__(self, other: Any) -> Array:
        return self.value <= value_of(other)

    def __gt__(self, other: Any) -> Array:
        return self.value > value_of(other)

    def __ge__(self, other: Any) -> Array:
        return self.value >= value_of(other)

    def __eq__(self, other: Any) -> Array:
        return self.value == value_of(other)

    def __ne__(self, other: Any) -> Array:
        return self.value != value_of(other)

    __hash__ = object.__hash__


def value_of(x: Any) -> Any:
    """Return a Tensor's value; anything else as it is.

    Examples
    --------
    >>> value_of(2.0)
    2.0
    """
    return x.value if type(x) is Tensor else x


def record(op: Primitive, /, *args: Any, **params: Any) -> Array:
    """Apply a primitive, and record it if an argument depends on a running differentiation.

    Parameters
    ----------
    op : Primitive
        What to apply; this function is what calling it does.
    *args : array
        Its array arguments: Tensors, arrays, scalars, nested lists.
    **params
        Its static parameters.

    Returns
    -------
    Tensor or array
        A Tensor if a live Tensor is among the arguments, else the plain result.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    TypeError
        Arrays of two floating dtypes are mixed.
    """
    for a in args:
        if type(a) is Tensor:
            break
    else:
        return _forward(op, args, params)
    root: Root | None = None
    parents: list[Tensor | None] = []
    values: list[Any] = []
    for a in args:
        parent = None
        if type(a) is Tensor:
            its = a.root
            if its.alive:
                parent = a
                if root is None or its.number < root.number:
                    root = its
            a = a.value
        elif type(a) is list or type(a) is tuple:
            a = moved(a, device_of(next(t.value for t in args if type(t) is Tensor)))
        parents.append(parent)
        values.append(a)
    if root is None:
        return _forward(op, values, params)
    dtype = root.dtype
    for i, a in enumerate(values):
        if getattr(a, "dtype", dtype) is not dtype:
            values[i] = _weaken(op, a, dtype)
    value = _forward(op, values, params)
    if value.dtype is not dtype and value.dtype != dtype:
        if value.dtype.kind == "c":
            raise TypeError(
                f"{op.name}: the result is complex; only real functions are differentiated."
            )
        value = value.astype(dtype)  # a parameter was a NumPy scalar of another dtype
    return Tensor(value, op, tuple(values), tuple(parents), params, root)


def _forward(op: Primitive, values: Sequence[Any], params: dict[str, Any]) -> Array:
    try:
        return op.forward(*values, **params)
    except (ValueError, TypeError) as error:
        if apart := mixed(values):
            raise TypeError(f"{op.name}: {apart}.") from error
        if not isinstance(error, ValueError) or isinstance(error, ShapeError | LinAlgError):
            raise
        shapes = [np.shape(v) for v in values]
        why = op.explain(*shapes) if op.explain else f"do not fit: {error}"
        raise ShapeError(f"{op.name}: shapes {', '.join(map(str, shapes))} {why}") from None


def _weaken(op: Primitive, a: Any, dtype: np.dtype[Any]) -> Any:
    """Cast a scalar or whole-number constant to the variable's dtype; refuse other floats."""
    own = a.dtype
    if own == dtype or own.kind == "b":  # a mask stays a mask
        return a
    if own.kind == "c" or (own.kind == "f" and np.ndim(a) > 0):
        raise TypeError(
            f"{op.name}: mixes {dtype} with an array of {own} and shape {np.shape(a)}; "
            f"the variable's dtype decides. Cast the constant: a.astype('{dtype}')."
        )
    return a.astype(dtype)


def _no_rule(function: Any) -> NoReturn:
    name = f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
    raise TypeError(
        f"{name} has no derivative rule in minisam. Write it with functions that have one "
        "(minisam.ops.numpy_rules lists them), or add a primitive."
    )
