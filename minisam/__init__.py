"""Sharpness-aware minimization in pure NumPy, every equation checked."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minisam import ops
from minisam.autodiff import (
    GradientError,
    ShapeError,
    Tensor,
    check_grads,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    value_and_grad,
    vjp,
)
from minisam.ops.transfer import to_device, to_numpy
from minisam.threads import threads

if TYPE_CHECKING:
    from minisam import (
        data,
        equations,
        experiments,
        nn,
        optimizers,
        plots,
        sam,
        sde,
        sharpness,
        training,
    )
    from minisam.training import train

_LATER = (
    *("data", "equations", "experiments", "nn", "optimizers", "plots", "sam", "sde"),
    *("sharpness", "training"),
)

__all__ = [
    "GradientError",
    "ShapeError",
    "Tensor",
    "check_grads",
    "data",
    "equations",
    "experiments",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "nn",
    "ops",
    "optimizers",
    "plots",
    "sam",
    "sde",
    "sharpness",
    "threads",
    "to_device",
    "to_numpy",
    "train",
    "training",
    "value_and_grad",
    "vjp",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    # Imported at first use, so that `import minisam` costs little more than NumPy.
    if name in _LATER:
        return import_module(f"minisam.{name}")
    if name == "train":
        return import_module("minisam.training").train
    if name == "__version__":
        return import_module("importlib.metadata").version("minisam")
    raise AttributeError(f"module 'minisam' has no attribute {name!r}")
