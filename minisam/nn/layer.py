"""What a layer is: a pure function of one parameter vector.

Every layer, and every model made of layers, is called as ``layer(w, x)`` with *all* its parameters
in the flat vector ``w``, as in the sources' ``w ∈ R^d``. The layers inside receive zero-copy views
of it; differentiation returns one vector. Nothing is stored in a layer but its hyperparameters.

Two things besides ``w`` and ``x`` can matter, and both are arguments. With ``train=True`` batch
norm normalises by the batch and dropout draws its mask from ``seed``: the same seed gives the same
mask, so both passes of a SAM step see one network. Without it, dropout is off and batch norm uses
``statistics``, which `Layer.statistics` computes *at a given w*: they belong to w and never to a
perturbed point, because no pass of a training step ever writes them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minisam.arrays import Array, moved
from minisam.autodiff.errors import ShapeError
from minisam.autodiff.parts import split
from minisam.autodiff.tensor import value_of

Shape = tuple[int, ...]


class Parameter(NamedTuple):
    """One named array of a layer: its shape and the standard deviation it starts with."""

    name: str
    shape: Shape
    std: float = 0.0
    start: float = 0.0
    """Initial mean: 1 for the scale of a normalisation, else 0."""


@dataclass
class Mode:
    """What one call of a model needs besides parameters and inputs; made anew for each call."""

    train: bool
    seed: int | Sequence[int] | None
    """Of the dropout masks; each layer draws its own in turn."""
    statistics: Array | None
    """Batch-norm means and variances still to be used, (2, channels)."""
    collected: list[Array] | None = None
    """Where batch norm leaves the means and variances of this batch, if someone asks."""

    @cached_property
    def rng(self) -> np.random.Generator:
        """The generator of this call's masks: made when a dropout layer asks for it."""
        if self.seed is None:
            raise ValueError("Dropout in training needs a seed: model(w, x, train=True, seed=0).")
        return np.random.default_rng(self.seed)


