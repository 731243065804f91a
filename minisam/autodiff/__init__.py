"""The engine: Tensors, primitives, two traversals, and derivatives as functions of functions."""

from minisam.autodiff.allocation import keep_freed_memory
from minisam.autodiff.check import check_grads
from minisam.autodiff.errors import GradientError, ShapeError
from minisam.autodiff.primitive import (
    PRIMITIVES,
    Primitive,
    bilinear,
    elementwise,
    jointly_linear,
    linear,
    primitive,
    selection,
)
from minisam.autodiff.tensor import Tensor
from minisam.autodiff.transforms import (
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    value_and_grad,
    vjp,
)

__all__ = [
    "PRIMITIVES",
    "GradientError",
    "Primitive",
    "ShapeError",
    "Tensor",
    "bilinear",
    "check_grads",
    "elementwise",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jointly_linear",
    "jvp",
    "linear",
    "linearize",
    "primitive",
    "selection",
    "value_and_grad",
    "vjp",
]

keep_freed_memory()
