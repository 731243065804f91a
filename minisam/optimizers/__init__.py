"""What a step does with a gradient, and how large the step is."""

from minisam.optimizers.schedules import Schedule, constant, cosine, step_decay, warmup
from minisam.optimizers.steps import SGD, Adam, AdamW, State

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Schedule",
    "State",
    "constant",
    "cosine",
    "step_decay",
    "warmup",
]
