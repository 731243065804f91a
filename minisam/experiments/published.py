"""What the AE-SAM poster printed: its tables, for CIFAR-10.

Source: W. Jiang, H. Yang, Y. Zhang, J. Kwok, *An adaptive policy to employ sharpness-aware
minimization*, ICLR 2023, poster, section "Experiments". They are other people's numbers, at another
scale; nothing here is fitted to them.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Published(NamedTuple):
    """A cell of a printed table, in percent."""

    accuracy: float
    """On test examples."""
    std: float | None
    """Standard deviation over repeated runs, of a number that is not stated."""
    climbed: float
    """Steps that climbed (%SAM)."""


def _row(*cells: tuple[float, float]) -> dict[float, Published]:
    rates = (0.2, 0.4, 0.6, 0.8)
    return {r: Published(a, None, c) for r, (a, c) in zip(rates, cells, strict=True)}


TABLE1: Mapping[str, Mapping[float, Published]] = {
    "ERM": {0.0: Published(95.41, 0.03, 0.0)},
    "SAM": {0.0: Published(96.52, 0.12, 100.0)},
    "ESAM": {0.0: Published(96.56, 0.08, 100.0)},
    "SS-SAM": {0.0: Published(96.40, 0.16, 50.0)},
    "AE-SAM": {0.0: Published(96.63, 0.04, 50.1)},
    "LookSAM": {0.0: Published(96.32, 0.12, 20.0)},
    "AE-LookSAM": {0.0: Published(96.56, 0.21, 20.0)},
}
"""Table 1, ResNet-18 on CIFAR-10 without noise: by method and noise rate."""

TABLE2: Mapping[str, Mapping[float, Published]] = {
    "ERM": _row((87.92, 0.0), (70.82, 0.0), (49.61, 0.0), (28.23, 0.0)),
    "SAM": _row((94.80, 100.0), (91.50, 100.0), (88.15, 100.0), (77.40, 100.0)),
    "ESAM": _row((94.19, 100.0), (91.46, 100.0), (81.30, 100.0), (15.00, 100.0)),
    "SS-SAM": _row((90.62, 50.0), (77.84, 50.0), (61.18, 50.0), (47.32, 50.0)),
    "AE-SAM": _row((92.84, 50.0), (84.17, 50.0), (73.54, 49.9), (65.00, 50.0)),
    "LookSAM": _row((92.72, 50.0), (88.04, 50.0), (72.26, 50.0), (69.72, 50.0)),
    "AE-LookSAM": _row((94.34, 49.9), (91.58, 50.0), (87.85, 50.0), (76.90, 50.0)),
}
"""Table 2, CIFAR-10 with label noise: by method and noise rate; single numbers."""
