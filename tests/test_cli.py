"""The command line as its users meet it: what it prints, writes, refuses, and goes on from."""

import dataclasses
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam.cli import arguments, main
from minisam.cli import train as cli_train
from minisam.cli.train import ROWS, folder_name
from minisam.training import load_checkpoint, loop

ROOT = Path(__file__).parents[1]
SMALL = ["train", "--train", "300", "--test", "200", "--epochs", "3", "--hidden", "16"]
MADE_BY = {"looksam": "LookSAM", "aelooksam": "AELookSAM"}
RUNS = ["SAM", "ERM (same epochs)", "ERM (same gradients)"]
CHECKPOINTS = ["checkpoint-erm-epochs.npz", "checkpoint-erm-gradients.npz", "checkpoint.npz"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Defaults write below the current folder, and data may lie in the home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINISAM_DATA", raising=False)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


def command(*args, **more):
    """`python -m minisam` in a process of its own."""
    return [sys.executable, "-m", "minisam", *args], {
        "env": os.environ | {"PYTHONPATH": str(ROOT)} | more,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def history(out):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(Path(out, "history.json").read_text("utf-8"), parse_constant=refuse)


def weights(out, file="checkpoint.npz"):
    return load_checkpoint(Path(out, file)).arrays["w"]


def files(out):
    return sorted(path.name for path in Path(out).iterdir())


def cells(line):
    return re.split(r"\s{2,}", line.strip())


# ---- the main job ----


def test_the_main_job_prints_and_writes_the_same_numbers(capsys):
    assert main([*SMALL, "--out", "a folder/of runs"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    runs = history("a folder/of runs")["runs"]
    assert cells(lines[0]) == RUNS == [run["name"] for run in runs]
    assert set(lines[1]) == {"-"}
    for line, (head, key, form) in zip(lines[2:], ROWS, strict=False):
        assert cells(line) == [head, *(form.format(run["result"][key]) for run in runs)]
    assert "300 of the 300 training examples" in out
    assert "at ρ = 0.05, p = 2." in out
    assert files("a folder/of runs") == [*CHECKPOINTS, "figure.png", "figure.svg", "history.json"]
    assert "Figure: a folder/of runs/figure.png" in out
    assert [line.partition(":")[0] for line in err.splitlines()] == RUNS
    assert "\r" not in out + err


def test_budgets_are_measured_in_gradients():
    assert main([*SMALL, "--out", "o", "--quiet"]) == 0
    result = {run["name"]: run["result"] for run in history("o")["runs"]}
    # 300 examples in batches of 60 are 5 steps an epoch; SAM takes two gradients a step.
    assert {n: (r["epochs"], r["evaluations"]) for n, r in result.items()} == {
        "SAM": (3, 30.0),
        "ERM (same epochs)": (3, 15.0),
        "ERM (same gradients)": (6, 30.0),
    }


def test_second_order_counts_its_hessian_vector_product():
    assert main([*SMALL, "--order", "2", "--out", "o", "--quiet"]) == 0
    assert [run["result"]["epochs"] for run in history("o")["runs"]] == [3, 3, 12]


def test_history_holds_every_epoch_and_the_settings():
    assert main([*SMALL, "--rho", "0.1", "--p", "inf", "--out", "o", "--quiet"]) == 0
    written = history("o")
    assert (written["settings"]["rho"], written["settings"]["p"]) == (0.1, "Infinity")
    assert written["settings"]["hidden"] == [16]
    assert "version" not in written["settings"]
    sam = written["runs"][0]
    assert [entry["epoch"] for entry in sam["history"]] == [1, 2, 3]
    assert sam["history"][-1]["test_accuracy"] == sam["result"]["test_accuracy"]
    assert sam["history"][-1]["evaluations"] == sam["result"]["evaluations"]


def test_sharpness_is_that_of_the_dense_hessian():
    narrow = [*SMALL[:-1], "2", "--dtype", "float64", "--no-compare", "--rho", "0.3"]
    assert main([*narrow, "--out", "o", "--quiet"]) == 0
    result = history("o")["runs"][0]["result"]
    data = ms.data.load("digits", dtype="float64", train=300, test=200)
    model = ms.nn.mlp([64, 2, 10])

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, data.x_train), data.y_train))

    starts = {"before": model.init((0, loop.PARAMETERS), "float64"), "after": weights("o")}
    for when, w in starts.items():
        top = np.linalg.eigvalsh(ms.hessian(loss)(w))[-1]
        assert result[f"lambda_max_{when}"] == pytest.approx(top, rel=1e-4)
        g = ms.grad(loss)(w)
        rise = loss(w + 0.3 * g / np.linalg.norm(g)) - loss(w)
        assert result[f"one_step_{when}"] == pytest.approx(rise, rel=1e-9)
    assert result["train_loss"] == pytest.approx(loss(starts["after"]), rel=1e-12)


def test_sam_ends_flatter_than_erm():
    # The default seed. Over seeds 0 to 4 the ratio to ERM's λmax lies between 0.3 and 0.9.
    assert main(["train", "--rho", "0.2", "--out", "o", "--quiet"]) == 0
    sam, erm, longer = (run["result"]["lambda_max_after"] for run in history("o")["runs"])
    assert sam < 0.5 * erm
    assert sam < 0.5 * longer


def test_sharpness_uses_at_most_1000_examples(capsys):
    assert main(["train", "--epochs", "1", "--hidden", "2", "--no-compare", "--quiet"]) == 0
    assert "1,000 of the 1,200 training examples" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_models_of_images(model, capsys):
    few = ["--train", "20", "--test", "20", "--epochs", "1", "--batch-size", "10"]
    assert main(["train", "--model", model, *few, "--no-compare", "--quiet"]) == 0
    out = f"runs/digits-{model}-sam-train20-test20-epochs1-batch_size10-seed0"
    assert history(out)["runs"][0]["result"]["evaluations"] == 4.0
    assert history(out)["settings"]["lr"] == 0.02
    assert ("BatchNorm" in history(out)["runs"][0]["settings"]["model"]) == (model == "resnet")


@pytest.mark.parametrize(("model", "lr"), [("mlp", 0.1), ("cnn", 0.02), ("resnet", 0.02)])
def test_each_model_has_its_learning_rate_and_the_folder_names_another(model, lr, capsys):
    line = ["train", "--model", model]
    assert arguments.parse(line).lr == lr
    assert arguments.parse([*line, "--lr", "0.3"]).lr == 0.3
    assert folder_name(arguments.parse(line)) == f"digits-{model}-sam-seed0"
    given = arguments.parse([*line, "--lr", str(lr)])
    assert folder_name(given) == f"digits-{model}-sam-seed0"
    other = arguments.parse([*line, "--lr", "0.3"])
    assert folder_name(other) == f"digits-{model}-sam-lr0.3-seed0"
    assert main(["train", "--help"]) == 0
    assert f"{lr:g} for the {model}" in " ".join(capsys.readouterr().out.split())


def test_a_run_that_learned_nothing_is_told_so(capsys):
    assert main([*SMALL, "--lr", "0", "--weight-decay", "0", "--no-compare", "--quiet"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: SAM learned nothing (train loss 2." in said
    assert "that of guessing 2.303): its sharpness says nothing." in said
    assert main([*SMALL, "--no-compare", "--quiet"]) == 0
    assert "Warning" not in capsys.readouterr().out


def test_one_seed_gives_one_result_and_another_seed_another():
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*SMALL, "--seed", seed, "--no-compare", "--quiet", "--out", out]) == 0
    a, b, c = (history(out)["runs"][0]["result"] for out in "abc")
    del a["seconds"], b["seconds"]
    assert a == b
    assert a["test_loss"] != c["test_loss"]
    np.testing.assert_array_equal(weights("a"), weights("b"))


def test_erm_alone_and_the_options_of_a_run(capsys):
    options = ["--schedule", "constant", "--momentum", "0", "--weight-decay", "0", "--lr", "0.05"]
    assert main([*SMALL, "--method", "ERM", *options]) == 0
    assert cells(capsys.readouterr().out.splitlines()[0]) == ["ERM"]
    (out,) = Path("runs").iterdir()
    # The folder's name tells the options.
    assert "-lr0.05-scheduleconstant-momentum0.0-" in out.name
    assert files(out) == ["checkpoint.npz", "figure.png", "figure.svg", "history.json"]
    run = history(out)["runs"][0]
    assert run["result"]["evaluations"] == 15.0
    assert [entry["lr"] for entry in run["history"]] == [0.05] * 3
    assert run["settings"]["optimizer"] == (
        "SGD(lr=constant(lr=0.05), momentum=0.0, nesterov=False, weight_decay=0.0, decoupled=False)"
    )


def test_asam_is_a_method_of_its_own(capsys):
    assert main([*SMALL, "--eta", "0.01", "--rho", "0.5", "--no-compare", "--out", "asam"]) == 0
    assert main([*SMALL, "--rho", "0.5", "--no-compare", "--out", "sam"]) == 0
    assert "eta=0.01" in history("asam")["runs"][0]["settings"]["method"]
    assert not np.array_equal(weights("asam"), weights("sam"))
    asam, sam = capsys.readouterr().out.split("asam/figure.png")
    assert "in the plain ball, though ASAM" in asam
    assert "ASAM" not in sam


@pytest.mark.parametrize("method", [m for m in arguments.METHODS if m not in ("sam", "erm")])
def test_every_method_can_be_chosen(method, capsys):
    assert main([*SMALL, "--method", method, "--out", "o", "--quiet"]) == 0
    run, erm, _ = history("o")["runs"]
    name = getattr(ms.sam, MADE_BY.get(method, method.upper()))().name
    assert run["name"] == name
    assert f"name='{name}'" in run["settings"]["method"]
    cost = run["result"]["evaluations"] / erm["result"]["evaluations"]
    # 15 steps of 60 of 300 examples: LookSAM climbs at 3 of them.
    exact = {"usam": 2, "dnsam": 7, "esam": 1.5, "looksam": 1.2, "gsam": 2, "fsam": 2, "msam": 1}
    assert 1 < cost < 2 or cost == pytest.approx(exact[method], rel=1e-12)


def test_options_reach_the_method():
    looksam = ["--method", "looksam", "--k", "3", "--alpha", "0.5", "--no-compare", "--out", "l"]
    assert main([*SMALL, *looksam]) == 0
    assert "k=3" in history("l")["runs"][0]["settings"]["method"]
    assert "alpha=0.5" in history("l")["runs"][0]["settings"]["method"]
    esam = ["--method", "esam", "--beta", "0.3", "--gamma", "0.2", "--no-compare", "--out", "e"]
    assert main([*SMALL, *esam]) == 0
    assert "beta=0.3, gamma=0.2" in history("e")["runs"][0]["settings"]["method"]
    sam = ["--steps", "2", "--chunk", "20", "--order", "1", "--no-compare", "--out", "s"]
    assert main([*SMALL, *sam]) == 0
    assert "climb=Ascent(steps=2, chunk=20)" in history("s")["runs"][0]["settings"]["method"]
    sssam = ["--method", "sssam", "--probability", "0.25", "--no-compare", "--out", "ss"]
    assert main([*SMALL, *sssam]) == 0
    assert "Bernoulli(probability=0.25)" in history("ss")["runs"][0]["settings"]["method"]


@pytest.mark.parametrize("method", ["aesam", "aelooksam"])
def test_thresholds_reach_the_method(method):
    adaptive = ["--method", method, "--delta", "0.5", "--lambda1", "0.25", "--lambda2", "2"]
    assert main([*SMALL, *adaptive, "--no-compare", "--out", "a"]) == 0
    made = history("a")["runs"][0]["settings"]["method"]
    assert "Adaptive(delta=0.5, lambda1=0.25, lambda2=2.0)" in made


def test_quiet_prints_the_table_and_what_was_measured(capsys):
    assert main([*SMALL, "--quiet", "--no-compare"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) == 2 + len(ROWS) + 2


@pytest.mark.parametrize(
    ("options", "title"),
    [
        (["--p", "inf"], "mlp on digits, SAM with ρ = 0.05, p = inf, seed 0"),
        (["--order", "2"], "mlp on digits, SAM with ρ = 0.05, p = 2, order 2, seed 0"),
        (["--eta", "0.1"], "mlp on digits, ASAM with ρ = 0.05, p = 2, η = 0.1, seed 0"),
        (["--method", "erm"], "mlp on digits, ERM, seed 0"),
        (["--method", "usam"], "mlp on digits, USAM with ρ = 0.05, seed 0"),
        (["--method", "looksam"], "mlp on digits, LookSAM with ρ = 0.05, p = 2, seed 0"),
    ],
)
def test_the_figure_is_titled_by_what_was_run(options, title, monkeypatch):
    titles = []

    def draw(_, path, title):
        titles.append(title)
        return path, path

    monkeypatch.setattr(ms.plots, "training_figure", draw)
    assert main([*SMALL, *options, "--no-compare", "--quiet"]) == 0
    assert titles == [title]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_of_the_table_that_goes_away_costs_no_file(unbuffered):
    process = subprocess.Popen(
        [sys.executable, "-m", "minisam", *SMALL, "--no-compare", "--out", "o", "--quiet"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert (process.wait(), said) == (141, b"")
    assert {"history.json", "figure.png"} <= {path.name for path in Path("o").iterdir()}


def test_another_pipe_that_breaks_is_an_error(monkeypatch, capfd):
    def verify(_):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(ms.equations, "verify", verify)
    assert main(["verify"]) == 1
    print("still there")
    assert capfd.readouterr() == ("still there\n", "minisam: [Errno 32] Broken pipe\n")


def test_there_may_be_no_output_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["verify"]) == 0


def test_without_matplotlib_there_is_no_figure_and_a_remedy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*SMALL, "--no-compare", "--out", "o"]) == 0
    assert "pip install 'minisam[plots]'" in capsys.readouterr().out
    assert files("o") == ["checkpoint.npz", "history.json"]


# ---- resume ----


def stop_in_epoch(monkeypatch, epoch):
    """Interrupt training when it evaluates this epoch, before the epoch's checkpoint."""
    calls = []

    def evaluate(*args):
        calls.append(args)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return ms.training.evaluate(*args)

    monkeypatch.setattr(loop, "evaluate", evaluate)


@pytest.mark.parametrize("stop", [2, 5, 9])  # in the run of SAM, and in both of ERM
def test_an_interrupted_command_goes_on_to_the_same_bits(monkeypatch, capsys, stop):
    assert main([*SMALL, "--out", "whole"]) == 0
    with monkeypatch.context() as until_then:
        stop_in_epoch(until_then, stop)
        assert main([*SMALL, "--out", "my part", "--no-resume"]) == 130
    *_, said = capsys.readouterr().err.splitlines()
    again = f"{shlex.quote(sys.executable)} -m minisam {' '.join(SMALL)} --out 'my part'"
    assert said == (
        "minisam train: interrupted. The checkpoint of the last finished epoch is kept in "
        f"my part; to go on from it: {again}"
    )
    assert main([*SMALL, "--out", "my part"]) == 0
    done = 3 if stop > 3 else stop - 1
    assert f"SAM: 3 epochs ({done} of them before, " in capsys.readouterr().err
    for file in CHECKPOINTS:
        np.testing.assert_array_equal(weights("my part", file), weights("whole", file))
    whole, part = history("whole")["runs"], history("my part")["runs"]
    for a, b in zip(whole, part, strict=True):
        del a["result"]["seconds"], b["result"]["seconds"]
        assert a["result"] == b["result"]


def test_interrupted_before_an_epoch_is_finished(monkeypatch, capsys):
    stop_in_epoch(monkeypatch, 1)
    assert main([*SMALL, "--out", "o"]) == 130
    assert "there is no checkpoint" in capsys.readouterr().err
    assert not Path("o").exists()


def test_a_finished_run_is_not_run_again(monkeypatch, capsys):
    assert main([*SMALL, "--out", "o"]) == 0
    before = history("o")
    loaded = "\nLoaded from checkpoints: nothing was trained.\n"
    assert loaded not in capsys.readouterr().out
    stop_in_epoch(monkeypatch, 1)
    assert main([*SMALL, "--out", "o"]) == 0
    assert history("o") == before
    assert loaded in capsys.readouterr().out


def test_other_settings_are_refused_unless_told_to_overwrite(capsys):
    assert main([*SMALL, "--no-compare", "--out", "o"]) == 0
    assert main([*SMALL, "--no-compare", "--out", "o", "--lr", "0.01"]) == 1
    said = capsys.readouterr().err
    assert "other settings" in said
    assert "--no-resume" in said
    assert main([*SMALL, "--no-compare", "--out", "o", "--lr", "0.01", "--no-resume"]) == 0
    assert history("o")["settings"]["lr"] == 0.01


def test_a_damaged_checkpoint_is_named(capsys):
    assert main([*SMALL, "--no-compare", "--out", "o"]) == 0
    path = Path("o/checkpoint.npz")
    path.write_bytes(path.read_bytes()[:-100])
    assert main([*SMALL, "--no-compare", "--out", "o"]) == 1
    said = capsys.readouterr().err
    assert f"{path} ({path.stat().st_size} bytes)" in said
    assert "damaged" in said


def test_history_is_replaced_whole_or_not_at_all(monkeypatch, capsys):
    assert main([*SMALL, "--no-compare", "--out", "o"]) == 0
    before = files("o"), history("o")
    replace = os.replace

    def fail(source, target):
        if Path(target).name == "history.json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    assert main([*SMALL, "--no-compare", "--out", "o", "--lr", "0.01", "--no-resume"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert (files("o"), history("o")) == before


# ---- what is refused ----


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "minisam: which command? Choose from train, verify, compare, sharpness, "),
        (
            "tran",
            "unknown command 'tran'. Did you mean 'train'? Choose from train, verify, compare, ",
        ),
        ("--quiet", "required: COMMAND"),
        ("train --data digit", "unknown data set 'digit'. Did you mean 'digits'? Choose from digi"),
        ("train --data fashion", "Did you mean 'fashion-mnist'?"),
        ("train --model restnet", "unknown model 'restnet'. Did you mean 'resnet'? Choose from"),
        (
            "train --method sma",
            "unknown method 'sma'. Did you mean 'sam'? Choose from sam, erm, usam",
        ),
        ("train --method zzz", "unknown method 'zzz'. Choose from sam, erm, usam, dnsam"),
        ("train --roh 0.1", "unknown argument '--roh'. Did you mean '--rho'?"),
        ("train --mod=mlp", "unknown argument '--mod=mlp'. Did you mean '--model'?"),
        ("train digits", "unknown argument 'digits'. See"),
        ("train root", "unknown argument 'root'. See"),
        ("train --comand", "unknown argument '--comand'. "),
        ("train --data table", "unknown data set 'table'. Choose from"),
        ("train --rho", "argument --rho: expected one argument."),
        ("train --rho small", "argument --rho: invalid float value: 'small'."),
        ("train --epochs 1.5", "argument --epochs: invalid int value: '1.5'."),
        ("train --seed -1", "argument --seed: '-1' is no seed; give a whole number from 0 on."),
        ("train --hidden 8,x", "argument --hidden: '8,x' is no list of widths; write 64,64 for"),
        ("train --p 0.5", "p must be in [1, inf], got 0.5: below 1 it is not a norm."),
        ("train --p nan", "p must be in [1, inf], got nan"),
        ("train --rho -1", "rho must be a finite number >= 0, got -1.0."),
        ("train --rho inf", "rho must be a finite number >= 0, got inf."),
        ("train --method erm --p 0.5", "p must be in [1, inf], got 0.5"),
        ("train --order 3", "order must be 1 or 2, got 3."),
        ("train --eta -1", "eta must be"),
        ("train --epochs 0", "epochs must be at least 1, got 0."),
        ("train --lr -1", "lr must be in [0, inf), got -1.0."),
        ("train --lr nan", "lr must be in [0, inf), got nan."),
        ("train --momentum 1", "momentum must be in [0, 1), got 1.0."),
        ("train --weight-decay -1", "weight_decay must be in [0, inf), got -1.0."),
        ("train --batch-size 0", "batch_size must be"),
        ("train --train 5000", "train is 5000, but digits has 1200 train examples"),
        ("train --test 0", "test is 0, but digits has 597 test examples"),
        ("train --hidden 8,0", "sizes [64, 8, 0, 10]"),
        ("train --model cnn --hidden 8", "--hidden shapes the mlp, not the cnn."),
        ("train --method erm --eta 1", "--eta is for sam; erm has no use for it."),
        ("train --method gsam --order 2", "--order is for sam; gsam has no use for it."),
        ("train --lambda1 0", "--lambda1 is for aesam, aelooksam; sam has no use for it."),
        ("train --method looksam --delta 0", "--delta is for aesam, aelooksam; looksam has no"),
        ("train --method aesam --probability 1", "--probability is for sssam; aesam has no use"),
        ("train --method usam --steps 2", "--steps is for sam; usam has no use for it."),
        ("train --method usam --chunk 2", "--chunk is for sam; usam has no use for it."),
        ("train --method sssam --probability 2", "a probability must be in [0, 1], got 2.0"),
        ("train --method aesam --delta 1", "delta must be in [0, 1), got 1.0"),
        ("train --steps 0", "steps must be at least 1, got 0"),
        ("train --chunk 0", "chunk must be at least 1, got 0"),
        ("train --steps 2 --p 3", "several ascent steps are projected onto the ball"),
        ("train --k 2", "--k is for looksam; sam has no use for it."),
        ("train --method usam --p 3", "aelooksam, gsam, fsam, msam; usam has no use for it."),
        ("train --method esam --p inf", "--p is for sam, looksam, sssam, aesam, aelooksam, gsam"),
        (
            "train --method esam --alpha 2",
            "--alpha is for looksam, aelooksam, gsam; esam has no us",
        ),
        ("train --method esam --beta 2", "ESAM: beta must be in (0, 1], got 2.0."),
        ("train --method looksam --k 0", "k must be at least 1, got 0"),
    ],
)
def test_a_wrong_argument_is_one_line_and_code_2(line, message, capsys, tmp_path):
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("minisam")
    assert "--help'." in err
    assert (out, err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_cnn_needs_images(monkeypatch, capsys):
    x, y = np.eye(4), np.arange(4)
    table = ms.data.Dataset("table", x, y, x, y, classes=4)
    monkeypatch.setattr(ms.data, "load", lambda *_, **__: table)
    assert main(["train", "--model", "cnn"]) == 2
    said = capsys.readouterr().err
    assert "the cnn needs images, but one example of 'table' has shape (4,). Use --model ml" in said


def test_every_data_set_of_the_library_can_be_chosen():
    with pytest.raises(ValueError, match="choose from") as caught:
        ms.data.load("?")
    assert str(caught.value).endswith(f"choose from {', '.join(arguments.DATA)}.")


def test_missing_data_says_where_to_put_it(capsys, tmp_path):
    assert main(["train", "--data", "mnist", "--root", "here"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("minisam train: train-images-idx3-ubyte.gz")
    assert "\n  here/mnist/train-images-idx3-ubyte.gz\n" in said
    assert said.endswith("\nOn the command line, --root names a folder to look in first.\n")
    assert list(tmp_path.iterdir()) == []


def test_damaged_data_is_a_failure_and_no_wrong_argument(capsys):
    Path("letter.npz").write_bytes(b"nothing")
    assert main(["train", "--data", "letter", "--root", "."]) == 1
    assert "letter.npz (7 bytes) has MD5 " in capsys.readouterr().err


def test_without_scikit_learn_digits_name_the_remedy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert main(SMALL) == 1
    assert "pip install 'minisam[data]'" in capsys.readouterr().err


def test_a_diverging_run_names_step_method_and_checkpoint(capsys):
    assert main([*SMALL, "--lr", "1e6"]) == 1
    said = capsys.readouterr().err
    assert re.match(
        r"minisam train: SAM: the loss or the gradient is not finite at step \d+ \(epoch 1\); "
        r"there is no checkpoint yet\. Lower the learning rate",
        said,
    )
    assert said.count("\n") == 1


def test_a_run_that_ends_where_no_hessian_is_finite_is_told_so(monkeypatch, capsys):
    measured = []

    def top(*args):
        measured.append(args)
        if len(measured) == 2:  # the end, after the start
            raise ValueError("the product is not finite.")
        return ms.sharpness.top_eigenvalues(*args)

    monkeypatch.setattr(cli_train, "top_eigenvalues", top)
    assert main([*SMALL, "--method", "erm", "--out", "o"]) == 1
    assert "minisam train: ERM has no sharpness at its end: the product" in capsys.readouterr().err
    assert files("o") == ["checkpoint.npz"]


def test_a_folder_that_cannot_be_written_is_refused_before_training(monkeypatch, capsys):
    Path("file").write_text("in the way")
    assert main([*SMALL, "--out", "file/below"]) == 1
    told = "minisam train: cannot write to {}. Name another folder with --out.\n"
    assert capsys.readouterr().err == told.format("file/below")
    if Path("/proc/self").exists():
        assert main([*SMALL, "--out", "/proc/x"]) == 1
        assert capsys.readouterr().err == told.format("/proc/x")

    def refuse(**_):  # mode bits do not bind root, who may well run this
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert main([*SMALL, "--out", "read only/o"]) == 1
    assert capsys.readouterr().err == told.format("read only/o")


# ---- verify ----


def test_verify_prints_a_line_for_every_equation_named(capsys):
    assert main(["verify", "equation-3", "dual-norm-length"]) == 0
    out = capsys.readouterr().out
    table = out[out.index("\nequation ") + 1 :]
    names = [line.split()[0] for line in table.splitlines() if not line.startswith("-")]
    assert names == ["equation", "equation-3", "dual-norm-length", "2"]
    assert "2 of 2 verified" in out


def test_verify_tells_what_was_named_in_any_case(capsys):
    assert main(["verify", "Equation-3", "NOTES-multiplication"]) == 0
    out = capsys.readouterr().out
    for equation in map(ms.equations.find, ("equation-3", "notes-multiplication")):
        assert f"{equation.name}: {equation.title}\n  source    {equation.source}\n" in out
        assert f"\n  function  {equation.implementation}\n  holds     {equation.latex}\n" in out
    assert f"\n  printed   {equation.printed_latex}\n" in out
    assert out.count("  printed  ") == 1


def test_verify_as_json(capsys):
    assert main(["verify", "equation-3", "--json"]) == 0
    out, err = capsys.readouterr()
    (entry,) = json.loads(out)
    assert (entry["name"], entry["passed"], err) == ("equation-3", True, "")
    assert entry["function"] == "minisam.sam.sam_gradient"
    assert "SAM paper" in entry["source"]
    assert 0 <= entry["error"] <= entry["tolerance"]


def test_verify_without_names_checks_all(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(ms.equations, "verify", lambda names=None: asked.append(names) or [])
    assert main(["verify", "--json"]) == 0
    assert (asked, capsys.readouterr().out) == ([None], "[]\n")
    assert main(["verify"]) == 0
    assert "source" not in capsys.readouterr().out


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_an_equation_that_fails_is_code_1(json_, monkeypatch, capsys):
    good, bad = ms.equations.verify(["equation-3", "dual-norm-length"])
    bad = dataclasses.replace(bad, error=float("nan"), passed=False)
    monkeypatch.setattr(ms.equations, "verify", lambda names=None: [good, bad])
    assert main(["verify", *json_]) == 1
    out = capsys.readouterr().out
    if json_:
        assert [entry["passed"] for entry in json.loads(out)] == [True, False]
    else:
        assert "FAIL" in out
        assert "1 of 2 verified" in out


def test_an_unknown_equation_is_code_2(capsys):
    assert main(["verify", "equation-33"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minisam verify: unknown equation 'equation-33'. Did you mean equation-3")


# ---- a process of its own ----


@pytest.mark.parametrize(
    ("setting", "inside"),
    [({}, {1}), ({"OMP_NUM_THREADS": "2"}, {2}), ({"threadpoolctl": ""}, {2})],
)
def test_a_command_has_one_blas_thread_unless_the_user_says_otherwise(
    setting, inside, monkeypatch, capsys
):
    pools = pytest.importorskip("threadpoolctl")
    found = []

    def threads():
        return {
            pool["num_threads"] for pool in pools.threadpool_info() if pool["user_api"] == "blas"
        }

    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        if name == "threadpoolctl":
            monkeypatch.setitem(sys.modules, name, None)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(ms.equations, "verify", lambda _: found.append(threads()) or [])
    with pools.threadpool_limits(2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("BLAS has no threads to be limited")
        assert main(["verify", "--json"]) == 0
        assert threads() == {2}
    assert found == [inside]


def test_a_command_splits_images_over_the_threads_that_blas_would_have(monkeypatch, capsys):
    pools = pytest.importorskip("threadpoolctl")
    found = []

    def verify(_):
        with ms.threads() as number:
            found.append(number)
        return []

    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ms.equations, "verify", verify)
    with pools.threadpool_limits(3, user_api="blas"):
        blas = [p for p in pools.threadpool_info() if p["user_api"] == "blas"]
        allowed = max((p["num_threads"] for p in blas), default=os.cpu_count())
        assert main(["verify", "--json"]) == 0
    assert found == [allowed]


def test_help_starts_fast_because_it_imports_little():
    heavy = ("matplotlib", "sklearn", "scipy", "tqdm", "minisam.training", "minisam.equations")
    code = (
        "import sys, minisam.cli; code = minisam.cli.main(['--help']); "
        f"print([m for m in sys.modules if m.startswith({heavy!r})], code)"
    )
    _, options = command()
    done = subprocess.run([sys.executable, "-c", code], **options, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert done.stdout.startswith("usage: minisam [-h] [--version] COMMAND")


@pytest.mark.parametrize("line", ["--version", "--version train"])
def test_version(line, capsys):
    assert main(line.split()) == 0
    assert re.fullmatch(r"minisam(-| \d|,).*\n", capsys.readouterr().out)


def test_the_module_runs_without_a_terminal_or_unicode():
    line, options = command(*SMALL, "--out", "a b", PYTHONIOENCODING="ascii")
    done = subprocess.run(line, **options, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert b"\r" not in done.stdout + done.stderr
    assert [line.partition(b":")[0].decode() for line in done.stderr.splitlines()] == RUNS
    assert b"?max after" in done.stdout
    assert Path("a b/history.json").exists()


def test_the_module_returns_the_exit_code():
    line, options = command("train", "--p", "0.5")
    done = subprocess.run(line, **options, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_the_checkpoint():
    line, options = command(*SMALL, "--epochs", "1000000", "--out", "o", "--quiet")
    # A shell without job control starts what is in its background, and so this test, deaf to it.
    process = subprocess.Popen(
        line,
        **options,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until = time.monotonic() + 120
        while not Path("o/checkpoint.npz").exists() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert b"the last finished epoch is kept in o; to go on from it: " in err
    assert b" -m minisam train --train 300 " in err
    assert load_checkpoint("o/checkpoint.npz").meta["epoch"] >= 1
