"""What commands that train make of their arguments before they do."""

import math
import shlex
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from minisam import data, nn, optimizers
from minisam.cli.arguments import parse
from minisam.data import Dataset
from minisam.experiments.measured import EXAMPLES
from minisam.nn.layer import Layer
from minisam.optimizers import SGD

# Convolutions remember much for Hessian-vector products: memory grows with examples × inputs.
SHARPNESS_INPUTS = 200_000


def examples(args: Namespace, seed: int) -> Dataset:
    """Load the data.

    Parameters
    ----------
    args : argparse.Namespace
        Of a command that trains.
    seed : int
        Which examples are kept.

    Returns
    -------
    Dataset
        As `minisam.data.load`.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As `minisam.data.load`.
    """
    try:
        return loader(args)(seed)
    except FileNotFoundError as error:
        hint = "On the command line, --root names a folder to look in first."
        raise FileNotFoundError(f"{error}\n{hint}") from error


def loader(args: Namespace) -> "partial[Dataset]":
    """Return ``seed -> Dataset``, in a form that another process can be sent.

    Parameters
    ----------
    args : argparse.Namespace
        Of a command that trains.

    Returns
    -------
    functools.partial
        Of `minisam.data.load`.
    """
    return partial(data.load, args.data, args.root, args.dtype, args.train, args.test)


def network(model: str, hidden: tuple[int, ...] | None, examples: Dataset) -> Layer:
    """Build a model for some examples.

    Parameters
    ----------
    model : str
        ``mlp``, ``cnn`` or ``resnet``.
    hidden : tuple of int, optional
        Widths of the mlp's hidden layers.
    examples : Dataset
        What it is for.

    Returns
    -------
    Layer
        The model.

    Raises
    ------
    ValueError
        The options, or the examples, are for another model.
    """
    shape = examples.x_train.shape[1:]
    if model == "mlp":
        widths = (64, 64) if hidden is None else hidden
        return nn.mlp([math.prod(shape), *widths, examples.classes])
    if hidden is not None:
        raise ValueError(f"--hidden shapes the mlp, not the {model}.")
    if len(shape) != 3:
        raise ValueError(
            f"the {model} needs images, but one example of {examples.name!r} has shape "
            f"{shape}. Use --model mlp."
        )
    build = nn.cnn if model == "cnn" else nn.resnet
    return build(shape, examples.classes)


def optimizer(args: Namespace) -> SGD:
    """Make the optimizer.

    Parameters
    ----------
    args : argparse.Namespace
        Of a command that trains.

    Returns
    -------
    SGD
        With its schedule.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    schedule = {"cosine": optimizers.cosine, "constant": optimizers.constant}[args.schedule]
    return SGD(schedule(args.lr), args.momentum, weight_decay=args.weight_decay)


def measured(model: str, examples: Dataset) -> int:
    """Decide on how many training examples sharpness is measured.

    Parameters
    ----------
    model : str
        ``mlp``, ``cnn`` or ``resnet``.
    examples : Dataset
        All.

    Returns
    -------
    int
        Of those there are, as many as memory has room for.
    """
    most = EXAMPLES
    if model != "mlp":
        most = min(most, max(100, SHARPNESS_INPUTS // examples.x_train[0].size))
    return min(most, len(examples.x_train))


def writable(out: Path, option: str = "--out") -> Path:
    """Refuse a folder that no file can be made in, before anything is trained.

    Parameters
    ----------
    out : pathlib.Path
        It need not exist, and is not made.
    option : str
        What names another one.

    Returns
    -------
    pathlib.Path
        The same.

    Raises
    ------
    PermissionError
        No file can be made there.
    """
    try:
        # Mode bits do not tell: root may write everywhere, but no one makes a file in /proc.
        there = next(folder for folder in (out, *out.parents) if folder.exists())
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise PermissionError(
            f"cannot write to {out}. Name another folder with {option}."
        ) from error
    return out


def unusual(args: Namespace, aside: set[str], *line: str) -> list[str]:
    """Return what is not as by default, for the name of a file or folder.

    Parameters
    ----------
    args : argparse.Namespace
        Of any command.
    aside : set of str
        Options that do not matter, or stand in the name already.
    *line : str
        What the command must be given, and what its defaults depend on.

    Returns
    -------
    list of str
        Names with their values.
    """
    plain = vars(parse([args.command, *line]))
    words = []
    for name, value in vars(args).items():
        if name not in aside | {"command", "argv", "root", "out", "quiet"} and value != plain[name]:
            text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(name + text)
    return words


def refuse_idle(args: Namespace, idle: Mapping[str, str]) -> None:
    """Refuse options that were given and would change nothing.

    Parameters
    ----------
    args : argparse.Namespace
        Of any command.
    idle : mapping from str to str
        Options without a use here, and why they have none.

    Raises
    ------
    ValueError
        One of them is on the command line.
    """
    given = {word.partition("=")[0] for word in args.argv if word.startswith("--")}
    for name, why in idle.items():
        if f"--{name}" in given:
            raise ValueError(f"--{name} would change nothing: {why}.")


def again(args: Namespace) -> str:
    """Return the command line that goes on where this one was interrupted.

    Parameters
    ----------
    args : argparse.Namespace
        Of a command that trains.

    Returns
    -------
    str
        For a shell. Not plain "minisam", which is on no PATH where the virtual environment is not
        activated.
    """
    line = (sys.executable, "-m", "minisam", *args.argv)
    return shlex.join(word for word in line if word != "--no-resume")
