"""``minisam batchsizes``: what it trains, correlates, keeps and refuses; and what is behind it."""

import json
import re
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam import sharpness
from minisam.cli import batchsizes, main
from minisam.cli.arguments import parse
from minisam.experiments import Cell, Experiment
from minisam.experiments.batchsizes import run_to_target
from minisam.experiments.correlation import correlate, spearman
from minisam.plots import predictors_figure

SMALL = shlex.split(
    "batchsizes --train 40 --test 50 --hidden 16 --batch-sizes 5,20 --seeds 2 --target 0.5 "
    "--lr 0.1 --noise 0.1 --epochs 300 --jobs 1"
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def experiment(**more):
    options = {"optimizer": ms.optimizers.SGD(0.1), "epochs": 300, "batch_size": 10} | more
    return Experiment(
        partial(ms.data.load, "digits", None, "float64", 40, 50),
        lambda data: ms.nn.mlp([64, 8, 10]),
        **options,
    )


# ---- a run ----


def test_a_run_ends_at_the_first_epoch_that_is_good_enough():
    cell = Cell(ms.sam.ERM(), 1, 0.2)
    found = run_to_target(experiment(), cell, target=0.2, rho=0.05)
    assert found["reached"]
    epochs = found["epochs"]
    assert 1 < epochs < 300
    # The schedule is constant, so that fewer epochs are the beginning of more.
    data = ms.data.load("digits", None, "float64", 40, 50, 1)
    y = ms.data.symmetric_noise(data.y_train, 10, 0.2, (1, 4)).y
    data = ms.data.Dataset("digits", data.x_train, y, data.x_test, data.y_test, 10)
    model = ms.nn.mlp([64, 8, 10])
    ends = []

    def keep(w, _):
        ends.append(ms.training.evaluate(model, w, data.x_train, y))

    run = ms.train(
        model, data, ms.sam.ERM(), ms.optimizers.SGD(0.1), epochs=epochs, batch_size=10, seed=1,
        progress=False, after_epoch=keep,
    )  # fmt: skip
    assert all(loss > 0.2 or accuracy < 1 for loss, accuracy in ends[:-1])
    assert (found["train_loss"], found["train_accuracy"]) == ends[-1]
    assert ends[-1][1] == 1
    test_loss, test = ms.training.evaluate(model, run.w, data.x_test, data.y_test)
    assert found["gap"] == pytest.approx(test_loss - ends[-1][0], rel=1e-12)
    assert found["error_gap"] == pytest.approx(1 - test, rel=1e-12)

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, data.x_train), y))

    assert found["norm"] == pytest.approx(np.linalg.norm(run.w), rel=1e-12)
    top = np.linalg.eigvalsh(ms.hessian(loss)(run.w))[-1]
    assert found["lambda_1"] == pytest.approx(top, rel=1e-4)
    assert found["first_order"] == pytest.approx(
        0.05 * np.linalg.norm(ms.grad(loss)(run.w)), rel=1e-9
    )


def test_a_run_that_is_given_up_says_so():
    cell = Cell(ms.sam.ERM(), 0)
    found = run_to_target(experiment(epochs=2), cell, target=1e-3, rho=0.05)
    assert (found["reached"], found["epochs"]) == (False, 2)
    wild = run_to_target(
        experiment(optimizer=ms.optimizers.SGD(1e200)), cell, target=1e-3, rho=0.05
    )
    assert list(wild) == ["diverged"]


def test_the_training_set_is_evaluated_once_an_epoch_and_once_at_the_end(monkeypatch):
    seen = []

    def count(*args):
        seen.append(args[1])
        return ms.training.evaluate(*args)

    monkeypatch.setattr("minisam.experiments.batchsizes.evaluate", count)
    found = run_to_target(experiment(epochs=3), Cell(ms.sam.ERM(), 0), target=1e-3, rho=0.05)
    assert (len(seen), found["reached"]) == (4, False)


