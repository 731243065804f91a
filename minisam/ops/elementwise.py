"""Functions applied to each element: a forward, and one partial derivative per argument.

At kinks: |x|, relu and sign have slope 0 at 0; maximum and minimum share ties half and half; clip
has slope 1 on the closed interval (a point equal to a bound is not clipped).
"""

import math
from functools import partial

import numpy as np

from minisam.arrays import Array, on_host, zeros
from minisam.autodiff.primitive import Primitive, bilinear, elementwise, jointly_linear
from minisam.autodiff.sums import CHANNELS, by_channel, sum_of_products
from minisam.autodiff.tensor import Tensor, value_of
from minisam.ops.domains import binary, unary

# Arithmetic.

add = elementwise("add", partial(by_channel, np.add), 1, 1, domain=binary())
subtract = elementwise("subtract", partial(by_channel, np.subtract), 1, -1, domain=binary())


def _cotangent_of_factor(ct: Array, a: Array, b: Array) -> Array:
    """Multiply by the other factor; batch norm's scale, one for each channel, is summed at once."""
    if type(ct) is type(a) is np.ndarray and a.ndim == 4 and b.shape == (1, a.shape[1], 1, 1):
        return sum_of_products(ct, a, CHANNELS)
    return ct * a


multiply = bilinear(
    "multiply",
    partial(by_channel, np.multiply),
    lambda ct, a, b: by_channel(np.multiply, ct, b),
    _cotangent_of_factor,
    domain=binary(),
)
divide = elementwise(
    "divide",
    np.divide,
    lambda y, a, b: 1 / b,
    lambda y, a, b: -y / b,
    domain=binary(low2=0.5),
)
negative = elementwise("negative", np.negative, -1, domain=unary())
reciprocal = elementwise("reciprocal", np.reciprocal, lambda y, x: -y * y, domain=unary(0.5))


def _falling(x: Array, n: Array) -> Array:
    """n·xⁿ⁻¹, with 0·x⁻¹ = 0 also at x = 0."""
    nowhere = (value_of(n) == 0) & (value_of(x) == 0)
    rare = not on_host(nowhere) or np.any(nowhere)
    return n * x ** (np.where(nowhere, 0, n - 1) if rare else n - 1)


def _log_where_positive(x: Array) -> Array:
    """Log x, and 0 at x = 0, where the power is constant in the exponent."""
    return np.log(np.where(value_of(x) == 0, 1, x))


general_power = elementwise(
    "power",
    np.power,
    lambda y, x, n: _falling(x, n),
    lambda y, x, n: y * _log_where_positive(x),
    domain=binary(0.5, 2.0),
)


def _integers(x: Array) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind in "biu"


def _constant_power(x: Array, n: float) -> Array:
    """xⁿ; a cube takes NumPy's general power 40 times as long as two products."""
    if n in (3, 4) and not (isinstance(n, float) and _integers(x)):
        square = x * x
        return square * (x if n == 3 else square)
    return x**n


constant_power = elementwise(
    "constant_power",
    _constant_power,
    lambda y, x, n: n * x ** (n - 1) if n != 0 else np.zeros_like(value_of(x)),
    domain=lambda rng: [
        (args, {"n": n}) for n in (-2, 0, 1, 2, 3, 4, 0.5, 2.5) for args, _ in unary(0.5)(rng)
    ],
    doc="x**n for a constant number n; exact at x = 0 to every order.",
)


def power(x: Array, n: Array) -> Array:
    """Raise x to the power n, element by element.

    Parameters
    ----------
    x : array
        Base.
    n : array or number
        Exponent. With a Python number, the derivatives at x = 0 are exact to every order; the
        derivative with respect to a Tensor ``n`` needs x >= 0.

    Returns
    -------
    array
        ``x**n``, broadcast.

    Examples
    --------
    >>> import minisam as ms
    >>> float(ms.grad(ms.grad(lambda x: x**2))(0.0))
    2.0
    """
    if isinstance(n, int | float):
        return constant_power(x, n=float(n) if isinstance(n, float) else n)
    if type(n) is Tensor and getattr(x, "dtype", n.dtype).kind in "iub":
        x = x.astype(n.dtype)
    elif isinstance(x, int | float):
        x = value_of(n).dtype.type(x)  # log(x) of a Python number would be float64
    return general_power(x, n)


# Exponentials, roots, circular and hyperbolic functions.

