"""Sharpness-aware minimization in pure NumPy, every equation checked."""

from minisam import ops
from minisam.autodiff import (
    GradientError,
    ShapeError,
    Tensor,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    value_and_grad,
    vjp,
)