class Layer:
    """A pure function ``layer(w, x)`` of one flat parameter vector.

    A layer defines `declare` (its parameters), `apply` (what it does) and `output_shape`; the
    rest follows.

    Examples
    --------
    >>> class Scale(Layer):
    ...     def declare(self):
    ...         return (Parameter("factor", (1,), start=1.0),)
    ...
    ...     def apply(self, w, at, x, mode):
    ...         (factor,) = self.read(w, at)
    ...         return factor * x
    >>> Scale()(np.array([3.0]), np.ones((1, 2)))
    array([[3., 3.]])
    """

    def declare(self) -> tuple[Parameter, ...]:
        """List the layer's parameters, in the order in which they stand in ``w``."""
        return ()

    def apply(self, w: Array, at: int, x: Array, mode: Mode) -> Array:
        """Compute the output; the layer's parameters begin at ``w[..., at]``."""
        raise NotImplementedError

    def read(self, w: Array, at: int = 0) -> list[Array]:
        """Return the layer's parameters as zero-copy views of ``w``, beginning at ``at``."""
        return split(w, self.layout, at)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one example's output, given that of its input."""
        return shape

    @cached_property
    def layout(self) -> tuple[dict[str, Any], ...]:
        """Where each parameter stands in ``w``: start, stop and shape."""
        places, at = [], 0
        for p in self.declare():
            size = prod(p.shape)
            places.append({"start": at, "stop": at + size, "shape": p.shape})
            at += size
        return tuple(places)

    @cached_property
    def size(self) -> int:
        """Number of parameters, the d of ``w ∈ R^d``."""
        return int(self.layout[-1]["stop"]) if self.layout else 0

    def init(
        self,
        seed: int | Sequence[int] | np.random.Generator,
        dtype: DTypeLike = "float32",
        device: str = "cpu",
    ) -> Array:
        """Draw initial parameters.

        Parameters
        ----------
        seed : int, sequence of int or numpy.random.Generator
            Source of randomness.
        dtype : dtype
            A floating dtype; it decides the dtype of everything computed from ``w``. float16 is not
            for training: sums and squares overflow in it, and nothing is kept more exactly.
        device : str
            Where to: ``"cuda"`` is the first GPU. The numbers are drawn on the host, and so are
            the same everywhere.

        Returns
        -------
        array, (d,)
            Weights normal with the layer's scheme (He or Glorot), biases 0, scales 1.

        Examples
        --------
        >>> import minisam as ms
        >>> ms.nn.Linear(2, 1).init(0, "float64").round(3)
        array([ 0.126, -0.132,  0.   ])
        """
        rng = np.random.default_rng(seed)
        w = np.empty(self.size, dtype=np.float64)
        for p, place in zip(self.declare(), self.layout, strict=True):
            part = w[place["start"] : place["stop"]]
            part[:] = p.start
            if p.std:
                part += p.std * rng.standard_normal(part.size)
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"init: dtype {dtype}; parameters are floats: 'float32' or 'float64'.")
        return moved(w.astype(dtype), device)

    def __call__(
        self,
        w: Array,
        x: Array,
        *,
        train: bool = False,
        seed: int | Sequence[int] | None = None,
        statistics: Array | None = None,
    ) -> Array:
        """Evaluate the model.

        Parameters
        ----------
        w : array, (d,) or (batch, d)
            All parameters; with a leading axis, one set for each example.
        x : array, (batch, ...)
            Inputs, of w's dtype; images are (batch, channels, height, width). Lists of numbers
            become arrays.
        train : bool
            Batch norm by the batch, and dropout on.
        seed : int or sequence of int, optional
            Of the dropout masks; needed with ``train=True`` by models that have dropout.
        statistics : array, (2, channels), optional
            From `Layer.statistics`; needed with ``train=False`` by models that have batch norm.

        Returns
        -------
        array, (batch, ...)
            Outputs; logits for the classifiers of this package.

        Raises
        ------
        ShapeError
            ``w`` has not d elements, ``x`` does not fit the first layer, or the statistics are of
            another model.
        TypeError
            ``x`` has another dtype than ``w``, or they are no floats.
        ValueError
            Batch norm without statistics, or dropout without a seed.
        """
        mode = Mode(train, seed, statistics)
        out = self._evaluate(w, x, mode)
        if not train and mode.statistics is not None and mode.statistics.shape[1]:
            raise ShapeError(
                f"{type(self).__name__}: the statistics have {mode.statistics.shape[1]} channels "
                "more than the model. Make them with model.statistics(w, batches)."
            )
        return out

    def _evaluate(self, w: Array, x: Array, mode: Mode) -> Array:
        if not hasattr(w, "dtype"):
            w = np.asarray(w)
        if not hasattr(x, "dtype"):
            x = np.asarray(x, dtype=w.dtype, like=value_of(w))
        if w.shape != (self.size,) and w.shape != (len(x), self.size):
            raise ShapeError(self._misfit(w, f" or ({len(x)}, {self.size}), one set per example"))
        if x.dtype != w.dtype or w.dtype.kind != "f":
            raise TypeError(
                f"{type(self).__name__}: x has dtype {x.dtype} and w {w.dtype}; both must be the "
                "same floats. Cast: x.astype(w.dtype)."
            )
        return self.apply(w, 0, x, mode)

    def _misfit(self, w: Array, other: str = "") -> str:
        return (
            f"{type(self).__name__}: w has shape {w.shape}, but the model has {self.size} "
            f"parameters; expected ({self.size},){other}. Make w with model.init(seed)."
        )

    def parameters(self, w: Array) -> dict[str, Array]:
        """Name the parameters: zero-copy views of ``w``.

        Parameters
        ----------
        w : array, (d,)
            All parameters.

        Returns
        -------
        dict from str to array
            For example ``{"0.weight": ..., "0.bias": ...}``.

        Raises
        ------
        ShapeError
            ``w`` has not d elements.

        Examples
        --------
        >>> import numpy as np, minisam as ms
        >>> layer = ms.nn.Linear(1, 2)
        >>> layer.parameters(np.arange(4.0))["bias"]
        array([2., 3.])
        """
        if w.shape != (self.size,):
            raise ShapeError(self._misfit(w))
        names = [p.name for p in self.declare()]
        return dict(zip(names, self.read(w), strict=True))

    def statistics(self, w: Array, batches: Iterable[Array]) -> Array:
        """Compute the batch-norm statistics that belong to ``w``.

        Parameters
        ----------
        w : array, (d,)
            The parameters at which to evaluate.
        batches : iterable of array, (batch, ...)
            Training inputs. Means and variances are averaged over the batches, each example
            counting once (the "precise" statistics of Wu & Johnson, 2021).

        Returns
        -------
        array, (2, channels)
            Mean and variance of every batch-norm channel, in the model's order; width 0 for a
            model that has none.

        Raises
        ------
        ValueError
            There is no batch.
        """
        parts: list[tuple[int, Array]] = []
        for x in batches:
            collected: list[Array] = []
            # Dropout is off: the statistics are those of the network that is evaluated.
            self._evaluate(w, x, Mode(True, None, None, collected))
            if not collected:
                return np.zeros_like(w, shape=(2, 0))
            parts.append((len(x), np.concatenate(collected, axis=1)))
        n = sum(size for size, _ in parts)
        if n == 0:
            raise ValueError("statistics: no batch was given; pass at least one array of inputs.")
        mean = sum(size * mean for size, (mean, _) in parts) / n
        # Within the batches and between them; E x² - (E x)² would lose small variances.
        var = sum(size * (var + (m - mean) ** 2) for size, (m, var) in parts) / n
        return np.stack([mean, var])

    def summary(self, input_shape: Shape | None = None) -> str:
        """Describe the model as a table: layer, output shape, parameters.

        Parameters
        ----------
        input_shape : tuple of int, optional
            Shape of one example; without it output shapes are left out where they depend on it.

        Returns
        -------
        str
            One line for each layer, and the total.
        """
        rows = [("layer", "output", "parameters"), *self._rows(input_shape)]
        rows.append(("total", "", f"{self.size:,}"))
        wide = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}".rstrip() for a, b, c in rows]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _rows(self, shape: Shape | None) -> list[tuple[str, str, str]]:
        out = "" if shape is None else str(self.output_shape(shape))
        return [(repr(self), out, f"{self.size:,}")]

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        """Show the call that makes it: required hyperparameters, then those not at default."""
        words = []
        # A layer of one's own need not be a dataclass.
        given: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        for f in given:
            value = getattr(self, f.name)
            if f.default is MISSING:
                words.append(repr(value))
            elif value != f.default:
                words.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(words)})"


