"""Speed against others: `python tests/benchmarks/run.py [--threads N] [--only W3] [--json FILE]`.

Each framework runs in a process of its own (two libraries' threads disturb each other) and all are
driven in turn (A B C A B C …). A round gives one ratio for each pair, so that what else the machine
does meanwhile hits all alike; medians of the rounds are printed, with their quartiles. All start
from the same weights and data, and their results are compared before anything is timed. What is
not installed is left out and named: `pip install -e ".[bench]"` installs them.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
from limits import LIMITS, WITHIN
from workloads import WORKLOADS

HERE = Path(__file__).parent
FRAMEWORKS = {  # as the table calls them: module, variant
    "minisam": ("with_minisam", ""),
    "by hand": ("by_hand", ""),
    "PyTorch": ("with_torch", ""),
    "PyTorch channels last": ("with_torch", "channels last"),
    "JAX": ("with_jax", ""),
    "MyGrad": ("with_mygrad", ""),
    "autograd": ("with_autograd", "list"),
    "autograd views": ("with_autograd", "views"),
    "autograd flatten": ("with_autograd", "flatten"),
}
OPERATIONS = {"minisam": ("operations_minisam", ""), "PyTorch": ("operations_torch", "")}
ONLY_IMAGES = {"PyTorch channels last"}
ONLY_VECTORS = {"autograd views", "autograd flatten"}
WITH_SECOND_ORDER = ("W1", "W3 ")
NAMES = {
    "gradient": "gradient",
    "sam": "SAM step",
    "hvp": "Hessian-vector product",
    "second": "SAM, second order",
}
ROUND, SLOW = 0.05, 1.0
"""Seconds that one framework runs in one round, at least; from where it runs in few of them."""


PINS = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "MKL_DEBUG_CPU_TYPE"),
    *("MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
)
"""Variables that hold one library to another processor's instructions. Without them each chooses
for this one: OpenBLAS held to AVX2 is half as fast as on its own, where there is AVX-512."""


class Worker:
    """A framework in its own process."""

    def __init__(self, label, workload, tasks, threads, folder):
        module, variant = (FRAMEWORKS if workload.layers else OPERATIONS)[label]
        self.file = Path(folder) / f"{label}.npz"
        number = str(threads)
        limits = dict.fromkeys(
            ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), number
        )
        free = {name: value for name, value in os.environ.items() if name not in PINS}
        command = [sys.executable, HERE / "worker.py", module, variant]
        self.process = subprocess.Popen(
            [*command, json.dumps(workload.write()), ",".join(tasks), self.file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**free, **limits, "JAX_PLATFORMS": "cpu"},
        )
        ready = self._read()
        self.missing = ready.get("missing")
        self.seconds = ready.get("seconds", {})

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker failed; its own message stands above")
        return json.loads(line)

    def time(self, task):
        """Run a task for about `ROUND` seconds; the mean time, page faults, peak memory."""
        repeats = max(1, round(ROUND / self.seconds[task]))
        print(json.dumps([task, repeats]), file=self.process.stdin, flush=True)
        return self._read()

    def stop(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def compare(found, exact, dtype):
    """Refuse to time what does not compute the same; errors are relative to the length."""
    expected = np.load(exact)
    for task, result in np.load(found).items():
        error = np.linalg.norm(result - expected[task]) / np.linalg.norm(expected[task])
        if not error <= WITHIN[dtype]:
            raise SystemExit(f"{found.stem}: {task} in {dtype} differs by {error:.1e}")


def measure(workload, labels, tasks, threads, rounds):
    """Start the workers, compare, and time every task; samples by (task, label)."""
    with tempfile.TemporaryDirectory() as folder:
        workers = {}
        exact = Path(folder) / "exactly.npz"  # by minisam, the first
        for label in labels:
            # Each in a process of its own, so that the peak of memory is that of what is timed.
            for dtype in dict.fromkeys(("float64", workload.dtype)):
                worker = Worker(label, replace(workload, dtype=dtype), tasks, threads, folder)
                if worker.missing:
                    break
                if not exact.exists():
                    worker.file.rename(exact)
                else:
                    compare(worker.file, exact, dtype)
                if dtype != workload.dtype:
                    worker.stop()
            if worker.missing:
                print(f"  left out: {label}, {worker.missing}")
                worker.stop()
            else:
                workers[label] = worker
        samples = {}
        for task in tasks:
            able = {label: w for label, w in workers.items() if task in w.seconds}
            for number in range(rounds):
                for label, worker in able.items():
                    if worker.seconds[task] < SLOW or number < 3:
                        if threads > 1:
                            settle(worker, task)
                        samples.setdefault((task, label), []).append(worker.time(task))
        for worker in workers.values():
            worker.stop()
    return samples


def settle(worker, task):
    """Let two threads come to what they do in a long training.

    Those of the library that has just run keep a core busy for up to 0.2 s, waiting for work; and
    it takes 0.05 s until the system has spread the threads that wake up over the cores.
    """
    time.sleep(0.3)
    for _ in range(3):
        worker.time(task)


def ratios(a, b):
    """Quotients of the rounds in which both ran: lower quartile, median, upper quartile."""
    each = [p["seconds"] / q["seconds"] for p, q in zip(a, b, strict=False)]
    if len(each) == 1:
        return each * 3
    return statistics.quantiles(each, n=4, method="inclusive")


def rows(workload, samples, threads):
    """What the table shows: against every framework, and against minisam's own gradient."""
    short = workload.name.split()[0]
    ours = {task: found for (task, label), found in samples.items() if label == "minisam"}
    pairs = [
        (NAMES[task], label, ours[task], found)
        for (task, label), found in samples.items()
        if label != "minisam"
    ]
    pairs += [
        (NAMES[task], "gradient", ours[task], ours["gradient"])
        for task in ours
        if task != "gradient"
    ]
    for what, label, a, b in pairs:
        low, middle, high = ratios(a, b)
        yield {
            "workload": workload.name,
            "threads": threads,
            "task": what,
            "against": label,
            "ratio": middle,
            "quartiles": [low, high],
            "limit": LIMITS.get((threads, short, what, label)),
            "milliseconds": [
                1e3 * statistics.median(s["seconds"] for s in each) for each in (a, b)
            ],
            "page faults": statistics.median(s["faults"] for s in a),
            "peak MiB": [each[-1]["peak"] for each in (a, b)],
        }


