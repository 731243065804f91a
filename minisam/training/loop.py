"""The one training loop: batches, steps, history, checkpoint, resume.

All randomness is a pure function of the seed and of where the run is: parameters from (seed, 0),
the order of epoch e from (seed, 1, e), the dropout masks of step t from (seed, 2, t), what the
method draws at step t from (seed, 3, t). So resuming needs no generator state, two methods with
one seed see the same batches, and a run that was interrupted ends with the same bits as one that
was not.
"""

import math
import os
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np

from minisam.arrays import Array, on_host, to_numpy
from minisam.autodiff.errors import ShapeError
from minisam.data.batching import batches
from minisam.data.dataset import Dataset
from minisam.nn.layer import Layer
from minisam.nn.losses import cross_entropy
from minisam.optimizers import SGD, Adam
from minisam.progress import with_progress
from minisam.sam.methods import Method
from minisam.sam.perturbation import NonFiniteError
from minisam.threads import threads
from minisam.training import checkpoint as files
from minisam.training.examples import Examples
from minisam.training.run import Run, State, fingerprint, resumed

PARAMETERS, ORDER, MASKS, DRAWS = 0, 1, 2, 3
EVALUATION_BATCH = 1000
STATISTICS_EXAMPLES = 2000


class DivergedError(FloatingPointError):
    """The loss, the gradient or the parameters became NaN or infinite."""


def evaluate(
    model: Layer,
    w: Array,
    x: Array,
    y: Array,
    statistics: Array | None = None,
    loss: Callable[[Array, Array], Array] = cross_entropy,
) -> tuple[float, float]:
    """Compute the mean loss and the accuracy of a classifier.

    Parameters
    ----------
    model : Layer
        Gives logits.
    w : array, (d,)
        Parameters.
    x : array, (n, ...)
        Inputs.
    y : array of int, (n,)
        Labels.
    statistics : array, optional
        From ``model.statistics``, if it has batch norm.
    loss : callable
        ``(logits, labels) -> (batch,)``.

    Returns
    -------
    loss, accuracy : float
        Averages over the n examples, computed in batches of bounded size.

    Examples
    --------
    >>> import numpy as np, minisam as ms
    >>> evaluate(ms.nn.Linear(1, 2), np.array([0.0, 1.0, 0.0, 0.0]), np.ones((3, 1)), [1, 1, 0])
    (0.646595..., 0.6666666666666666)
    """
    y = np.asarray(y) if isinstance(y, list) else y
    if len(x) == 0:
        raise ValueError("evaluate: there are no examples.")
    total, right = 0.0, 0
    for i in range(0, len(x), EVALUATION_BATCH):
        part = slice(i, i + EVALUATION_BATCH)
        logits = model(w, x[part], statistics=statistics)
        each = loss(logits, y[part])
        if each.shape != y[part].shape[:1]:
            raise ShapeError(
                f"evaluate: the loss returned shape {each.shape} for {len(y[part])} examples; "
                "return one loss for each, without np.mean."
            )
        total += float(each.sum())
        right += int((logits.argmax(axis=1) == y[part]).sum())
    return total / len(x), right / len(x)


def statistics_at(model: Layer, w: Array, x: Array) -> Array:
    """Compute batch-norm statistics at ``w`` from the first 2,000 training inputs.

    Parameters
    ----------
    model : Layer
        The model.
    w : array, (d,)
        Parameters.
    x : array, (n, ...)
        Training inputs.

    Returns
    -------
    array, (2, channels)
        See `Layer.statistics`.
    """
    n = min(len(x), STATISTICS_EXAMPLES)
    return model.statistics(w, (x[i : i + 500] for i in range(0, n, 500)))


