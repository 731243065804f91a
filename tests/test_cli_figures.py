"""``minisam figures``: what it trains, draws, prints and refuses."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam.cli import figures, laboratory, main
from minisam.cli.arguments import FIGURES, parse
from minisam.plots import cost_figure

SMALL = ["figures", "--train", "180", "--test", "100", "--epochs", "2", "--seeds", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(laboratory, "BATCHES", 50)


def made(*more):
    return laboratory.Laboratory(parse([*SMALL, "--quiet", *more]))


def test_without_names_all_are_drawn(capsys):
    assert main([*SMALL, "--out", "a folder/of figures"]) == 0
    out, err = capsys.readouterr()
    written = sorted(path.name for path in Path("a folder/of figures").iterdir())
    files = {name: f"{name}-train180-test100-epochs2" for name in FIGURES}
    for name in ("gradient-norms", "cost"):  # the others are of the first seed
        files[name] += "-seeds2"
    files |= {"schematic": "schematic", "wells": "wells"}
    assert written == sorted(f"{f}.{kind}" for f in files.values() for kind in ("png", "svg"))
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert heads == [f"{n}: a folder/of figures/{f}.png, {f}.svg" for n, f in files.items()]
    assert re.search(r"climbed \d+\.\d% of 6 steps, predicted \d+\.\d%", out)
    assert "after 2 epochs, 50 batches: skewness " in out
    assert err == ""  # a bar is for a terminal


def test_only_what_is_named_is_trained_and_drawn(monkeypatch, capsys):
    monkeypatch.setattr(laboratory, "train", lambda *_, **__: pytest.fail("trained"))
    assert main(["figures", "schematic", "--out", "o"]) == 0
    assert sorted(path.name for path in Path("o").iterdir()) == ["schematic.png", "schematic.svg"]
    assert capsys.readouterr().out == "schematic: o/schematic.png, schematic.svg\n"


def test_a_network_is_trained_once_for_all_figures(monkeypatch):
    trained = []

    def count(model, data, method, optimizer, **more):
        trained.append((method.name, more["seed"], more["epochs"]))
        return ms.train(model, data, method, optimizer, **more)

    monkeypatch.setattr(laboratory, "train", count)
    assert main([*SMALL, "--seed", "5", "--out", "o"]) == 0
    # Twelve methods and the longer ERM, two seeds each; the recording runs are called AE-SAM.
    # Trajectories are of the first seed; one more is from another start, on the same examples.
    assert sorted(trained[26:]) == [("ERM", 5, 2), ("ERM", 6, 2), ("SAM", 5, 2)]
    del trained[26:]
    assert {seed for _, seed, _ in trained} == {5, 6}
    assert [epochs for *_, epochs in trained].count(4) == 2
    assert [name for name, *_ in trained].count("AE-SAM") == 8


def test_the_rows_are_what_the_methods_do(monkeypatch):
    found = []
    monkeypatch.setattr(ms.plots, "cost_figure", lambda rows, *_, **__: found.extend(rows))
    figures._cost(made("--rho", "0.2"), Path("cost"))
    assert cost_figure is not ms.plots.cost_figure
    rows = {(row["method"], i % 2): row for i, row in enumerate(found)}
    assert len(rows) == len(found) == 26
    # 180 examples are 3 batches, in 2 epochs 6; the twice as long ERM has 12.
    cost = {"ERM": 6, "SAM": 12, "USAM": 12, figures.TWICE: 12, "LookSAM": 8, "DNSAM": 6 * 5}
    for name, evaluations in cost.items():
        assert rows[name, 1]["evaluations"] == evaluations
    data = ms.data.load("digits", train=180, test=100, seed=1)
    same = ms.train(
        ms.nn.mlp([64, 64, 64, 10]), data, ms.sam.SAM(0.2),
        ms.optimizers.SGD(ms.optimizers.cosine(0.1), 0.9, weight_decay=5e-4),
        epochs=2, batch_size=60, seed=1, progress=False,
    )  # fmt: skip
    assert rows["SAM", 1]["test_accuracy"] == same.history[-1]["test_accuracy"]


def test_noise_is_in_the_training_labels_and_the_title():
    clean, noisy = made(), made("--noise", "0.4")
    for before, after in zip(clean.data, noisy.data, strict=True):
        assert (before.y_train != after.y_train).mean() == 0.4
        assert (before.y_test == after.y_test).all()
        assert (before.x_train == after.x_train).all()
    assert (noisy.data[0].y_train != noisy.data[1].y_train).any()
    assert noisy.title(2) == "digits, 40% wrong labels, ρ = 0.05, 2 seeds"
    assert clean.title(1) == "digits, ρ = 0.05, seed 0"


def test_batches_at_one_w_are_independent_and_without_repetition():
    batches = [each.batch for each in made().losses()]
    assert len(batches) == 50
    assert all(len(set(rows.tolist())) == 60 for rows in batches)
    assert len({tuple(rows.tolist()) for rows in batches}) == 50
    # Each of 180 examples is in a batch with probability 1/3: in 16.7 ± 3.3 of 50.
    counts = np.bincount(np.concatenate(batches), minlength=180)
    assert abs(counts - 50 / 3).max() < 5 * 3.34


def test_the_printed_numbers_are_those_of_the_figure(monkeypatch, capsys):
    drawn = {}
    real = ms.plots.gradient_norms_figure

    def keep(norms, *args, **more):
        drawn.update(norms)
        return real(norms, *args, **more)

    monkeypatch.setattr(ms.plots, "gradient_norms_figure", keep)
    assert main([*SMALL, "gradient-norms", "--out", "o"]) == 0
    out = capsys.readouterr().out
    assert {values.shape for values in drawn.values()} == {(2, 2)}
    for name, values in drawn.items():
        assert f"{name}: mean ‖g_B‖² {values[:, -1].mean():.3g} in the last epoch" in out


def test_a_bar_is_shown_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line = ["figures", "decisions", "--train", "180", "--test", "100", "--epochs", "2"]
    assert main([*line, "--out", "o"]) == 0
    err = capsys.readouterr().err
    assert "decisions: 100%" in err
    assert "1/1" in err
    assert main([*line, "--out", "o", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("figures cots", 2, "unknown figure 'cots'. Did you mean 'cost'? Choose from gradient-"),
        ("figures zzz", 2, "unknown figure 'zzz'. Choose from gradient-norms, normality, "),
        ("figures --ephocs 3", 2, "unknown argument '--ephocs'. Did you mean '--epochs'?"),
        (
            "figures decisions normality --seeds 5",
            2,
            "--seeds would change nothing: decisions and normality needs one seed at most",
        ),
        ("figures schematic --rho=0.2", 2, "--rho would change nothing: for schematic nothing is"),
        ("figures --seeds 0", 2, "--seeds must be at least 1, got 0."),
        ("figures --noise 2 decisions", 2, "rate"),
        ("figures --rho -1 decisions", 2, "rho must be a finite number >= 0, got -1.0."),
        ("figures --epochs 0 decisions", 2, "epochs must be at least 1, got 0."),
        ("figures --data fashion-mnist --root nowhere decisions", 1, "nowhere"),
        ("figures --out file schematic", 1, "file"),
    ],
)
def test_refusals_name_the_remedy(line, code, message, capsys, monkeypatch):
    monkeypatch.delenv("MINISAM_DATA", raising=False)
    monkeypatch.setenv("HOME", "home")
    Path("file").touch()
    assert main(line.split()) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("minisam figures: ")
    assert "Traceback" not in err


def test_without_matplotlib_nothing_is_trained(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(laboratory, "train", lambda *_, **__: pytest.fail("trained"))
    assert main(["figures", "--out", "o"]) == 1
    assert "pip install 'minisam[plots]'" in capsys.readouterr().err
    assert not Path("o").exists()


# ---- landscapes ----


def planes(monkeypatch):
    """What the figures of planes and slices were asked to draw."""
    found = {}
    for name in ("planes_figure", "slices_figure"):
        real = getattr(ms.plots, name)

        def keep(contents, *args, real=real, **more):
            found.update(contents=contents, **more)
            return real(contents, *args, **more)

        monkeypatch.setattr(ms.plots, name, keep)
    return found


def test_gradient_descent_ends_in_the_sharp_well_and_sam_in_the_flat_one(monkeypatch, capsys):
    found = planes(monkeypatch)
    assert main(["figures", "wells"]) == 0
    (plane,) = found["contents"].values()
    (paths,) = found["paths"].values()
    gd, climbing = (path[-1] for path in paths.values())
    np.testing.assert_allclose(gd, [0, -1], atol=0.01)
    np.testing.assert_allclose(climbing, [0, 1], atol=0.01)
    x, y = plane.steps
    i, j = np.argmin(abs(x)), np.argmin(abs(y))
    assert plane.values[i, j] == pytest.approx(ms.sharpness.two_wells(np.array([x[i], y[j]])))
    assert "GD: ends at (0.00, -1.00)" in capsys.readouterr().out


def test_trajectories_end_where_training_does(monkeypatch, capsys):
    found = planes(monkeypatch)
    assert main([*SMALL[:-2], "trajectories", "--out", "o", "--rho", "0.3"]) == 0
    lab = made("--rho", "0.3")
    way = lab.way("SAM")
    start, end = way[0], way[-1]
    same = ms.train(
        lab.model, lab.data[0], ms.sam.SAM(0.3), laboratory.OPTIMIZER,
        epochs=2, batch_size=60, seed=0, progress=False,
    )  # fmt: skip
    assert end.tobytes() == same.w.tobytes()
    assert way.shape == (3, lab.model.size)
    whole, close = found["contents"].values()
    paths = found["paths"]["from the start"]
    # ERM's end is the origin, where the loss is that of ERM; distances in a plane are no longer.
    np.testing.assert_allclose(paths["ERM"][-1], 0, atol=1e-5)
    assert np.linalg.norm(np.diff(paths["SAM"][[0, -1]], axis=0)) <= np.linalg.norm(end - start)
    points = np.concatenate(list(paths.values()))
    for axis, steps in enumerate(whole.steps):
        assert steps[0] < points[:, axis].min()
        assert points[:, axis].max() < steps[-1]
    assert all(a.min() < b < a.max() for a, b in zip(close.steps, paths["SAM"][-1], strict=True))
    out = capsys.readouterr().out
    left = [int(n) for n in re.findall(r"(\d+)% of the distances", out)]
    directions, _ = ms.sharpness.principal_directions(np.concatenate([way, lab.way("ERM")]))
    seen = ms.sharpness.project_trajectory(way, lab.way("ERM")[-1], directions)
    assert abs(left[1] - 100 * seen.fraction) <= 0.5


def test_lines_lead_from_one_solution_to_the_other(monkeypatch, capsys):
    found = planes(monkeypatch)
    assert main([*SMALL[:-2], "interpolations", "--out", "o"]) == 0
    lab = made()
    same, other = found["contents"].values()
    ends = [lab.way("ERM")[-1], lab.way("SAM")[-1], lab.way("ERM", other=1)[-1]]
    data = lab.data[0]
    test = [ms.training.evaluate(lab.model, w, data.x_test, data.y_test)[0] for w in ends]
    train = [ms.training.evaluate(lab.model, w, data.x_train, data.y_train)[0] for w in ends]
    for lines, end in ((same, 1), (other, 2)):
        for name, losses in (("train", train), ("test", test)):
            line = lines[name]
            at = {round(t, 6): value for t, value in zip(line.steps[0], line.values, strict=True)}
            assert at[0] == pytest.approx(losses[0], rel=1e-5)
            assert at[1] == pytest.approx(losses[end], rel=1e-5)
    assert not np.array_equal(lab.way("ERM")[0], lab.way("ERM", other=1)[0])
    assert f"{np.linalg.norm(ends[1] - ends[0]):.3g} apart" in capsys.readouterr().out
