"""Layers made of layers."""

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.nn.layer import Layer, Mode, Parameter, Shape


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
    >>> from minisam.nn import Linear, ReLU
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
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"Sequential: {layer!r} is no layer. Give layers one by one, as in "
                    "Sequential(Linear(4, 8), ReLU()); unpack a list with Sequential(*layers)."
                )
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

    Raises
    ------
    ShapeError
        When it is called: the branches differ in shape. They are not broadcast.

    Examples
    --------
    >>> import numpy as np
    >>> from minisam.nn import Linear
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
        short = self.shortcut.apply(w, at + self.body.size, x, mode)
        self._check_sum(y.shape, short.shape)
        return y + short

    def output_shape(self, shape: Shape) -> Shape:
        """That of both branches."""
        out = self.body.output_shape(shape)
        self._check_sum(out, self.shortcut.output_shape(shape))
        return out

    def _check_sum(self, body: Shape, shortcut: Shape) -> None:
        if body != shortcut:
            raise ShapeError(
                f"Residual: the body gives shape {body}, the shortcut {shortcut}; they must be "
                "equal. Give a shortcut that brings x to the body's shape."
            )

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
