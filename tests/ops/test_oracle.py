"""An independent oracle: HIPS autograd gives the same gradients and Hessian-vector products.

Each row is one function written once, with NumPy's names: ``m`` is autograd's NumPy for the
oracle and NumPy itself for minisam. Where autograd is wrong the row is in FAULTS with the reason,
and a test holds that it is still wrong there.
"""

import warnings
from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import autograd.scipy.special
import numpy as np
import pytest

import minisam as ms
from minisam.autodiff.check import check_grads
from minisam.autodiff.numerical import difference
from minisam.autodiff.tensor import NUMPY_RULES
from minisam.ops.numpy_rules import CONSTANT

RNG = np.random.default_rng(12)
P = RNG.uniform(0.4, 1.6, (3, 4))  # positive
X = RNG.normal(size=(3, 4))
Y = RNG.normal(size=(3, 4))
ROW = RNG.normal(size=4)
CUBE = RNG.normal(size=(2, 3, 4))
SQUARE = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
STACK = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)
ZEROS = np.array([1.5, 0.0, -2.0, 0.0])


def spd(m, a):
    """A positive definite matrix with distinct eigenvalues, made of any small matrix."""
    return (a + m.transpose(a)) / 10 + m.diag(np.arange(1.0, 4.0))


def special(m):
    """SciPy's names, for the functions that NumPy has not."""
    if m is anp:
        return autograd.scipy.special
    return SimpleNamespace(expit=ms.ops.sigmoid, logsumexp=ms.ops.logsumexp)


