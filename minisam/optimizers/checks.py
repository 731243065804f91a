"""What an optimizer and a schedule refuse, and how."""

import math
from collections.abc import Mapping

from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError

LR_HINT = "Use a small positive number such as 0.1."


def check_step(
    opt: object, w: Array, g: Array, state: Mapping[str, Array], vectors: set[str], names: set[str]
) -> None:
    """Refuse what broadcasting and promotion would let through."""
    where = f"{type(opt).__name__}.step"
    if state.keys() != names:
        raise ValueError(
            f"{where}: the state holds {sorted(state)}, but {opt} keeps {sorted(names)}. "
            "Start from its init(w), or resume with the optimizer that made the state."
        )
    check_like(w, g, f"{where}: the gradient", "Pass the gradient of the loss at this w.")
    for name in vectors:
        hint = "Start from init(w), or resume with the w this state was saved with."
        check_like(w, state[name], f"{where}: the state's {name!r}", hint)


def check_like(w: Array, a: Array, what: str, hint: str) -> None:
    """Refuse an array that has not w's shape and dtype."""
    if a.shape != w.shape:
        raise ShapeError(f"{what} has shape {a.shape}, but w has shape {w.shape}. {hint}")
    if a.dtype != w.dtype:
        raise TypeError(f"{what} has dtype {a.dtype}, but w has dtype {w.dtype}. {hint}")


def in_range(what: str, value: float, hint: str, below: float = math.inf) -> float:
    """Return the value as a Python float: a NumPy scalar would promote float32 arrays."""
    if not 0 <= value < below:
        raise ValueError(f"{what} must be in [0, {below:g}), got {value}. {hint}")
    return float(value)


def checked_weight_decay(value: float, owner: str) -> float:
    """Return a weight decay as a Python float, refusing negative ones."""
    return in_range(f"{owner}: weight_decay", value, "Use 0 for none; 5e-4 is usual.")


def set_fields(frozen: object, **fields: object) -> None:
    """Set fields of a frozen dataclass while it is being made."""
    for name, value in fields.items():
        object.__setattr__(frozen, name, value)