def test_a_hessian_that_is_not_finite_is_told_from_a_mistake(monkeypatch):
    """What no training can change must not be kept as the end of a run."""
    cell = Cell(ms.sam.ERM(), 0)
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        run_to_target(experiment(measured=16, epochs=1), cell, target=1, rho=0.05)
    few = replace(experiment(), build=lambda data: ms.nn.mlp([64, 5]))
    with pytest.raises(ValueError, match="labels"):
        run_to_target(few, cell, target=1, rho=0.05)

    def curved(parts, w, rho, **options):
        sharpness.hessian_product(lambda w: 1e200 * np.sum((1e80 * w) ** 2), w)[0](np.ones(w.size))

    monkeypatch.setattr("minisam.experiments.batchsizes.measures", curved)
    found = run_to_target(experiment(epochs=1), cell, target=1, rho=0.05)
    assert found == {
        "diverged": "there is no sharpness at the end: a product with the Hessian is not finite: "
        "there is no spectrum."
    }


def test_a_loss_that_is_flat_to_the_last_bit_ends_one_run_and_not_all():
    """There float32 has neither a gradient nor a Hessian, and no angle between the two."""
    load = partial(ms.data.load, "digits", None, "float32", 40, 50)
    flat = replace(experiment(optimizer=ms.optimizers.SGD(1e6), epochs=1), load=load)
    found = run_to_target(flat, Cell(ms.sam.ERM(), 0), target=1, rho=0.05)
    assert "the gradient noise or the Hessian is 0" in found["diverged"]


# ---- correlations ----


def test_spearman_is_scipys_with_ties():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for n in (3, 10, 50):
        x, y = rng.integers(0, 6, (2, n)).astype(float)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_only_the_order_matters():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 20))
    assert spearman(np.exp(x), y**3) == spearman(x, y)
    assert spearman(-x, y) == -spearman(x, y)
    assert np.isnan(spearman(np.ones(20), y))


def test_within_a_seed_what_differs_between_seeds_has_no_part():
    """The gap rises with x in every seed; but seeds of larger x have the smaller gaps."""
    seeds = np.repeat(np.arange(6), 5)
    step = np.tile(np.arange(5.0), 6)
    found = correlate(step + 10 * seeds, step - 10 * seeds, seeds)
    assert found.within.value == pytest.approx(1)
    assert found.pooled.value < -0.8
    assert 0 < found.pooled.error < 0.2


def test_runs_of_one_seed_do_not_narrow_the_error_bar():
    """Five equal runs for each seed say no more than one."""
    x, y = np.random.default_rng(2).normal(size=(2, 8))
    once, often = np.arange(8), np.repeat(np.arange(8), 5)
    one, five = correlate(x, y, once), correlate(x[often], y[often], often)
    assert five.pooled.value == pytest.approx(one.pooled.value, abs=1e-12)
    assert five.pooled.error == pytest.approx(one.pooled.error, abs=1e-12)


def test_the_error_bar_is_the_spread_over_samples():
    """Of correlations of 16 seeds with 3 runs each, half of whose variance the seed decides."""
    rng = np.random.default_rng(3)
    seeds = np.repeat(np.arange(16), 3)
    found = []
    for _ in range(200):
        x, y = (rng.normal(size=16)[seeds] + rng.normal(size=48) for _ in range(2))
        found.append(correlate(x, y, seeds).pooled)
    spread = np.std([each.value for each in found])
    # The jackknife errs to the side of caution, by 5 to 10 % here; the spread itself has 5 %.
    assert 0.9 < np.mean([each.error for each in found]) / spread < 1.25


def test_what_never_changes_has_no_correlation():
    found = correlate(np.ones(6), np.arange(6), [0, 0, 0, 1, 1, 1])
    assert np.isnan([found.pooled.value, found.pooled.error]).all()
    assert found.within is None


def test_what_is_not_finite_has_no_rank():
    for wrong in (np.nan, np.inf):
        assert np.isnan(spearman([1, 2, wrong], [1, 2, 3]))
        assert np.isnan(spearman([1, 2, 3], [1, wrong, 3]))


