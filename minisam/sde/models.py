r"""The SDEs: dX = b(X) dt + √η S(X) dW, one for each algorithm and kind of noise.

A step of size η moves x by -η ∇f_γ(x + ρv) = -η (∇f_γ + ρ ∇²f_γ v) + O(ηρ²). Its mean is η b and
its covariance η² Σ, with

    b = -E[∇f_γ + ρ ∇²f_γ v]
    Σ = Cov(∇f_γ) + ρ (Σ̃ + Σ̃ᵀ),   Σ̃ = Cov(∇f_γ, ∇²f_γ v)                           (general)

and the SDE's, over a time η, are the same to the order that counts. For Gaussian noise the Hessian
is not random, and Stein's lemma gives Σ̃ = C J H with J = E ∂v/∂Z. So one line holds for USAM
(J = I, the poster's formula), DNSAM (J = I/‖∇f‖) and SAM:

    b = -∇(f + ρ N(∇f)),   S = (I + ρ H J) C^½,   S Sᵀ = Σ + ρ² H J C J H             (additive)

It is the best Gaussian approximation of the step's noise, needs no root of a matrix and only one
Hessian-vector product, and is a covariance for every ρ. Σ itself need not be one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minisam.arrays import Array
from minisam.sde.algorithms import SGD, Algorithm
from minisam.sde.expansion import step_moments
from minisam.sde.noise import Gaussian, Noise
from minisam.sde.problems import Problem, columns
from minisam.sde.roots import Clips, psd_root


@dataclass(frozen=True, eq=False)
class SDE:
    """dX = b(X) dt + √η S(X) dW.

    Parameters
    ----------
    name : str
        What it models.
    increment : callable
        ``(x, t, w) -> t b(x) + S(x) w`` for rows x and w and a number t: both coefficients at once,
        because they share derivatives.
    clips : Clips
        How often Σ was no covariance and had to be clipped.

    Examples
    --------
    >>> pull = SDE("Ornstein-Uhlenbeck", lambda x, t, w: -t * x + 0.5 * w)
    >>> x = np.array([[2.0]])
    >>> pull.drift(x), pull.covariance(x)
    (array([[-2.]]), array([[[0.25]]]))
    """

    name: str
    increment: Callable[[Array, float, Array], Array]
    clips: Clips = field(default_factory=Clips)

    def drift(self, x: Array) -> Array:
        """Return b of every row, (paths, d)."""
        return self.increment(x, 1.0, np.zeros_like(x))

    def diffusion(self, x: Array) -> Array:
        """Return S of every row, (paths, d, d)."""
        return columns(lambda w: self.increment(x, 0.0, w), x.shape)

    def covariance(self, x: Array) -> Array:
        """Return S Sᵀ of every row, (paths, d, d)."""
        s = self.diffusion(x)
        return s @ np.swapaxes(s, -1, -2)


def additive(algorithm: Algorithm, problem: Problem, noise: Gaussian, rho: float = 0.0) -> SDE:
    r"""Return the SDE for Gaussian noise, with S = (I + ρ H J) C^½.

    .. math::
        dX = -\nabla\left(f + \rho N(\nabla f)\right) dt
        + \sqrt{\eta}\,(I + \rho\,\nabla^2 f\,J)\,C^{1/2}\,dW

    with N = ½‖∇f‖² and J = I for USAM (the SDE poster's formula), N = ‖∇f‖ and J = I/‖∇f‖ for
    DNSAM, N = E‖∇f + Z‖ and J = ∇²N for SAM, N = 0 for SGD.

    Parameters
    ----------
    algorithm : Algorithm
        Which.
    problem : Problem
        f.
    noise : Gaussian
        Z ~ N(0, C); with C = 0 this is the ODE.
    rho : float
        ρ.

    Returns
    -------
    SDE
        One gradient and one Hessian-vector product an increment.

    Examples
    --------
    >>> from minisam.sde.algorithms import USAM
    >>> from minisam.sde.landscapes import quadratic
    >>> model = additive(USAM, quadratic(np.diag([1.0, 3.0])), Gaussian(np.eye(2)), rho=0.5)
    >>> x = np.ones((1, 2))
    >>> model.drift(x), model.diffusion(x)[0]
    (array([[-1.5, -7.5]]), array([[1.5, 0. ],
           [0. , 2.5]]))
    """
    noise.check(problem)

    def increment(x: Array, t: float, w: Array) -> Array:
        w = noise.spread(w)
        if algorithm is SGD:
            return w - t * problem.gradient(x)
        g, product = problem.linearize(x)
        mean, along = algorithm.expected(g, w, noise)
        return w - t * g + product(rho * (along - t * mean))

    return SDE(f"{algorithm.name} SDE", increment)


def general(algorithm: Algorithm, problem: Problem, noise: Noise, rho: float = 0.0) -> SDE:
    r"""Return the SDE of the paper's theorems, with S = (Σ + ρ(Σ̃ + Σ̃ᵀ))^½.

    .. math::
        dX = -E[\nabla f_\gamma + \rho\,\nabla^2 f_\gamma v]\,dt
        + \left(\eta\,(\Sigma + \rho\,(\tilde\Sigma + \tilde\Sigma^\top))\right)^{1/2} dW, \quad
        \tilde\Sigma = \mathrm{Cov}(\nabla f_\gamma, \nabla^2 f_\gamma v).

    Expectations are exact: over all batches, or in closed form for Gaussian noise. It forms and
    decomposes a d×d matrix for each path and increment, which is for some hundred parameters.

    Parameters
    ----------
    algorithm, problem, rho
        As for `additive`.
    noise : Gaussian or MiniBatches
        Any.

    Returns
    -------
    SDE
        The root is symmetric, by eigendecomposition; ``clips`` counts where it did not exist.

    Examples
    --------
    >>> from minisam.sde.algorithms import USAM
    >>> from minisam.sde.landscapes import quadratic
    >>> model = general(USAM, quadratic(np.diag([1.0, 3.0])), Gaussian(np.eye(2)), rho=0.5)
    >>> model.covariance(np.ones((1, 2)))[0].round(6)  # without the ρ² of `additive`
    array([[2., 0.],
           [0., 4.]])
    """
    noise.check(problem)
    clips = Clips()

    def increment(x: Array, t: float, w: Array) -> Array:
        drift, covariance = step_moments(algorithm, problem, noise, rho, x)
        return t * drift + np.einsum("nij,nj->ni", psd_root(covariance, clips), w)

    return SDE(f"{algorithm.name} SDE", increment, clips)


def model(algorithm: Algorithm, problem: Problem, noise: Noise, rho: float = 0.0) -> SDE:
    """Return the SDE of an algorithm: `additive` for Gaussian noise, `general` for mini-batches.

    Parameters
    ----------
    algorithm, problem, noise, rho
        As for `general`.

    Returns
    -------
    SDE
        The best that is known for this noise.

    Examples
    --------
    >>> from minisam.sde.algorithms import SAM
    >>> from minisam.sde.landscapes import cosh
    >>> model(SAM, cosh(), Gaussian([[1.0]]), 0.1).name
    'SAM SDE'
    """
    if isinstance(noise, Gaussian):
        return additive(algorithm, problem, noise, rho)
    return general(algorithm, problem, noise, rho)


def combine(drift_of: SDE, noise_of: SDE) -> SDE:
    """Return the SDE with one model's drift and another's diffusion: wrong ones, for comparison.

    Parameters
    ----------
    drift_of, noise_of : SDE
        Where b and S come from.

    Returns
    -------
    SDE
        For example SAM's drift with SGD's noise, the authors' "NO_COV".

    Examples
    --------
    >>> slow = SDE("slow", lambda x, t, w: -t * x + w)
    >>> loud = SDE("loud", lambda x, t, w: 3 * w)
    >>> combine(slow, loud).increment(np.ones(1), 1.0, np.ones(1))
    array([2.])
    """

    def increment(x: Array, t: float, w: Array) -> Array:
        return drift_of.increment(x, t, np.zeros_like(w)) + noise_of.increment(x, 0.0, w)

    return SDE(f"{drift_of.name} with the noise of {noise_of.name}", increment, noise_of.clips)


def modified_loss(
    algorithm: Algorithm, problem: Problem, noise: Gaussian, rho: float, x: Array
) -> Array:
    """Return f̃ = f + ρ N(∇f) in every row: what the additive SDE's drift descends.

    Parameters
    ----------
    algorithm, problem, noise, rho
        As for `additive`.
    x : array, (paths, d)
        Where; a Tensor is differentiated through.

    Returns
    -------
    array, (paths,)
        f + ρ/2 ‖∇f‖² for USAM, f + ρ‖∇f‖ for DNSAM, f + ρE‖∇f_γ‖ for SAM (SDE poster).

    Examples
    --------
    >>> from minisam.sde.algorithms import USAM
    >>> from minisam.sde.landscapes import cosh
    >>> modified_loss(USAM, cosh(), Gaussian([[1.0]]), 0.5, np.zeros((1, 1)))
    array([1.])
    """
    return problem.f(x) + rho * algorithm.penalty(problem.gradient(x), noise)
