"""SAM at some of the steps only: LookSAM, SS-SAM, AE-SAM, AE-LookSAM."""

from collections.abc import Callable

from minisam.sam.methods import Method
from minisam.sam.otherwise import Reuse
from minisam.sam.perturbation import Groups
from minisam.sam.policy import Adaptive, Bernoulli, Every


def LookSAM(
    rho: float = 0.05,
    k: int = 5,
    alpha: float = 0.7,
    p: float = 2,
    *,
    tensors: Groups | None = None,
) -> Method:
    r"""SAM at every k-th step, whose sideways part is used again until the next (Liu et al. 2022).

    With g = ∇L_B(w), g_s = ∇L_B(w + ε̂) and ĝ = g/‖g‖::

        t mod k = 0:   step with g_s;   g_v = g_s - (ĝᵀ g_s) ĝ
        otherwise:     step with g + α (‖g‖ / ‖g_v‖) g_v

    It costs 1 + 1/k gradients a step. Where g_s is parallel to g (in one dimension, or at ρ = 0)
    there is no g_v, and the steps between are plain; so is a step before the first climb. What is
    not above rounding counts as nothing: its direction would be noise. With ρ = 0 it is ERM, with
    k = 1 it is SAM, bit for bit.

    Public versions differ: the decomposition is over all of ``w`` (as in the paper, recalled), or
    in each tensor separately. The two part within a dozen steps.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    k : int
        Steps from one climb to the next.
    alpha : float
        Weight α of the part that is used again.
    p : float
        Exponent of the ball, in [1, inf].
    tensors : sequence of slice, optional
        Decompose in each of these slices of ``w`` separately; the ball stays one.

    Returns
    -------
    Method
        Its state is the direction g_v/‖g_v‖.

    Examples
    --------
    >>> import numpy as np
    >>> method, w = LookSAM(0.1, k=2), np.array([1.0, 1.0])
    >>> state, cost = method.init(w), []
    >>> for t in range(4):
    ...     step = method.gradient(lambda w: w**2, w, state, t, 4)
    ...     w, state = w - 0.1 * step.g, step.state
    ...     cost.append(step.evaluations)
    >>> cost
    [2.0, 1.0, 2.0, 1.0]
    """
    return Method("LookSAM", Every(k), rho, p, otherwise=Reuse(alpha, tensors))


def SSSAM(
    rho: float = 0.05,
    probability: float | Callable[[int, int], float] = 0.5,
    p: float = 2,
) -> Method:
    """SAM with probability p_t, otherwise ERM: scheduled stochastic SAM (Zhao et al. 2022).

    ξ_t ~ Bernoulli(p_t); the step is ``∇L_B(w + ε̂)`` if ξ_t = 1 and ``∇L_B(w)`` if it is 0.
    It costs 1 + p_t gradients on average. ξ_t is drawn from the step's own ``draw``, whatever the
    gradient is. With ρ = 0 it is ERM bit for bit.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    probability : float or callable
        p, or ``(t, total) -> p``: `piecewise`, `linear`, `trigonometric`, or any other.
    p : float
        Exponent of the ball, in [1, inf].

    Returns
    -------
    Method
        It records ``probability`` and ``climbed``, 1 or 0.

    Examples
    --------
    >>> import numpy as np
    >>> method, w = SSSAM(0.1, probability=0.5), np.array([1.0, 0.0])
    >>> [method.gradient(lambda w: w**2, w, {}, draw=(0, 3, t)).evaluations for t in range(4)]
    [1.0, 2.0, 1.0, 2.0]
    """
    return Method("SS-SAM", Bernoulli(probability), rho, p)


def AESAM(
    rho: float = 0.05,
    lambda1: float = -1.0,
    lambda2: float = 1.0,
    delta: float = 0.9,
    p: float = 2,
) -> Method:
    """SAM where the squared gradient norm is large for its past, otherwise ERM (Jiang et al. 2023).

    The test is s >= μ_t + c_t σ_t, with s = ‖∇L_B(w)‖₂² and the statistics of `Adaptive`. It costs
    1 + ζ gradients a step, ζ the fraction of the steps that climb: the first gradient is used for
    the test and, if the answer is no, for the step. `solve_thresholds` finds λ₁ and λ₂ for a
    wanted ζ. λ₁ = λ₂ = -inf is SAM and +inf is ERM, and so is ρ = 0, bit for bit.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    lambda1, lambda2 : float
        Thresholds at the end and at the start of the run, in standard deviations.
    delta : float
        Decay δ of mean and variance, in [0, 1).
    p : float
        Exponent of the ball, in [1, inf].

    Returns
    -------
    Method
        It records ``s``, ``mean``, ``variance``, ``c`` and ``climbed``, 1 or 0.

    Examples
    --------
    >>> import numpy as np
    >>> method, w = AESAM(0.1), np.array([1.0, 0.0])
    >>> step = method.gradient(lambda w: w**2, w, method.init(w))
    >>> step.record["s"], step.record["climbed"], step.evaluations
    (1.0, 1.0, 2.0)
    """
    return Method("AE-SAM", Adaptive(delta, lambda1, lambda2), rho, p)


def AELookSAM(
    rho: float = 0.05,
    lambda1: float = -1.0,
    lambda2: float = 1.0,
    delta: float = 0.9,
    alpha: float = 0.7,
    p: float = 2,
    *,
    tensors: Groups | None = None,
) -> Method:
    """AE-SAM's test and LookSAM's step where it says no (Jiang et al. 2023).

    If s >= μ_t + c_t σ_t the step is SAM's, and its sideways part g_v is kept; otherwise it is
    ``g + α (‖g‖ / ‖g_v‖) g_v``, or g as long as nothing is kept. It costs 1 + ζ gradients a step,
    as `AESAM`, whose limits it has; ρ = 0 is ERM bit for bit. Recalled from the paper.

    Nothing bounds how old g_v may get. On a small net with α = 0.7 a pause of some twenty steps can
    drive the loss up (and LookSAM with k = 50 to that of guessing); with α = 0.1 it does not.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    lambda1, lambda2 : float
        Thresholds at the end and at the start of the run, in standard deviations.
    delta : float
        Decay δ of mean and variance, in [0, 1).
    alpha : float
        Weight α of the part that is used again.
    p : float
        Exponent of the ball, in [1, inf].
    tensors : sequence of slice, optional
        Decompose in each of these slices of ``w`` separately.

    Returns
    -------
    Method
        It records what `AESAM` does.

    Examples
    --------
    >>> import numpy as np
    >>> method, w = AELookSAM(0.1), np.array([1.0, 0.0])
    >>> sorted(method.init(w))
    ['direction', 'mean', 'variance']
    """
    policy = Adaptive(delta, lambda1, lambda2)
    return Method("AE-LookSAM", policy, rho, p, otherwise=Reuse(alpha, tensors))