def test_two_seeds_have_a_correlation_without_a_jackknife():
    x, y = np.random.default_rng(4).normal(size=(2, 6))
    two, three = correlate(x, y, [0, 0, 0, 1, 1, 1]), correlate(x, y, [0, 0, 1, 1, 2, 2])
    assert two.pooled.value == three.pooled.value == spearman(x, y)
    assert np.isnan(two.pooled.error)
    assert three.pooled.error > 0
    assert np.isfinite(two.within.error)


@pytest.mark.parametrize(
    ("x", "y", "seeds", "message"),
    [
        ([1, 2], [1, 2], [0, 0], r"runs with 1 seeds"),
        ([1, 2, 3], [1, 2], [0, 1], r"\(3,\) and \(2,\) numbers"),
        ([1, 2], [1, 2], [0, 1, 2], r"3 seeds \(3,\)"),
    ],
)
def test_what_cannot_be_correlated_is_refused(x, y, seeds, message):
    with pytest.raises(ValueError, match=message):
        correlate(x, y, seeds)


def test_ranks_are_of_as_many_numbers():
    with pytest.raises(ValueError, match=r"\(3,\) and \(1,\) numbers"):
        spearman([1, 2, 3], [1])


# ---- the command ----


def test_it_prints_keeps_and_draws_all_runs(capsys):
    assert main(SMALL) == 0
    out, err = capsys.readouterr()
    (folder,) = Path("runs").iterdir()
    written = json.loads((folder / "batchsizes.json").read_text("utf-8"))["runs"]
    assert [(run["batch"], run["seed"]) for run in written] == [(5, 0), (5, 1), (20, 0), (20, 1)]
    assert all(run["reached"] for run in written)
    tables, correlations, notes, files = out.split("\n\n")
    rows = {
        line[:17].strip(): re.split(r"\s{2,}", line[17:].strip()) for line in tables.split("\n")
    }
    norms = [run["norm"] for run in written[:2]]
    assert rows["‖w‖"][0] == f"{np.mean(norms):.2g} ± {np.std(norms, ddof=1):.2g}"
    assert rows["batch size"] == ["5", "20"]
    expected = spearman([run["lambda_1"] for run in written], [run["gap"] for run in written])
    assert re.search(rf"λmax +\{expected:+.2f} ± – ", correlations), "two seeds have no jackknife"
    assert "4 of 4 runs reached" in notes
    for kind in ("png", "svg"):
        assert (folder / f"predictors.{kind}").exists()
    assert str(folder / "predictors.png") in files
    assert err.startswith("4 runs in ")


def test_finished_runs_are_not_run_again_and_more_are_added(monkeypatch, capsys):
    assert main([*SMALL, "--quiet"]) == 0
    first = capsys.readouterr().out
    ran = []

    def count(*args, **more):
        ran.append(args[1].seed)
        return run_to_target(*args, **more)

    monkeypatch.setattr(batchsizes, "run_to_target", count)
    assert main([*SMALL, "--quiet"]) == 0
    assert capsys.readouterr().out == first
    assert ran == []
    assert main([*SMALL, "--seeds", "3", "--quiet"]) == 0
    assert ran == [2, 2]


def test_the_data_of_all_batch_sizes_are_read_once(monkeypatch):
    loaded = []
    load = ms.data.load

    def count(*args):
        loaded.append(args)
        return load(*args)

    monkeypatch.setattr(ms.data, "load", count)
    monkeypatch.setattr(batchsizes, "run_cells", lambda *_, **__: ())
    with pytest.raises(KeyError):  # nothing was run
        main([*SMALL, "--quiet"])
    assert len(loaded) == 1
    kept = [json.loads(path.read_text("utf-8")) for path in sorted(Path("runs").rglob("*.jsonl"))]
    assert [each["settings"]["batch_size"] for each in kept] == [20, 5]


