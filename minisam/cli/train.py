"""``minisam train``: train with one method, beside it by ERM, and compare what came out."""

import json
import math
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minisam import sam
from minisam.arrays import Array, moved, to_numpy
from minisam.cli import methods, preparing
from minisam.cli.parser import Refused
from minisam.data import Dataset
from minisam.experiments import measured_loss
from minisam.nn.layer import Layer
from minisam.optimizers import SGD
from minisam.sam import Method
from minisam.sharpness import one_step, top_eigenvalues
from minisam.text import aligned
from minisam.training import DivergedError, Run, evaluate, load_checkpoint, train
from minisam.training.checkpoint import replace_file
from minisam.training.loop import PARAMETERS, threads_for

# A run whose loss is this close to ln(classes), that of guessing, has learned nothing.
NOTHING_LEARNED = 0.05

ROWS = (
    ("epochs", "epochs", "{}"),
    ("train loss", "train_loss", "{:.4f}"),
    ("train accuracy", "train_accuracy", "{:.2%}"),
    ("test loss", "test_loss", "{:.4f}"),
    ("test accuracy", "test_accuracy", "{:.2%}"),
    ("λmax before", "lambda_max_before", "{:.3g}"),
    ("λmax after", "lambda_max_after", "{:.3g}"),
    ("one-step sharpness before", "one_step_before", "{:.3g}"),
    ("one-step sharpness after", "one_step_after", "{:.3g}"),
    ("gradient evaluations", "evaluations", "{:,.0f}"),
    ("seconds", "seconds", "{:.2f}"),
)


def run(args: Namespace) -> int:
    """Train, print the table, write what is to be kept.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    int
        0; everything else is an exception.

    Raises
    ------
    ValueError
        An argument is out of range, or does not go with the others.
    OSError, ImportError
        A file or a library is missing, or the results cannot be written.
    DivergedError, CheckpointError
        As `minisam.train`.
    Refused
        The user interrupted.
    """
    job = _job(args)
    try:
        # What is not finite is found and named, which says more than NumPy's warnings.
        with np.errstate(all="ignore"):
            runs = _runs(job)
            results = _results(job, runs)
    except KeyboardInterrupt:
        raise Refused(_interrupted(job), 130) from None
    # Before anything is printed: who reads it may be gone (| head).
    _write_history(job, runs, results)
    figure = _figure(job, runs)
    print(_table(list(runs), results))
    print(_notes(job, list(runs), results))
    if not args.quiet:
        print(f"{figure}\nHistory and checkpoints: {job.out}")
    return 0


@dataclass(frozen=True)
class _Job:
    """What all runs of one command share."""

    args: Namespace
    data: Dataset
    model: Layer
    method: Method
    optimizer: SGD
    out: Path
    measured: int
    """On how many training examples sharpness is measured."""
    trained: list[str] = field(default_factory=list)
    """Names of the runs of which an epoch was trained, and not only loaded; filled by `_fit`."""


def _job(args: Namespace) -> _Job:
    """Make all that a bad argument can refuse, before anything is trained or written."""
    sam.SAM(args.rho, args.p)  # all are measured in this ball, and it must be one
    moved((), args.device)  # it must be there
    method = methods.method(args)
    optimizer = preparing.optimizer(args)
    examples = preparing.examples(args, args.seed)
    model = preparing.network(args.model, args.hidden, examples)
    measured = preparing.measured(args.model, examples)
    out = preparing.writable(Path(args.out or Path("runs", folder_name(args))))
    return _Job(args, examples, model, method, optimizer, out, measured)


def folder_name(args: Namespace) -> str:
    """Name the results after the arguments, so that no other run's checkpoint is in the way.

    Parameters
    ----------
    args : argparse.Namespace
        From `minisam.cli.arguments.parse`.

    Returns
    -------
    str
        Data, model, method and seed, and whatever else is not as by default.

    Examples
    --------
    >>> from minisam.cli.arguments import parse
    >>> folder_name(parse(["train", "--rho", "0.2"]))
    'digits-mlp-sam-rho0.2-seed0'
    """
    named = {"data", "model", "method", "seed"}
    words = [args.data, args.model, args.method]
    words += preparing.unusual(args, named | {"compare", "resume"}, "--model", args.model)
    return "-".join([*words, f"seed{args.seed}"])


def _runs(job: _Job) -> dict[str, Run]:
    """Train with the method, and by ERM for as many epochs and for as many gradients."""
    epochs, name = job.args.epochs, job.method.name
    runs = {name: _fit(job, name, job.method, epochs, "checkpoint.npz")}
    if job.args.compare and job.args.method != "erm":
        erm = _fit(job, "ERM (same epochs)", sam.ERM(), epochs, "checkpoint-erm-epochs.npz")
        runs["ERM (same epochs)"] = erm
        same = round(epochs * runs[name].evaluations / erm.evaluations)
        name = "ERM (same gradients)"
        runs[name] = _fit(job, name, sam.ERM(), same, "checkpoint-erm-gradients.npz")
    return runs


