"""Cells in processes: the same results, whatever their number, and none that is not given back."""

import dataclasses
import os
import signal
import sys
import time

import numpy as np
import pytest

import minisam as ms
from minisam.experiments import Cell, WorkersLostError, grid, run_cells

METHODS = [ms.sam.ERM(), ms.sam.SAM(), ms.sam.ESAM(), ms.sam.SSSAM(), ms.sam.AELookSAM()]


def timeless(pairs):
    found = {cell.key: dict(result) for cell, result in pairs}
    for result in found.values():
        del result["seconds"]
    return found


def test_results_do_not_depend_on_the_number_of_processes(experiment):
    cells = grid(METHODS, [0, 1], [0.0, 0.3])
    alone = list(run_cells(experiment, cells, jobs=1))
    together = list(run_cells(experiment, cells, jobs=2))
    assert len(alone) == len(together) == 20
    assert timeless(alone) == timeless(together)
    assert len({str(result) for result in timeless(alone).values()}) == 20


def test_each_cell_is_given_back_when_it_is_finished(experiment, tmp_path):
    """And not in batches with others, which a killed run would lose although they are finished."""
    gate, last = tmp_path / "gate", 60

    def load(seed):
        waited = 0
        while seed == last and not gate.exists():
            time.sleep(0.01)
            waited += 1
            assert waited < 2000
        return experiment.load(seed)

    held = dataclasses.replace(experiment, load=load, epochs=1)
    finished = run_cells(held, grid([ms.sam.ERM()], range(90), [0.0]), jobs=2)
    others = {next(finished)[0].seed for _ in range(89)}
    assert others == set(range(90)) - {last}
    gate.touch()
    assert [cell.seed for cell, _ in finished] == [last]


def test_one_blas_thread_in_each_cell(experiment):
    pools = pytest.importorskip("threadpoolctl")

    def build(data):
        found = {p["num_threads"] for p in pools.threadpool_info() if p["user_api"] == "blas"}
        assert found <= {1}, found
        with ms.threads() as number:
            assert number == 1
        return ms.nn.mlp([5, 3])

    counted = dataclasses.replace(experiment, build=build)
    with pools.threadpool_limits(2, user_api="blas"):
        for jobs in (1, 2):
            assert len(list(run_cells(counted, grid([ms.sam.ERM()], [0, 1], [0]), jobs=jobs))) == 2


def test_ctrl_c_is_for_the_process_that_started_the_others(experiment):
    def build(data):
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        return ms.nn.mlp([5, 3])

    before = signal.getsignal(signal.SIGINT)
    # Workers that another user of joblib left hear it: they must not be taken.
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", n_jobs=2):
        left = joblib.Parallel()(joblib.delayed(signal.getsignal)(signal.SIGINT) for _ in range(2))
    assert set(left) == {before}
    deaf = dataclasses.replace(experiment, build=build)
    finished = run_cells(deaf, grid([ms.sam.ERM()], [0, 1], [0]), jobs=2)
    next(finished)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(list(finished)) == 1


def test_a_cell_that_diverges_does_not_stop_the_others(experiment):
    def load(seed):
        data = experiment.load(seed)
        return (
            data if seed else dataclasses.replace(data, x_train=np.full_like(data.x_train, 1e300))
        )

    some = dataclasses.replace(experiment, load=load)
    found = {
        cell.seed: result for cell, result in run_cells(some, grid([ms.sam.ERM()], [0, 1], [0]))
    }
    assert "diverged" in found[0]
    assert "accuracy" in found[1]


def test_an_error_in_a_cell_is_an_error_here(experiment):
    def load(seed):
        raise FileNotFoundError(f"no data for seed {seed}")

    without = dataclasses.replace(experiment, load=load)
    for jobs in (1, 2):
        with pytest.raises(FileNotFoundError, match="no data for seed"):
            list(run_cells(without, grid([ms.sam.ERM()], [0, 1], [0]), jobs=jobs))


def test_a_worker_that_is_killed_is_an_error_here(experiment):
    def load(seed):
        if seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return experiment.load(seed)

    deadly = dataclasses.replace(experiment, load=load)
    with pytest.raises(WorkersLostError, match="a worker process was killed"):
        list(run_cells(deadly, grid([ms.sam.ERM()], [0, 1], [0]), jobs=2))


def test_who_stops_listening_ends_the_rest(experiment):
    finished = run_cells(experiment, grid([ms.sam.ERM()], range(20), [0]), jobs=2)
    next(finished)
    finished.close()  # without joblib's warning, which would be an error here
    assert len(list(run_cells(experiment, grid([ms.sam.ERM()], [0, 1], [0]), jobs=2))) == 2


def test_nothing_to_do(experiment):
    assert list(run_cells(experiment, [])) == []


def test_jobs_are_counted_from_one(experiment):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        list(run_cells(experiment, [Cell(ms.sam.ERM(), 0)], jobs=0))


@pytest.mark.parametrize("name", ["joblib", "threadpoolctl"])
def test_a_missing_library_names_the_remedy(experiment, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[compare\]'"):
        list(run_cells(experiment, [Cell(ms.sam.ERM(), 0)]))


def test_a_missing_cluster_library_names_the_remedy(experiment, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "minisam.experiments.cluster", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[cluster\]'"):
        list(run_cells(experiment, [Cell(ms.sam.ERM(), 0)], cluster="127.0.0.1:1"))