def show(row):
    """Print one row."""
    limit = ""
    if row["limit"]:
        limit = f"  limit {row['limit']}" + ("" if row["ratio"] <= row["limit"] else "  BEYOND")
    print(
        f"  {row['task']:<24}/ {row['against']:<22}{row['ratio']:7.3f}"
        "  [{:.3f}, {:.3f}]".format(*row["quartiles"])
        + "  {:8.3f} / {:8.3f} ms".format(*row["milliseconds"])
        + f"  {row['page faults']:6.0f} faults"
        + "  {:4.0f} / {:4.0f} MiB".format(*row["peak MiB"])
        + limit,
        flush=True,
    )


def versions():
    """What was measured, and on what."""
    found = {"python": platform.python_version(), "processor": _processor()}
    for name in ("numpy", "torch", "jax", "autograd", "mygrad"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), "unknown")


def main():
    """Read the options, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="W", help="workloads, such as W1 W3d")
    parser.add_argument("--against", nargs="+", choices=FRAMEWORKS, default=list(FRAMEWORKS))
    parser.add_argument("--tasks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if pins := [name for name in PINS if name in os.environ]:
        print(f"without {', '.join(pins)}")
    done = []
    for workload in WORKLOADS:
        if options.only and workload.name.split()[0] not in options.only:
            continue
        print(f"{workload.name}, {options.threads} thread(s)", flush=True)
        other = ONLY_IMAGES if len(workload.shape) == 1 else ONLY_VECTORS
        labels = ["minisam", *(x for x in options.against if x != "minisam" and x not in other)]
        second = workload.name.startswith(WITH_SECOND_ORDER)
        tasks = [t for t in options.tasks if t != "second" or second]
        samples = measure(workload, labels, tasks, options.threads, options.rounds)
        for row in rows(workload, samples, options.threads):
            done.append(row)
            show(row)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"versions": versions(), "rows": done}, file, indent=1)


if __name__ == "__main__":
    main()
