"""Random numbers that belong to a path: they do not change with chunks, threads or other paths."""

import numpy as np
from numpy.typing import NDArray

from minisam.arrays import Array

BLOCK = 1024
"""Normal numbers that one generator draws at a time: enough that a call costs nothing beside it."""

NORMALS, INTEGERS = 0, 1


class Streams:
    """The random numbers of consecutive paths.

    A generator for every single path would cost more to make than to use. Paths share one in
    blocks of fixed size, BLOCK // d of them (at least 1): block b draws from
    ``SeedSequence(seed, spawn_key=(kind, b))``, always for all its paths, also for those nobody
    asked for. So a path's numbers are disjoint from all others', and depend on the seed and on its
    own number alone. SFC64 is NumPy's fastest generator.

    Parameters
    ----------
    seed : int or sequence of int
        Of all paths.
    first : int
        The first path; a multiple of `paths_per_block`.
    count : int
        How many.
    d : int
        Normal numbers for one path and draw.

    Examples
    --------
    >>> many, few = Streams(0, 0, 2000, 1), Streams(0, 1024, 3, 1)
    >>> bool((many.normals(1)[0, 1024:1027] == few.normals(1)[0]).all())
    True
    """

    def __init__(self, seed: int | list[int], first: int, count: int, d: int) -> None:
        self.count, self.d = count, d
        self.paths_per_block = paths_per_block(d)
        if first % self.paths_per_block:
            raise ValueError(f"first must be a multiple of {self.paths_per_block}, got {first}.")
        self._seed = seed
        blocks = -(-count // self.paths_per_block)
        self._blocks = range(first // self.paths_per_block, first // self.paths_per_block + blocks)
        self._generators: dict[int, list[np.random.Generator]] = {}

    def normals(self, draws: int) -> Array:
        """Draw standard normals, (draws, count, d)."""
        size = self.paths_per_block
        out = np.empty((draws, len(self._blocks) * size, self.d))
        for draw in out:
            for i, rng in enumerate(self._of(NORMALS)):
                rng.standard_normal(out=draw[i * size : (i + 1) * size])
        return out[:, : self.count]

    def integers(self, high: int) -> NDArray[np.intp]:
        """Draw an integer below ``high`` for each path, (count,)."""
        draws = [rng.integers(high, size=self.paths_per_block) for rng in self._of(INTEGERS)]
        return np.concatenate(draws)[: self.count]

    def _of(self, kind: int) -> list[np.random.Generator]:
        if kind not in self._generators:  # those of a kind that is never drawn are never made
            self._generators[kind] = [
                np.random.Generator(
                    np.random.SFC64(np.random.SeedSequence(self._seed, spawn_key=(kind, block)))
                )
                for block in self._blocks
            ]
        return self._generators[kind]


def paths_per_block(d: int) -> int:
    """Return how many paths of dimension d share a generator."""
    return max(1, BLOCK // d)
