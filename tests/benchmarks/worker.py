"""One framework in a process of its own: `run.py` starts it and says what to time, line by line.

Arguments: module, variant, workload as JSON, the tasks wanted, file for the results. Each line that
comes in is a task and a number of repeats; each line that goes out is JSON.
"""

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

name, variant, workload, wanted, file = sys.argv[1:]
if name == "with_jax":  # it has no option for its threads, but looks at how many cores it may use
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: int(os.environ["OMP_NUM_THREADS"])])

import numpy as np  # noqa: E402
from workloads import Workload  # noqa: E402


def faults():
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def peak():
    """Most memory that this process has had, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(s.split()[1]) for s in lines if s.startswith("VmHWM")) / 1024
    except OSError:  # not Linux, where ru_maxrss would count the parent's memory, too
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def say(**fields):
    """Answer one line."""
    print(json.dumps(fields), flush=True)


def main():
    """Compute each task, save the results, then time what is asked for."""
    try:
        framework = import_module(f"frameworks.{name}")
    except ModuleNotFoundError as error:
        return say(missing=f"not installed ({error.name})")
    results, seconds = {}, {}
    try:
        tasks = framework.tasks(Workload.read(json.loads(workload)), variant)
        for task in wanted.split(","):
            if task in tasks:
                results[task] = framework.to_numpy(tasks[task]())
                start = time.perf_counter()
                tasks[task]()
                seconds[task] = time.perf_counter() - start
    except NotImplementedError as error:
        return say(missing=str(error))
    np.savez(file, **results)
    say(seconds=seconds)
    for line in sys.stdin:
        task, repeats = json.loads(line)
        f, before, start = tasks[task], faults(), time.perf_counter()
        for _ in range(repeats):
            f()
        took = time.perf_counter() - start
        say(
            seconds=took / repeats,
            faults=(faults() - before) / repeats,
            peak=peak(),
        )
    return None


main()
