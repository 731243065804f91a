"""Primitives: one line of mathematics each, in one of four kinds.

===========  =======================================  ======================================
kind         you write                                the engine derives
===========  =======================================  ======================================
elementwise  forward, one partial per argument        VJP, JVP, broadcasting
linear       forward, transpose                       the JVP is the op itself
bilinear     forward, two transposes                  the product rule
selection    forward, the choice made on values, and  everything else: given the choice, it
             the linear gather that it stands for     is that gather
===========  =======================================  ======================================

`primitive` is the general form, for the few fused rules (softmax, dense, cholesky) that are none
of these. Rules are written with operators and NumPy functions, so the same rule runs on arrays
and, when its result must be differentiated again, on Tensors. A rule may use only the op's own
inputs and output: a saved intermediate would be a constant to the next derivative.

Every primitive carries a *domain*: a function of a random Generator that yields argument tuples
and parameters on which `check_grads` must hold. Without one it cannot be registered.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from minisam.arrays import Array, Random, zeros
from minisam.autodiff.sums import sum_over
from minisam.autodiff.tensor import Tensor, record, value_of

Params: TypeAlias = dict[str, Any]
Domain: TypeAlias = Callable[[Random], Iterable[tuple[tuple[Array, ...], Params]]]
Partial: TypeAlias = Callable[..., Array] | int

PRIMITIVES: dict[str, "Primitive"] = {}
"""Every registered primitive by its name, in the order of registration."""


class Primitive:
    """An operation with its derivative rules.

    Attributes
    ----------
    name : str
        What error messages and `print(tensor)` call it.
    forward : callable
        ``forward(*args, **params)`` on plain arrays.
    pull : callable
        ``pull(i, ct, y, *args, **params)``: the cotangent of argument ``i`` from the output's; an
        array, or a list of the `Part` of one.
    push : callable
        ``push(tangents, y, *args, **params)``: the output's tangent; a constant's tangent is None.
    domain : callable
        ``domain(rng)`` yields ``(args, params)`` pairs to check the rules on.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Array],
        pull: Callable[..., Array],
        push: Callable[..., Array],
        domain: Domain,
        doc: str = "",
        smooth: bool = True,
        explain: Callable[..., str] | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.pull = pull
        self.push = push
        self.domain = domain
        self.smooth = smooth
        self.explain = explain
        self.__doc__ = doc

    __call__ = record

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def primitive(
    name: str,
    forward: Callable[..., Array],
    pull: Callable[..., Array],
    push: Callable[..., Array],
    *,
    domain: Domain,
    doc: str = "",
    smooth: bool = True,
    explain: Callable[..., str] | None = None,
) -> Primitive:
    """Register a primitive from its three functions; the four kinds below end here.

    Parameters
    ----------
    name : str
        A new name.
    forward, pull, push : callable
        See `Primitive`.
    domain : callable
        Generator of test arguments.
    doc : str
        One line of documentation.
    smooth : bool
        False if the function has kinks, so that a complex step may not be used on it.
    explain : callable, optional
        ``explain(*shapes)``: what is wrong with shapes that do not fit, for the error message.

    Returns
    -------
    Primitive
        The function to call.

    Raises
    ------
    ValueError
        The name is taken, or there is no domain.
    """
    old = PRIMITIVES.get(name)
    if old is not None and old.domain.__module__ != "__main__":  # a notebook's cell runs again
        raise ValueError(f"primitive {name!r} exists already; choose another name.")
    if not callable(domain):
        raise ValueError(f"primitive {name!r} has no test domain; give domain=rng -> cases.")
    PRIMITIVES[name] = op = Primitive(name, forward, pull, push, domain, doc, smooth, explain)
    return op


