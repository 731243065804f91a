"""Derivatives as functions of functions: arrays in, arrays out, nested to any order and in any mix.

Each transform runs the function once on variables, which records it, and then traverses the
recording: `vjp` and `grad` pull, `jvp` and `linearize` push. The others are compositions.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array, kept
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import linear
from minisam.autodiff.tensor import Root, Tensor, value_of
from minisam.autodiff.traverse import path, pull, push

Function: TypeAlias = Callable[..., Any]

identity = linear(
    "identity",
    lambda x: x,
    lambda ct, x: ct,
    domain=lambda rng: [((rng.normal(size=3),), {})],
    doc="x itself: where an inner differentiation begins on a Tensor of an outer one.",
)


class Recording:
    """One run of a function, recorded from its variables to its output.

    Parameters
    ----------
    f : callable
        Function of arrays that returns one array.
    args : tuple
        Its arguments.
    kwargs : dict
        Its keyword arguments.
    argnums : iterable of int
        Which arguments are the variables.
    copy : bool
        Copy them, and the value that is given out: needed if the traversals come later, when the
        user may have overwritten them.

    Attributes
    ----------
    variables : list of Tensor
        What stood for the variables.
    output : array
        What the function returned.
    nodes : dict from int to Tensor
        The path from the variables to the output, oldest first.
    """

    def __init__(
        self,
        f: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Any,
        copy: bool = False,
    ) -> None:
        self.copy = copy
        inputs = list(args)
        root: Root | None = None
        self.variables: list[Tensor] = []
        for i in argnums:
            if not isinstance(i, int) or not -len(args) <= i < len(args):
                raise TypeError(
                    f"{_name(f)}: cannot differentiate with respect to argument {i!r}; {len(args)} "
                    "positional arguments were given. argnum is the place of one of them."
                )
            x = inputs[i]
            if type(x) is Tensor and x.root.alive:
                x = Tensor(x.value, identity, (x.value,), (x,), {}, x.root)
            else:
                x = as_variable(x, i)
                if root is None:
                    root = Root(x.dtype)
                elif x.dtype != root.dtype:
                    raise TypeError(
                        f"argument {i} has dtype {x.dtype}, the first variable {root.dtype}; "
                        "give both the same."
                    )
                x = Tensor(kept(x) if copy else x, None, (), (), {}, root)
            inputs[i] = x
            self.variables.append(x)
        try:
            self.output = f(*inputs, **kwargs)
        finally:
            if root is not None:
                root.alive = False
        is_tensor = type(self.output) is Tensor
        if not is_tensor and not hasattr(self.output, "dtype"):
            self.output = _as_constant(f, self.output)
        # A root older than the variables is one that another transform is still waiting for.
        self.keep = is_tensor and self.output.root.alive
        self.nodes = path(self.output, self.variables) if is_tensor else {}

    @property
    def value(self) -> Array:
        """The output: a Tensor if something outside is still differentiating, else plain."""
        if self.keep:
            return self.output
        value = value_of(self.output)
        others = [x.value for x in self.variables]
        if self.copy or not self.nodes:  # rules may read it again; or it is a constant of f's
            others.append(value)
        return _owned(value, *others)

    def pull(self, ct: Array) -> list[Array]:
        """Return the cotangent of each variable."""
        keep = self.keep or type(ct) is Tensor
        found = pull(self.nodes, ct, keep)
        results: list[Array] = []
        for x in self.variables:
            g = found.get(x.number)
            results.append(
                np.zeros_like(x.value) if g is None else _owned(g, ct, x.value, *results)
            )
        return results

    def push(self, tangents: tuple[Array, ...]) -> Array:
        """Return the tangent of the output."""
        if len(tangents) != len(self.variables):
            raise TypeError(
                f"{len(self.variables)} arguments, but {len(tangents)} tangents: each needs one."
            )
        numbered = {
            x.number: _check_like("jvp", "tangent", t, x)
            for x, t in zip(self.variables, tangents, strict=True)
        }
        if not self.nodes:
            return np.zeros_like(value_of(self.output))
        keep = self.keep or any(type(t) is Tensor for t in tangents)
        return _owned(push(self.nodes, numbered, keep), *tangents)


def _owned(a: Array, *others: Array) -> Array:
    """Give an array that the user may write to: a copy if it may be the memory of another one."""
    if isinstance(a, np.generic) or type(a) is Tensor:
        return a
    for other in others:
        if a is other:
            return a.copy(order="K")
    if a.base is not None or not getattr(a.flags, "writeable", True):
        return a.copy(order="K")
    return a


def as_variable(x: Any, position: int = 0) -> Array:
    """Return a function's argument as an array of floats that can be differentiated.

    Parameters
    ----------
    x : array_like
        The argument.
    position : int
        Its place among the arguments, for the message.

    Returns
    -------
    array
        NumPy or CuPy array of a real floating dtype.

    Raises
    ------
    TypeError
        It is not an array of real floats.

    Examples
    --------
    >>> as_variable([1.0, 2.0])
    array([1., 2.])
    """
    x = value_of(x)
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    if x.dtype.kind != "f":
        raise TypeError(
            f"argument {position} has dtype {x.dtype}; differentiate floats: "
            "1.0 instead of 1, or x.astype('float64')."
        )
    return x


def _as_constant(f: Function, out: Any) -> Array:
    if isinstance(out, int | float):
        return np.asarray(float(out))
    raise TypeError(
        f"{_name(f)} returned {type(out).__name__}; a function to differentiate returns one "
        "array. Stack several with np.stack, or differentiate them one at a time."
    )


def _name(f: Function) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _check_scalar(f: Function, out: Array) -> None:
    if out.shape != ():
        raise ShapeError(
            f"grad: {_name(f)} returned an array of shape {out.shape}; a gradient needs a scalar. "
            "Did you mean jacobian, or np.mean or np.sum of the result?"
        )


def _check_like(name: str, what: str, t: Array, x: Array) -> Array:
    if not hasattr(t, "dtype"):
        t = np.asarray(t, dtype=x.dtype)
    if t.shape != x.shape:
        raise ShapeError(f"{name}: the {what} has shape {t.shape}, its array has {x.shape}.")
    if t.dtype != x.dtype:
        raise TypeError(
            f"{name}: the {what} has dtype {t.dtype}, its array has {x.dtype}. "
            f"Cast it: v.astype('{x.dtype}')."
        )
    return t


def value_and_grad(f: Function, argnum: int = 0) -> Callable[..., tuple[Array, Array]]:
    """Turn f into the function that gives its value and its gradient at once.

    Parameters
    ----------
    f : callable
        Returns a scalar; ``f(*args, **kwargs)``.
    argnum : int
        The argument to differentiate: an array of floats.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> (value, gradient)``; the gradient has the argument's shape and
        dtype, and costs about two to three evaluations of f whatever its size.

    Raises
    ------
    ShapeError
        f returned something of another shape than ().
    TypeError
        The argument is not an array of floats, or f returned no array.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> value, gradient = ms.value_and_grad(lambda w: np.sum(w**2))(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Array, Array]:
        run = Recording(f, args, kwargs, (argnum,))
        out = run.output
        _check_scalar(f, out)
        return run.value, run.pull(_one(value_of(out)))[0]

    return update_wrapper(value_and_gradient, f)


