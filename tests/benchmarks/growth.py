"""How time and memory grow: `python tests/benchmarks/growth.py [--rounds N]`.

One gradient of an MLP against its width, depth and batch, in a process of its own for each point,
minisam's and PyTorch's driven in turn; and the time per operation in chains of operations, which
is constant if the engine is linear in the length of what it records.
"""

import argparse
import statistics
import time

from run import measure
from workloads import Workload, mlp

import minisam as ms

WIDTHS, DEPTHS, BATCHES = (128, 256, 512, 1024), (2, 4, 8, 16), (32, 128, 512, 2048)
CHAINS = (1_000, 10_000, 100_000)


def points():
    """One of width, depth and batch grows, the others stay."""
    for name, width, depth, batch in (
        *(("width", width, 4, 128) for width in WIDTHS),
        *(("depth", 256, depth, 128) for depth in DEPTHS),
        *(("batch", 256, 4, batch) for batch in BATCHES),
    ):
        layers = mlp(width, *(width for _ in range(depth - 1)), 10)
        title = f"width {width}, depth {depth}, batch {batch}"
        yield name, Workload(title, layers, (width,), batch)


def networks(rounds):
    """Print milliseconds and peak memory of each point."""
    grows = None
    for name, workload in points():
        if name != grows:
            grows = name
            print(f"{name} grows", flush=True)
        samples = measure(workload, ("minisam", "PyTorch"), ("gradient",), 1, rounds)
        cells = []
        for (_, label), each in samples.items():
            ms_each = 1e3 * statistics.median(s["seconds"] for s in each)
            cells.append(f"{label} {ms_each:8.2f} ms {each[-1]['peak']:5.0f} MiB")
        print(f"  {workload.name:<36}{'   '.join(cells)}", flush=True)


def chain(n):
    """n multiplications, one after the other."""

    def f(x):
        for _ in range(n):
            x = x * 1.0
        return x

    return f


def chains(rounds):
    """Print microseconds per operation."""
    print("chains of operations")
    gradients = {n: ms.grad(chain(n)) for n in CHAINS}
    times = {n: [] for n in CHAINS}
    for _ in range(rounds):
        for n, gradient in gradients.items():
            start = time.perf_counter()
            gradient(2.0)
            times[n].append((time.perf_counter() - start) / n)
    for n, each in times.items():
        print(f"  {n:>7,} operations{1e6 * statistics.median(each):8.2f} us each")


def main():
    """Read the options and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    chains(options.rounds)
    networks(options.rounds)


if __name__ == "__main__":
    main()