def test_interrupted_it_keeps_what_is_finished(monkeypatch, capsys):
    def once(*args, **more):
        if args[1].seed == 1:
            raise KeyboardInterrupt
        return run_to_target(*args, **more)

    monkeypatch.setattr(batchsizes, "run_to_target", once)
    assert main([*SMALL, "--quiet"]) == 130
    err = capsys.readouterr().err
    assert "interrupted. 1 of 4 runs are finished and kept in runs/" in err
    assert "batchsizes --train 40" in err
    (file,) = Path("runs").rglob("batch5.jsonl")
    assert len(file.read_text("utf-8").splitlines()) == 2


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(SMALL) == 0
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("--batch-sizes 8", 2, "write two or more different ones, as 8,64"),
        ("--batch-sizes 8,8", 2, "write two or more different ones"),
        ("--batch-sizes 8,x", 2, "write two or more different ones"),
        ("--batch-sizes 0,8", 2, "write two or more different ones"),
        ("--seeds none", 2, "--seeds is 'none'"),
        ("--noise 1.5", 2, "noise must be in [0, 1)"),
        ("--target 0", 2, "--target must be positive"),
        ("--target inf", 2, "--target must be positive and finite"),
        ("--rho -1", 2, "--rho must be positive"),
        ("--rho inf", 2, "--rho must be positive and finite, got inf"),
        ("--train 31", 2, "of which there are 31. Raise --train to at least 32"),
        ("--jobs 0", 2, "--jobs must be at least 1"),
        ("--epochs 1 --target 1e-6", 1, "0 of 4 runs reached 100% and a loss of 1e-06"),
    ],
)
def test_refusals_name_the_remedy(line, code, message, capsys):
    assert main([*SMALL, *line.split()]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "minisam batchsizes: " in err
    assert "Traceback" not in err
    assert code == 1 or not Path("runs").exists()


def test_the_folder_is_named_by_what_its_runs_share():
    assert batchsizes.folder_name(parse(["batchsizes"])) == "batchsizes-digits-mlp"
    more = parse(
        ["batchsizes", "--seeds", "3", "--batch-sizes", "8,9", "--lr", "0.2", "--jobs", "1"]
    )
    assert batchsizes.folder_name(more) == "batchsizes-digits-mlp-lr0.2"


# ---- the figure ----


def test_every_run_is_drawn_in_every_panel(tmp_path):
    from matplotlib.figure import Figure

    drawn = []
    savefig = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Figure, "savefig", lambda self, *a, **k: (drawn.append(self), savefig(self, *a, **k))
        )
        rng = np.random.default_rng(0)
        gap, sizes = rng.uniform(size=6), np.array([8, 64, 8, 64, 8, 64])
        measured = {name: rng.uniform(1, 100, size=6) for name in "abcde"}
        predictors_figure(measured, gap, sizes, tmp_path / "f", title="here")
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == list("abcde")
    for axes in panels:
        for line, size in zip(axes.lines, (8, 64), strict=True):
            np.testing.assert_array_equal(
                line.get_xdata(), measured[axes.get_title()][sizes == size]
            )
            np.testing.assert_array_equal(line.get_ydata(), gap[sizes == size])
    assert len({tuple(line.get_color()) for line in panels[0].lines}) == 2


def test_ticks_within_a_decade_are_few(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: drawn.append(self))
    measured = {"narrow": [0.0021, 0.003, 0.0074], "wide": [0.01, 1.0, 50.0]}
    predictors_figure(measured, [1.0, 2.0, 3.0], [8, 16, 32], tmp_path / "f")
    for axes in drawn[0].axes:
        assert axes.get_xscale() == "log"
        low, high = axes.get_xlim()
        assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 8
    narrow = drawn[0].axes[0]
    low, high = narrow.get_xlim()
    assert sum(low <= tick <= high for tick in narrow.get_xticks()) <= 4


@pytest.mark.parametrize("wrong", [{}, {"a": [1.0, 2.0]}])
def test_measures_are_of_all_runs(wrong, tmp_path):
    with pytest.raises(ValueError, match="predictors_figure"):
        predictors_figure(wrong, [1.0], [8], tmp_path / "f")
