"""The ball a method climbs in: radius, norm and metric as one value."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.sam.perturbation import Groups, asam_metric, conjugate, epsilon_hat, jacobian_product
from minisam.sam.projection import project


@dataclass(frozen=True)
class Ball:
    """A ball around the parameters, and how exactly its solution is differentiated.

    Parameters
    ----------
    name : str
        The method's, for errors.
    rho : float
        Radius ρ >= 0.
    p : float
        Exponent, in [1, inf].
    order : {1, 2}
        2 keeps the term with the Hessian.
    eta : float, optional
        With a number, ASAM's metric |w| + η.
    groups : sequence of slice, optional
        Norms taken over each of these separately.

    Examples
    --------
    >>> Ball("SAM", 0.5).epsilon(np.array([3.0, -4.0]), np.zeros(2))
    array([ 0.3, -0.4])
    """

    name: str
    rho: float = 0.0
    p: float = 2
    order: int = 1
    eta: float | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        conjugate(self.p)
        if not 0 <= self.rho < np.inf:
            raise ValueError(f"{self.name}: rho must be a finite number >= 0, got {self.rho}.")
        if self.order not in (1, 2):
            raise ValueError(f"{self.name}: order must be 1 or 2, got {self.order!r}.")
        if self.eta is not None and not 0 <= self.eta < np.inf:
            raise ValueError(f"{self.name}: eta must be a finite number >= 0, got {self.eta}.")

    def epsilon(self, g: Array, w: Array) -> Array:
        """Return ε̂ for the gradient ``g`` at ``w``: equation (2)."""
        return epsilon_hat(g, self.rho, **self._options(w))

    def jacobian_product(self, g: Array, v: Array, w: Array) -> Array:
        """Multiply ∂ε̂/∂g by ``v``."""
        return jacobian_product(g, v, self.rho, **self._options(w))

    def project(self, e: Array) -> Array:
        """Return the nearest point of the ball, for p = 1, 2 and inf and no metric."""
        parts = [project(e[group], self.rho, self.p) for group in self.groups or (slice(None),)]
        return np.concatenate(parts)

    def _options(self, w: Array) -> dict[str, Any]:
        options: dict[str, Any] = {"p": self.p, "groups": self.groups}
        if self.eta is not None:
            options["metric"] = asam_metric(w, self.eta)
        return options
