"""Which method, with which of the options that were given."""

from argparse import Namespace
from collections.abc import Callable

from minisam import sam
from minisam.sam import Method

MAKE: dict[str, tuple[Callable[..., Method], tuple[str, ...]]] = {
    "sam": (sam.SAM, ("rho", "p", "order", "eta")),
    "erm": (sam.ERM, ()),
    "usam": (sam.USAM, ("rho",)),
    "dnsam": (sam.DNSAM, ("rho",)),
    "esam": (sam.ESAM, ("rho", "beta", "gamma")),
    "looksam": (sam.LookSAM, ("rho", "p", "k", "alpha")),
    "sssam": (sam.SSSAM, ("rho", "p")),
    "aesam": (sam.AESAM, ("rho", "p")),
    "aelooksam": (sam.AELookSAM, ("rho", "p", "alpha")),
    "gsam": (sam.GSAM, ("rho", "p", "alpha")),
    "fsam": (sam.FSAM, ("rho", "p")),
    "msam": (sam.MSAM, ("rho", "p")),
}
"""Constructors, and the options that each one takes."""


def method(args: Namespace) -> Method:
    """Make the method of a command line.

    Parameters
    ----------
    args : argparse.Namespace
        ``method``, and options; those that are None are left to the method.

    Returns
    -------
    Method
        Ready to train with.

    Raises
    ------
    ValueError
        An option is out of range, or is not for this method.
    """
    make, takes = MAKE[args.method]
    if "order" not in takes and (args.order != 1 or args.eta is not None):
        raise ValueError(f"--order and --eta change SAM; {args.method} has no use for them.")
    for name in ("k", "alpha", "beta", "gamma"):
        if name not in takes and getattr(args, name) is not None:
            users = ", ".join(other for other, (_, taken) in MAKE.items() if name in taken)
            raise ValueError(f"--{name} is for {users}; {args.method} has no use for it.")
    given = {name: getattr(args, name) for name in takes}
    return make(**{name: value for name, value in given.items() if value is not None})
