"""The networks of the SDE paper's experiments, on data that comes with scikit-learn.

``nn`` gives all examples one parameter vector. Here every path has its own: the weights of a layer
are (paths, n_in, n_out), and one broadcast matrix product serves all paths and examples. Parameters
lie in a row of ``x`` as they do in the ``w`` of `minisam.nn.mlp`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array
from minisam.nn.layers import Sigmoid, Tanh
from minisam.nn.losses import cross_entropy
from minisam.nn.models import mlp
from minisam.ops.elementwise import sigmoid, softplus
from minisam.sde.problems import Problem, finite_sum

Activation = Callable[[Array], Array]


def _linear(x: Array) -> Array:
    return x


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron with its own parameters for every path.

    Parameters
    ----------
    sizes : tuple of int
        Widths, from input to output.
    activation : callable
        Between the layers.
    bias : bool
        Whether layers add one.

    Examples
    --------
    >>> net = Network((2, 1))
    >>> net(np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 1.0]]), np.ones((4, 2))).shape
    (2, 4, 1)
    """

    sizes: tuple[int, ...]
    activation: Activation = _linear
    bias: bool = True

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum((n_in + self.bias) * n_out for n_in, n_out in pairwise(self.sizes))

    def width(self, examples: int) -> int:
        """Return the floats that one path needs for so many examples."""
        return self.size + examples * sum(self.sizes)

    def __call__(self, x: Array, inputs: Array) -> Array:
        """Map inputs, (examples, n_in) or (paths, b, n_in), to (paths, examples or b, n_out)."""
        h, at = inputs, 0
        for layer, (n_in, n_out) in enumerate(pairwise(self.sizes)):
            if layer:
                h = self.activation(h)
            middle = at + n_in * n_out
            h = np.matmul(h, np.reshape(x[:, at:middle], (x.shape[0], n_in, n_out)))
            if self.bias:
                h = h + np.reshape(x[:, middle : middle + n_out], (x.shape[0], 1, n_out))
            at = middle + n_out * self.bias
        return h


def logistic(
    data: str = "breast-cancer", *, decay: float = 0.05, examples: int | None = None
) -> Problem:
    """Make logistic regression with a penalty: mean log-loss + decay·‖x‖².

    Parameters
    ----------
    data : {"breast-cancer", "iris"}
        569 examples of 30 features in 2 classes, or 150 of 4 in 3; standardised.
    decay : float
        Strength of the penalty, on all parameters.
    examples : int, optional
        How many to keep, drawn without regard to class; a multiple of a batch size. By default all.

    Returns
    -------
    Problem
        With mini-batches; d = 31 or 15.

    Raises
    ------
    ValueError
        There is no such data set.
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> logistic().d, logistic("iris").d
    (31, 15)
    """
    return _classifier("logistic regression", data, (), _linear, decay, examples)


def deep_linear(
    data: str = "breast-cancer",
    *,
    hidden: int = 5,
    decay: float = 0.05,
    examples: int | None = None,
) -> Problem:
    """Make a linear network of two layers, with log-loss and a penalty.

    Parameters
    ----------
    data, decay, examples
        As for `logistic`.
    hidden : int
        Width of the hidden layer.

    Returns
    -------
    Problem
        With mini-batches.

    Examples
    --------
    >>> deep_linear("iris").d
    43
    """
    return _classifier("deep linear network", data, (hidden,), _linear, decay, examples)


def deep_sigmoid(
    data: str = "breast-cancer",
    *,
    hidden: int = 5,
    decay: float = 0.05,
    examples: int | None = None,
) -> Problem:
    """Make a sigmoid network of two layers, with log-loss and a penalty.

    Parameters
    ----------
    data, decay, examples
        As for `logistic`.
    hidden : int
        Width of the hidden layer.

    Returns
    -------
    Problem
        With mini-batches.

    Examples
    --------
    >>> deep_sigmoid().d
    161
    """
    return _classifier("deep sigmoid network", data, (hidden,), sigmoid, decay, examples)


def digits_mlp(examples: int = 200, *, hidden: int = 8, decay: float = 0.005) -> Problem:
    """Make a small tanh network on scikit-learn's digits, with cross-entropy and a penalty.

    Parameters
    ----------
    examples : int
        How many to keep of 1,797.
    hidden : int
        Width of the hidden layer.
    decay : float
        Strength of the penalty.

    Returns
    -------
    Problem
        With mini-batches.

    Examples
    --------
    >>> digits_mlp().d
    610
    """
    return _classifier("digits network", "digits", (hidden,), np.tanh, decay, examples)


