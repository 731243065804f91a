"""The layers: each a few lines of mathematics on `minisam.ops`."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.tensor import value_of
from minisam.nn.layer import Layer, Mode, Parameter, Shape
from minisam.ops.convolution import conv2d
from minisam.ops.dropout import dropout
from minisam.ops.elementwise import gelu, relu, sigmoid, silu, softplus
from minisam.ops.pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from minisam.ops.products import dense, matmul

Pair = int | tuple[int, int]


def _std(scheme: str, fan_in: int, fan_out: int) -> float:
    if scheme == "he":
        return sqrt(2.0 / fan_in)
    if scheme == "glorot":
        return sqrt(2.0 / (fan_in + fan_out))
    raise ValueError(f"init scheme {scheme!r} is unknown; use 'he' or 'glorot'.")


def _check_widths(layer: Layer, *widths: int) -> None:
    if min(widths) < 1:
        raise ValueError(f"{layer!r}: every width must be at least 1.")


def _pair(x: Pair) -> tuple[int, int]:
    return (x, x) if isinstance(x, int) else x


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
        _check_widths(self, self.n_in, self.n_out)

    def declare(self) -> tuple[Parameter, ...]:
        """Weight (n_in, n_out) and bias (n_out,)."""
        std = _std(self.scheme, self.n_in, self.n_out)
        return (
            Parameter("weight", (self.n_in, self.n_out), std),
            Parameter("bias", (self.n_out,)),
        )

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, n_in) to (batch, n_out)."""
        if x.ndim != 2 or x.shape[1] != self.n_in:
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
class Conv2d(Layer):
    """Two-dimensional convolution (cross-correlation), images as (batch, channels, h, w).

    Parameters
    ----------
    c_in, c_out : int
        Channels in and out.
    kernel : int or (int, int)
        Height and width of the kernel.
    stride, padding : int or (int, int)
        Step between outputs; zeros added on each side.
    groups : int
        Number of groups of channels that do not mix.
    bias : bool
        Add a bias for each output channel; superfluous before batch norm.

    Examples
    --------
    >>> Conv2d(3, 8, 3, padding=1).output_shape((3, 32, 32))
    (8, 32, 32)
    """

    c_in: int
    c_out: int
    kernel: Pair
    stride: Pair = 1
    padding: Pair = 0
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        _check_widths(self, self.c_in, self.c_out, self.groups, *_pair(self.kernel))
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{self!r}: groups must divide the channels, in and out.")

    def declare(self) -> tuple[Parameter, ...]:
        """Weight (c_out, c_in/groups, kh, kw), by He's scheme, and bias (c_out,)."""
        shape = (self.c_out, self.c_in // self.groups, *_pair(self.kernel))
        weight = Parameter("weight", shape, sqrt(2.0 / prod(shape[1:])))
        return (weight, Parameter("bias", (self.c_out,))) if self.bias else (weight,)

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, c_in, h, w) to (batch, c_out, h', w')."""
        kernel, *bias = self.read(w, at)
        options = {"stride": self.stride, "padding": self.padding}
        if kernel.ndim == 5:  # one kernel for each example: examples become groups of channels
            n = x.shape[0]
            joined = x.reshape((1, n * self.c_in, *x.shape[2:]))
            kernels = kernel.reshape((n * self.c_out, *kernel.shape[2:]))
            y = conv2d(joined, kernels, groups=n * self.groups, **options)
            y = y.reshape((n, self.c_out, *y.shape[2:]))
        else:
            y = conv2d(x, kernel, groups=self.groups, **options)
        return y + bias[0][..., :, None, None] if bias else y

    def output_shape(self, shape: Shape) -> Shape:
        """Channels c_out; height and width from kernel, stride and padding."""
        return (self.c_out, *_slide(shape[1:], self.kernel, self.stride, self.padding))


def _slide(shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Shape:
    places = zip(shape, _pair(kernel), _pair(stride), _pair(padding), strict=True)
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in places)


@dataclass(frozen=True, repr=False)
class MaxPool2d(Layer):
    """Maximum over windows; ties share the derivative.

    Parameters
    ----------
    window : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        Step between windows; their size if not given.

    Examples
    --------
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> MaxPool2d(2)(np.zeros(0), x)
    array([[[[3.]]]])
    """

    window: Pair
    stride: Pair | None = None

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, c, h, w) to (batch, c, h', w')."""
        return max_pool2d(x, self.window, self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        """Fewer rows and columns."""
        return (shape[0], *_slide(shape[1:], self.window, self.stride or self.window, 0))


@dataclass(frozen=True, repr=False)
class AvgPool2d(Layer):
    """Average over windows.

    Parameters
    ----------
    window : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        Step between windows; their size if not given.

    Examples
    --------
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> AvgPool2d(2)(np.zeros(0), x)
    array([[[[1.5]]]])
    """

    window: Pair
    stride: Pair | None = None

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, c, h, w) to (batch, c, h', w')."""
        return avg_pool2d(x, self.window, self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        """Fewer rows and columns."""
        return (shape[0], *_slide(shape[1:], self.window, self.stride or self.window, 0))


@dataclass(frozen=True, repr=False)
class GlobalAvgPool2d(Layer):
    """Average of each channel over the whole image: (batch, c, h, w) to (batch, c).

    Examples
    --------
    >>> GlobalAvgPool2d()(np.zeros(0), np.arange(4.0).reshape(1, 1, 2, 2))
    array([[1.5]])
    """

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Average over the last two axes."""
        return global_avg_pool2d(x)

    def output_shape(self, shape: Shape) -> Shape:
        """Only the channels remain."""
        return shape[:1]


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


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Normalise each channel by the mean and variance of the batch (Ioffe & Szegedy 2015).

    Parameters
    ----------
    channels : int
        Length of axis 1 of the inputs, (batch, c) or (batch, c, h, w).
    eps : float
        Added to the variance.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> BatchNorm(1)(np.array([1.0, 0.0]), x, train=True).round(3)
    array([[-1.],
           [ 1.]])
    """

    channels: int
    eps: float = 1e-5

    def declare(self) -> tuple[Parameter, ...]:
        """Scale, initially 1, and shift."""
        shape = (self.channels,)
        return Parameter("scale", shape, start=1.0), Parameter("shift", shape)

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Normalise by the batch in training, by the given statistics else."""
        if x.ndim < 2 or x.shape[1] != self.channels:
            raise ShapeError(
                f"BatchNorm({self.channels}): input of shape {x.shape}; its axis 1 must be "
                f"{self.channels} channels."
            )
        c = (1, self.channels) + (1,) * (x.ndim - 2)
        if mode.train:
            if w.ndim > 1:
                raise ValueError(
                    "BatchNorm in training mixes the examples of a batch, so that no example has "
                    "a gradient of its own. Use LayerNorm, or train=False with statistics."
                )
            axes = (0, *range(2, x.ndim))
            mean = x.mean(axis=axes, keepdims=True)
            centred = x - mean
            var = (centred * centred).mean(axis=axes, keepdims=True)
            if mode.collected is not None:
                pair = [value_of(mean).reshape(-1), value_of(var).reshape(-1)]
                mode.collected.append(np.stack(pair))
        else:
            if mode.statistics is None:
                raise ValueError(
                    "BatchNorm: a model with batch norm is evaluated with statistics. Pass "
                    "statistics=model.statistics(w, batches), or train=True."
                )
            if mode.statistics.shape[1] < self.channels:
                raise ShapeError(
                    "BatchNorm: the statistics have fewer channels than the model. Make them with "
                    "model.statistics(w, batches)."
                )
            mean, var = (s[: self.channels].reshape(c) for s in mode.statistics)
            mode.statistics = mode.statistics[:, self.channels :]
            centred = x - mean
        scale, shift = (p.reshape((-1, *c[1:])) for p in self.read(w, at))
        return centred * (scale / np.sqrt(var + self.eps)) + shift


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Normalise each example over its last axis (Ba et al. 2016).

    Parameters
    ----------
    width : int
        Length of the last axis.
    eps : float
        Added to the variance.

    Examples
    --------
    >>> LayerNorm(2)(np.array([1.0, 1.0, 0.0, 0.0]), np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
    """

    width: int
    eps: float = 1e-5

    def declare(self) -> tuple[Parameter, ...]:
        """Scale, initially 1, and shift."""
        shape = (self.width,)
        return Parameter("scale", shape, start=1.0), Parameter("shift", shape)

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Normalise the last axis."""
        if x.shape[-1] != self.width:
            raise ShapeError(
                f"LayerNorm({self.width}): input of shape {x.shape}; its last axis must be "
                f"{self.width}."
            )
        scale, shift = self.read(w, at)
        if scale.ndim > 1:  # one for each example
            places = (scale.shape[0],) + (1,) * (x.ndim - 2) + (self.width,)
            scale, shift = scale.reshape(places), shift.reshape(places)
        centred = x - x.mean(axis=-1, keepdims=True)
        var = (centred * centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(var + self.eps) * scale + shift


class Sequential(Layer):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Layer
        In the order in which they are applied.
    input_shape : tuple of int, optional
        Shape of one example, so that ``print(model)`` can show each layer's output shape.

    Examples
    --------
    >>> print(Sequential(Linear(4, 8), ReLU(), Linear(8, 3), input_shape=(4,)))
    layer         output  parameters
    --------------------------------
    Linear(4, 8)  (8,)            40
    ReLU()        (8,)             0
    Linear(8, 3)  (3,)            27
    --------------------------------
    total                         67
    """

    def __init__(self, *layers: Layer, input_shape: Shape | None = None) -> None:
        self.layers = layers
        self.input_shape = input_shape

    def declare(self) -> tuple[Parameter, ...]:
        """All parameters of all layers, named by the layer's place."""
        return tuple(
            p._replace(name=f"{i}.{p.name}")
            for i, layer in enumerate(self.layers)
            for p in layer.declare()
        )

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Apply the layers in turn."""
        for layer in self.layers:
            x = layer.apply(w, at, x, mode)
            at += layer.size
        return x

    def output_shape(self, shape: Shape) -> Shape:
        """Follow the shape through the layers."""
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def summary(self, input_shape: Shape | None = None) -> str:
        """Describe the model as a table; see `Layer.summary`."""
        return super().summary(input_shape or self.input_shape)

    def _rows(self, shape: Shape | None) -> list[tuple[str, str, str]]:
        rows = []
        for layer in self.layers:
            rows += layer._rows(shape)
            shape = None if shape is None else layer.output_shape(shape)
        return rows

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


class Residual(Layer):
    """``body(x) + shortcut(x)`` (He et al. 2016).

    Parameters
    ----------
    body : Layer
        The branch with the work.
    shortcut : Layer, optional
        Brings x to the body's output shape; the identity if not given.

    Examples
    --------
    >>> import numpy as np
    >>> Residual(Linear(2, 2))(np.zeros(6), np.ones((1, 2)))
    array([[1., 1.]])
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self.body = body
        self.shortcut = shortcut or Sequential()

    def declare(self) -> tuple[Parameter, ...]:
        """Those of both branches."""
        branches = (("body", self.body), ("shortcut", self.shortcut))
        return tuple(
            p._replace(name=f"{name}.{p.name}") for name, layer in branches for p in layer.declare()
        )

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Add the branches."""
        y = self.body.apply(w, at, x, mode)
        return y + self.shortcut.apply(w, at + self.body.size, x, mode)

    def output_shape(self, shape: Shape) -> Shape:
        """That of the body."""
        return self.body.output_shape(shape)

    def _rows(self, shape: Shape | None) -> list[tuple[str, str, str]]:
        out = "" if shape is None else str(self.output_shape(shape))
        rows = [("Residual", out, "")]
        for name, layer in (("body", self.body), ("shortcut", self.shortcut)):
            if layer.size:
                rows.append((f"  {name}", "", ""))
                rows += [(f"    {a}", b, c) for a, b, c in layer._rows(shape)]
        return rows

    def __repr__(self) -> str:
        return f"Residual({self.body!r}, {self.shortcut!r})"
