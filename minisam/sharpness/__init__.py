"""Sharpness as numbers."""

from minisam.sharpness.ball import one_step
from minisam.sharpness.spectrum import top_eigenvalues

__all__ = ["one_step", "top_eigenvalues"]
