"""The motivating experiment: one training loss, reached with batches of several sizes."""

from dataclasses import replace
from typing import Any

import numpy as np

from minisam.arrays import Array
from minisam.experiments.cell import NOISE, Cell, Experiment
from minisam.experiments.measured import measured_losses
from minisam.sam import NonFiniteError
from minisam.sharpness import measures
from minisam.training import DivergedError, evaluate, train
from minisam.training.loop import statistics_at

CHUNK = 16
"""Examples that climb together in the m-sharpness, the same for every batch size."""


def run_to_target(
    experiment: Experiment, cell: Cell, *, target: float, rho: float
) -> dict[str, Any]:
    """Train until the training loss is low enough, and measure sharpness there.

    Parameters
    ----------
    experiment : Experiment
        What the runs of one batch size share; ``epochs`` is the most that are trained.
    cell : Cell
        Method, seed and label noise.
    target : float
        Training ends after the first epoch at whose end all training examples are classified as
        labelled, and their loss is at most this: networks are compared at one training loss, and
        not after one time.
    rho : float
        Radius of the balls.

    Returns
    -------
    dict
        JSON values: either ``diverged``, a message; or ``reached`` (whether the target was),
        ``epochs``, ``seconds``, ``train_loss``, ``train_accuracy``, ``test_loss``,
        ``test_accuracy``, ``gap`` (test loss minus training loss), ``error_gap`` (test error minus
        training error), and the values of `minisam.sharpness.measures`.

    Raises
    ------
    ValueError
        Less than two chunks of `CHUNK` examples are measured.

    Examples
    --------
    >>> import minisam as ms
    >>> experiment = Experiment(
    ...     lambda seed: ms.data.load("digits", train=100, test=100, seed=seed),
    ...     lambda data: ms.nn.mlp([64, 16, 10]),
    ...     ms.optimizers.SGD(0.1),
    ...     epochs=100,
    ...     batch_size=10,
    ... )
    >>> found = run_to_target(experiment, Cell(ms.sam.ERM(), seed=0), target=0.1, rho=0.05)
    >>> found["reached"], found["epochs"] < 100, 0.05 < found["train_loss"] <= 0.1
    (True, True, True)
    """
    with np.errstate(all="ignore"):  # what is not finite is found and named
        data = experiment.load(cell.seed)
        seed = cell.seed, NOISE
        labels = experiment.corrupt(data.y_train, data.classes, cell.noise, seed)
        data = replace(data, y_train=labels.y)
        model = experiment.build(data)

        def on_train(w: Array) -> tuple[float, float]:
            statistics = statistics_at(model, w, data.x_train)
            return evaluate(model, w, data.x_train, data.y_train, statistics)

        def good(loss: float, accuracy: float) -> bool:
            return loss <= target and accuracy == 1

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
                after_epoch=lambda w, _: good(*on_train(w)),
            )
        except DivergedError as error:
            return {"diverged": str(error)}
        try:
            parts = measured_losses(model, data, run.w, experiment.measured)
            chunks = measured_losses(model, data, run.w, experiment.measured, CHUNK)
            found = dict(measures(parts, run.w, rho, chunks=chunks))
        except NonFiniteError as error:  # a loss can still be finite where its Hessian is not
            return {"diverged": f"there is no sharpness at the end: {error}"}
    loss, accuracy = on_train(run.w)
    end = run.history[-1]
    return {
        "reached": good(loss, accuracy),
        "epochs": len(run.history),
        "seconds": run.seconds,
        "train_loss": loss,
        "train_accuracy": accuracy,
        "test_loss": end["test_loss"],
        "test_accuracy": end["test_accuracy"],
        "gap": end["test_loss"] - loss,
        "error_gap": accuracy - end["test_accuracy"],
        **{name: measure.value for name, measure in found.items()},
    }
