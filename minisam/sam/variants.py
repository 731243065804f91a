"""Methods that climb at every step, but otherwise than SAM does."""

from minisam.sam.climb import Unnormalised
from minisam.sam.directions import FriendlyAscent, GapAscent, MomentumAscent
from minisam.sam.efficient import Selective
from minisam.sam.methods import Method
from minisam.sam.perturbation import Groups
from minisam.sam.policy import Always


def USAM(rho: float = 0.05) -> Method:
    """SAM without its normalisation: the SDE poster's USAM (Monzio Compagnoni et al. 2023).

    The step is ``∇L_B(w + ρ ∇L_B(w))``, both on the same batch. Two gradients a step. Unlike SAM's,
    its perturbation grows with the loss's scale.

    Parameters
    ----------
    rho : float
        ρ >= 0, in units of parameters per gradient.

    Returns
    -------
    Method
        With ρ = 0 it is ERM bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> USAM(0.5).gradient(lambda w: w**2, np.array([1.0, 0.0]), {}).g
    array([1.5, 0. ])
    """
    return Method("USAM", Always(), rho, climb=Unnormalised())


def DNSAM(rho: float = 0.05) -> Method:
    """SAM whose denominator is the norm of the full gradient (Monzio Compagnoni et al. 2023).

    The step is ``∇L_B(w + ρ ∇L_B(w) / ‖∇L(w)‖)``: the numerator's gradient is the batch's, the
    denominator's is that of all n training examples. So it costs 2 + n/b gradients a step, and
    is for study. `Method.gradient` needs ``full``, the losses of all examples in one or more
    parts; `minisam.train` gives them, with dropout masks drawn for each part. Where the full
    gradient is 0 the step is plain. Recalled from the paper and read in its authors' code.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.

    Returns
    -------
    Method
        With ρ = 0 it is ERM bit for bit; with the full batch it is SAM.

    Examples
    --------
    >>> import numpy as np
    >>> full = [lambda w: 2 * w**2]
    >>> step = DNSAM(0.5).gradient(lambda w: w**2, np.array([1.0, 0.0]), {}, full=full)
    >>> step.g, step.evaluations
    (array([1.25, 0.  ]), 3.0)
    """
    return Method("DNSAM", Always(), rho, climb=Unnormalised(by_full=True))


def ESAM(
    rho: float = 0.05, beta: float = 0.6, gamma: float = 0.5, *, tensors: Groups | None = None
) -> Method:
    """Efficient SAM (Du et al. 2022): perturb some weights, descend on some examples.

    With m_j ~ Bernoulli(β), drawn from the step's ``draw``::

        ε̂ = (ρ/β) m ⊙ g/‖g‖                                  so that E ε̂ is SAM's
        B⁺ = the ⌈γb⌉ examples with the largest ℓ_i(w + ε̂) - ℓ_i(w)
        step with ∇L_{B⁺}(w + ε̂)

    It costs 1 + ⌈γb⌉/b gradients, and a forward of the batch at w + ε̂, which is not counted as a
    gradient but recorded as ``forwards``; with γ = 1 nothing is selected and there is none.
    β = γ = 1 is SAM bit for bit; with ρ = 0 and γ = 1 it is ERM. With ρ = 0 and γ < 1 no loss
    rises, and the first ⌈γb⌉ examples of the batch are as good as any.

    β is the probability that a weight is kept: the paper's algorithm prints 1 - β, and its authors
    say that their code is right. Their code differs in three ways: it draws its mask per tensor,
    at the end of the step before; it takes the norm over the kept tensors only, so that ‖ε̂‖ is
    ρ/β; and it selects by a strict comparison, which leaves out one example, and all of them where
    the rises are equal. Here ties go to the earlier example.

    Batch norm normalises the second gradient by B⁺ alone.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    beta : float
        Probability β of keeping a weight's perturbation, in (0, 1].
    gamma : float
        Fraction γ of the examples, in (0, 1].
    tensors : sequence of slice, optional
        Keep or drop these slices of ``w`` as a whole; by default each coordinate by itself.

    Returns
    -------
    Method
        Its losses must accept ``rows=``, unless γ is 1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> losses = lambda w, rows=slice(None): (w[0] * x[rows]) ** 2
    >>> step = ESAM(0.5, beta=1, gamma=0.5).gradient(losses, np.ones(1), {})
    >>> step.g, step.evaluations, step.record
    (array([37.5]), 1.5, {'forwards': 1.0})
    """
    return Method("ESAM", Always(), rho, climb=Selective(beta, gamma, tensors))