def elementwise(
    name: str, forward: Callable[..., Array], *partials: Partial, domain: Domain, **more: Any
) -> Primitive:
    """Register a function applied to each element, arguments broadcast against each other.

    Parameters
    ----------
    name, domain, **more
        As for `primitive`.
    forward : callable
        ``forward(*args, **params)``.
    *partials : callable or int
        One per argument: ``partial(y, *args, **params)`` is ∂y/∂arg; or the constant 1 or -1.

    Returns
    -------
    Primitive
        The function to call.

    Examples
    --------
    >>> import minisam as ms
    >>> def domain(rng):
    ...     yield (rng.uniform(1, 2, size=3),), {}
    >>> exp2 = elementwise("doc.exp2", np.exp2, lambda y, x: y * np.log(2.0), domain=domain)
    >>> ms.grad(lambda x: np.sum(exp2(x)))(np.array([1.0])).round(4)
    array([1.3863])
    """
    if len(partials) == 1 and callable(slope := partials[0]):
        # The same as below for one argument, which cannot have been broadcast.
        return primitive(
            name,
            forward,
            lambda i, ct, y, x, **params: ct * slope(y, x, **params),
            lambda tangents, y, x, **params: tangents[0] * slope(y, x, **params),
            domain=domain,
            **more,
        )

    def chain(i: int, t: Array, y: Array, args: tuple[Array, ...], params: Params) -> Array:
        partial = partials[i]
        if callable(partial):
            return t * partial(y, *args, **params)
        return t if partial == 1 else -t

    def pull(i: int, ct: Array, y: Array, *args: Array, **params: Any) -> Array:
        return unbroadcast(chain(i, ct, y, args, params), args[i])

    def push(tangents: list[Array | None], y: Array, *args: Array, **params: Any) -> Array:
        terms = [chain(i, t, y, args, params) for i, t in enumerate(tangents) if t is not None]
        total = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        return total if total.shape == y.shape else np.broadcast_to(total, y.shape)

    return primitive(name, forward, pull, push, domain=domain, **more)


def linear(
    name: str, forward: Callable[..., Array], transpose: Callable[..., Array], **more: Any
) -> Primitive:
    """Register a function that is linear in its one array argument.

    Parameters
    ----------
    name, **more
        As for `primitive`.
    forward : callable
        ``forward(x, **params)``.
    transpose : callable
        ``transpose(ct, x, **params)``: the transposed map; of ``x`` it may use only the shape.

    Returns
    -------
    Primitive
        The function to call.

    Examples
    --------
    >>> import minisam as ms
    >>> def domain(rng):
    ...     yield (rng.normal(size=3),), {}
    >>> rotate = linear(
    ...     "doc.rotate", lambda x: np.roll(x, 1), lambda ct, x: np.roll(ct, -1), domain=domain
    ... )
    >>> ms.grad(lambda x: rotate(x) @ np.array([1.0, 2.0, 3.0]))(np.zeros(3))
    array([2., 3., 1.])
    """

    def pull(i: int, ct: Array, y: Array, x: Array, **params: Any) -> Array:
        return transpose(ct, x, **params)

    def push(tangents: list[Array], y: Array, x: Array, **params: Any) -> Array:
        return op(tangents[0], **params)

    op = primitive(name, forward, pull, push, **more)
    return op


def jointly_linear(
    name: str, forward: Callable[..., Array], transpose: Callable[..., Array], **more: Any
) -> Primitive:
    """Register a function that is linear in all its array arguments together.

    Parameters
    ----------
    name, **more
        As for `primitive`.
    forward : callable
        ``forward(*args, **params)``.
    transpose : callable
        ``transpose(i, ct, *args, **params)``: the cotangent of argument ``i``; of ``args`` it may
        use only the shapes.

    Returns
    -------
    Primitive
        The function to call.

    Examples
    --------
    >>> import minisam as ms
    >>> def domain(rng):
    ...     yield (rng.normal(size=2), rng.normal(size=2)), {}
    >>> average = jointly_linear(
    ...     "doc.average", lambda a, b: (a + b) / 2, lambda i, ct, a, b: ct / 2, domain=domain
    ... )
    >>> ms.grad(lambda a: np.sum(average(a, 1.0)))(np.zeros(2))
    array([0.5, 0.5])
    """

    def pull(i: int, ct: Array, y: Array, *args: Array, **params: Any) -> Array:
        return unbroadcast(transpose(i, ct, *args, **params), args[i])

    def push(tangents: list[Array | None], y: Array, *args: Array, **params: Any) -> Array:
        like = value_of(y)
        dense = (
            zeros(np.shape(value_of(a)), like) if t is None else t
            for t, a in zip(tangents, args, strict=True)
        )
        return op(*dense, **params)

    op = primitive(name, forward, pull, push, **more)
    return op