AGREED = {
    # Arithmetic and elementwise functions, with broadcasting.
    "add": (lambda m, x, y: m.add(x, y), X, ROW),
    "subtract": (lambda m, x, y: m.subtract(x, y), ROW, CUBE),
    "multiply": (lambda m, x, y: m.multiply(x, y), X[:, :1], ROW),
    "divide": (lambda m, x, y: m.divide(x, y), X, P),
    "power": (lambda m, x, y: m.power(x, y), P, Y),
    "constant power": (lambda m, x: x**3 + x**-2 + x**0.5 + x**1, P),
    "square at zero": (lambda m, x: x**2, ZEROS),
    "cube at zero": (lambda m, x: x**3, ZEROS),
    "number to a power": (lambda m, x: 2.0**x, X),
    "negative": (lambda m, x: -x + m.negative(x), X),
    "reciprocal": (lambda m, x: m.reciprocal(x), P),
    "right operators": (lambda m, x: 2 - 1 / x, P),
    "exp": (lambda m, x: m.exp(x), X),
    "expm1": (lambda m, x: m.expm1(x), X),
    "log": (lambda m, x: m.log(x), P),
    "log1p": (lambda m, x: m.log1p(x), P),
    "sqrt": (lambda m, x: m.sqrt(x), P),
    "square": (lambda m, x: m.square(x), X),
    "sin": (lambda m, x: m.sin(x), X),
    "cos": (lambda m, x: m.cos(x), X),
    "tan": (lambda m, x: m.tan(x), P / 2),
    "log2": (lambda m, x: m.log2(x), P),
    "log10": (lambda m, x: m.log10(x), P),
    "arcsin": (lambda m, x: m.arcsin(x / 3), X),
    "arccos": (lambda m, x: m.arccos(x / 3), X),
    "arctan2": (lambda m, x, y: m.arctan2(x, y), X, ROW),
    "diff": (lambda m, x: m.diff(x, axis=0), X),
    "arctan": (lambda m, x: m.arctan(x), X),
    "sinh": (lambda m, x: m.sinh(x), X),
    "cosh": (lambda m, x: m.cosh(x), X),
    "tanh": (lambda m, x: m.tanh(x), X),
    "logaddexp": (lambda m, x, y: m.logaddexp(x, y), X, ROW),
    "absolute": (lambda m, x: m.absolute(x), X),
    "sign": (lambda m, x: m.sign(x) * x, X),
    "sigmoid": (lambda m, x: special(m).expit(x), X),
    "absolute at zero": (lambda m, x: m.abs(x), ZEROS),
    "maximum": (lambda m, x, y: m.maximum(x, y), X, ROW),
    "minimum": (lambda m, x, y: m.minimum(x, y), X, ROW),
    "maximum at a tie": (lambda m, x, y: m.maximum(x, y), ZEROS, ZEROS),
    "clip": (lambda m, x: m.clip(x, -0.5, 0.5), X),
    "where": (lambda m, x, y: m.where(X > 0, x, y), X, Y),
    # Reductions.
    "sum": (lambda m, x: m.sum(x, axis=(0, 2)), CUBE),
    "mean": (lambda m, x: m.mean(x, axis=-1, keepdims=True), CUBE),
    "max": (lambda m, x: m.max(x, axis=1), CUBE),
    "min": (lambda m, x: m.min(x, axis=(0, 1)), CUBE),
    "max at a tie": (lambda m, x: m.max(x), ZEROS * 0),
    "prod": (lambda m, x: m.prod(x, axis=1), X),
    "var": (lambda m, x: m.var(x, axis=1), X),
    "var with ddof": (lambda m, x: m.var(x, axis=0, ddof=1), X),
    "std": (lambda m, x: m.std(x, axis=1, ddof=1), X),
    "cumsum": (lambda m, x: m.cumsum(x, axis=1), X),
    "cumsum of all": (lambda m, x: m.cumsum(x), X),
    "norm": (lambda m, x: m.linalg.norm(x), X),
    "norm of rows": (lambda m, x: m.linalg.norm(x, axis=1), X),
    "3-norm": (lambda m, x: m.linalg.norm(x, ord=3, axis=1), X),
    "logsumexp": (lambda m, x: special(m).logsumexp(x, axis=1), X),
    "logsumexp of all": (lambda m, x: special(m).logsumexp(x), X),
    # Shapes.
    "reshape": (lambda m, x: m.reshape(x, (2, -1)), X),
    "ravel": (lambda m, x: m.ravel(x), X),
    "transpose": (lambda m, x: m.transpose(x, (1, 2, 0)), CUBE),
    "T": (lambda m, x: x.T, CUBE),
    "swapaxes": (lambda m, x: m.swapaxes(x, 0, -1), CUBE),
    "moveaxis": (lambda m, x: m.moveaxis(x, 0, -1), CUBE),
    "expand_dims": (lambda m, x: m.expand_dims(x, 1), X),
    "squeeze": (lambda m, x: m.squeeze(x), X[:, :1]),
    "broadcast_to": (lambda m, x: m.broadcast_to(x, (3, 4)), X[:, :1]),
    "flip": (lambda m, x: m.flipud(x) if m is anp else m.flip(x, 0), X),
    "pad": (lambda m, x: m.pad(x, ((1, 0), (2, 1)), "constant"), X),
    "concatenate": (lambda m, x, y: m.concatenate([x, y], axis=1), X, Y[:, :2]),
    "stack": (lambda m, x, y: m.stack([x, y], axis=1), X, Y),
    # Reading and placing.
    "getitem": (lambda m, x: x[1:, ::-2], X),
    "getitem twice": (lambda m, x: x[[0, 0, 2], [1, 1, 3]], X),
    "getitem by mask": (lambda m, x: x[X > 0], X),
    "sort": (lambda m, x: m.sort(x), ROW),
    "repeat of all": (lambda m, x: m.repeat(x, 3), X),
    "repeat along an axis": (lambda m, x: m.repeat(x, 3, axis=1), X),
    "repeat along a negative axis of length 1": (lambda m, x: m.repeat(x, 3, axis=-1), X[:, :1]),
    "tile": (lambda m, x: m.tile(x, (2, 3)), X),
    "tile along a new axis": (lambda m, x: m.tile(x, (2, 1, 3)), X),
    "roll": (lambda m, x: m.roll(x, 2, axis=1), X),
    "split": (lambda m, x: m.split(x, [1, 3], axis=1)[1], X),
    "diag of a vector": (lambda m, x: m.diag(x), ROW),
    "diag of a square": (lambda m, x: m.diag(x), SQUARE),
    "diag of a square, above": (lambda m, x: m.diag(x, 1), SQUARE),
    "diag of a vector, below": (lambda m, x: m.diag(x, -1), ROW),
    "diagonal": (lambda m, x: m.diagonal(x, axis1=-1, axis2=-2), STACK),
    "trace": (lambda m, x: m.trace(x), SQUARE),
    "tril": (lambda m, x: m.tril(x), SQUARE),
    "triu": (lambda m, x: m.triu(x, 1), SQUARE),
    # Products.
    "matmul": (lambda m, x, y: m.matmul(x, y), X, Y.T.copy()),
    "matmul of stacks": (lambda m, x, y: m.matmul(x, y), CUBE, Y.T.copy()),
    "matrix times vector": (lambda m, x, y: x @ y, X, ROW),
    "dot": (lambda m, x, y: m.dot(x, y), ROW, ROW[::-1].copy()),
    "inner": (lambda m, x, y: m.inner(x, y), X, Y),
    "outer": (lambda m, x, y: m.outer(x, y), ROW, X[:, 0].copy()),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, axes=2), CUBE, X),
    "einsum": (lambda m, x, y: m.einsum("kij,ij->jk", x, y), CUBE, X),
    "kron": (lambda m, x, y: m.kron(x, y), X[:2, :2].copy(), SQUARE),
    # Linear algebra.
    "solve": (lambda m, x, y: m.linalg.solve(x, y), SQUARE, X),
    "inv": (lambda m, x: m.linalg.inv(x), SQUARE),
    "det": (lambda m, x: m.linalg.det(x), SQUARE),
    "slogdet": (lambda m, x: m.linalg.slogdet(x)[1], STACK),
    "cholesky": (lambda m, x: m.linalg.cholesky(spd(m, x)), SQUARE),
    "eigh": (lambda m, x: m.linalg.eigh(spd(m, x))[0], SQUARE),
    "eigenvectors": (lambda m, x: m.linalg.eigh(spd(m, x))[1] ** 2, SQUARE),
}