def _fit(job: _Job, name: str, method: Method, epochs: int, file: str) -> Run:
    """Train, or go on training, and say so in one line."""
    args, path = job.args, job.out / file
    done = load_checkpoint(path).meta["epoch"] if args.resume and path.exists() else 0
    run = train(
        job.model,
        job.data.to_device(args.device),
        method,
        job.optimizer,
        epochs=epochs,
        batch_size=args.batch_size,
        seed=args.seed,
        checkpoint=path,
        resume=args.resume,
        progress=not args.quiet,
    )
    if done < epochs:
        job.trained.append(name)
    if not args.quiet:
        before = f" ({done} of them before, from {path})" if done else ""
        spent = f"{run.evaluations:,.0f} gradients, {run.seconds:.2f} s"
        accuracy = f"test accuracy {run.history[-1]['test_accuracy']:.2%}"
        print(f"{name}: {epochs} epochs{before}, {spent}, {accuracy}", file=sys.stderr)
    # Sharpness is measured on the host.
    return replace(run, w=to_numpy(run.w), statistics=to_numpy(run.statistics))


def _results(job: _Job, runs: Mapping[str, Run]) -> list[dict[str, Any]]:
    """Measure what the table shows: every run's end, and the start they have in common."""
    x, y = job.data.x_train, job.data.y_train
    before = _sharpness(job, job.model.init((job.args.seed, PARAMETERS), x.dtype), "before")
    results = []
    for name, run in runs.items():
        loss, accuracy = evaluate(job.model, run.w, x, y, run.statistics)
        test = {key: run.history[-1][key] for key in ("test_loss", "test_accuracy")}
        end = {"train_loss": loss, "train_accuracy": accuracy, **test}
        try:
            after = _sharpness(job, run.w, "after")
        except ValueError as error:  # a loss can still be finite where its Hessian is not
            raise DivergedError(
                f"{name} has no sharpness at its end: {error} Lower --lr."
            ) from error
        cost = {"evaluations": run.evaluations, "seconds": run.seconds}
        results.append({"epochs": len(run.history), **end, **before, **after, **cost})
    return results


def _sharpness(job: _Job, w: Array, when: str) -> dict[str, float]:
    """Measure λmax and SAM's one-step sharpness; batch norm keeps its statistics at ``w``."""
    with threads_for(job.model, job.data):
        loss = measured_loss(job.model, job.data, w, job.measured)
        return {
            f"lambda_max_{when}": float(top_eigenvalues(loss, w)[0]),
            f"one_step_{when}": one_step(loss, w, job.args.rho, job.args.p),
        }


def _table(names: list[str], results: list[dict[str, Any]]) -> str:
    rows = [["", *names]]
    rows += [[head, *(form.format(row[key]) for row in results)] for head, key, form in ROWS]
    return aligned(rows)


def _notes(job: _Job, names: list[str], results: list[dict[str, Any]]) -> str:
    """Say what the table does not: how sharpness was measured, and what it is not worth."""
    args = job.args
    notes = [
        f"Measured on {job.measured:,} of the {len(job.data.x_train):,} training examples: λmax, "
        "the largest eigenvalue of\nthe loss's Hessian, and one-step sharpness, "
        f"L(w + ε̂) - L(w) at ρ = {args.rho:g}, p = {args.p:g}."
    ]
    if args.eta is not None:
        notes.append("That is in the plain ball, though ASAM trains in the one scaled by |w| + η.")
    guessing = math.log(job.data.classes)
    for name, result in zip(names, results, strict=True):
        if result["train_loss"] >= guessing - NOTHING_LEARNED:
            notes.append(
                f"Warning: {name} learned nothing (train loss {result['train_loss']:.4g}, that of "
                f"guessing {guessing:.4g}):\nits sharpness says nothing. Try a lower --lr or more "
                "--epochs."
            )
    if not job.trained:
        notes.append("Loaded from checkpoints: nothing was trained.")
    return "\n".join(notes)


def _interrupted(job: _Job) -> str:
    if not list(job.out.glob("checkpoint*.npz")):
        return "minisam train: interrupted before an epoch was finished; there is no checkpoint."
    kept = f"The checkpoint of the last finished epoch is kept in {job.out}"
    return f"minisam train: interrupted. {kept}; to go on from it: {preparing.again(job.args)}"


def _write_history(job: _Job, runs: Mapping[str, Run], results: list[dict[str, Any]]) -> None:
    hidden = ("command", "argv", "quiet")
    settings = {k: v for k, v in vars(job.args).items() if k not in hidden}
    entries = [
        {"name": name, "result": result, "settings": run.settings, "history": run.history}
        for (name, run), result in zip(runs.items(), results, strict=True)
    ]
    text = json.dumps({"settings": settings, "runs": entries})
    # JSON knows no infinity, which p may be, and no NaN: they become strings.
    text = json.dumps(json.loads(text, parse_constant=str), indent=1, allow_nan=False)
    replace_file(job.out / "history.json", f"{text}\n".encode())


def _figure(job: _Job, runs: Mapping[str, Run]) -> str:
    from minisam.plots import training_figure

    args, takes = job.args, methods.MAKE[job.args.method][1]
    method = job.method.name if args.eta is None else "ASAM"
    method += f" with ρ = {args.rho:g}" if "rho" in takes else ""
    method += f", p = {args.p:g}" if "p" in takes else ""
    method += "" if args.eta is None else f", η = {args.eta:g}"
    method += "" if args.order in (None, 1) else f", order {args.order}"
    title = f"{args.model} on {args.data}, {method}, seed {args.seed}"
    histories = {name: run.history for name, run in runs.items()}
    try:
        png, svg = training_figure(histories, job.out / "figure.png", title=title)
    except ImportError as error:
        return f"No figure. {error}"
    return f"Figure: {png}, {svg.name}"