exp = elementwise("exp", np.exp, lambda y, x: y, domain=unary())
expm1 = elementwise("expm1", np.expm1, lambda y, x: y + 1, domain=unary())
log = elementwise("log", np.log, lambda y, x: 1 / x, domain=unary(0.3))
log2 = elementwise("log2", np.log2, lambda y, x: 1 / math.log(2) / x, domain=unary(0.3))
log10 = elementwise("log10", np.log10, lambda y, x: 1 / math.log(10) / x, domain=unary(0.3))
log1p = elementwise("log1p", np.log1p, lambda y, x: 1 / (1 + x), domain=unary(-0.6))
sqrt = elementwise("sqrt", np.sqrt, lambda y, x: 0.5 / y, domain=unary(0.3))
square = elementwise("square", np.square, lambda y, x: 2 * x, domain=unary())
sin = elementwise("sin", np.sin, lambda y, x: np.cos(x), domain=unary())
cos = elementwise("cos", np.cos, lambda y, x: -np.sin(x), domain=unary())
tan = elementwise("tan", np.tan, lambda y, x: 1 + y * y, domain=unary(-1, 1))
arcsin = elementwise("arcsin", np.arcsin, lambda y, x: 1 / np.cos(y), domain=unary(-0.9, 0.9))
arccos = elementwise("arccos", np.arccos, lambda y, x: -1 / np.sin(y), domain=unary(-0.9, 0.9))
arctan = elementwise("arctan", np.arctan, lambda y, x: 1 / (1 + x * x), domain=unary())
sinh = elementwise("sinh", np.sinh, lambda y, x: np.cosh(x), domain=unary())
cosh = elementwise("cosh", np.cosh, lambda y, x: np.sinh(x), domain=unary())
tanh = elementwise("tanh", np.tanh, lambda y, x: 1 - y * y, domain=unary())
arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    lambda y, a, b: b / (a * a + b * b),
    lambda y, a, b: -a / (a * a + b * b),
    domain=binary(1.0),
    smooth=False,  # np.arctan2 takes no complex numbers
    doc="The angle of the point (b, a), in radians.",
)


def _softplus(x: Array) -> Array:
    if np.iscomplexobj(x):  # a complex step: analytic, and never far out
        return np.log1p(np.exp(x))
    x = x * 1.0 if _integers(x) else x  # some integers have no negative
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x: Array) -> Array:
    if np.iscomplexobj(x):
        return 1 / (1 + np.exp(-x))
    x = x * 1.0 if _integers(x) else x
    # Neither exponential overflows. By np.logaddexp it takes seven times as long.
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


sigmoid: Primitive = elementwise(
    "sigmoid",
    _sigmoid,
    lambda y, x: y * sigmoid(-x),  # y (1 - y) would lose a tail
    domain=unary(),
    doc="1/(1 + exp(-x)), with small relative errors in both tails.",
)
softplus = elementwise(
    "softplus",
    _softplus,
    lambda y, x: sigmoid(x),
    domain=unary(),
    doc="log(1 + exp(x)), without overflow.",
)
logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda y, a, b: sigmoid(a - b),
    lambda y, a, b: sigmoid(b - a),
    domain=binary(),
    smooth=False,  # np.logaddexp takes no complex numbers
    doc="log(exp(a) + exp(b)), without overflow.",
)

# Functions with kinks. The masks are constants: comparisons of Tensors give plain arrays.


def _share(y: Array, a: Array, b: Array) -> Array:
    """1 where a > b, ½ where they tie, 0 elsewhere, in the result's dtype."""
    a, b, dtype = value_of(a), value_of(b), value_of(y).dtype
    return np.greater(a, b).astype(dtype) + np.equal(a, b).astype(dtype) * dtype.type(0.5)


absolute = elementwise(
    "absolute", np.absolute, lambda y, x: np.sign(value_of(x)), domain=unary(), smooth=False
)
sign = elementwise(
    "sign", np.sign, lambda y, x: np.zeros_like(value_of(x)), domain=unary(), smooth=False
)


def _relu(x: Array) -> Array:
    """max(x, 0); of 10⁶ numbers NumPy's maximum takes 0.3 ms, and its clip 0.08."""
    if type(x) is np.ndarray and x.dtype.char in "fd" and x.size > 2048:
        return x.clip(0, np.inf)
    return np.maximum(x, 0)