def grad(f: Function, argnum: int = 0) -> Function:
    """Turn f into its gradient.

    Parameters
    ----------
    f : callable
        Returns a scalar; ``f(*args, **kwargs)``.
    argnum : int
        The argument to differentiate: an array of floats.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> array`` of the argument's shape and dtype. See `value_and_grad`
        for the errors.

    Examples
    --------
    >>> import minisam as ms
    >>> float(ms.grad(ms.grad(lambda x: x**3))(2.0))
    12.0
    """
    with_value = value_and_grad(f, argnum)

    def gradient(*args: Any, **kwargs: Any) -> Array:
        return with_value(*args, **kwargs)[1]

    return update_wrapper(gradient, f)


def vjp(f: Function, *args: Any) -> tuple[Array, Function]:
    """Evaluate f and return its pullback, the vector-Jacobian product.

    Parameters
    ----------
    f : callable
        Function of the arrays ``args``.
    *args : array
        Where to linearise; every one is a variable.

    Returns
    -------
    value : array
        ``f(*args)``.
    pullback : callable
        ``ct -> Jᵀ ct``: takes a cotangent of the value's shape and gives the cotangent of the
        argument, or a tuple of them if there are several arguments.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> value, pullback = ms.vjp(np.sin, np.array([0.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))
    array([1., 0.])
    """
    run = Recording(f, args, {}, range(len(args)), copy=True)

    def pullback(ct: Array) -> Any:
        found = run.pull(_check_like("vjp", "cotangent", ct, run.output))
        return found[0] if len(found) == 1 else tuple(found)

    return run.value, pullback


