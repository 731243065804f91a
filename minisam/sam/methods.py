"""Methods: a policy (when to climb), a climb (how), and what is done when the policy says no.

A method turns a batch's losses at ``w`` into the gradient that an optimizer steps with. It never
writes to ``w``: the perturbed point is a new array, so the parameters are the same bits before and
after, also when the loss raises at the perturbed point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from minisam.arrays import Array
from minisam.sam.ball import Ball
from minisam.sam.batch import Batch, Draw, Losses
from minisam.sam.climb import Ascent, Climb, State
from minisam.sam.otherwise import Otherwise, Plain
from minisam.sam.perturbation import Groups
from minisam.sam.policy import Always, Never, Policy


class Gradient(NamedTuple):
    """What a method gives for one step."""

    loss: Array
    """Mean loss of the batch at w, a scalar; MSAM's is at the only point it looks at."""
    g: Array
    """What the optimizer steps with, (d,)."""
    state: dict[str, Array]
    """The method's state for the next step."""
    evaluations: float
    """Gradients of a whole batch that were computed, by examples, so that a gradient of half the
    batch is 1/2; a Hessian-vector product counts as two. Passes without a gradient are not in it:
    they stand in the record as ``forwards``."""
    record: dict[str, float] = {}  # noqa: RUF012 (never written to)
    """Numbers of this step worth keeping: what the policy decided by, and ``forwards``."""


@dataclass(frozen=True)
class Method:
    """A way of turning losses into the gradient of a step.

    Use `SAM` and its kin to make one.

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
    climb : Climb
        How to climb.
    otherwise : Otherwise
        What to do at the other steps.

    Examples
    --------
    >>> import numpy as np
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
    climb: Climb = field(default_factory=Ascent)
    otherwise: Otherwise = field(default_factory=Plain)

    def __post_init__(self) -> None:
        self.climb.check(self._ball)
        self.otherwise.check(self._ball)

    def __repr__(self) -> str:
        """Show the call that makes it; checkpoints know a run by this text."""
        always = ("name", "policy", "rho", "p", "order", "eta", "groups")
        words = [f"{name}={getattr(self, name)!r}" for name in always]
        for name, usual in (("climb", Ascent()), ("otherwise", Plain())):
            if getattr(self, name) != usual:
                words.append(f"{name}={getattr(self, name)!r}")
        return f"Method({', '.join(words)})"

    @property
    def _ball(self) -> Ball:
        return Ball(self.name, self.rho, self.p, self.order, self.eta, self.groups)

    def init(self, w: Array) -> State:
        """Return the state before the first step."""
        return {**self.policy.init(), **self.climb.init(w), **self.otherwise.init(w)}

    def gradient(
        self,
        losses: Losses,
        w: Array,
        state: State,
        t: int = 0,
        total: int = 1,
        draw: Draw = None,
        full: Sequence[Losses] | None = None,
    ) -> Gradient:
        """Compute the gradient for step ``t`` of ``total``.

        Parameters
        ----------
        losses : callable
            ``w -> (batch,)``, the same batch and masks at every call. ESAM and SAM in chunks also
            call it with ``rows=``, a slice or an array of int, for these examples of the batch.
        w : array, (d,)
            Parameters; not written to.
        state : dict
            From `init` or the step before; not written to.
        t, total : int
            Number of this step, and of all.
        draw : int, sequence of int or SeedSequence, optional
            Seed of this step's random numbers, for methods that have any (SS-SAM, ESAM).
        full : sequence of callable, optional
            Losses of the whole training set in one or more parts, for DNSAM.

        Returns
        -------
        Gradient
            Loss at ``w``, gradient, next state, the number of gradients it cost, and a record.

        Raises
        ------
        ValueError
            The batch is empty; the gradient is not finite and the method climbs; or ``draw`` or
            ``full`` is missing.

        Examples
        --------
        >>> import numpy as np
        >>> step = SAM(rho=0.1).gradient(lambda w: w**2, np.array([1.0, 0.0]), {})
        >>> step.g.round(3), step.evaluations
        (array([1.1, 0. ]), 2.0)
        """
        batch = Batch(losses, self.name, full)
        start = self.climb.start(batch, w, self._ball, state, draw)
        decision = self.policy.decide(start.g, state, t, total, draw)
        after = {**state, **decision.state, **start.state}
        if decision.climbs:
            g = start.finish()
            after |= self.otherwise.learn(start.g, g)
        else:
            g = self.otherwise.gradient(start.g, state)
        record = decision.record
        if batch.forwards:
            record = {**record, "forwards": float(batch.forwards)}
        return Gradient(start.value, g, after, batch.evaluations, record)


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
    *,
    steps: int = 1,
    chunk: int | None = None,
) -> Method:
    """Sharpness-aware minimisation (Foret et al. 2021), Algorithm 1.

    Two gradients a step; with ``order=2`` two, and one Hessian-vector product; with K ascent steps
    K + 1; in chunks two, and a forward.

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
    steps : int
        Ascent steps K of length ρ, each projected onto the ball (see `Ascent`); more than one for
        p = 2 and p = inf only.
    chunk : int, optional
        m-sharpness: each chunk of m examples of the batch climbs by its own ε̂, and the gradients
        are averaged. Batch norm then normalises by the chunk, as it does on m examples per device.

    Returns
    -------
    Method
        Its step is ``∇L_B(w + ε̂)``, ε̂ from equation (2) with the same batch.

    Raises
    ------
    ValueError
        A number is out of its range, or several steps are asked for with another p, with eta or
        with order 2.

    Examples
    --------
    >>> SAM(rho=0.1)
    Method(name='SAM', policy=Always(), rho=0.1, p=2, order=1, eta=None, groups=None)
    """
    return Method("SAM", Always(), rho, p, order, eta, groups, Ascent(steps, chunk))