def train(
    model: Layer,
    data: Dataset,
    method: Method,
    optimizer: SGD | Adam,
    *,
    epochs: int,
    batch_size: int = 64,
    seed: int = 0,
    loss: Callable[[Array, Array], Array] = cross_entropy,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    progress: bool = True,
    after_epoch: Callable[[Array, dict[str, float]], Any] | None = None,
) -> Run:
    """Train a model.

    Parameters
    ----------
    model : Layer
        Gives logits.
    data : Dataset
        Training and test examples; their dtype is the parameters', and so is their device:
        ``data.to_device("cuda")`` trains on the GPU.
    method : Method
        How a batch becomes a gradient: `minisam.sam.ERM`, `minisam.sam.SAM`, and the others.
    optimizer : SGD or Adam
        How a gradient becomes a step.
    epochs : int
        Passes through the training examples.
    batch_size : int
        Examples per step; the last batch of an epoch may be smaller.
    seed : int
        Of parameters, order and masks.
    loss : callable
        ``(logits, labels) -> (batch,)``.
    checkpoint : path, optional
        A ``.npz`` written after every epoch.
    resume : bool
        Go on from the checkpoint if there is one; the result is bit-identical to a run that was
        not interrupted, on as many threads. If False, an existing checkpoint is overwritten.
        That it is one of this run is told from ``Run.settings``: a change of the code of a loss,
        which is known by its name only, or of a layer of one's own, known by its repr, goes
        unnoticed.
    progress : bool
        Show a progress line on a terminal (with tqdm installed).
    after_epoch : callable, optional
        ``(w, entry)``, called after each epoch with the parameters and the new entry of the
        history, for example to keep a trajectory. If it returns True, training ends there. It is
        also called for the epoch that a resumed run was left after, so that one that ended stays
        as it is.

    Returns
    -------
    Run
        Final parameters and history.

    Raises
    ------
    DivergedError
        The loss or the gradient is not finite; names the step, the method and the last good
        checkpoint. On a device it is found at the end of the epoch.
    CheckpointError
        The checkpoint is damaged, or of a run with other settings.
    ValueError
        ``epochs`` or ``batch_size`` below 1, or ``seed`` below 0.

    Examples
    --------
    >>> import minisam as ms
    >>> data = ms.data.load("digits", train=200, test=100)
    >>> run = ms.train(ms.nn.mlp([64, 16, 10]), data, ms.sam.SAM(0.05),
    ...                ms.optimizers.SGD(0.1), epochs=2, progress=False)
    >>> len(run.history), run.evaluations
    (2, 16.0)
    >>> ws = []
    >>> run = ms.train(ms.nn.mlp([64, 16, 10]), data, ms.sam.ERM(), ms.optimizers.SGD(0.1),
    ...                epochs=2, progress=False, after_epoch=lambda w, entry: ws.append(w))
    >>> len(ws), ws[-1] is run.w
    (2, True)
    """
    _check_kinds(model, data, method, optimizer)
    _check_numbers(epochs, batch_size, seed)
    settings = {
        **described(model, data, optimizer),
        "method": text_of(method),
        "epochs": int(epochs),
        "batch_size": int(batch_size),
        "seed": int(seed),
        "loss": getattr(loss, "__name__", text_of(loss)),
    }
    saved = None if checkpoint is None else Path(checkpoint)
    if saved is not None and resume and saved.exists():
        state = _loaded(saved, settings, data)
    else:
        w = model.init((seed, PARAMETERS), data.x_train.dtype, data.device)
        state = State(w, optimizer.init(w), method.init(w))

    def ended() -> bool:
        return bool(after_epoch and state.history and after_epoch(state.w, state.history[-1]))

    todo = range(state.epoch, state.epoch if ended() else epochs)
    with threads_for(model, data):
        for epoch in with_progress(todo, epochs, method.name, progress):
            began = time.perf_counter()
            order = batches(len(data.x_train), batch_size, (seed, ORDER, epoch), like=data.x_train)
            total = epochs * len(order)
            start = epoch * len(order)
            losses: list[Array] = []
            try:
                for t, rows in enumerate(order, start):
                    examples = Examples(model, loss, data, (seed, MASKS, t), rows)
                    draw = (seed, DRAWS, t)
                    losses.append(_step(state, examples, method, optimizer, t, total, draw))
                    if on_host(state.w):
                        _check_finite(state, losses[-1:])
                each = to_numpy(np.stack(losses)).tolist()
                t = start + _first_bad(each)
                _check_finite(state, losses)
                weighted = zip(each, order, strict=True)
                mean_loss = sum(value * len(rows) for value, rows in weighted) / len(data.x_train)
                _finish_epoch(state, model, data, loss, mean_loss, len(order), began)
            except (NonFiniteError, DivergedError) as error:
                raise DivergedError(_diverged(method, t, epoch, saved, state.epoch)) from error
            state.history[-1]["lr"] = float(optimizer.lr_at(start, total))
            if saved is not None:
                files.save(saved, state.checkpoint(settings))
            if ended():
                break
        statistics = statistics_at(model, state.w, data.x_train)
    return state.run(statistics, settings)


def _loaded(saved: Path, settings: dict[str, Any], data: Dataset) -> State:
    try:
        found = files.load(saved)
    except files.CheckpointError as error:
        raise files.CheckpointError(f"{error} Delete it to start anew.") from error
    return resumed(found, settings, saved, data.x_train)


def threads_for(model: Layer, data: Dataset) -> AbstractContextManager[Any]:
    """Split convolutions over threads; dense layers alone are left to the threads of BLAS.

    Parameters
    ----------
    model : Layer
        Whose kernels decide.
    data : Dataset
        What it computes with: on a device nothing is split.

    Returns
    -------
    context manager
        `minisam.threads`, or none.
    """
    kernels = any(len(p.shape) == 4 for p in model.declare())
    if not kernels or data.device != "cpu" or find_spec("threadpoolctl") is None:
        return nullcontext()
    return threads()