def GSAM(rho: float = 0.05, alpha: float = 0.4, p: float = 2) -> Method:
    """Surrogate-gap guided SAM (Zhuang et al. 2022).

    With g = ∇L_B(w) and g_p = ∇L_B(w + ε̂) the step is::

        g_p - α (g - (gᵀ g_p / ‖g_p‖²) g_p)

    Two gradients a step. The paper lets ρ follow the learning rate; here it is constant. With
    ρ = 0, g is parallel to g_p, and it is ERM bit for bit. Where g_p = 0 the step is 0.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    alpha : float
        Weight α of the orthogonal part; 0 is SAM.
    p : float
        Exponent of the ball, in [1, inf].

    Returns
    -------
    Method
        SAM with a correction towards a smaller gap L(w + ε̂) - L(w).

    Examples
    --------
    >>> import numpy as np
    >>> step = GSAM(0.1, alpha=0.0).gradient(lambda w: w**2, np.array([1.0, 0.0]), {})
    >>> step.g, step.evaluations
    (array([1.1, 0. ]), 2.0)
    """
    return Method("GSAM", Always(), rho, p, climb=GapAscent(alpha))


def FSAM(rho: float = 0.05, sigma: float = 1.0, decay: float = 0.9, p: float = 2) -> Method:
    """Friendly SAM (Li et al. 2024): climb along what is special to this batch.

    With g = ∇L_B(w) and m the running mean of the gradients before::

        d = g - σ m,    step with ∇L_B(w + ε̂(d)),    m ← λ m + (1 - λ) g

    The first d is g, and the first mean is the first g. Two gradients a step. With ρ = 0 it is ERM
    bit for bit. Read in its authors' code; the defaults and the first step are recalled.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    sigma : float
        Weight σ of the mean; 0 is SAM.
    decay : float
        Decay λ of the mean, in [0, 1).
    p : float
        Exponent of the ball, in [1, inf].

    Returns
    -------
    Method
        Its state is the mean of the raw gradients.

    Examples
    --------
    >>> import numpy as np
    >>> method, w = FSAM(0.1), np.array([1.0, 0.0])
    >>> method.gradient(lambda w: w**2, w, method.init(w)).state["mean"]
    array([1., 0.])
    """
    return Method("F-SAM", Always(), rho, p, climb=FriendlyAscent(sigma, decay))


def MSAM(rho: float = 0.05, mu: float = 0.9, p: float = 2) -> Method:
    """Momentum SAM (Becker et al. 2024): the perturbation comes from the steps before.

    With v the momentum of the gradients it found before::

        step with g = ∇L_B(w - ε̂(v)),    v ← μ v + g

    (for p = 2, ε̂(v) = ρ v/‖v‖). One gradient a step: there is no second pass, and the loss it
    reports is that of the perturbed point. v is the momentum buffer of SGD without weight decay;
    the method keeps its own, so that it goes with any optimizer. The first step is plain. With
    ρ = 0 it is ERM bit for bit.

    Parameters
    ----------
    rho : float
        Radius ρ >= 0.
    mu : float
        Decay μ of the momentum, in [0, 1).
    p : float
        Exponent of the ball, in [1, inf].

    Returns
    -------
    Method
        Its state is the momentum.

    Examples
    --------
    >>> import numpy as np
    >>> state = {"momentum": np.array([0.0, 2.0])}
    >>> MSAM(0.5).gradient(lambda w: w**2, np.array([1.0, 1.0]), state).g
    array([1. , 0.5])
    """
    return Method("MSAM", Always(), rho, p, climb=MomentumAscent(mu))
