"""Every measure of a trained model, and of several that differ in nothing but the seed."""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.arrays import Array, to_numpy
from minisam.cli.preparing import SHARPNESS_INPUTS, measured
from minisam.cli.restoring import Restored
from minisam.experiments import measured_losses
from minisam.nn import cross_entropy
from minisam.sharpness import (
    Bound,
    Estimate,
    batched,
    measures,
    pac_bayes_bound,
    streamed,
    zero_one,
)
from minisam.sharpness.streaming import Losses
from minisam.training.loop import statistics_at


@dataclass(frozen=True)
class Measured:
    """A trained model in numbers.

    Parameters
    ----------
    restored : Restored
        The model.
    values : dict from str to Estimate
        Losses and errors, all of `minisam.sharpness.measures`, the ratio λ1/λk, and the terms of
        the bound.
    bound : Bound
        On its error.
    """

    restored: Restored
    values: Mapping[str, Estimate]
    bound: Bound


@dataclass(frozen=True)
class Column:
    """What a table shows of one run, or of several that differ in nothing but the seed.

    Parameters
    ----------
    name : str
        Its head.
    runs : sequence of Measured
        Its runs.
    """

    name: str
    runs: Sequence[Measured]

    @property
    def values(self) -> dict[str, Estimate]:
        """The measures; of several runs their means, with standard errors over the seeds."""
        if len(self.runs) == 1:
            return dict(self.runs[0].values)
        return {name: Estimate.of(each) for name, each in _by_name(self.runs).items()}

    def paired(self, other: "Column") -> bool:
        """Whether both are of the same seeds, and of more than one."""
        seeds = [[run.restored.settings["seed"] for run in column.runs] for column in (self, other)]
        return len(seeds[0]) > 1 and sorted(seeds[0]) == sorted(seeds[1])

    def over(self, other: "Column") -> dict[str, Estimate]:
        """Subtract another column: seed by seed, if both have the same seeds.

        Runs of one seed share examples and first parameters, so that part of what varies from
        seed to seed cancels. Without pairs, errors add as those of independent numbers.
        """
        if self.paired(other):
            mine, its = _by_name(self.runs), _by_name(other.runs)
            return {name: Estimate.of(mine[name] - its[name]) for name in mine if name in its}
        a, b = self.values, other.values
        return {
            name: Estimate(
                a[name].value - b[name].value, float(np.hypot(a[name].error, b[name].error))
            )
            for name in a
            if name in b
        }


def _by_name(runs: Sequence[Measured]) -> dict[str, Array]:
    runs = sorted(runs, key=lambda run: run.restored.settings["seed"])
    names = [name for name in runs[0].values if all(name in run.values for run in runs)]
    return {name: np.array([run.values[name].value for run in runs]) for name in names}


def measure(args: Namespace, restored: Restored, tick: Callable[[int], Any]) -> Measured:
    """Measure a model; batches are as large as memory has room for.

    Parameters
    ----------
    args : argparse.Namespace
        Of ``minisam sharpness``.
    restored : Restored
        The model.
    tick : callable
        Called with 1 whenever something is done.

    Returns
    -------
    Measured
        All of it.

    Raises
    ------
    ValueError
        An argument is out of range, or the Hessian is not finite.
    """
    m = chunk(args, restored)
    model, data, w = restored.model, restored.data, restored.w
    size = max(1, SHARPNESS_INPUTS // data.x_train[0].size)
    statistics = statistics_at(model, w, data.x_train)
    train, test = (data.x_train, data.y_train), (data.x_test, data.y_test)

    def parts(examples: tuple[Array, Array], loss: Any) -> list[Losses]:
        return batched(model, *examples, size, loss=loss, statistics=statistics)

    def mean(examples: tuple[Array, Array], loss: Any) -> Estimate:
        each = [to_numpy(losses(w)).astype(np.float64) for losses in parts(examples, loss)]
        return Estimate.of(np.concatenate(each))

    values = {
        "train_loss": mean(train, cross_entropy),
        "train_error": mean(train, zero_one),
        "test_loss": mean(test, cross_entropy),
        "test_error": mean(test, zero_one),
    }
    before, after = values["train_loss"], values["test_loss"]
    error = float(np.hypot(before.error, after.error))
    values["gap"] = Estimate(after.value - before.value, error)
    tick(1)
    n = used(args, restored)
    losses = measured_losses(model, data, w, n, size)
    chunks = measured_losses(model, data, w, n, m)
    options = {"adaptive_rho": args.adaptive_rho, "k": args.k, "seed": args.seed}
    for name, value in measures(losses, w, args.rho, args.p, chunks=chunks, **options):
        values[name] = value
        tick(1)
    least = values[f"lambda_{args.k}"].value
    if args.k > 1 and least > 0:
        values["ratio"] = Estimate(values["lambda_1"].value / least)
    bound = pac_bayes_bound(
        parts(train, zero_one),
        w,
        args.rho,
        climb=streamed(losses),  # the error itself has no slope
        held_out=parts((test[0][:n], test[1][:n]), zero_one),
        seed=args.seed,
    )
    values |= {
        "highest": Estimate(bound.highest),
        **{f"bound_{name}": Estimate(term) for name, term in bound.terms._asdict().items()},
        "bound_h": Estimate(bound.terms.h),
        "bound": Estimate(bound.value),
    }
    tick(1)
    return Measured(restored, values, bound)


def used(args: Namespace, restored: Restored) -> int:
    """Say on how many training examples sharpness is measured: by default, as ``minisam train``.

    Parameters
    ----------
    args, restored
        As for `measure`.

    Returns
    -------
    int
        At most as many as there are.
    """
    if args.examples is None:
        kind = "cnn" if "Conv2d" in restored.settings["model"] else "mlp"
        return measured(kind, restored.data)
    return min(int(args.examples), len(restored.data.x_train))


def chunk(args: Namespace, restored: Restored) -> int:
    """Say how many examples climb together: as in training, but at most half of those measured.

    Parameters
    ----------
    args, restored
        As for `measure`.

    Returns
    -------
    int
        m of the m-sharpness.

    Raises
    ------
    ValueError
        ``--chunk`` is not between 1 and that half.
    """
    most = used(args, restored) // 2
    if args.chunk is None:
        return min(int(restored.settings["batch_size"]), most)
    if not 1 <= args.chunk <= most:
        raise ValueError(
            f"--chunk must be in [1, {most}], half of the examples measured; got {args.chunk}."
        )
    return int(args.chunk)