def _check_kinds(model: Any, data: Any, method: Any, optimizer: Any) -> None:
    for what, thing, kind, example in (
        ("model", model, Layer, "ms.nn.mlp([64, 32, 10])"),
        ("data", data, Dataset, "ms.data.load('digits')"),
        ("method", method, Method, "ms.sam.SAM(0.05)"),
        ("optimizer", optimizer, SGD | Adam, "ms.optimizers.SGD(0.1)"),
    ):
        if not isinstance(thing, kind):
            raise TypeError(f"train: {what} must be made like {example}; got {short(thing)}.")


def _check_numbers(epochs: Any, batch_size: Any, seed: Any) -> None:
    for what, number, least in (
        ("epochs", epochs, 1),
        ("batch_size", batch_size, 1),
        ("seed", seed, 0),
    ):
        if not isinstance(number, int | np.integer):
            raise TypeError(f"{what} must be an int, got {number!r}.")
        if number < least:
            raise ValueError(f"{what} must be at least {least}, got {number}.")


def _step(
    state: State,
    examples: Examples,
    method: Method,
    optimizer: SGD | Adam,
    t: int,
    total: int,
    draw: tuple[int, int, int],
) -> Array:
    """Take one step; return the batch's mean loss before it."""
    with np.errstate(all="ignore"):  # what is not finite is found afterwards, and named
        full = examples.full(EVALUATION_BATCH)
        found = method.gradient(examples, state.w, state.method, t, total, draw, full)
        lr = optimizer.lr_at(t, total)
        w, memory = optimizer.step(state.w, found.g, state.optimizer, lr)
    state.w, state.optimizer, state.method = w, memory, found.state
    state.evaluations += found.evaluations
    for name, value in found.record.items():
        state.steps.setdefault(name, []).append(value)
    return found.loss


def _check_finite(state: State, losses: list[Array]) -> None:
    """Refuse what is not finite: on the host after each step, on a device, which waits, once.

    Not finite in the gradient is not finite in what the optimizer makes of it; and so nothing that
    is not finite gets into a checkpoint.
    """
    kept = (*losses, state.w, *state.optimizer.values(), *state.method.values())
    if not all(np.isfinite(a).all() for a in kept):
        raise DivergedError(f"loss {float(losses[-1])}")


def _first_bad(losses: list[float]) -> int:
    """Find the first loss that is not finite; the last one if all are."""
    bad = [i for i, value in enumerate(losses) if not math.isfinite(value)]
    return bad[0] if bad else len(losses) - 1


def _finish_epoch(
    state: State,
    model: Layer,
    data: Dataset,
    loss: Any,
    mean_loss: float,
    steps: int,
    began: float,
) -> None:
    with np.errstate(all="ignore"):
        statistics = statistics_at(model, state.w, data.x_train)
        test_loss, accuracy = evaluate(model, state.w, data.x_test, data.y_test, statistics, loss)
    if not np.isfinite(test_loss):
        raise DivergedError(f"test loss {test_loss}")
    state.epoch += 1
    state.seconds += time.perf_counter() - began
    state.history.append(
        {
            "epoch": state.epoch,
            "loss": mean_loss,
            "test_loss": test_loss,
            "test_accuracy": accuracy,
            "evaluations": state.evaluations,
            "seconds": round(state.seconds, 3),
        }
    )
    if "climbed" in state.steps:
        state.history[-1]["climbed"] = float(np.mean(state.steps["climbed"][-steps:]))


def described(model: Layer, data: Dataset, optimizer: SGD | Adam) -> dict[str, str]:
    """Describe what is trained as text, so that another process knows whether it has the same.

    Parameters
    ----------
    model : Layer
        The model.
    data : Dataset
        Its examples.
    optimizer : SGD or Adam
        What takes the steps.

    Returns
    -------
    dict from str to str
        ``model``, ``data``, ``fingerprint`` (of the examples) and ``optimizer``.
    """
    return {
        "model": text_of(model),
        "data": f"{data.name}: {data.x_train.shape} {data.x_train.dtype}, {len(data.x_test)} test"
        + (f", on {data.device}" if data.device != "cpu" else ""),
        "fingerprint": fingerprint(data),
        "optimizer": text_of(optimizer),
    }


def text_of(x: Any) -> str:
    """Return the repr without memory addresses: another process has others for the same run.

    Parameters
    ----------
    x : object
        A method, an optimizer, a model.

    Returns
    -------
    str
        By which it is known in a file.
    """
    return re.sub(r" at 0x[0-9a-f]+", "", repr(x), flags=re.IGNORECASE)


def _diverged(method: Method, t: int, epoch: int, path: Path | None, good: int) -> str:
    where = f"the last good checkpoint is {path}, after epoch {good}"
    if path is None or good == 0:
        where = "there is no checkpoint yet"
    return (
        f"{method.name}: the loss or the gradient is not finite at step {t} (epoch {epoch + 1}); "
        f"{where}. Lower the learning rate or rho, or look for non-finite inputs."
    )
