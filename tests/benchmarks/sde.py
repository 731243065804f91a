"""Speed of the SDE simulations: ``python tests/benchmarks/sde.py``.

A million one-dimensional paths for a thousand steps, by the cheapest and the dearest algorithm and
by their SDEs; then a tenth of the paths, and a tenth of the steps: the cost of a path's step should
not depend on either. Times are wall-clock seconds on all cores; in brackets processor time per path
and step in nanoseconds, over the cores: what the wall clock would show on a machine with nothing
else to do.
"""

import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from minisam import sde

NOISE, ETA, RHO = sde.Gaussian([[0.25]]), 0.01, 0.1


def seconds(problem, process, paths, steps):
    """Simulate once, and return how long it took, by the clock and of all processors."""
    start, busy = time.perf_counter(), time.process_time()
    sde.simulate(
        problem,
        NOISE,
        {"": process},
        steps=steps,
        paths=paths,
        every=steps,
        observe={"x": lambda x: x[:, 0]},
    )
    return time.perf_counter() - start, time.process_time() - busy


def main():
    """Print a table."""
    cores = os.cpu_count()
    print(f"{cores} cores")
    for problem in (sde.quadratic([[1.0]], [2.0]), sde.wavy()):
        for algorithm in (sde.SGD, sde.SAM):
            model = sde.additive(algorithm, problem, NOISE, RHO)
            for name, process in (
                (algorithm.name, sde.discrete(algorithm, problem, NOISE, ETA, RHO)),
                (model.name, sde.euler_maruyama(model, ETA)),
            ):
                cells = []
                for paths, steps in ((10**6, 1000), (10**5, 1000), (10**6, 100)):
                    took, busy = seconds(problem, process, paths, steps)
                    per = busy / cores / paths / steps * 1e9
                    cells.append(f"{paths:>9,} × {steps:<5,} {took:6.2f} s ({per:4.1f})")
                print(f"{problem.name:10} {name:10}", *cells, sep="  ", flush=True)


if __name__ == "__main__":
    main()
