"""Every method, with settings that make a short run show what it is."""

import numpy as np

from minisam.sam import (
    AESAM,
    DNSAM,
    ERM,
    ESAM,
    FSAM,
    GSAM,
    MSAM,
    SAM,
    SSSAM,
    USAM,
    AELookSAM,
    LookSAM,
    linear,
)

LAYERS = (slice(0, 20), slice(20, 44), slice(44, 59))  # of the `net` of these tests


def kin(rho=0.2):
    return {
        "erm": ERM(),
        "sam": SAM(rho),
        "sam, three steps": SAM(rho, steps=3),
        "sam, chunks": SAM(rho, chunk=4),
        "usam": USAM(rho),
        "dnsam": DNSAM(rho),
        "esam": ESAM(rho, beta=0.6, gamma=0.5),
        "esam by tensor": ESAM(rho, beta=0.6, gamma=1, tensors=LAYERS),
        "looksam": LookSAM(rho, k=3),
        "looksam by tensor": LookSAM(rho, k=3, tensors=LAYERS),
        "sssam": SSSAM(rho, linear(0.2, 0.8)),
        "aesam": AESAM(rho),
        "aelooksam": AELookSAM(rho),
        "gsam": GSAM(rho),
        "fsam": FSAM(rho),
        "msam": MSAM(rho),
    }


NAMES = list(kin())


def trajectory(method, batches, w, full=None, lr=0.1):
    """Plain descent; returns the last w and all steps."""
    state, steps = method.init(w), []
    for t, losses in enumerate(batches):
        step = method.gradient(losses, w, state, t, len(batches), (0, 3, t), full)
        steps.append(step)
        w, state = w - lr * step.g, step.state
    return w, steps


def cut(net, rows):
    """The losses of a batch of the net's examples, and of parts of it."""
    from minisam.nn import cross_entropy

    x, y = net.x[rows], net.y[rows]

    def losses(w, rows=slice(None)):
        return cross_entropy(net.model(w, x[rows]), y[rows])

    return losses


def many(net, n=9, size=5):
    rng = np.random.default_rng(4)
    return [cut(net, rng.choice(6, size, replace=False)) for _ in range(n)]
