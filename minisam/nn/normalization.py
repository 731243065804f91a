"""Layers that normalise: by the batch, or each example by itself."""

from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.sums import sum_over
from minisam.autodiff.tensor import value_of
from minisam.nn.layer import Layer, Mode, Parameter, check_widths
from minisam.ops.standardize import standardize


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

    def __post_init__(self) -> None:
        check_widths(self, self.channels)

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
            if mode.collected is not None:
                plain = value_of(x)
                n = plain.size // self.channels
                mean = sum_over(plain, axes, keepdims=True) / n
                var = sum_over((plain - mean) ** 2, axes) / n
                mode.collected.append(np.stack([mean.reshape(-1), var]))
            normal = standardize(x, axis=axes, eps=self.eps)
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
            normal = (x - mean) * (1 / np.sqrt(var + self.eps))
        scale, shift = (p.reshape((-1, *c[1:])) for p in self.read(w, at))
        return normal * scale + shift


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

    def __post_init__(self) -> None:
        check_widths(self, self.width)

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
        return standardize(x, axis=(-1,), eps=self.eps) * scale + shift
