"""The model and the data of a checkpoint, from what it says about them; checked, never guessed."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from minisam import data, nn
from minisam.arrays import Array
from minisam.autodiff.errors import ShapeError
from minisam.cli.compare import CORRUPT
from minisam.data import Dataset
from minisam.nn.layer import Layer
from minisam.training import CheckpointError, load_checkpoint
from minisam.training.loop import text_of
from minisam.training.run import fingerprint

DATA = re.compile(r"(.+): \((\d+), .*\) (float32|float64), (\d+) test(?:, on cuda)?")
"""What `minisam.train` writes of a data set; what a GPU has trained is measured on the host."""
USUAL = {"p": ("2", "2.0"), "eta": ("None",)}
"""What makes a ball a plain one, which a name need not say."""


@dataclass(frozen=True, eq=False)
class Restored:
    """A trained model, and what it was trained on.

    Parameters
    ----------
    path : pathlib.Path
        Of its checkpoint.
    settings : dict
        Of its run, as text and numbers.
    epoch : int
        Epochs that were done.
    model : Layer
        It.
    data : Dataset
        With the labels that it was trained on.
    w : array, (d,)
        Its parameters.
    """

    path: Path
    settings: dict[str, Any]
    epoch: int
    model: Layer
    data: Dataset
    w: Array

    @property
    def method(self) -> str:
        """What it was trained by: ``SAM 0.05``, ``SAM(p=inf) 0.05`` or ``SAM(eta=0.01) 0.5``."""
        text = self.settings["method"]
        found = dict(reversed(re.findall(r"\b(name|rho|p|eta)=([^,)]+)", text)))  # the first ones
        if "name" not in found:
            return str(text)
        ball = [f"{key}={found[key]}" for key in USUAL if found.get(key) not in (None, *USUAL[key])]
        name = found["name"].strip("'") + (f"({','.join(ball)})" if ball else "")
        return name if found.get("rho") in (None, "0.0") else f"{name} {found['rho']}"


def checkpoints(path: Path) -> list[Path]:
    """List the checkpoints that a path names.

    Parameters
    ----------
    path : pathlib.Path
        A file, or a folder of ``minisam train``.

    Returns
    -------
    list of pathlib.Path
        The file, or all checkpoints in the folder.

    Raises
    ------
    CheckpointError
        There is none in the folder.
    """
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("checkpoint*.npz"))
    if not found:
        raise CheckpointError(f"there is no checkpoint*.npz in the folder {path}.")
    return found


def restore(path: Path, name: str | None, root: str | None, noise: float, kind: str) -> Restored:
    """Load a checkpoint, and the data it was trained on.

    Parameters
    ----------
    path : pathlib.Path
        Of a checkpoint.
    name : str, optional
        The data set that is expected; by default, whatever the checkpoint says.
    root : str, optional
        A folder of data to look in first.
    noise : float
        Fraction of the training labels that were made wrong, with the run's seed.
    kind : str
        ``symmetric`` or ``pair``.

    Returns
    -------
    Restored
        The run's examples are the same to the last bit, or else it is refused.

    Raises
    ------
    CheckpointError
        It is no checkpoint, or one of other data or of a model that ``minisam train`` does not
        build.
    FileNotFoundError, ImportError
        The file, or the data, is missing.
    """
    saved = load_checkpoint(path)
    try:
        settings, w, epoch = saved.meta["settings"], saved.arrays["w"], saved.meta["epoch"]
        model, described, seed = (settings[key] for key in ("model", "data", "seed"))
        expected, loss = settings["fingerprint"], settings["loss"]
    except KeyError as error:
        raise CheckpointError(f"{path} does not say what was trained: no {error}.") from error
    if loss != "cross_entropy":
        raise CheckpointError(
            f"{path} was trained with the loss {loss}; what is measured here is the "
            "cross-entropy. For another loss call minisam.sharpness.measures."
        )
    known = DATA.fullmatch(described)
    if known is None or (name is not None and name != known[1]):
        wanted = "data that can be loaded" if name is None else f"{name!r}"
        raise CheckpointError(f"{path} is of a run on {described!r}, not on {wanted}.")
    try:
        examples = _examples(
            known[1], root, known[3], int(known[2]), int(known[4]), seed, noise, kind
        )
    except ValueError as error:
        raise CheckpointError(f"the data of {path} cannot be loaded again: {error}") from error
    if fingerprint(examples) != expected:
        raise CheckpointError(
            f"{path} was trained on other examples or labels than {described!r} with seed {seed}"
            f"{f' and {noise:g} {kind} noise' if noise else ''}: their fingerprint is "
            f"{fingerprint(examples)}, not {expected}. If labels were made wrong with that seed, "
            "give their rate with --noise."
        )
    return Restored(path, settings, epoch, _network(model, examples, path), examples, w)


@cache
def _examples(
    name: str,
    root: str | None,
    dtype: str,
    train: int,
    test: int,
    seed: int,
    noise: float,
    kind: str,
) -> Dataset:
    found = data.load(name, root, dtype, train, test, seed)
    labels = CORRUPT[kind](found.y_train, found.classes, noise, seed)
    return replace(found, y_train=labels.y)


def _network(text: str, examples: Dataset, path: Path) -> Layer:
    """Build the model that a checkpoint describes; of the three kinds, the one that fits."""
    shape = examples.x_train.shape[1:]
    widths = [int(n) for n in re.findall(r"Linear\(\d+, (\d+)\)", text)]
    makers: list[Callable[[], Layer]] = [
        lambda: nn.mlp([math.prod(shape), *widths]),
        lambda: nn.cnn(shape, examples.classes),
        lambda: nn.resnet(shape, examples.classes),
    ]
    for make in makers:
        try:
            model = make()
        except (ShapeError, ValueError):  # not for such examples, and so not what was trained
            continue
        if text_of(model) == text:
            return model
    raise CheckpointError(
        f"{path} is of the model {text}, which is none of those that minisam train builds for "
        f"examples of shape {shape}. For a model of your own call minisam.sharpness.measures."
    )
