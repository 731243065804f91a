"""The trace of the Hessian from random probes, with an error bar."""

from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.sharpness.estimate import Estimate
from minisam.sharpness.products import Product, hessian_product, ticking
from minisam.sharpness.streaming import Loss


def trace(loss: Loss, w: Array, products: int = 100, **options: Any) -> Estimate:
    """Estimate the trace of the Hessian of a loss: the sum of its eigenvalues.

    Parameters
    ----------
    loss : callable
        ``w -> scalar``.
    w : array, (d,)
        Where.
    products : int
        Hessian-vector products to spend.
    **options
        ``sketch``, ``seed`` and ``progress`` of `hutchpp`; ``sketch=0`` is Hutchinson's method.

    Returns
    -------
    Estimate
        The trace and its standard error.

    Raises
    ------
    ValueError
        Too few products, or the Hessian at w is not finite.
    ShapeError
        The loss is not a scalar.

    Examples
    --------
    >>> import numpy as np
    >>> loss = lambda w: 0.5 * (np.sum(w) ** 2 + np.sum(w**2))
    >>> estimate = trace(loss, np.zeros(300), products=30)
    >>> abs(estimate.value - 600) < 4 * estimate.error < 20
    True
    """
    return hutchpp(*hessian_product(loss, w), products, **options)


def hutchpp(
    product: Product,
    d: int,
    products: int = 100,
    *,
    sketch: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Estimate:
    r"""Estimate the trace of a symmetric operator by Hutch++ (Meyer, Musco, Musco & Woodruff 2021).

    .. math::
        \mathrm{tr} A = \mathrm{tr}\, Q^\top A Q
        + \mathbb{E}\, z^\top (I - QQ^\top) A (I - QQ^\top) z,

    where Q is an orthonormal basis of A S for a random S with few columns, which holds most of
    the large eigenvalues, and z has random signs. The first term is exact; the second is what is
    left, and Hutchinson's estimate of it (1990) is the better the less it is.

    Parameters
    ----------
    product : callable
        ``v -> A v`` for float64 vectors of length d.
    d : int
        Its dimension.
    products : int
        Products to spend: twice ``sketch``, and one for each z.
    sketch : int, optional
        Columns of S; by default a third of the products. With 0 this is Hutchinson's method.
    seed : int
        Of S and z.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).

    Returns
    -------
    Estimate
        The trace; its standard error is that of the second term, given Q.

    Raises
    ------
    ValueError
        Less than two products are left for the second term, or the sketch is negative.

    Examples
    --------
    >>> a = np.diag([5.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    >>> hutchpp(lambda v: a @ v, 6, products=30).value.__round__(9)
    12.0
    """
    k = products // 3 if sketch is None else sketch
    if k < 0 or products - 2 * k < 2:
        raise ValueError(
            f"{products} products and a sketch of {k} leave {products - 2 * k} for the error bar; "
            f"at least 2 are needed. Give at least {max(6, 2 * k + 2)} products, or a smaller "
            "sketch."
        )
    rng = np.random.default_rng(seed)
    product = ticking(product, products, "trace", progress)
    basis = np.zeros((d, 0))
    if k:
        images = [product(v) for v in rng.choice([-1.0, 1.0], size=(k, d))]
        basis = np.linalg.qr(np.stack(images, axis=1))[0]
    exact = sum(float(q @ product(q)) for q in basis.T)
    rest = []
    for _ in range(products - 2 * k):
        z = rng.choice([-1.0, 1.0], size=d)
        z = z - basis @ (basis.T @ z)
        rest.append(float(z @ product(z)))
    found = Estimate.of(rest)
    return Estimate(exact + found.value, found.error, found.samples)
