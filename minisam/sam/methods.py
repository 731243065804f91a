"""Methods: a policy (when to climb) and what is done when it says no.

A method turns a batch's losses at ``w`` into the gradient that an optimizer steps with. It never
writes to ``w``: the perturbed point is a new array, so the parameters are the same bits before and
after, also when the loss raises at the perturbed point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.autodiff.transforms import grad, linearize, value_and_grad
from minisam.ops.reductions import mean
from minisam.sam.perturbation import Groups, asam_metric, conjugate, epsilon_hat, jacobian_product
from minisam.sam.policy import Always, Never, Policy

Losses: TypeAlias = Callable[[Array], Array]
"""``w -> (batch,)``: the losses ℓ(w, x_i, y_i) of one batch."""


class Gradient(NamedTuple):
    """What a method gives for one step."""

    loss: Array
    """Mean loss of the batch at w, a scalar."""
    g: Array
    """What the optimizer steps with, (d,)."""
    state: dict[str, Array]
    """The method's state for the next step."""
    evaluations: float
    """Gradients of a whole batch that were computed; a Hessian-vector product counts as two."""


@dataclass(frozen=True)
class Method:
    """A way of turning losses into the gradient of a step.

    Use `ERM` and `SAM` to make one.

    Parameters
    ----------
    name : str
        As in tables.
    policy : Policy
        When to climb.
    rho : float
        Radius of the ball.
    p : float
        Its exponent, in [1, inf].
    order : {1, 2}
        2 keeps the term with the Hessian.
    eta : float or None
        With a number, ASAM: the metric |w| + η.
    groups : sequence of slice, optional
        Norms taken over each of these separately.

    Examples
    --------
    >>> ERM().init(np.zeros(2))
    {}
    """

    name: str
    policy: Policy
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

    def init(self, w: Array) -> dict[str, Array]:
        """Return the state before the first step."""
        return {}

    def gradient(
        self, losses: Losses, w: Array, state: dict[str, Array], t: int = 0, total: int = 1
    ) -> Gradient:
        """Compute the gradient for step ``t`` of ``total``.

        Parameters
        ----------
        losses : callable
            ``w -> (batch,)``, the same batch and masks at every call.
        w : array, (d,)
            Parameters; not written to.
        state : dict
            From `init` or the step before; not written to.
        t, total : int
            Number of this step, and of all.

        Returns
        -------
        Gradient
            Loss at ``w``, gradient, next state, and the number of gradients it cost.

        Raises
        ------
        ValueError
            The batch is empty; or the gradient is not finite and the method climbs.

        Examples
        --------
        >>> import numpy as np
        >>> step = SAM(rho=0.1).gradient(lambda w: w**2, np.array([1.0, 0.0]), {})
        >>> step.g.round(3), step.evaluations
        (array([1.1, 0. ]), 2.0)
        """

        def loss(w: Array) -> Array:
            each = losses(w)
            if each.size == 0:
                raise ValueError(f"{self.name}: the batch is empty, so it has no mean loss.")
            return mean(each)

        # At ρ = 0 the climb ends where it began, and second order adds nothing.
        second = self.order == 2 and self.rho > 0
        if second:
            value = loss(w)
            g, hessian_product = linearize(grad(loss), w)
        else:
            value, g = value_and_grad(loss)(w)
        if not self.policy.climbs(g, t, total):
            return Gradient(value, g, state, 1.0)
        ball: dict[str, Any] = {"p": self.p, "groups": self.groups}
        if self.eta is not None:
            ball["metric"] = asam_metric(w, self.eta)
        g_a = grad(loss)(w + epsilon_hat(g, self.rho, **ball))
        if not second:
            return Gradient(value, g_a, state, 2.0)
        term = hessian_product(jacobian_product(g, g_a, self.rho, **ball))
        return Gradient(value, g_a + term, state, 4.0)


def ERM() -> Method:
    """Empirical risk minimisation: the plain gradient. One gradient a step.

    Returns
    -------
    Method
        Its step is ``∇L_B(w)``.

    Examples
    --------
    >>> ERM().name
    'ERM'
    """
    return Method("ERM", Never())


def SAM(
    rho: float = 0.05,
    p: float = 2,
    order: int = 1,
    eta: float | None = None,
    groups: Groups | None = None,
) -> Method:
    """Sharpness-aware minimisation (Foret et al. 2021), Algorithm 1.

    Two gradients a step; with ``order=2`` two, and one Hessian-vector product.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0 of the ball; 0 is ERM.
    p : float
        Exponent of the ball, in [1, inf].
    order : {1, 2}
        1 is equation (3); 2 keeps the term that it drops.
    eta : float, optional
        With a number, ASAM (Kwon et al. 2021): the ball is scaled by |w| + η.
    groups : sequence of slice, optional
        One norm for each of these slices of ``w``, for example one per layer.

    Returns
    -------
    Method
        Its step is ``∇L_B(w + ε̂)``, ε̂ from equation (2) with the same batch.

    Examples
    --------
    >>> SAM(rho=0.1)
    Method(name='SAM', policy=Always(), rho=0.1, p=2, order=1, eta=None, groups=None)
    """
    return Method("SAM", Always(), rho, p, order, eta, groups)
