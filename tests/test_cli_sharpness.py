"""``minisam sharpness``: what it restores, measures, subtracts, draws and refuses."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam import sharpness
from minisam.cli import main, measuring, restoring
from minisam.cli.arguments import parse
from minisam.training import load_checkpoint, save_checkpoint
from minisam.training.loop import statistics_at
from tests import fakecupy

SGD = ms.optimizers.SGD(0.1, momentum=0.9)
FEW = ["--examples", "60", "--chunk", "20", "--k", "2", "--quiet"]


def trained(path, method=None, *, seed=0, model=None, epochs=2, noise=0.0, dtype="float64"):
    """A run as minisam train writes it, of a net with 2 hidden units."""
    data = ms.data.load("digits", dtype=dtype, train=100, test=50, seed=seed)
    labels = ms.data.symmetric_noise(data.y_train, 10, noise, seed).y
    data = replace(data, y_train=labels)
    model = model or ms.nn.mlp([64, 2, 10])
    method = method or ms.sam.ERM()
    ms.train(
        model, data, method, SGD,
        epochs=epochs, batch_size=20, seed=seed, checkpoint=path, progress=False,
    )  # fmt: skip
    return model, data, load_checkpoint(path).arrays["w"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """ERM and SAM, with three seeds each."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        trained(folder / f"erm{seed}.npz", seed=seed)
        trained(folder / f"sam{seed}.npz", ms.sam.SAM(0.2), seed=seed)
    return folder


def told(*line, capsys):
    """The numbers of a call, as JSON."""
    assert main(["sharpness", *FEW, *map(str, line), "--json", "-"]) == 0

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def values(column):
    return {name: found["value"] for name, found in column["measures"].items()}


# ---- what is measured ----


def test_the_numbers_are_those_of_the_dense_hessian_and_of_every_example(tmp_path, capsys):
    model, data, w = trained(tmp_path / "c.npz")
    (column,) = told(tmp_path / "c.npz", "--rho", "0.3", "--examples", "200", capsys=capsys)[
        "columns"
    ]
    found = values(column)

    def each(w, x=data.x_train, y=data.y_train):
        return ms.nn.cross_entropy(model(w, x), y)

    def loss(w):
        return np.mean(each(w))

    def wrong(x, y):
        return np.mean(model(w, x).argmax(axis=1) != y)

    test = each(w, data.x_test, data.y_test)
    g, h = ms.grad(loss)(w), ms.hessian(loss)(w)
    spectrum = np.linalg.eigvalsh(h)
    rows = ms.jacobian(each)(w) - g
    sigma = rows.T @ rows / len(rows)
    one = loss(w + 0.3 * g / np.linalg.norm(g)) - loss(w)
    exact = {
        "train_loss": loss(w),
        "train_error": wrong(data.x_train, data.y_train),
        "test_loss": test.mean(),
        "test_error": wrong(data.x_test, data.y_test),
        "gap": test.mean() - loss(w),
        "norm": np.linalg.norm(w),
        "first_order": 0.3 * np.linalg.norm(g),
        "one_step": one,
    }
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, rel=1e-10), name
    for name, value in (("lambda_1", spectrum[-1]), ("lambda_2", spectrum[-2])):
        assert found[name] == pytest.approx(value, rel=1e-4), name
    assert found["ratio"] == pytest.approx(spectrum[-1] / spectrum[-2], rel=1e-4)
    assert found["lambda_min"] == pytest.approx(spectrum[0], abs=1e-4 * spectrum[-1])
    cosine = np.sum(sigma * h) / np.linalg.norm(sigma) / np.linalg.norm(h)
    drawn = {"trace": np.trace(h), "noise_trace": np.trace(sigma), "alignment": cosine}
    for name, value in drawn.items():
        error = column["measures"][name]["error"]
        assert abs(found[name] - value) < 5 * error + 1e-9 * abs(value), name
        assert error < 0.1 * abs(value), name
    assert found["ball_maximum"] >= one
    error = column["measures"]["test_loss"]["error"]
    assert error == pytest.approx(test.std(ddof=1) / np.sqrt(50), rel=1e-10)
    order = np.random.default_rng(0).permutation(100).reshape(5, 20)
    chunks = [lambda w, rows=rows: each(w)[rows] for rows in order]
    average = sharpness.m_sharpness(chunks, w, 0.3).value
    assert found["m_sharpness"] == pytest.approx(average, rel=1e-9)


