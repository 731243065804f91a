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
from minisam.sam.policy import Adaptive, Always, Bernoulli, Decision, Every, Never
from minisam.sam.probabilities import linear, piecewise, trigonometric
from minisam.sam.sparing import AESAM, SSSAM, AELookSAM, LookSAM
from minisam.sam.thresholds import expected_fraction, solve_thresholds
from minisam.sam.variants import DNSAM, ESAM, FSAM, GSAM, MSAM, USAM

__all__ = [
    "AESAM",
    "DNSAM",
    "ERM",
    "ESAM",
    "FSAM",
    "GSAM",
    "MSAM",
    "SAM",
    "SSSAM",
    "USAM",
    "AELookSAM",
    "Adaptive",
    "Always",
    "Bernoulli",
    "Decision",
    "Every",
    "Gradient",
    "LookSAM",
    "Method",
    "Never",
    "NonFiniteError",
    "asam_metric",
    "conjugate",
    "epsilon_hat",
    "expected_fraction",
    "jacobian_product",
    "linear",
    "piecewise",
    "sam_gradient",
    "sam_gradient_through",
    "solve_thresholds",
    "trigonometric",
    "value_and_sam_gradient",
]