relu = elementwise(
    "relu",
    _relu,
    lambda y, x: value_of(y) > 0,
    domain=unary(),
    smooth=False,
    doc="max(x, 0), with slope 0 at 0.",
)
maximum = elementwise(
    "maximum",
    np.maximum,
    lambda y, a, b: _share(y, a, b),
    lambda y, a, b: _share(y, b, a),
    domain=binary(),
    smooth=False,
)
minimum = elementwise(
    "minimum",
    np.minimum,
    lambda y, a, b: _share(y, b, a),
    lambda y, a, b: _share(y, a, b),
    domain=binary(),
    smooth=False,
)
at_least = elementwise(
    "at_least",
    np.maximum,
    lambda y, x, low: value_of(x) >= value_of(low),
    lambda y, x, low: value_of(x) < value_of(low),
    domain=binary(),
    smooth=False,
    doc="max(x, low), with slope 1 for x at a tie.",
)
at_most = elementwise(
    "at_most",
    np.minimum,
    lambda y, x, high: value_of(x) <= value_of(high),
    lambda y, x, high: value_of(x) > value_of(high),
    domain=binary(),
    smooth=False,
    doc="min(x, high), with slope 1 for x at a tie.",
)


def clip(
    x: Array,
    a_min: Array | float | None = None,
    a_max: Array | float | None = None,
    *,
    min: Array | float | None = None,  # the names of the array method
    max: Array | float | None = None,
) -> Array:
    """Limit values to an interval.

    Parameters
    ----------
    x : array
        Any shape.
    a_min, a_max : array, optional
        The bounds, broadcast against x; None for no bound.
    min, max : array, optional
        The same, by the names that the method ``x.clip(min=0)`` has.

    Returns
    -------
    array
        min(max(x, a_min), a_max). The slope with respect to x is 1 inside and at the bounds and
        0 outside; with respect to a bound it is 1 where that bound was put in place of x.

    Examples
    --------
    >>> import numpy as np
    >>> clip(np.array([-2.0, 0.5]), -1, 1)
    array([-1. ,  0.5])
    """
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    x = x if low is None else at_least(x, low)
    return x if high is None else at_most(x, high)


where_op = jointly_linear(
    "where",
    lambda a, b, condition: np.where(condition, a, b),
    lambda i, ct, a, b, condition: _masked(ct, condition if i == 0 else ~condition),
    domain=lambda rng: [
        (args, {"condition": rng.random(np.broadcast_shapes(*map(np.shape, args))) < 0.5})
        for args, _ in binary()(rng)
    ],
)


def _masked(ct: Array, mask: Array) -> Array:
    """Give ct where the mask holds and 0 elsewhere; not ct * mask, which makes NaN of inf * 0."""
    return where_op(ct, zeros((), value_of(ct)), condition=mask)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Choose from a where the condition holds, from b elsewhere.

    Parameters
    ----------
    condition : array of bool
        A constant; if it is a Tensor, its value counts.
    a, b : array
        Broadcast against the condition and each other.

    Returns
    -------
    array
        The chosen elements. The derivative never mixes the branches, so a NaN or infinity in the
        branch that was not chosen does no harm to the cotangent that arrives.

    Examples
    --------
    >>> import numpy as np
    >>> where(np.array([True, False]), 1.0, np.array([5.0, 7.0]))
    array([1., 7.])
    """
    condition = value_of(condition)
    if not hasattr(condition, "dtype"):
        condition = np.asarray(condition)
    condition = condition if condition.dtype == bool else condition != 0
    return where_op(a, b, condition=condition)


# Activations. That of gelu is a rule of its own because, recorded as nine operations, it takes 1.2
# times as long for 128×512 numbers, and twice as long for 32×32.

_ROOT, _CUBE = 0.7978845608028654, 0.044715  # √(2/π), and a fit to the normal distribution


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(x * (_ROOT + (_ROOT * _CUBE) * x * x)))


def _gelu_slope(y: Array, x: Array) -> Array:
    t = np.tanh(x * (_ROOT + (_ROOT * _CUBE) * x * x))
    return 0.5 * (1 + t) * (1 + (1 - t) * x * (_ROOT + (3 * _ROOT * _CUBE) * x * x))


gelu_op = elementwise("gelu", _gelu, _gelu_slope, domain=unary())


def gelu(x: Array) -> Array:
    """Gaussian error linear unit, in its tanh form (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    array
        ``x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))``, within 5e-4 of x Φ(x).

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8412])
    """
    return gelu_op(x)


def silu(x: Array) -> Array:
    """Sigmoid linear unit, ``x σ(x)``.

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    array
        Of x's shape.

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.7311])
    """
    return x * sigmoid(x)
