"""The networks that the figures of one command share."""

import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from minisam import data, nn, optimizers, sam
from minisam.arrays import Array
from minisam.cli.methods import MAKE
from minisam.data import Dataset
from minisam.nn.layer import Layer
from minisam.progress import with_progress
from minisam.sam import Method
from minisam.training import Run, train
from minisam.training.examples import Examples
from minisam.training.loop import MASKS, PARAMETERS

BATCH_SIZE = 60
OPTIMIZER = optimizers.SGD(optimizers.cosine(0.1), 0.9, weight_decay=5e-4)
BATCHES = 1000
"""Mini-batches at one w. From one draw of these to another, skewness still varies by about 0.2."""
TWICE = "ERM, twice the epochs"


@dataclass
class Laboratory:
    """The networks of one command; each is trained when it is first asked for.

    Parameters
    ----------
    args : argparse.Namespace
        Of ``minisam figures``.
    """

    args: Namespace
    done: dict[tuple[str, int], Run] = field(default_factory=dict)
    walked: dict[tuple[str, int], Array] = field(default_factory=dict)

    @cached_property
    def data(self) -> list[Dataset]:
        """The examples of each seed."""
        args, found = self.args, []
        for seed in range(args.seed, args.seed + args.seeds):
            examples = data.load(
                args.data, root=args.root, train=args.train, test=args.test, seed=seed
            )
            y = data.symmetric_noise(examples.y_train, examples.classes, args.noise, seed).y
            found.append(replace(examples, y_train=y))
        return found

    @cached_property
    def model(self) -> Layer:
        """The network that ``minisam train`` trains by default."""
        inputs = math.prod(self.data[0].x_train.shape[1:])
        return nn.mlp([inputs, 64, 64, self.data[0].classes])

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every method by its name, as it is by default but for ρ."""
        rho = self.args.rho
        every = [make(**({"rho": rho} if "rho" in takes else {})) for make, takes in MAKE.values()]
        # Bit for bit the same, and they record the norms of their gradients.
        recording = {
            "SAM": sam.AESAM(rho, -math.inf, -math.inf),
            "ERM": sam.AESAM(rho, math.inf, math.inf),
        }
        return {method.name: method for method in every} | recording

    def runs(self, what: str, names: Sequence[str], seeds: int) -> dict[str, list[Run]]:
        """Return a run of each method for each of the first seeds."""
        wanted = [(name, i) for name in names for i in range(seeds)]
        todo = [key for key in wanted if key not in self.done]
        show = not self.args.quiet and bool(todo)
        for k in with_progress(range(len(todo)), len(todo), what, show, "run"):
            self.done[todo[k]] = self._trained(*todo[k])
        return {name: [self.done[name, i] for i in range(seeds)] for name in names}

    def _trained(self, name: str, i: int) -> Run:
        twice = name == TWICE
        return train(
            self.model,
            self.data[i],
            self.methods["ERM" if twice else name],
            OPTIMIZER,
            epochs=self.args.epochs * (1 + twice),
            batch_size=BATCH_SIZE,
            seed=self.args.seed + i,
            progress=False,
        )

    def way(self, name: str, other: int = 0) -> Array:
        """Return the start, and the parameters of ERM or SAM after each epoch, (epochs + 1, d).

        Another way is from another seed, on the same examples.
        """
        if (name, other) not in self.walked:
            data, seed = self.data[0], self.args.seed + other
            points = [self.model.init((seed, PARAMETERS), data.x_train.dtype)]
            train(
                self.model,
                data,
                sam.ERM() if name == "ERM" else sam.SAM(self.args.rho),
                OPTIMIZER,
                epochs=self.args.epochs,
                batch_size=BATCH_SIZE,
                seed=seed,
                progress=not self.args.quiet,
                after_epoch=lambda w, _: points.append(w),
            )
            self.walked[name, other] = np.stack(points)
        return self.walked[name, other]

    def losses(self) -> Iterator[Examples]:
        """Yield the losses of independent mini-batches of the first seed's training examples."""
        examples, seed = self.data[0], self.args.seed
        n = len(examples.x_train)
        for i in range(BATCHES):
            rows = np.random.default_rng((seed, i)).choice(n, min(BATCH_SIZE, n), replace=False)
            yield Examples(self.model, nn.cross_entropy, examples, (seed, MASKS, i), rows)

    def title(self, seeds: int) -> str:
        """Say what was trained."""
        args = self.args
        noise = f", {args.noise:.0%} wrong labels" if args.noise else ""
        which = f"{seeds} seeds" if seeds > 1 else f"seed {args.seed}"
        return f"{args.data}{noise}, ρ = {args.rho:g}, {which}"
