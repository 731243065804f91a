"""Small linear algebra: solve, inverse and norms.

The rules are those of Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation". Each follows from differentiating the defining equation, which
stands above it. A dot marks tangents, a bar cotangents; all act on the last two axes.
"""

from typing import Any

import numpy as np

from minisam.arrays import Array, Random
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.primitive import Params, Primitive, primitive, unbroadcast
from minisam.ops import reductions, shapes


def transposed(x: Array) -> Array:
    """Transpose each matrix.

    Examples
    --------
    >>> import numpy as np
    >>> transposed(np.zeros((2, 3, 4))).shape
    (2, 4, 3)
    """
    return np.swapaxes(x, -1, -2)


def _regular(rng: Random, *shape: int) -> Array:
    """Random matrices far from singular ones, without symmetry."""
    return rng.uniform(-0.5, 0.5, shape) + 1.5 * np.eye(shape[-1])


def regular_domain(rng: Random) -> list[tuple[tuple[Array, ...], Params]]:
    """Regular matrices, one or several, without symmetry.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list
        A domain: pairs of arguments and parameters.
    """
    sizes = ((2, 2), (3, 3), (1, 1), (2, 2, 2), (0, 2, 2))
    return [((_regular(rng, *shape),), {}) for shape in sizes]


# A X = B, so Ẋ = A⁻¹(Ḃ - Ȧ X).


def _solve_pull(i: int, ct: Array, y: Array, a: Array, b: Array) -> Array:
    b_bar = solve_op(transposed(a), ct)
    return unbroadcast(b_bar, b) if i == 1 else unbroadcast(-b_bar @ transposed(y), a)


def _solve_push(tangents: list[Array | None], y: Array, a: Array, b: Array) -> Array:
    ta, tb = tangents
    if ta is None:
        return solve_op(a, tb)
    return solve_op(a, -ta @ y if tb is None else tb - ta @ y)


solve_op = primitive(
    "solve",
    np.linalg.solve,
    _solve_pull,
    _solve_push,
    domain=lambda rng: [
        ((_regular(rng, *a), rng.normal(size=b)), {})
        for a, b in (
            ((2, 2), (2, 1)),
            ((3, 3), (3, 1)),
            ((2, 2, 2), (2, 1)),
            ((2, 2), (2, 2, 1)),
            ((2, 2), (2, 0)),
        )
    ],
    doc="The matrix X with A X = B.",
)

# A Y = I, so Ẏ = -Y Ȧ Y.

inv_op = primitive(
    "inv",
    np.linalg.inv,
    lambda i, ct, y, a: -transposed(y) @ ct @ transposed(y),
    lambda tangents, y, a: -y @ tangents[0] @ y,
    domain=regular_domain,
)


def checked(name: str, op: Primitive, a: Array) -> Array:
    """Apply a primitive to square matrices; if LAPACK refuses them, say why and what to do.

    Parameters
    ----------
    name : str
        What to call it.
    op : Primitive
        What to apply.
    a : array, (..., n, n)
        The matrices.

    Returns
    -------
    array
        ``op(a)``.
    """
    try:
        return op(a)
    except ValueError as error:
        raise _refused(name, error, np.shape(a)) from None


def _refused(name: str, error: ValueError, shape: tuple[int, ...]) -> ValueError:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return ShapeError(f"{name}: needs square matrices (..., n, n), got {shape}.")
    if isinstance(error, np.linalg.LinAlgError):
        return np.linalg.LinAlgError(
            f"{name}: {str(error).lower()}, of shape {shape}. A small multiple of the identity "
            f"added to it may help: a + ridge * np.eye({shape[-1]}, dtype=a.dtype)."
        )
    return error


def solve(a: Array, b: Array) -> Array:
    """Solve the linear equations A x = b.

    Parameters
    ----------
    a : array, (..., n, n)
        Regular matrices.
    b : array, (n,) or (..., n, k)
        A vector if it has one axis, else matrices, as in NumPy 2; leading axes broadcast.

    Returns
    -------
    array, (..., n) or (..., n, k)
        The solutions. With x̄ given, ``b̄ = A⁻ᵀ x̄`` and ``Ā = -b̄ xᵀ``.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    numpy.linalg.LinAlgError
        A matrix is singular.

    Examples
    --------
    >>> import numpy as np
    >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    array([1. , 0.5])
    """
    columns = shapes.expand_dims(b, -1) if np.ndim(b) == 1 else b
    try:
        x = solve_op(a, columns)
    except ValueError as error:
        wrong = _refused("solve", error, np.shape(a))
        if wrong is error:
            n = np.shape(a)[-1]
            wrong = ShapeError(
                f"solve: a of shape {np.shape(a)} needs b of shape ({n},) or (..., {n}, k), "
                f"got {np.shape(b)}."
            )
        raise wrong from None
    return x[..., 0] if np.ndim(b) == 1 else x


def inv(a: Array) -> Array:
    """Invert matrices; where ``inv(a) @ b`` is wanted, ``solve(a, b)`` is faster and more accurate.

    Parameters
    ----------
    a : array, (..., n, n)
        Regular matrices.

    Returns
    -------
    array, (..., n, n)
        The inverses Y; ``Ā = -Yᵀ Ȳ Yᵀ``.

    Examples
    --------
    >>> import numpy as np
    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return checked("inv", inv_op, a)


def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Vector p-norm, or Frobenius norm of a matrix: `minisam.ops.reductions.norm`.

    What NumPy means by ``ord`` for a matrix (sums of columns, singular values) is an error.

    Examples
    --------
    >>> import numpy as np
    >>> float(norm(np.array([[3.0, 0.0], [0.0, 4.0]])))
    5.0
    """
    axes = np.ndim(x) if axis is None else np.size(axis)
    if axes != 1 and ord is not None and not (axes == 2 and ord == "fro"):
        raise ValueError(
            f"norm: ord={ord!r} over {axes} axes is a matrix norm, which has no derivative rule. "
            "For the norm of all elements as one vector write np.linalg.norm(np.ravel(t), ord)."
        )
    return reductions.norm(x, ord, axis, keepdims)
