"""A cell is the run that `train` makes of its method, seed and labels, and nothing else."""

import dataclasses

import numpy as np
import pytest

import minisam as ms
from minisam.experiments import Cell, grid, measured_loss, run_cell
from minisam.experiments.cell import NOISE
from minisam.training.loop import DRAWS, MASKS, ORDER, PARAMETERS, statistics_at

from .blobs import load


def plain_run(experiment, method, seed, y=None):
    data = load(seed)
    if y is not None:
        data = dataclasses.replace(data, y_train=y)
    model = experiment.build(data)
    run = ms.train(model, data, method, experiment.optimizer, epochs=3, batch_size=20, seed=seed)
    return model, data, run


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_a_cell_is_the_plain_run_on_its_labels(experiment, rate):
    method = ms.sam.AESAM(0.1)
    found = run_cell(experiment, Cell(method, 3, rate))
    noisy = ms.data.symmetric_noise(load(3).y_train, 3, rate, (3, NOISE))
    model, data, run = plain_run(experiment, method, 3, noisy.y)
    assert found["accuracy"] == run.history[-1]["test_accuracy"]
    assert found["accuracy"] == np.mean(model(run.w, data.x_test).argmax(1) == load(3).y_test)
    assert found["climbed"] == run.steps["climbed"].mean()
    assert found["evaluations"] == run.evaluations == 15 + run.steps["climbed"].sum()
    assert found["effective_noise"] == noisy.rate == pytest.approx(rate)

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, data.x_train), data.y_train))

    top = np.linalg.eigvalsh(ms.hessian(loss)(run.w))[-1]
    assert found["lambda_max"] == pytest.approx(top, rel=1e-6)


def test_the_noise_has_a_stream_of_its_own():
    assert len({PARAMETERS, ORDER, MASKS, DRAWS, NOISE}) == 5


@pytest.mark.parametrize(
    ("method", "climbed"),
    [
        (ms.sam.ERM(), 0.0),
        (ms.sam.SAM(), 1.0),
        (ms.sam.ESAM(), 1.0),
        (ms.sam.LookSAM(k=5), 0.2),
        (ms.sam.SSSAM(probability=1.0), 1.0),
    ],
)
def test_how_often_it_climbed(experiment, method, climbed):
    assert run_cell(experiment, Cell(method, 0))["climbed"] == climbed


def test_pair_noise(experiment):
    pair = dataclasses.replace(experiment, corrupt=ms.data.pair_noise)
    method = ms.sam.ERM()
    y = ms.data.pair_noise(load(0).y_train, 3, 0.3, (0, NOISE)).y
    *_, run = plain_run(experiment, method, 0, y)
    assert run_cell(pair, Cell(method, 0, 0.3))["accuracy"] == run.history[-1]["test_accuracy"]


def test_a_cell_that_diverges_says_so(experiment):
    wild = dataclasses.replace(experiment, optimizer=ms.optimizers.SGD(1e200))
    found = run_cell(wild, Cell(ms.sam.SAM(), 0, 0.2))
    assert sorted(found) == ["diverged", "effective_noise"]
    assert "SAM: the loss or the gradient is not finite at step" in found["diverged"]


def test_so_does_one_that_ends_where_no_hessian_is_finite(experiment, monkeypatch):
    def refuse(*_):
        raise ms.sam.NonFiniteError("a product with the Hessian is not finite.")

    monkeypatch.setattr(ms.experiments.cell, "top_eigenvalues", refuse)
    found = run_cell(experiment, Cell(ms.sam.ERM(), 0))
    assert found["diverged"].startswith("ERM has no sharpness at its end: a product")


def test_a_mistake_is_not_kept_as_a_run_that_diverged(experiment, monkeypatch):
    def refuse(*_):
        raise ValueError("k must be in [1, 3]")

    monkeypatch.setattr(ms.experiments.cell, "top_eigenvalues", refuse)
    with pytest.raises(ValueError, match="k must be in"):
        run_cell(experiment, Cell(ms.sam.ERM(), 0))


def test_sharpness_of_batch_norm_is_measured_with_the_statistics_at_w():
    data = load(0)
    model = ms.nn.Sequential(ms.nn.Linear(5, 4), ms.nn.BatchNorm(4), ms.nn.Linear(4, 3))
    w = model.init(0, "float64")
    loss = measured_loss(model, data, w, 40)
    rows = np.random.default_rng(0).permutation(90)[:40]
    held = statistics_at(model, w, data.x_train)
    for point in (w, 1.5 * w):  # the statistics stay where they were
        logits = model(point, data.x_train[rows], statistics=held)
        assert loss(point) == np.mean(ms.nn.cross_entropy(logits, data.y_train[rows]))


def test_the_seed_changes_last():
    erm, sam = ms.sam.ERM(), ms.sam.SAM()
    cells = grid([erm, sam], [4, 1], [0.0, 0.2])
    assert [(c.method.name, c.seed, c.noise) for c in cells] == [
        (name, seed, rate) for seed in (4, 1) for rate in (0.0, 0.2) for name in ("ERM", "SAM")
    ]
    assert len({cell.key for cell in cells}) == 8


def test_methods_that_differ_in_one_number_are_different_cells():
    assert Cell(ms.sam.SAM(0.1), 0).key != Cell(ms.sam.SAM(0.2), 0).key
    schedule = ms.sam.SSSAM(probability=lambda t, total: 0.5)
    assert " at 0x" not in Cell(schedule, 0).key[0]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (([ms.sam.SAM()], [0, 1, 0], [0.2]), "given twice: SAM, seed 0, noise 0.2."),
        (([ms.sam.SAM(), ms.sam.SAM()], [0], [0]), "given twice: SAM, seed 0, noise 0."),
        (([ms.sam.SAM()], [3], [0.1, 0.1]), "given twice: SAM, seed 3, noise 0.1."),
        (([], [0], [0]), "give at least one method"),
        (([ms.sam.SAM()], [-1], [0]), "seed must be at least 0, got -1."),
        (([ms.sam.SAM()], [0], [1.0]), r"noise must be in \[0, 1\), got 1.0"),
        (([ms.sam.SAM()], [0], [-0.1]), r"noise must be in \[0, 1\), got -0.1"),
        (([ms.sam.SAM()], [0], [float("nan")]), r"noise must be in \[0, 1\), got nan"),
    ],
)
def test_a_grid_that_is_none(axes, message):
    with pytest.raises(ValueError, match=message):
        grid(*axes)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "measured"])
def test_numbers_of_an_experiment(experiment, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        dataclasses.replace(experiment, **{name: 0})


def test_settings_tell_every_difference(experiment):
    before = experiment.settings()
    others = {
        "data": lambda seed: dataclasses.replace(load(seed), name="others"),
        "fingerprint": lambda seed: load(seed + 1),
    }
    for name, other in others.items():
        after = dataclasses.replace(experiment, load=other).settings()
        assert [key for key in before if before[key] != after[key]] == [name]
    changes = {"epochs": 4, "batch_size": 5, "measured": 6, "corrupt": ms.data.pair_noise}
    changes |= {"optimizer": ms.optimizers.SGD(0.2), "build": lambda data: ms.nn.mlp([5, 3])}
    for name, value in changes.items():
        after = dataclasses.replace(experiment, **{name: value}).settings()
        assert sum(before[key] != after[key] for key in before) == 1
