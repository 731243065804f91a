"""Every measure of sharpness at one w, one after the other: what a report or a comparison needs."""

from collections.abc import Iterator, Sequence

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.autodiff.transforms import as_variable
from minisam.sam.perturbation import asam_metric
from minisam.sharpness.average import average_case, m_sharpness
from minisam.sharpness.ball import ball_maximum, first_order, one_step
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.lanczos import lanczos
from minisam.sharpness.noise import alignment
from minisam.sharpness.products import covariance_product, hessian_product
from minisam.sharpness.streaming import Losses, streamed
from minisam.sharpness.trace import hutchpp


def measures(
    losses: Sequence[Losses],
    w: Array,
    rho: float,
    p: float = 2,
    *,
    chunks: Sequence[Losses],
    adaptive_rho: float = 0.5,
    k: int = 5,
    seed: int = 0,
) -> Iterator[tuple[str, Estimate]]:
    r"""Measure sharpness at one w in every way that this package knows.

    Parameters
    ----------
    losses : sequence of callable
        Each ``w -> (batch,)``; together those of the data set. See `batched`.
    w : array, (d,)
        Where.
    rho, p : float
        The ball ‖ε‖_p <= ρ.
    chunks : sequence of callable
        The same examples, cut into chunks of m for the m-sharpness.
    adaptive_rho : float
        Radius of ASAM's ball ‖ε/T‖_p <= ρ, T = |w| + 0.01, whose lengths are relative.
    k : int
        How many of the largest eigenvalues of the Hessian.
    seed : int
        Of everything that is drawn.

    Yields
    ------
    name : str
        In turn: ``norm`` ‖w‖₂; ``first_order`` ρ‖∇L‖_q; ``one_step`` L(w + ε̂) - L(w);
        ``ball_maximum``; ``average_case`` with σ = ρ/√d, so that ‖ε‖₂ is about ρ; ``adaptive``,
        the maximum over ASAM's ball; ``m_sharpness``; ``lambda_1`` to ``lambda_k``;
        ``lambda_min``; ``trace`` of the Hessian; ``noise_trace``, that of the covariance of the
        examples' gradients; ``alignment`` of the two matrices.
    value : Estimate
        With a standard error where something is drawn, and else with 0; but for eigenvalues with
        the residual ‖Hv - λv‖, within which an eigenvalue is for certain.

    Raises
    ------
    ValueError
        ρ is not positive, p < 1, or k not in [1, d].
    ShapeError
        What ``losses`` give is not one loss for each example.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> losses = [lambda w, x=x[i : i + 50]: (x @ (w - 1)) ** 2 for i in (0, 50)]
    >>> found = dict(measures(losses, np.zeros(3), rho=0.1, chunks=losses, k=1))
    >>> print(f"{found['lambda_1'].value:.4f} of {found['trace'].value:.4f}")
    2.3960 of 6.2234
    """
    w = as_variable(w)
    loss, d = streamed(losses), w.size
    yield "norm", Estimate(float(np.linalg.norm(to_numpy(w).astype(np.float64))))
    yield "first_order", Estimate(first_order(loss, w, rho, p))
    yield "one_step", Estimate(one_step(loss, w, rho, p))
    yield "ball_maximum", Estimate(ball_maximum(loss, w, rho, p, seed=seed).value)
    yield "average_case", average_case(loss, w, rho / np.sqrt(d), seed=seed)
    adaptive = ball_maximum(loss, w, adaptive_rho, p, metric=asam_metric(w), seed=seed)
    yield "adaptive", Estimate(adaptive.value)
    yield "m_sharpness", m_sharpness(chunks, w, rho, p)
    product, _ = hessian_product(loss, w)
    values, vectors = lanczos(product, d, k, seed=seed)
    for i, (value, v) in enumerate(zip(values, vectors, strict=True), 1):
        yield f"lambda_{i}", Estimate(float(value), float(np.linalg.norm(product(v) - value * v)))
    (least,), (v,) = lanczos(lambda v: -product(v), d, 1, seed=seed)
    yield "lambda_min", Estimate(-float(least), float(np.linalg.norm(product(v) + least * v)))
    yield "trace", hutchpp(product, d, seed=seed)
    yield "noise_trace", hutchpp(covariance_product(losses, w)[0], d, seed=seed)
    yield "alignment", alignment(losses, w, seed=seed)
