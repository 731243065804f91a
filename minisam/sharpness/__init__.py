"""Sharpness as numbers."""

from minisam.sharpness.ball import one_step
from minisam.sharpness.density import Density, quadrature, spectral_density
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.lanczos import lanczos
from minisam.sharpness.noise import alignment, noise_eigenvalues
from minisam.sharpness.products import covariance_product, hessian_product
from minisam.sharpness.spectrum import (
    bottom_eigenvalues,
    eigenvalue_ratio,
    top_eigenvalues,
    top_eigenvectors,
)
from minisam.sharpness.streaming import batched, streamed
from minisam.sharpness.trace import hutchpp, trace

__all__ = [
    "Density",
    "Estimate",
    "alignment",
    "batched",
    "bottom_eigenvalues",
    "covariance_product",
    "eigenvalue_ratio",
    "hessian_product",
    "hutchpp",
    "lanczos",
    "noise_eigenvalues",
    "one_step",
    "quadrature",
    "spectral_density",
    "streamed",
    "top_eigenvalues",
    "top_eigenvectors",
    "trace",
]
