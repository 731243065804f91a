"""Single operations: `python tests/benchmarks/operations.py [--rounds N] [--threads N]`.

Each is run forward and backward, from a random cotangent of its output to those of all its inputs,
by minisam and by PyTorch in processes of their own, driven in turn, as in `run.py`. Images are as
each of them has them inside of a network: channels last in minisam's memory, channels first in
PyTorch's. The last line is the time of `import minisam` over that of `import numpy`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from run import measure, ratios, versions
from workloads import Workload

LIMIT, IMPORT_LIMIT = 0.8, 1.3
SHAPES = {  # of the inputs; the kind of the operation is the first word
    "conv 3 to 32": ((64, 3, 32, 32), (32, 3, 3, 3)),
    "conv 32 to 64": ((64, 32, 16, 16), (64, 32, 3, 3)),
    "conv 64 to 128": ((64, 64, 8, 8), (128, 64, 3, 3)),
    "norm of a batch": ((64, 32, 16, 16), (32,), (32,)),
    "pool": ((64, 64, 24, 24),),
    "average": ((64, 128, 8, 8),),
    "dense 784 to 512": ((128, 784), (784, 512), (512,)),
    "dense 64 to 32": ((32, 64), (64, 32), (32,)),
    "relu of images": ((64, 64, 24, 24),),
    "relu": ((128, 512),),
    "tanh": ((128, 512),),
    "gelu": ((128, 512),),
    "softmax": ((128, 10),),
    "cross-entropy": ((128, 10),),
    "layer norm": ((128, 512), (512,), (512,)),
    "product": ((128, 512), (128, 512)),
    "sum": ((128, 512),),
}
WORKLOAD = Workload("operations", layers=(), shape=(), batch=0)


def inputs(name):
    """Draw the arrays, the same for each framework."""
    rng = np.random.default_rng(len(name))
    return [rng.standard_normal(shape) for shape in SHAPES[name]]


def imports(rounds):
    """Time a process that imports minisam over one that imports NumPy: the ratio of each round."""

    def seconds(name):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True, env=environment)
        return time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:  # compiled there once, as when installed
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        seconds("minisam")
        return [seconds("minisam") / seconds("numpy") for _ in range(rounds)]


def show(name, each, limit):
    """Print one line; return what it says."""
    low, middle, high = each
    beyond = "  BEYOND" if middle > limit else ""
    print(f"  {name:<18}{middle:7.3f}  [{low:.3f}, {high:.3f}]  limit {limit}{beyond}", flush=True)
    return {"operation": name, "ratio": middle, "quartiles": [low, high], "limit": limit}


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    labels = ("minisam", "PyTorch")
    samples = measure(WORKLOAD, labels, list(SHAPES), options.threads, options.rounds)
    print(f"minisam / PyTorch, forward and backward, {options.threads} thread(s), float32")
    done = [
        show(name, ratios(*(samples[name, label] for label in labels)), LIMIT) for name in SHAPES
    ]
    of_imports = statistics.quantiles(imports(options.rounds), n=4, method="inclusive")
    done.append(show("import / NumPy's", of_imports, IMPORT_LIMIT))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"versions": versions(), "rows": done}, file, indent=1)


if __name__ == "__main__":
    main()