def test_the_bound_is_on_all_training_examples(runs, capsys):
    (column,) = told(runs / "erm0.npz", capsys=capsys)["columns"]
    found = values(column)
    w = load_checkpoint(runs / "erm0.npz").arrays["w"]
    terms = sharpness.complexity((np.linalg.norm(w) / 0.05) ** 2, 100, w.size)
    assert found["bound_norm"] == pytest.approx(terms.norm, rel=1e-12)
    assert found["bound_h"] == pytest.approx(terms.h, rel=1e-12)
    assert found["bound"] == found["highest"] + found["bound_h"]
    assert found["highest"] >= found["train_error"]
    assert column["vacuous"] == [True]


def test_wrong_labels_are_made_again(tmp_path, capsys):
    trained(tmp_path / "c.npz", noise=0.4)
    (column,) = told(tmp_path / "c.npz", "--noise", "0.4", capsys=capsys)["columns"]
    assert values(column)["train_loss"] > 0.5
    assert main(["sharpness", str(tmp_path / "c.npz"), *FEW]) == 1
    said = capsys.readouterr().err
    assert "other examples or labels" in said
    assert "--noise" in said


@pytest.mark.parametrize("make", [ms.nn.cnn, ms.nn.resnet])
def test_models_of_images_are_restored(make, tmp_path, capsys):
    model, data, w = trained(
        tmp_path / "c.npz", model=make((1, 8, 8), 10), epochs=1, dtype="float32"
    )
    (column,) = told(tmp_path / "c.npz", "--examples", "20", "--chunk", "10", capsys=capsys)[
        "columns"
    ]
    statistics = statistics_at(model, w, data.x_train)
    loss, accuracy = ms.training.evaluate(model, w, data.x_test, data.y_test, statistics)
    assert values(column)["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert values(column)["test_error"] == pytest.approx(1 - accuracy, abs=1e-7)


# ---- columns and differences ----


def test_two_runs_are_subtracted_with_error_bars(runs, capsys):
    found = told(runs / "erm0.npz", runs / "sam0.npz", capsys=capsys)
    erm, sam = found["columns"]
    assert [erm["name"], sam["name"]] == ["ERM", "SAM"]
    for name, difference in found["difference"].items():
        a, b = sam["measures"][name], erm["measures"][name]
        assert difference["value"] == pytest.approx(a["value"] - b["value"], rel=1e-12)
        assert difference["error"] == pytest.approx(np.hypot(a["error"], b["error"]), rel=1e-12)
    assert found["difference"]["test_loss"]["error"] > 0


def test_seeds_are_averaged_and_their_differences_paired(runs, capsys):
    """In whatever order they are given."""
    files = ["sam2", "erm0", "erm1", "sam0", "erm2", "sam1"]
    found = told(*(runs / f"{name}.npz" for name in files), capsys=capsys)
    single = {
        name: values(told(runs / f"{name}.npz", capsys=capsys)["columns"][0]) for name in files
    }
    sam, erm = found["columns"]
    assert [len(each["checkpoints"]) for each in (sam, erm)] == [3, 3]
    norms = {
        kind: np.array([single[f"{kind}{i}"]["trace"] for i in range(3)]) for kind in ("erm", "sam")
    }
    for column, kind in ((sam, "sam"), (erm, "erm")):
        trace = column["measures"]["trace"]
        assert trace["value"] == pytest.approx(norms[kind].mean(), rel=1e-12)
        assert trace["error"] == pytest.approx(norms[kind].std(ddof=1) / np.sqrt(3), rel=1e-9)
    apart = norms["erm"] - norms["sam"]
    assert found["difference"]["trace"]["value"] == pytest.approx(apart.mean(), rel=1e-9)
    assert found["difference"]["trace"]["error"] == pytest.approx(
        apart.std(ddof=1) / np.sqrt(3), rel=1e-9
    )
    assert main(["sharpness", *(str(runs / f"{name}.npz") for name in files), *FEW]) == 0
    assert "difference of pairs of one seed" in " ".join(capsys.readouterr().out.split())


def test_a_folder_stands_for_its_checkpoints_and_names_tell_them_apart(tmp_path, capsys):
    for name, method, epochs in (("", ms.sam.SAM(0.2), 1), ("-erm", None, 1), ("-long", None, 2)):
        trained(tmp_path / f"checkpoint{name}.npz", method, epochs=epochs)
    (tmp_path / "notes.npz").touch()
    found = told(tmp_path, capsys=capsys)
    assert [column["name"] for column in found["columns"]] == [
        "ERM, 1 epochs", "ERM, 2 epochs", "SAM 0.2, 1 epochs",
    ]  # fmt: skip
    assert "difference" not in found
    trained(tmp_path / "other.npz", ms.sam.SAM(0.1), epochs=1)
    found = told(tmp_path / "checkpoint.npz", tmp_path / "other.npz", capsys=capsys)
    assert [column["name"] for column in found["columns"]] == ["SAM 0.2", "SAM 0.1"]


def test_names_say_what_the_ball_is(tmp_path, capsys):
    methods = {
        "SAM(p=inf) 0.05": ms.sam.SAM(0.05, p=np.inf),
        "SAM(eta=0.01) 0.05": ms.sam.SAM(0.05, eta=0.01),
        "SAM(p=1.5,eta=0) 0.05": ms.sam.SAM(0.05, p=1.5, eta=0),
        "SAM 0.05": ms.sam.SAM(0.05, p=2.0),
        "SAM 0.1": ms.sam.SAM(0.1, steps=2),
        "SS-SAM 0.05": ms.sam.SSSAM(0.05, probability=0.25),
        "ERM": ms.sam.ERM(),
    }
    for name, method in methods.items():
        settings = {"method": repr(method)}
        assert restoring.Restored(Path(), settings, 1, None, None, None).method == name
    trained(tmp_path / "a.npz", ms.sam.SAM(0.05, eta=0.01), epochs=1)
    trained(tmp_path / "b.npz", ms.sam.SAM(0.05, p=np.inf), epochs=1)
    found = told(tmp_path / "a.npz", tmp_path / "b.npz", capsys=capsys)
    assert [column["name"] for column in found["columns"]] == ["SAM(eta=0.01)", "SAM(p=inf)"]


def test_each_column_says_what_its_error_bars_are_of(runs, capsys):
    files = [str(runs / f"{name}.npz") for name in ("erm0", "erm1", "sam0")]
    assert main(["sharpness", *files, *FEW]) == 0
    notes = " ".join(capsys.readouterr().out.split("\n\n")[1].split())
    erm, sam = re.search(r"(ERM: .*)(SAM: .*) ρ = ", notes).groups()
    assert "; seeds 0, 1, ± over them;" in erm
    assert "; seed 0, ± within this run;" in sam
    assert "Over seeds it is that of their mean. Within a run it is of the examples" in notes
    for names, absent in ((("erm0", "sam0"), "Over seeds"), (("erm0", "erm1"), "Within a run")):
        assert main(["sharpness", *(str(runs / f"{name}.npz") for name in names), *FEW]) == 0
        assert absent not in capsys.readouterr().out


def test_what_a_gpu_has_trained_is_measured_too(tmp_path, capsys, monkeypatch):
    line = ["--train", "60", "--test", "50", "--hidden", "2", "--epochs", "1", "--quiet"]
    monkeypatch.setitem(sys.modules, "cupy", fakecupy)
    for device in ("cpu", "cuda"):
        out = str(tmp_path / device)
        assert main(["train", *line, "--no-compare", "--device", device, "--out", out]) == 0
    monkeypatch.setitem(sys.modules, "cupy", None)
    capsys.readouterr()
    host, there = (told(tmp_path / name, capsys=capsys)["columns"][0] for name in ("cpu", "cuda"))
    assert there["settings"][0]["data"].endswith("50 test, on cuda")
    assert values(there)["test_loss"] == pytest.approx(values(host)["test_loss"], rel=1e-4)


def test_the_table_shows_what_json_has(runs, capsys, tmp_path):
    line = ["sharpness", str(runs / "erm0.npz"), str(runs / "sam0.npz"), *FEW]
    assert main([*line, "--json", str(tmp_path / "new" / "a.json")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    content = json.loads((tmp_path / "new" / "a.json").read_text("utf-8"))
    table, notes = out.split("\n\n", 1)
    head, _, *rows = table.splitlines()
    assert head.split() == ["ERM", "SAM", "SAM", "−", "ERM"]
    cells = {row[:33].strip(): re.split(r"\s{2,}", row[33:].strip()) for row in rows}
    for i, column in enumerate([*content["columns"], {"measures": content["difference"]}]):
        norm = column["measures"]["norm"]["value"]
        assert cells["‖w‖"][i] == f"{norm:.4g}"
        loss = column["measures"]["test_loss"]
        assert cells["test loss"][i] == str(sharpness.Estimate(loss["value"], loss["error"], 1))
    assert cells["which is"] == ["vacuous", "vacuous"]
    assert "sharpness and spectra on 60 of 100 training examples, m = 20" in " ".join(notes.split())


def test_infinity_and_a_negative_eigenvalue_are_no_reason_to_fail(runs, capsys):
    """Of the 160 eigenvalues some are negative: there is no ratio then."""
    assert main(["sharpness", str(runs / "erm0.npz"), *FEW, "--k", "160", "--p", "inf"]) == 0
    assert re.search(r"λ1/λ160 +–\n", capsys.readouterr().out)
    found = told(runs / "erm0.npz", "--p", "inf", capsys=capsys)
    assert found["settings"]["p"] == "Infinity"
    assert [found["columns"][0][key] for key in ("examples", "chunk")] == [60, 20]


def test_figures_are_drawn_on_demand(runs, tmp_path, capsys):
    out = tmp_path / "some" / "figures"
    line = [str(runs / "erm0.npz"), str(runs / "sam0.npz"), "--out", str(out)]
    assert main(["sharpness", *line, *FEW]) == 0
    said = capsys.readouterr().out
    names = ["ball", "landscape", "slices", "spectrum"]
    assert sorted(path.stem for path in out.glob("*.png")) == names
    assert sorted(path.stem for path in out.glob("*.svg")) == names
    for name in names:
        assert str(out / f"{name}.png") in said


def test_a_line_shows_progress_on_a_terminal(runs, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["sharpness", str(runs / "erm0.npz"), *FEW[:-1]]) == 0
    assert "15/15" in capsys.readouterr().err, "the line ends where the work does"


# ---- what is refused ----


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("erm0.npz --rho 0", 2, "rho must be"),
        ("erm0.npz --rho -1", 2, "rho must be"),
        ("erm0.npz --p 0.5", 2, "p must be in [1, inf]"),
        ("erm0.npz --k 161", 2, "k must be in [1, 160], the number of parameters; got 161"),
        ("erm0.npz --k 0", 2, "k must be"),
        ("erm0.npz --rho inf", 2, "--rho must be positive and finite, got inf"),
        ("erm0.npz --adaptive-rho 0", 2, "--adaptive-rho must be positive and finite, got 0"),
        ("erm0.npz --p nan", 2, "p must be in [1, inf]"),
        ("erm0.npz --json .", 1, "--json . is a folder; name a file"),
        ("erm0.npz --json no.npz/x.json", 1, "Name another folder with --json."),
        ("erm0.npz --chunk 60", 2, "--chunk must be in [1, 30]"),
        ("erm0.npz --chunk 0", 2, "--chunk must be in [1, 30]"),
        ("erm0.npz --examples 1", 2, "--examples must be at least 2"),
        ("erm0.npz --noise-kind pair", 2, "--noise-kind would change nothing: without --noise"),
        ("erm0.npz --noise 2", 1, "rate must be in [0, 1]"),
        ("erm0.npz --data letter", 1, "is of a run on 'digits: (100, 1, 8, 8) float64, 50 test'"),
        ("erm0.npz erm0.npz", 1, "the same run twice, with seed 0"),
        ("erm0.npz erm1.npz erm0.npz", 1, "with seed 0: erm0.npz, erm0.npz."),
        ("erm0.npz --out no.npz/o", 1, "no.npz"),
        ("none.npz", 1, "no checkpoint at none.npz"),
        ("no.npz", 1, "is not a minisam checkpoint"),
        (".", 1, "there is no checkpoint*.npz in the folder"),
        ("", 2, "the following arguments are required: CHECKPOINT"),
        ("erm0.npz --roh 1", 2, "Did you mean '--rho'?"),
    ],
)
def test_refusals_name_the_remedy(line, code, message, runs, capsys, monkeypatch):
    monkeypatch.chdir(runs)
    Path("no.npz").write_text("nothing")
    monkeypatch.setattr("minisam.cli.sharpness.measure", None)  # all is refused before it
    assert main(["sharpness", *FEW, *line.split()]) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("minisam sharpness: ")
    assert "Traceback" not in err
    assert "--no-resume" not in err, "nothing is resumed here"


def test_a_model_of_ones_own_and_a_damaged_description_are_refused(tmp_path, capsys):
    own = ms.nn.Sequential(ms.nn.Flatten(), ms.nn.Linear(64, 10), ms.nn.Tanh())
    trained(tmp_path / "own.npz", model=own)
    assert main(["sharpness", str(tmp_path / "own.npz"), *FEW]) == 1
    err = capsys.readouterr().err
    assert "none of those that minisam train builds" in err
    assert "minisam.sharpness.measures" in err
    saved = load_checkpoint(tmp_path / "own.npz")
    del saved.meta["settings"]["data"]
    save_checkpoint(tmp_path / "own.npz", saved)
    assert main(["sharpness", str(tmp_path / "own.npz"), *FEW]) == 1
    assert "does not say what was trained: no 'data'" in capsys.readouterr().err


def test_another_loss_is_refused(tmp_path, capsys):
    data = ms.data.load("digits", train=40, test=20)
    ms.train(
        ms.nn.mlp([64, 10]), data, ms.sam.ERM(), SGD, epochs=1, progress=False,
        loss=smoothed, checkpoint=tmp_path / "c.npz",
    )  # fmt: skip
    assert main(["sharpness", str(tmp_path / "c.npz"), *FEW]) == 1
    assert "trained with the loss smoothed; what is measured here is" in capsys.readouterr().err


def smoothed(logits, labels):
    return 0.9 * ms.nn.cross_entropy(logits, labels) + 0.1 * logits.var(axis=1)


def test_data_of_one_seed_is_not_that_of_another(tmp_path, capsys):
    """A checkpoint that was given another seed: the examples' fingerprint tells."""
    trained(tmp_path / "c.npz")
    saved = load_checkpoint(tmp_path / "c.npz")
    saved.meta["settings"]["seed"] = 1
    save_checkpoint(tmp_path / "c.npz", saved)
    assert main(["sharpness", str(tmp_path / "c.npz"), *FEW]) == 1
    assert "other examples or labels" in capsys.readouterr().err


def test_the_data_of_several_runs_is_read_once(runs, capsys, monkeypatch):
    restoring._examples.cache_clear()
    loaded = []
    load = ms.data.load

    def count(*args):
        loaded.append(args)
        return load(*args)

    monkeypatch.setattr(ms.data, "load", count)
    told(runs / "erm0.npz", runs / "sam0.npz", capsys=capsys)
    assert len(loaded) == 1


def test_as_many_examples_as_train_measures_on():
    """Convolutions of large images remember much; chunks are as in training, if there are two."""
    x, y = np.zeros((1500, 1, 28, 28), "float32"), np.zeros(1500, int)
    data = ms.data.Dataset("images", x, y, x[:1], y[:1], 2)
    for model, n in ((ms.nn.mlp([784, 2]), 1000), (ms.nn.cnn((1, 28, 28), 2), 255)):
        settings = {"model": repr(model), "batch_size": 200}
        restored = restoring.Restored(Path(), settings, 1, model, data, np.zeros(1))
        plain = parse(["sharpness", "c.npz"])
        assert measuring.used(plain, restored) == n
        assert measuring.chunk(plain, restored) == min(200, n // 2)
        assert measuring.used(parse(["sharpness", "c.npz", "--examples", "9"]), restored) == 9
        assert measuring.used(parse(["sharpness", "c.npz", "--examples", "9999"]), restored) == 1500
