"""Sharpness as numbers: worst case and average, curvature, a bound, and how the loss looks."""

from minisam.sharpness.average import average_case, m_sharpness
from minisam.sharpness.ball import BallMaximum, ball_maximum, first_order, one_step
from minisam.sharpness.bound import Bound, bound_table, pac_bayes_bound
from minisam.sharpness.bounded import clipped, noise_rise, zero_one
from minisam.sharpness.complexity import Complexity, complexity, noise_scale
from minisam.sharpness.density import Density, quadrature, spectral_density
from minisam.sharpness.directions import filter_normalized, principal_directions
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.lanczos import lanczos
from minisam.sharpness.landscape import (
    Landscape,
    Projection,
    barrier,
    interpolation,
    landscape,
    project_trajectory,
)
from minisam.sharpness.measures import measures
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
from minisam.sharpness.trust_region import trust_region
from minisam.sharpness.wells import descend, two_wells

__all__ = [
    "BallMaximum",
    "Bound",
    "Complexity",
    "Density",
    "Estimate",
    "Landscape",
    "Projection",
    "alignment",
    "average_case",
    "ball_maximum",
    "barrier",
    "batched",
    "bottom_eigenvalues",
    "bound_table",
    "clipped",
    "complexity",
    "covariance_product",
    "descend",
    "eigenvalue_ratio",
    "filter_normalized",
    "first_order",
    "hessian_product",
    "hutchpp",
    "interpolation",
    "lanczos",
    "landscape",
    "m_sharpness",
    "measures",
    "noise_eigenvalues",
    "noise_rise",
    "noise_scale",
    "one_step",
    "pac_bayes_bound",
    "principal_directions",
    "project_trajectory",
    "quadrature",
    "spectral_density",
    "streamed",
    "top_eigenvalues",
    "top_eigenvectors",
    "trace",
    "trust_region",
    "two_wells",
    "zero_one",
]
