"""Sharpness-aware minimisation: the perturbation, the gradient, and the methods made of them."""

from minisam.sam.gradient import sam_gradient, sam_gradient_through, value_and_sam_gradient
from minisam.sam.methods import ERM, SAM, Gradient, Method
from minisam.sam.perturbation import (
    NonFiniteError,
    asam_metric,
    conjugate,
    epsilon_hat,
    jacobian_product,
)

__all__ = [
    "ERM",
    "SAM",
    "Gradient",
    "Method",
    "NonFiniteError",
    "asam_metric",
    "conjugate",
    "epsilon_hat",
    "jacobian_product",
    "sam_gradient",
    "sam_gradient_through",
    "value_and_sam_gradient",
]
