"""When to climb: the part of a method that decides, at each step, between SAM and plain ERM."""

from dataclasses import dataclass
from typing import Protocol

from minisam.arrays import Array


class Policy(Protocol):
    """Decides whether this step perturbs the parameters."""

    def climbs(self, g: Array, t: int, total: int) -> bool:
        """Decide for step ``t`` of ``total``, given the plain gradient ``g``."""


@dataclass(frozen=True)
class Always:
    """Climb at every step: SAM.

    Examples
    --------
    >>> Always().climbs(None, 0, 10)
    True
    """

    def climbs(self, g: Array, t: int, total: int) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True)
class Never:
    """Never climb: empirical risk minimisation.

    Examples
    --------
    >>> Never().climbs(None, 0, 10)
    False
    """

    def climbs(self, g: Array, t: int, total: int) -> bool:
        """No."""
        return False