FAULTS = {
    "repeat along a negative axis": (
        lambda m, x: m.repeat(x, 2, axis=-1),
        X,
        "it regroups with shape[0 : axis + 1], which is empty for axis=-1",
    ),
    "repeat along a negative axis of a vector": (
        lambda m, x: m.repeat(x, 2, axis=-1),
        ROW,
        "the same: it takes the repeats for the first axis of two",
    ),
    "repeat along a negative axis but the last": (
        lambda m, x: m.repeat(x, 2, axis=-2),
        CUBE,
        "the same: the gradient has another shape than the array",
    ),
    "repeat with a count for each": (
        lambda m, x: m.repeat(x, [1, 2, 3, 4], axis=1),
        X,
        "it takes the counts for one number",
    ),
    "diag of a wide matrix": (
        lambda m, x: m.diag(x),
        X,
        "it transposes with diag(g), which is square whatever the matrix was",
    ),
    "diag of a tall matrix": (lambda m, x: m.diag(x), X.T.copy(), "the same"),
    "diag of a wide matrix, above": (lambda m, x: m.diag(x, 2), X, "the same"),
    "tile with fewer repeats than axes": (
        lambda m, x: m.tile(x, 3),
        X,
        "it counts the repeats from the first axis; NumPy counts them from the last",
    ),
    "prod with zeros": (lambda m, x: m.prod(x), ZEROS, "it divides the product by each factor"),
    "norm with keepdims": (
        lambda m, x: m.linalg.norm(x, axis=1, keepdims=True),
        X,
        "it inserts the reduced axis although it is there",
    ),
    "maximum norm": (
        lambda m, x: m.linalg.norm(x, ord=np.inf, axis=1),
        X,
        "it applies the formula of the p-norm to p = inf",
    ),
    "outer of a matrix": (
        lambda m, x: m.outer(x, ROW),
        X,
        "it forgets that outer flattens: the gradient is flat, too",
    ),
    "det of a singular matrix": (
        lambda m, x: m.linalg.det(x),
        np.array([[1.0, 2.0], [2.0, 4.0]]),
        "it inverts the matrix, though the gradient is the matrix of cofactors",
    ),
}
"""Where autograd is wrong, and why."""


NOT_IN_AUTOGRAD = {
    *("take", "take_along_axis", "eigvalsh", "copy", "vdot", "getitem"),
    *("amax", "amin", "positive", "matrix_transpose", "full_like", "atleast_1d", "atleast_2d"),
    *("vstack", "hstack"),
}
"""Functions with a rule here and none there, under this name."""


def loss(m, f, args, k):
    """A scalar function of argument k that is not linear: its HVP says something, too."""
    shape = np.shape(f(np, *args))
    weights = np.cos(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape)
    return lambda x: m.sum(weights * m.sin(f(m, *args[:k], x, *args[k + 1 :])))


def by_autograd(function, *args):
    """Call one of autograd's derivatives; its warnings are not ours."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*args)


def same(a, b, rtol):
    """Whether two arrays have one shape and agree relative to their largest element."""
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.max(np.abs(a - b)) <= rtol * max(1.0, np.max(np.abs(b))))


@pytest.mark.parametrize("name", AGREED)
def test_same_gradient_and_same_hvp(name) -> None:
    f, *args = AGREED[name]
    for k, x in enumerate(args):
        oracle, ours = loss(anp, f, args, k), loss(np, f, args, k)
        v = np.random.default_rng(k).normal(size=x.shape)
        assert same(ms.grad(ours)(x), by_autograd(autograd.grad(oracle), x), 1e-10)
        expected = by_autograd(autograd.hessian_vector_product(oracle), x, v)
        assert same(ms.hvp(ours, x, v), expected, 1e-10)


@pytest.mark.parametrize("name", FAULTS)
def test_autograd_is_still_wrong_where_we_say_so(name) -> None:
    f, x, _ = FAULTS[name]
    ours = loss(np, f, (x,), 0)

    def partial(i):
        e = np.eye(x.size)[i].reshape(x.shape)
        return difference(lambda t: ours(x + t * e)).value

    expected = np.reshape([partial(i) for i in range(x.size)], x.shape)
    assert same(ms.grad(ours)(x), expected, 1e-8)
    check_grads(ours, (x,), order=2)
    try:
        theirs = by_autograd(autograd.grad(loss(anp, f, (x,), 0)), x)
    except (TypeError, ValueError, np.linalg.LinAlgError):
        return
    assert not same(theirs, expected, 1e-3)


class Listening:
    """NumPy, remembering which of its functions were asked for."""

    def __init__(self, module, heard):
        self.module, self.heard = module, heard

    def __getattr__(self, name):
        self.heard.add(name)
        found = getattr(self.module, name)
        return Listening(found, self.heard) if found is np.linalg else found


def test_every_function_with_a_rule_was_asked() -> None:
    heard = set()
    for f, *args in [*AGREED.values(), *((f, x) for f, x, _ in FAULTS.values())]:
        f(Listening(np, heard), *args)
    ruled = {getattr(function, "__name__", function) for function in NUMPY_RULES}
    assert ruled - heard - set(CONSTANT.split()) <= NOT_IN_AUTOGRAD
