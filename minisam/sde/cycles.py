"""Where SAM ends without noise: it jumps from one side of a minimum to the other, for ever.

On f = ½xᵀHx a step from x = a v, with Hv = λv, leads to (a - ηλ(a + ρ)) v. That is -a v, and the
next step leads back, if a = ηλρ/(2 - ηλ). Of these two-cycles the one along the top eigenvector
attracts (Bartlett, Long and Bousquet 2022). The ODE has none of them: it stops at the minimum.
"""

from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array
from minisam.sde.algorithms import SAM, check_step, step
from minisam.sde.directions import unit
from minisam.sde.problems import Problem


def cycle_amplitude(curvature: float, eta: float, rho: float) -> float:
    """Return the distance from the minimum at which SAM jumps to and fro: ηλρ/(2 - ηλ).

    Parameters
    ----------
    curvature : float
        λ > 0, the largest eigenvalue of the Hessian.
    eta, rho : float
        Step size, below 2/λ, and radius.

    Returns
    -------
    float
        The amplitude a: iterates are ±a v, with v the eigenvector of length 1.

    Raises
    ------
    ValueError
        λ is not positive, or η not below 2/λ: there is no such cycle.

    Examples
    --------
    >>> cycle_amplitude(1.0, eta=0.5, rho=3.0)
    1.0
    """
    if not 0 < eta * curvature < 2:
        raise ValueError(
            f"there is no two-cycle with curvature {curvature:g} and eta {eta:g}: their product "
            "must be in (0, 2)."
        )
    return eta * curvature * rho / (2 - eta * curvature)


@dataclass(frozen=True, eq=False)
class Cycle:
    """A run of SAM without noise, and the two-cycle in which it should end.

    Attributes
    ----------
    iterates : array, (steps + 1, d)
        x₀, x₁, …
    curvature : float
        λ, the largest eigenvalue of the Hessian halfway between the last two of them.
    amplitude : float
        ηλρ/(2 - ηλ).
    """

    iterates: Array
    curvature: float
    amplitude: float

    @property
    def halves(self) -> Array:
        """Half the length of every step, (steps,): in the cycle its amplitude."""
        return np.linalg.norm(np.diff(self.iterates, axis=0), axis=1) / 2

    @property
    def coordinates(self) -> Array:
        """Where the iterates are along the last step, 0 being halfway, (steps + 1,)."""
        before, last = self.iterates[-2:]
        return (self.iterates - (before + last) / 2) @ unit(last - before)

    @property
    def gap(self) -> float:
        """How far the last iterate is from the last but two: 0 in the cycle."""
        return float(np.linalg.norm(self.iterates[-1] - self.iterates[-3]))


def cycle(problem: Problem, *, eta: float, rho: float, steps: int) -> Cycle:
    """Run SAM without noise from the problem's start.

    Parameters
    ----------
    problem : Problem
        On a quadratic the amplitude is exact; elsewhere it is that of the quadratic with the same
        Hessian halfway.
    eta, rho : float
        Step size and radius.
    steps : int
        At least 2.

    Returns
    -------
    Cycle
        What happened, and what should.

    Raises
    ------
    ValueError
        A number is out of range, or SAM ended where there is no minimum, or where the curvature
        allows no cycle.
    FloatingPointError
        It left the range of floats.

    Examples
    --------
    >>> from minisam.sde.landscapes import quadratic
    >>> found = cycle(quadratic([[1.0]], [2.0]), eta=0.5, rho=0.3, steps=60)
    >>> found.iterates[-2:].ravel().round(12), round(found.amplitude, 12)
    (array([-0.1,  0.1]), 0.1)
    """
    from minisam.sharpness.spectrum import bottom_eigenvalues, top_eigenvalues

    if steps < 2:
        raise ValueError(f"cycle: steps must be at least 2, got {steps}.")
    check_step(SAM, problem, eta, rho)
    xs = [problem.start[None]]
    with np.errstate(all="ignore"):  # who leaves the floats is named below
        for _ in range(steps):
            xs.append(step(SAM, problem.gradient, problem.gradient, xs[-1], eta, rho))
    iterates = np.concatenate(xs)
    if not np.isfinite(iterates).all():
        raise FloatingPointError(
            f"SAM on {problem.name} has left the range of floats. Lower eta or steps."
        )
    halfway = (iterates[-2] + iterates[-1]) / 2

    def loss(w: Array) -> Array:
        return problem.f(w[None])[0]

    top, bottom = (float(ends(loss, halfway)[0]) for ends in (top_eigenvalues, bottom_eigenvalues))
    if bottom < -1e-6 * top:  # what is resolved of it
        raise ValueError(
            f"SAM on {problem.name} did not end at a minimum: halfway between its last two "
            f"iterates the least eigenvalue of the Hessian is {bottom:g}. Near a saddle no "
            "two-cycle attracts; more steps may lead away from it."
        )
    return Cycle(iterates, top, cycle_amplitude(top, eta, rho))
