"""A cell of a comparison: one method, one seed, one noise rate; trained, and measured."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minisam.data import Dataset
from minisam.data.noise import NoisyLabels, symmetric_noise
from minisam.experiments.measured import EXAMPLES, measured_loss
from minisam.nn.layer import Layer
from minisam.optimizers import SGD, Adam
from minisam.sam import Method, NonFiniteError
from minisam.sam.policy import Never
from minisam.sharpness import top_eigenvalues
from minisam.training import DivergedError, Run, train
from minisam.training.loop import DRAWS, described, text_of

NOISE = DRAWS + 1
"""Which of a seed's streams decides the wrong labels; the training loop has those before."""


@dataclass(frozen=True)
class Cell:
    """One training run of a comparison.

    Parameters
    ----------
    method : Method
        How it is trained.
    seed : int
        Decides everything random: the examples kept, their wrong labels, the first parameters, the
        batches, and what the method draws. Cells of one seed differ in nothing else.
    noise : float
        Fraction of the training labels that are made wrong, in [0, 1). Test labels stay true.

    Examples
    --------
    >>> import minisam as ms
    >>> Cell(ms.sam.ERM(), seed=0, noise=0.2).seed
    0
    """

    method: Method
    seed: int
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}.")
        if not 0 <= self.noise < 1:
            raise ValueError(
                f"noise must be in [0, 1), got {self.noise}: it is a fraction of the labels."
            )

    @property
    def key(self) -> tuple[str, int, float]:
        """What it is known by in a file: the call that makes the method, seed and noise rate."""
        return text_of(self.method), self.seed, float(self.noise)


@dataclass(frozen=True)
class Experiment:
    """What all cells of a comparison share.

    Parameters
    ----------
    load : callable
        ``seed -> Dataset``.
    build : callable
        ``Dataset -> Layer``, the model for its examples.
    optimizer : SGD or Adam
        How a gradient becomes a step.
    epochs, batch_size : int
        As for `minisam.train`.
    corrupt : callable
        ``(labels, classes, rate, seed) -> NoisyLabels``: `minisam.data.symmetric_noise`, or
        `minisam.data.pair_noise`.
    measured : int
        On how many training examples λmax is measured.

    Examples
    --------
    >>> import minisam as ms
    >>> experiment = Experiment(
    ...     load=lambda seed: ms.data.load("digits", train=200, test=100, seed=seed),
    ...     build=lambda data: ms.nn.mlp([64, 16, 10]),
    ...     optimizer=ms.optimizers.SGD(0.1),
    ...     epochs=2,
    ... )
    >>> experiment.settings()["data"]
    'digits: (200, 1, 8, 8) float32, 100 test'
    """

    load: Callable[[int], Dataset]
    build: Callable[[Dataset], Layer]
    optimizer: SGD | Adam
    epochs: int
    batch_size: int = 60
    corrupt: Callable[..., NoisyLabels] = symmetric_noise
    measured: int = EXAMPLES

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "measured"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")

    def settings(self, data: Dataset | None = None) -> dict[str, Any]:
        """Describe it as text and numbers, by the examples of seed 0, if they are loaded already.

        The ``fingerprint`` is theirs.
        """
        data = self.load(0) if data is None else data
        return {
            **described(self.build(data), data, self.optimizer),
            "classes": data.classes,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "noise": self.corrupt.__name__,
            "measured": self.measured,
        }


def grid(methods: Iterable[Method], seeds: Iterable[int], noise: Iterable[float]) -> list[Cell]:
    """Combine methods, seeds and noise rates.

    Parameters
    ----------
    methods : iterable of Method
        The rows of a table.
    seeds : iterable of int
        What is averaged over.
    noise : iterable of float
        Noise rates.

    Returns
    -------
    list of Cell
        All combinations. The seed changes last, so that what is finished early is whole.

    Raises
    ------
    ValueError
        Something is given twice, or there is no cell.

    Examples
    --------
    >>> import minisam as ms
    >>> [(cell.method.name, cell.seed) for cell in grid([ms.sam.ERM(), ms.sam.SAM()], [0, 1], [0])]
    [('ERM', 0), ('SAM', 0), ('ERM', 1), ('SAM', 1)]
    """
    methods, noise = list(methods), list(noise)
    cells = [Cell(method, seed, rate) for seed in seeds for rate in noise for method in methods]
    if not cells:
        raise ValueError("give at least one method, one seed and one noise rate.")
    for cell, (key, count) in zip(cells, Counter(cell.key for cell in cells).items(), strict=False):
        if count > 1:
            raise ValueError(f"given twice: {cell.method.name}, seed {key[1]}, noise {key[2]:g}.")
    return cells


def run_cell(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    """Train one cell, and measure what a table shows of it.

    Parameters
    ----------
    experiment : Experiment
        What it shares with the others.
    cell : Cell
        Which one.

    Returns
    -------
    dict
        JSON values: ``effective_noise`` (the fraction of training labels that are wrong) and
        either ``diverged``, a message, or ``accuracy`` on the test examples after the last epoch,
        ``climbed`` (the fraction of the steps that did), ``evaluations`` (gradients of a batch),
        ``seconds`` and ``lambda_max``, of the loss on the labels that were trained on.

    Examples
    --------
    >>> import minisam as ms
    >>> experiment = Experiment(
    ...     lambda seed: ms.data.load("digits", train=200, test=100, seed=seed),
    ...     lambda data: ms.nn.mlp([64, 16, 10]),
    ...     ms.optimizers.SGD(0.1),
    ...     epochs=2,
    ... )
    >>> result = run_cell(experiment, Cell(ms.sam.LookSAM(k=2), seed=0, noise=0.2))
    >>> result["effective_noise"], result["climbed"], result["evaluations"]
    (0.2, 0.5, 12.0)
    """
    with np.errstate(all="ignore"):  # what is not finite is found and named
        data = experiment.load(cell.seed)
        labels = experiment.corrupt(data.y_train, data.classes, cell.noise, (cell.seed, NOISE))
        data = replace(data, y_train=labels.y)
        model = experiment.build(data)
        noise = {"effective_noise": labels.rate}
        try:
            run = train(
                model,
                data,
                cell.method,
                experiment.optimizer,
                epochs=experiment.epochs,
                batch_size=experiment.batch_size,
                seed=cell.seed,
                progress=False,
            )
        except DivergedError as error:
            return noise | {"diverged": str(error)}
        try:
            loss = measured_loss(model, data, run.w, experiment.measured)
            lambda_max = float(top_eigenvalues(loss, run.w)[0])
        except NonFiniteError as error:  # a loss can still be finite where its Hessian is not
            return noise | {"diverged": f"{cell.method.name} has no sharpness at its end: {error}"}
    return noise | {
        "accuracy": run.history[-1]["test_accuracy"],
        "climbed": _climbed(cell.method, run),
        "evaluations": run.evaluations,
        "seconds": run.seconds,
        "lambda_max": lambda_max,
    }


def _climbed(method: Method, run: Run) -> float:
    if "climbed" in run.steps:
        return float(run.steps["climbed"].mean())
    return 0.0 if isinstance(method.policy, Never) else 1.0