def bilinear(
    name: str,
    forward: Callable[..., Array],
    transpose_a: Callable[..., Array],
    transpose_b: Callable[..., Array],
    **more: Any,
) -> Primitive:
    """Register a function that is linear in each of its two array arguments.

    Parameters
    ----------
    name, **more
        As for `primitive`.
    forward : callable
        ``forward(a, b, **params)``.
    transpose_a, transpose_b : callable
        ``transpose_a(ct, a, b, **params)``: the cotangent of ``a``, of which only the shape may
        be used; likewise for ``b``. Broadcast axes are summed by the engine.

    Returns
    -------
    Primitive
        The function to call.

    Examples
    --------
    >>> import minisam as ms
    >>> def domain(rng):
    ...     yield (rng.normal(size=3), rng.normal(size=3)), {}
    >>> times = bilinear(
    ...     "doc.times", np.multiply, lambda ct, a, b: ct * b, lambda ct, a, b: ct * a,
    ...     domain=domain,
    ... )
    >>> ms.grad(lambda a: np.sum(times(a, a)))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    transposes = (transpose_a, transpose_b)

    def pull(i: int, ct: Array, y: Array, a: Array, b: Array, **params: Any) -> Array:
        return unbroadcast(transposes[i](ct, a, b, **params), (a, b)[i])

    def push(tangents: list[Array | None], y: Array, a: Array, b: Array, **params: Any) -> Array:
        ta, tb = tangents
        if tb is None:
            return op(ta, b, **params)
        if ta is None:
            return op(a, tb, **params)
        return op(ta, b, **params) + op(a, tb, **params)

    op = primitive(name, forward, pull, push, **more)
    return op


def selection(
    name: str,
    forward: Callable[..., Array],
    choose: Callable[..., Array],
    gather: Primitive,
    **more: Any,
) -> Primitive:
    """Register a function that picks (or averages ties of) elements of its argument.

    Parameters
    ----------
    name, **more
        As for `primitive`.
    forward : callable
        ``forward(x, **params)``.
    choose : callable
        ``choose(y, x, **params)`` on plain arrays: which elements, as weights or indices.
    gather : Primitive
        The linear primitive with ``gather(x, chosen=..., **params) == forward(x, **params)``.

    Returns
    -------
    Primitive
        The function to call.

    Examples
    --------
    >>> import minisam as ms
    >>> def domain(rng):
    ...     yield (rng.normal(size=4),), {}
    >>> pick = linear(
    ...     "doc.pick", lambda x, chosen: chosen @ x, lambda ct, x, chosen: ct * chosen,
    ...     domain=lambda rng: [((rng.normal(size=2),), {"chosen": np.array([1.0, 0.0])})],
    ... )
    >>> largest = selection(
    ...     "doc.largest", lambda x: x.max(), lambda y, x: (x == y) / (x == y).sum(), pick,
    ...     domain=domain,
    ... )
    >>> ms.grad(largest)(np.array([3.0, 1.0]))
    array([1., 0.])
    """

    def pull(i: int, ct: Array, y: Array, x: Array, **params: Any) -> Array:
        chosen = choose(value_of(y), value_of(x), **params)
        return gather.pull(0, ct, y, x, chosen=chosen, **params)

    def push(tangents: list[Array], y: Array, x: Array, **params: Any) -> Array:
        chosen = choose(value_of(y), value_of(x), **params)
        return gather(tangents[0], chosen=chosen, **params)

    return primitive(name, forward, pull, push, smooth=False, **more)


def unbroadcast(ct: Array, like: Array) -> Array:
    """Sum a cotangent over the axes along which ``like`` was broadcast.

    Parameters
    ----------
    ct : array
        Cotangent, of a shape that ``like.shape`` broadcasts to.
    like : array
        The argument whose cotangent is wanted.

    Returns
    -------
    array, of ``like.shape``
        The transpose of broadcasting, applied to ``ct``.

    Examples
    --------
    >>> import numpy as np
    >>> unbroadcast(np.ones((2, 3)), np.zeros((1, 3)))
    array([[2., 2., 2.]])
    """
    shape: tuple[int, ...] = like.shape
    if ct.shape == shape:
        return ct
    lead = ct.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and ct.shape[lead + i] != 1
    )
    total = np.sum(ct, axis=axes) if type(ct) is Tensor else sum_over(ct, axes)
    return total.reshape(shape)