def linear_autoencoder(hidden: int = 2, *, start: float = 0.1) -> Problem:
    """Make a linear autoencoder of the iris data: f = mean ½‖a - a W₁W₂‖².

    Where W₁ = W₂ = 0 is a saddle, whose Hessian has the eigenvalues ±(those of the data's second
    moment), each ``hidden`` times; there the paths start.

    Parameters
    ----------
    hidden : int
        Width of the code.
    start : float
        Standard deviation of the starting weights around the saddle.

    Returns
    -------
    Problem
        With mini-batches; d = 8·hidden.

    Examples
    --------
    >>> linear_autoencoder().d
    16
    """
    inputs, _ = _table("iris")
    net = Network((inputs.shape[1], hidden, inputs.shape[1]), bias=False)

    def losses(x: Array, rows: NDArray[np.intp]) -> Array:
        a = inputs[rows]
        return 0.5 * np.sum((a - net(x, a)) ** 2, axis=2)

    w = start * np.random.default_rng(0).standard_normal(net.size)
    return finite_sum("linear autoencoder", losses, len(inputs), w, width=net.width(len(inputs)))


def teacher_student(
    sizes: Sequence[int] = (5, 5, 1), *, examples: int = 100, decay: float = 0.005, seed: int = 0
) -> Problem:
    """Make a sigmoid network learn what another one with the same widths says: mean ½‖error‖².

    Parameters
    ----------
    sizes : sequence of int
        Widths of both networks.
    examples : int
        Standard normal inputs.
    decay : float
        Strength of the penalty.
    seed : int
        Of inputs, teacher and start.

    Returns
    -------
    Problem
        With mini-batches.

    Examples
    --------
    >>> teacher_student().d
    36
    """
    net = Network(tuple(sizes), sigmoid)
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((examples, sizes[0]))
    teacher, start = rng.standard_normal((2, net.size))
    targets = net(teacher[None], inputs)[0]

    def losses(x: Array, rows: NDArray[np.intp]) -> Array:
        error = net(x, inputs[rows]) - targets[rows]
        return 0.5 * np.sum(error**2, axis=2) + _penalty(x, decay)

    return finite_sum("teacher-student", losses, examples, start, width=net.width(examples))


def _penalty(x: Array, decay: float) -> Array:
    return decay * np.sum(x * x, axis=1, keepdims=True)


def _classifier(
    name: str,
    data: str,
    hidden: tuple[int, ...],
    activation: Activation,
    decay: float,
    examples: int | None,
) -> Problem:
    inputs, labels = (part[:examples] for part in _table(data))
    classes = int(labels.max()) + 1
    # Two classes need one logit: their log-loss is softplus(-z) for class 1, softplus(z) for 0.
    sizes = (inputs.shape[1], *hidden, 1 if classes == 2 else classes)
    net = Network(sizes, activation)

    def losses(x: Array, rows: NDArray[np.intp]) -> Array:
        z, y = net(x, inputs[rows]), labels[rows]
        if classes == 2:
            each = softplus((1.0 - 2.0 * y) * z[:, :, 0])
        else:
            flat = np.broadcast_to(y, z.shape[:2]).ravel()
            each = np.reshape(cross_entropy(np.reshape(z, (-1, classes)), flat), z.shape[:2])
        return each + _penalty(x, decay)

    # The hidden layer's scheme is Glorot's for tanh and sigmoid.
    start = mlp(sizes, Tanh if activation is np.tanh else Sigmoid).init(0, "float64")
    width = net.width(len(inputs))
    return finite_sum(f"{name} on {data}", losses, len(inputs), start, width=width)


def _table(name: str) -> tuple[Array, NDArray[np.intp]]:
    """Return a data set of scikit-learn, shuffled: standardised features, and labels."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The data is inside scikit-learn, which is not installed: pip install 'minisam[data]'."
        ) from error
    loaders: dict[str, Any] = {
        "breast-cancer": datasets.load_breast_cancer,
        "iris": datasets.load_iris,
        "digits": datasets.load_digits,
    }
    if name not in loaders:
        raise ValueError(f"there is no data set {name!r}; choose from {', '.join(loaders)}.")
    inputs, labels = loaders[name](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))  # iris is sorted by class
    deviation = inputs.std(axis=0)
    constant = deviation == 0  # some pixels of the digits
    inputs = (inputs - inputs.mean(axis=0)) / (deviation + constant)
    return inputs[order], labels[order]