def linearize(f: Function, *args: Any) -> tuple[Array, Function]:
    """Evaluate f once and return its pushforward, the Jacobian-vector product.

    Parameters
    ----------
    f : callable
        Function of the arrays ``args``.
    *args : array
        Where to linearise; every one is a variable.

    Returns
    -------
    value : array
        ``f(*args)``.
    pushforward : callable
        ``(*tangents) -> J t``: takes one tangent for each argument.

    Notes
    -----
    ``linearize(grad(loss), w)`` records the gradient once; each Hessian-vector product is then a
    single traversal.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> value, pushforward = ms.linearize(ms.grad(lambda w: np.sum(w**3)), np.array([1.0, 2.0]))
    >>> pushforward(np.array([1.0, 0.0]))
    array([6., 0.])
    """
    run = Recording(f, args, {}, range(len(args)), copy=True)

    return run.value, lambda *tangents: run.push(tangents)


def jvp(f: Function, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """Evaluate f and its derivative along a direction.

    Parameters
    ----------
    f : callable
        Function of the arrays ``args``.
    args : tuple of array
        Where to differentiate.
    tangents : tuple of array
        The direction: one array for each argument, of its shape and dtype.

    Returns
    -------
    value, tangent : array
        ``f(*args)`` and ``J t``, of the same shape.

    Examples
    --------
    >>> import minisam as ms
    >>> value, tangent = ms.jvp(lambda x: x**2, (3.0,), (1.0,))
    >>> float(value), float(tangent)
    (9.0, 6.0)
    """
    for given in (args, tangents):
        if not isinstance(given, tuple | list):
            what = type(given).__name__
            raise TypeError(f"jvp: args and tangents are tuples, as (w,) and (v,); got a {what}.")
    run = Recording(f, args, {}, range(len(args)))
    return run.value, run.push(tuple(tangents))


def hvp(f: Function, w: Array, v: Array) -> Array:
    """Multiply the Hessian of f at w by a vector, without forming it.

    Parameters
    ----------
    f : callable
        Scalar function of one array.
    w : array
        Where.
    v : array
        The vector, of w's shape and dtype.

    Returns
    -------
    array
        ``∇²f(w) v``, of w's shape: the derivative of ∇f along v (forward over reverse).

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.hvp(lambda w: w[0] * w[1], np.array([3.0, 4.0]), np.array([1.0, 0.0]))
    array([0., 1.])
    """
    return jvp(grad(f), (w,), (v,))[1]


def jacobian(f: Function) -> Function:
    """Turn f into its Jacobian, by pushing or pulling a basis, whichever is smaller.

    Parameters
    ----------
    f : callable
        Function of one array.

    Returns
    -------
    callable
        ``x -> array`` of shape ``f(x).shape + x.shape``.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def jacobian_of(x: Array) -> Array:
        run = Recording(f, (x,), {}, (0,))
        x, y = run.variables[0].value, value_of(run.output)
        if y.size == 0 or x.size == 0:
            return np.zeros(y.shape + x.shape, dtype=x.dtype)
        if x.size < y.size:
            columns = [np.reshape(run.push((e,)), y.shape) for e in _basis(x)]
            return np.reshape(np.stack(columns, axis=-1), y.shape + x.shape)
        rows = [run.pull(e)[0] for e in _basis(y)]
        return np.reshape(np.stack(rows), y.shape + x.shape)

    return update_wrapper(jacobian_of, f)


def hessian(f: Function) -> Function:
    """Turn a scalar function into its matrix of second derivatives.

    Parameters
    ----------
    f : callable
        Scalar function of one array.

    Returns
    -------
    callable
        ``x -> array`` of shape ``x.shape + x.shape``; x.size Hessian-vector products.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> ms.hessian(lambda x: x[0] * x[1] ** 2)(np.array([1.0, 3.0]))
    array([[0., 6.],
           [6., 2.]])
    """
    return jacobian(grad(f))


def _one(x: Array) -> Array:
    # np.ones_like of a NumPy scalar costs as much as a small layer.
    return type(x)(1) if isinstance(x, np.generic) else np.ones_like(x)


def _basis(x: Array) -> Any:
    for i in range(x.size):
        e = np.zeros_like(x).reshape(-1)
        e[i] = 1
        yield e.reshape(x.shape)
