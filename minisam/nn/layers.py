"""Layers of vectors: linear, activations, dropout."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.nn.layer import Layer, Mode, Parameter, Shape, check_widths
from minisam.ops.dropout import dropout
from minisam.ops.elementwise import gelu, relu, sigmoid, silu, softplus
from minisam.ops.products import dense, matmul


def _std(scheme: str, fan_in: int, fan_out: int) -> float:
    if scheme == "he":
        return sqrt(2.0 / fan_in)
    if scheme == "glorot":
        return sqrt(2.0 / (fan_in + fan_out))
    raise ValueError(f"init scheme {scheme!r} is unknown; use 'he' or 'glorot'.")


@dataclass(frozen=True, repr=False)
class Linear(Layer):
    """The affine map ``x @ W + b``.

    Parameters
    ----------
    n_in, n_out : int
        Width of inputs and outputs.
    scheme : {"he", "glorot"}
        Standard deviation of the initial weights: √(2/n_in) (He et al. 2015, for relu) or
        √(2/(n_in + n_out)) (Glorot & Bengio 2010, for tanh).

    Examples
    --------
    >>> import numpy as np
    >>> Linear(2, 1)(np.array([1.0, 2.0, 0.5]), np.ones((1, 2)))
    array([[3.5]])
    """

    n_in: int
    n_out: int
    scheme: str = "he"

    def __post_init__(self) -> None:
        check_widths(self, self.n_in, self.n_out)
        _std(self.scheme, self.n_in, self.n_out)  # refuses an unknown scheme

    def declare(self) -> tuple[Parameter, ...]:
        """Weight (n_in, n_out) and bias (n_out,)."""
        std = _std(self.scheme, self.n_in, self.n_out)
        return (
            Parameter("weight", (self.n_in, self.n_out), std),
            Parameter("bias", (self.n_out,)),
        )

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, n_in) to (batch, n_out)."""
        if x.shape[1:] != (self.n_in,):
            raise ShapeError(
                f"Linear({self.n_in}, {self.n_out}): input of shape {x.shape}; expected (batch, "
                f"{self.n_in}). For images put Flatten() before it."
            )
        if w.ndim > 1:  # one weight for each example
            weight, bias = self.read(w, at)
            return matmul(x[:, None, :], weight)[:, 0, :] + bias
        middle = at + self.n_in * self.n_out
        return dense(x, w, start=at, middle=middle, stop=at + self.size)

    def output_shape(self, shape: Shape) -> Shape:
        """Replace the last axis by n_out."""
        return (*shape[:-1], self.n_out)


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """A function applied to each element: the class attribute ``function``."""

    function: ClassVar[Any]

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Apply it to the inputs."""
        return type(self).function(x)


class ReLU(Activation):
    """``max(x, 0)``, with slope 0 at 0.

    Examples
    --------
    >>> ReLU()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[0., 2.]])
    """

    function = staticmethod(relu)


class Tanh(Activation):
    """Hyperbolic tangent.

    Examples
    --------
    >>> Tanh()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[-0.7616,  0.964 ]])
    """

    function = staticmethod(np.tanh)


class Sigmoid(Activation):
    """``1/(1 + exp(-x))``.

    Examples
    --------
    >>> Sigmoid()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[0.2689, 0.8808]])
    """

    function = staticmethod(sigmoid)


class GELU(Activation):
    """Gaussian error linear unit, in its tanh form.

    Examples
    --------
    >>> GELU()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[-0.1588,  1.9546]])
    """

    function = staticmethod(gelu)


class SiLU(Activation):
    """Sigmoid linear unit, ``x σ(x)``.

    Examples
    --------
    >>> SiLU()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[-0.2689,  1.7616]])
    """

    function = staticmethod(silu)


class Softplus(Activation):
    """``log(1 + exp(x))``.

    Examples
    --------
    >>> Softplus()(np.zeros(0), np.array([[-1.0, 2.0]])).round(4)
    array([[0.3133, 2.1269]])
    """

    function = staticmethod(softplus)


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Each example as one vector: (batch, ...) to (batch, n).

    Examples
    --------
    >>> Flatten()(np.zeros(0), np.zeros((5, 1, 2, 2))).shape
    (5, 4)
    """

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Reshape; nothing to do for vectors."""
        return x if x.ndim == 2 else x.reshape((x.shape[0], prod(x.shape[1:])))

    def output_shape(self, shape: Shape) -> Shape:
        """One axis."""
        return (prod(shape),)


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Set a random part of the elements to 0 and scale the rest by 1/(1 - rate), in training.

    Parameters
    ----------
    rate : float
        Probability of being dropped, in [0, 1).

    Examples
    --------
    >>> Dropout(0.5)(np.zeros(0), np.ones((1, 4)), train=True, seed=0)
    array([[2., 0., 0., 0.]])
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"Dropout: rate must be in [0, 1), got {self.rate}.")

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Draw the mask from the call's seed."""
        if not mode.train or self.rate == 0 or mode.collected is not None:
            return x
        return dropout(x, self.rate, mode.rng)