def per_example_gradients(model: Layer, loss: Any, w: Array, x: Array, labels: Array) -> Array:
    """Compute the gradient of every example's loss at once, without a loop over examples.

    Each example is given its own copy of the parameters (a view: nothing is copied), and the sum
    of the losses is differentiated with respect to all of them.

    Parameters
    ----------
    model : Layer
        Layers that treat examples separately: everything but batch norm in training mode.
    loss : callable
        ``loss(output, labels) -> (batch,)``, for example `cross_entropy`.
    w : array, (d,)
        Parameters.
    x : array, (batch, ...)
        Inputs.
    labels : array, (batch,)
        Targets.

    Returns
    -------
    array, (batch, d)
        Row i is ``∇_w ℓ(w, x_i, y_i)``.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> model = ms.nn.Linear(1, 2)
    >>> w, x, y = np.zeros(4), np.array([[1.0], [2.0]]), np.array([0, 1])
    >>> ms.nn.per_example_gradients(model, ms.nn.cross_entropy, w, x, y)
    array([[-0.5,  0.5, -0.5,  0.5],
           [ 1. , -1. ,  0.5, -0.5]])
    """
    from minisam.autodiff.transforms import grad

    copies = np.broadcast_to(value_of(w), (len(x), model.size))
    return grad(lambda each: np.sum(loss(model(each, x), labels)))(copies)


def check_widths(layer: Layer, *widths: int) -> None:
    """Refuse a layer with a width below 1, such as ``Linear(0, 3)``."""
    if min(widths) < 1:
        raise ValueError(f"{layer!r}: every width must be at least 1.")
