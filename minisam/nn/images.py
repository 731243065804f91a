"""Layers of images, (batch, channels, height, width): convolution and pooling."""

from dataclasses import dataclass
from math import prod, sqrt

from minisam.arrays import Array
from minisam.nn.layer import Layer, Mode, Parameter, Shape, check_widths
from minisam.ops.convolution import conv2d
from minisam.ops.pooling import Ints, avg_pool2d, fit, global_avg_pool2d, max_pool2d, pair


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
    kernel: Ints
    stride: Ints = 1
    padding: Ints = 0
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_widths(self, self.c_in, self.c_out, self.groups)
        pair("Conv2d", "kernel", self.kernel, 1)
        pair("Conv2d", "stride", self.stride, 1)
        pair("Conv2d", "padding", self.padding, 0)
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{self!r}: groups must divide the channels, in and out.")

    def declare(self) -> tuple[Parameter, ...]:
        """Weight (c_out, c_in/groups, kh, kw), by He's scheme, and bias (c_out,)."""
        kernel = pair("Conv2d", "kernel", self.kernel, 1)
        shape = (self.c_out, self.c_in // self.groups, *kernel)
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
        window = fit("Conv2d", (1, *shape), self.kernel, self.stride, self.padding)
        return (self.c_out, *window.steps)


@dataclass(frozen=True, repr=False)
class _Pool2d(Layer):
    """What layers that slide a window over each channel have in common."""

    window: Ints
    stride: Ints | None = None

    def __post_init__(self) -> None:
        pair(type(self).__name__, "window", self.window, 1)
        if self.stride is not None:
            pair(type(self).__name__, "stride", self.stride, 1)

    def output_shape(self, shape: Shape) -> Shape:
        """Fewer rows and columns."""
        window = fit(type(self).__name__, (1, *shape), self.window, self.stride)
        return (shape[0], *window.steps)


class MaxPool2d(_Pool2d):
    """Maximum over windows; ties share the derivative.

    Parameters
    ----------
    window : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        Step between windows; their size if not given.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> MaxPool2d(2)(np.zeros(0), x)
    array([[[[3.]]]])
    """

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, c, h, w) to (batch, c, h', w')."""
        return max_pool2d(x, self.window, self.stride)


class AvgPool2d(_Pool2d):
    """Average over windows.

    Parameters
    ----------
    window : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        Step between windows; their size if not given.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> AvgPool2d(2)(np.zeros(0), x)
    array([[[[1.5]]]])
    """

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Map (batch, c, h, w) to (batch, c, h', w')."""
        return avg_pool2d(x, self.window, self.stride)


@dataclass(frozen=True, repr=False)
class GlobalAvgPool2d(Layer):
    """Average of each channel over the whole image: (batch, c, h, w) to (batch, c).

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAvgPool2d()(np.zeros(0), np.arange(4.0).reshape(1, 1, 2, 2))
    array([[1.5]])
    """

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Average over the last two axes."""
        return global_avg_pool2d(x)

    def output_shape(self, shape: Shape) -> Shape:
        """Only the channels remain."""
        return shape[:1]
