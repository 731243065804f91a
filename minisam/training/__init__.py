"""The one training loop, and a run on disk."""

from minisam.training.checkpoint import Checkpoint, CheckpointError
from minisam.training.checkpoint import load as load_checkpoint
from minisam.training.checkpoint import save as save_checkpoint
from minisam.training.loop import DivergedError, evaluate, train
from minisam.training.run import Run

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "DivergedError",
    "Run",
    "evaluate",
    "load_checkpoint",
    "save_checkpoint",
    "train",
]
