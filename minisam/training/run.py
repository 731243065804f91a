"""A run while it is going on, and what it gives in the end."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.data.dataset import Dataset
from minisam.training import checkpoint as files


@dataclass
class Run:
    """What training gives.

    Attributes
    ----------
    w : array, (d,)
        Final parameters.
    history : list of dict
        One entry for each epoch: ``epoch``, ``lr`` (of its first step), ``loss`` (mean of the
        batches' losses before their steps), ``test_loss``, ``test_accuracy``, ``evaluations`` and
        ``seconds`` (both from the start of the run). For methods that choose when to climb also
        ``climbed``, the fraction of the epoch's steps that did.
    statistics : array, (2, channels)
        Batch-norm statistics at ``w``.
    evaluations : float
        Gradients of a batch that were computed.
    seconds : float
        Time spent, evaluation included; all parts of a resumed run together.
    settings : dict
        What was run, as text.
    steps : dict from str to array, (steps,)
        What the method recorded at each step (see its docstring), by name: AE-SAM's ``s``,
        ``mean``, ``variance``, ``c`` and decisions ``climbed``. Empty for ERM and SAM.

    Examples
    --------
    See `train`.
    """

    w: Array
    history: list[dict[str, float]]
    statistics: Array
    evaluations: float
    seconds: float
    settings: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Array] = field(default_factory=dict)


@dataclass
class State:
    """Where a run is: all that changes from step to step."""

    w: Array
    optimizer: dict[str, Array]
    method: dict[str, Array]
    epoch: int = 0
    evaluations: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)

    def checkpoint(self, settings: dict[str, Any]) -> files.Checkpoint:
        """Return all of it, to be saved."""
        arrays = {"w": self.w}
        arrays |= {f"optimizer/{k}": v for k, v in self.optimizer.items()}
        arrays |= {f"method/{k}": v for k, v in self.method.items()}
        arrays |= {f"steps/{k}": v for k, v in self._series().items()}
        counters = {"epoch": self.epoch, "evaluations": self.evaluations, "seconds": self.seconds}
        return files.Checkpoint(arrays, {"settings": settings, "history": self.history, **counters})

    def run(self, statistics: Array, settings: dict[str, Any]) -> Run:
        """Return the result, once the run is at its end."""
        spent = self.evaluations, self.seconds
        return Run(self.w, self.history, statistics, *spent, settings, self._series())

    def _series(self) -> dict[str, Array]:
        return {k: np.array(v, "float64") for k, v in self.steps.items()}


def resumed(saved: files.Checkpoint, settings: dict[str, Any], path: Path, like: Array) -> State:
    """Return where a checkpoint's run was, vectors where ``like`` is; refuse another run's."""
    meta = saved.meta
    before = meta.get("settings", {})
    changed = [
        f"{k} was {before.get(k)!r}, now {v!r}" for k, v in settings.items() if before.get(k) != v
    ]
    if changed:
        raise files.CheckpointError(
            f"{path} is of a run with other settings: {'; '.join(changed)}. Give another path, or "
            "resume=False to overwrite it."
        )

    def back(arrays: dict[str, Array]) -> dict[str, Array]:
        # Numbers stay on the host, where they were.
        return {k: np.asarray(a, like=like) if np.ndim(a) else a for k, a in arrays.items()}

    return State(
        np.asarray(saved.arrays["w"], like=like),
        back(saved.state("optimizer")),
        back(saved.state("method")),
        meta["epoch"],
        meta["evaluations"],
        meta["seconds"],
        meta["history"],
        {name: series.tolist() for name, series in saved.state("steps").items()},
    )


def fingerprint(data: Dataset) -> str:
    """Hash a data set, so that a checkpoint knows the examples it was trained on.

    Parameters
    ----------
    data : Dataset
        Any.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    h = hashlib.blake2b(digest_size=8)
    for a in (data.x_train, data.y_train, data.x_test, data.y_test):
        h.update(np.ascontiguousarray(to_numpy(a)).tobytes())
    return h.hexdigest()
