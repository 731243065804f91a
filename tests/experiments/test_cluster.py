"""A real Dask scheduler and its workers, on loopback: what is lost with a worker is run again."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import minisam as ms
from minisam.cli import main
from minisam.experiments import Cell, WorkersLostError, grid, run_cells

cluster = pytest.importorskip("minisam.experiments.cluster")

ROOT = Path(__file__).parents[2]
KILLING = ROOT / "tests" / "killing.py"


def until(condition, seconds=60):
    """Wait, and say what for when it takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)
    return found


@contextmanager
def dask(folder, workers, **settings):
    """Start a scheduler and workers as processes; give its address, and them in this order."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"} | settings
    file, processes = folder / "scheduler.json", []

    def start(name, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *options]
        command += ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
        with open(folder / f"{name}{len(processes)}.log", "wb") as log:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
        processes.append(process)

    try:
        start("scheduler", "--port", "0")
        for _ in range(workers):
            start("worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        until(lambda: all("Registered to" in p.read_text() for p in folder.glob("worker*.log")))
        address = json.loads(until(lambda: file.exists() and file.read_text()))["address"]
        yield address, processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def cells(file):
    """The lines of a file of results, without what a clock decides."""
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()[1:]]
    for line in lines:
        line["result"].pop("seconds")
    return lines


def test_a_worker_is_killed_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid = ["compare", "--methods", "erm,aesam", "--seeds", "5", "--noise", "0.2"]
    grid += ["--train", "300", "--epochs", "60", "--hidden", "32"]
    with dask(tmp_path, 2) as (address, (_, worker, _)):
        # It is at a cell when the second is finished: each worker is, from the start to the end.
        command = [sys.executable, KILLING, str(worker.pid), *grid]
        done = subprocess.run(
            [*command, "--out", "far", "--cluster", address],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert worker.wait(60) == -signal.SIGKILL
    assert main([*grid, "--out", "here", "--jobs", "1", "--quiet"]) == 0
    far, here = cells(Path("far/cells.jsonl")), cells(Path("here/cells.jsonl"))
    assert len(far) == 10
    order = lambda line: (line["method"], line["seed"])  # noqa: E731
    assert sorted(far, key=order) == sorted(here, key=order)


def test_a_cluster_of_one_core_is_used_and_its_errors_come_back(experiment, tmp_path):
    def load(seed):
        raise ValueError(f"process {os.getpid()}")

    failing = dataclasses.replace(experiment, load=load)
    with dask(tmp_path, 1) as (address, (_, worker)):
        with pytest.raises(ValueError, match=f"process {worker.pid}$"):
            list(run_cells(failing, [Cell(ms.sam.ERM(), 0)], cluster=address))
        done = list(run_cells(experiment, grid([ms.sam.ERM()], [0, 1], [0]), cluster=address))
        assert sorted(cell.seed for cell, _ in done) == [0, 1]


@pytest.mark.parametrize(
    ("victim", "message"),
    [("worker", "every worker that some run was sent to has died"), ("scheduler", "is gone")],
)
def test_what_cannot_be_run_is_not_waited_for(victim, message, experiment, tmp_path):
    failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with dask(tmp_path, 1, **failures) as (address, (scheduler, worker)):
        pid = {"worker": worker, "scheduler": scheduler}[victim].pid

        def load(seed):
            os.kill(pid, signal.SIGKILL)
            time.sleep(60)

        deadly = dataclasses.replace(experiment, load=load)
        with pytest.raises(WorkersLostError, match=message):
            list(run_cells(deadly, [Cell(ms.sam.ERM(), 0)], cluster=address))


def test_a_scheduler_without_workers_is_told_from_none(experiment, tmp_path, monkeypatch):
    one = [Cell(ms.sam.ERM(), 0)]
    with (
        dask(tmp_path, 0) as (address, _),
        pytest.raises(ConnectionError, match=f"'dask worker {address} --nthreads 1'"),
    ):
        list(run_cells(experiment, one, cluster=address))
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)  # there is nobody to be late
    for wrong in (address, "no address", "xyz://127.0.0.1:1"):
        with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{wrong}'"):
            list(run_cells(experiment, one, cluster=wrong))
