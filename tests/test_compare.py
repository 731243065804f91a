"""`minisam compare` as its users meet it: tables, files, going on, and what is refused."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minisam as ms
from minisam.cli import arguments, compare, main
from minisam.cli.arguments import parse
from minisam.cli.compare import folder_name
from minisam.cli.methods import MAKE, methods
from minisam.experiments import WorkersLostError, run_cells
from minisam.training import load_checkpoint

ROOT = Path(__file__).parents[1]
KILLING = Path(__file__).with_name("killing.py")
SIZE = ["--train", "200", "--test", "100", "--epochs", "2", "--hidden", "8"]
SMALL = ["compare", "--methods", "erm,sam,aesam", "--seeds", "2", *SIZE, "--jobs", "1"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Defaults write below the current folder."""
    monkeypatch.chdir(tmp_path)


def lines(out):
    return [json.loads(line) for line in Path(out, "cells.jsonl").read_text("utf-8").splitlines()]


def report(out):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(Path(out, "table.json").read_text("utf-8"), parse_constant=refuse)


# ---- the main job ----


def test_it_prints_and_writes_one_table_in_every_form(capsys):
    assert main([*SMALL, "--noise", "0.2", "--out", "a folder/o"]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"6 runs in [\d.]+ s\.\n", err)
    assert "\r" not in out + err
    title, head, _, *rows = out.split("\n\n")[0].splitlines()
    assert (title, head.split()[0]) == ("Noise 20 %", "method")
    assert [row.split()[0] for row in rows] == ["ERM", "SAM", "AE-SAM"]
    found = report("a folder/o")
    with open("a folder/o/table.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    markdown = Path("a folder/o/table.md").read_text("utf-8")
    for row, entry, line in zip(rows, found["rows"], table, strict=True):
        shown = f"{entry['accuracy_percent_mean']:.2f} ± {entry['accuracy_percent_std']:.2f}"
        assert shown in row
        assert f"| {shown} |" in markdown
        assert float(line["accuracy_percent_mean"]) == entry["accuracy_percent_mean"]
        assert entry["effective_noise"] == 0.2
    by_seed = [line["result"]["accuracy"] for line in lines("a folder/o")[1:]]
    assert sorted(by_seed) == sorted(
        accuracy / 100
        for entry in found["rows"]
        for accuracy in entry["accuracy_percent_by_seed"].values()
    )
    assert "published" not in out
    assert out.splitlines()[-1] == (
        "Written: a folder/o/table.md, .csv and .json; finished runs: a folder/o/cells.jsonl"
    )
    for stated in (
        *(
            "over n = 2 seeds (0, 1). Guessing gives 10 %",
            "(ddof = 1)",
            "200 training examples with",
            "2 epochs",
        ),
        *("symmetric_noise; in effect 20 %", "AESAM(rho=0.05, lambda1=-1.0, lambda2=1.0, delta="),
        *("minisam compare --methods erm,sam,aesam", f"NumPy {ms.arrays.np.__version__}"),
    ):
        assert stated in " ".join(out.split())
        assert stated in markdown


def test_a_cell_is_the_run_of_train(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # no figure: that would take longest
    assert main([*SMALL, "--out", "o", "--quiet"]) == 0
    for method in ("erm", "sam", "aesam"):
        plain = ["train", "--method", method, "--seed", "1", *SIZE, "--no-compare", "--quiet"]
        assert main([*plain, "--out", method]) == 0
        result = json.loads(Path(method, "history.json").read_text("utf-8"))["runs"][0]["result"]
        made = load_checkpoint(Path(method, "checkpoint.npz")).meta["settings"]["method"]
        (cell,) = [c for c in lines("o")[1:] if (c["method"], c["seed"]) == (made, 1)]
        assert cell["result"]["accuracy"] == result["test_accuracy"]
        assert cell["result"]["lambda_max"] == result["lambda_max_after"]
        assert cell["result"]["evaluations"] == result["evaluations"]


def test_quiet_prints_the_tables_alone(capsys):
    assert main([*SMALL, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Written" not in out
    assert [path.name for path in Path("runs").iterdir()] == [
        "compare-digits-mlp-train200-test100-hidden8-epochs2"
    ]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([*SMALL, "--out", "o"]) == 0
    assert re.search(r"6/6 \[.*run", capsys.readouterr().err)


# ---- the presets ----


@pytest.mark.parametrize(
    ("table", "columns", "rates"), [("table1", 1, [0.0]), ("table2", 4, [0.2, 0.4, 0.6, 0.8])]
)
def test_the_tables_of_the_poster(table, columns, rates, capsys):
    small = ["--seeds", "2", *SIZE, "--jobs", "1"]
    assert main(["compare", table, *small, "--out", "o"]) == 0
    out = capsys.readouterr().out
    names = ["ERM", "SAM", "ESAM", "SS-SAM", "AE-SAM", "LookSAM", "AE-LookSAM"]
    assert [row.split()[0] for row in out.split("\n\n")[0].splitlines()[3:]] == names
    found = report("o")
    assert [(row["noise"], row["method"]) for row in found["rows"]] == [
        (rate, name) for rate in rates for name in names
    ]
    assert out.count("Ranking by accuracy") == columns == len(found["rankings"])
    printed = ms.experiments.published.TABLE1 if columns == 1 else ms.experiments.published.TABLE2
    for row in found["rows"]:
        entry = printed[row["method"]][row["noise"]]
        assert row["published_accuracy_percent"] == entry.accuracy
        assert row["published_sam_percent"] == entry.climbed
        assert row["effective_noise"] == row["noise"]
    assert "at another scale, and nothing here is tuned to agree" in " ".join(out.split())
    for ranking in found["rankings"]:
        assert f"  published  {ranking['published']}\n  here       {ranking['here']}\n" in out
        assert ranking["verdict"].startswith("Our ranking ")
        assert ranking["verdict"] in out


def test_presets_are_those_of_the_publications():
    for table, fraction, rho, k in (("table1", 0.2, 0.05, 5), ("table2", 0.5, 0.1, 2)):
        args = parse(["compare", table])
        assert (args.rho, args.epochs, args.seeds) == (rho, 200, "5")
        made = {named.method.name: named.method for named in methods(args)}
        assert made["LookSAM"].policy.k == k
        adaptive = made["AE-LookSAM"].policy
        expected = ms.sam.expected_fraction(adaptive.lambda1, adaptive.lambda2)
        assert expected == pytest.approx(fraction, abs=5e-4)
        assert ms.sam.expected_fraction(made["AE-SAM"].policy.lambda1, 1.0) == 0.5
        assert {method.rho for method in made.values()} == {0.0, rho}
    other = parse(["compare", "table2", "--rho", "0.3", "--epochs", "7", "--noise", "0.5"])
    assert (other.rho, other.epochs, other.noise) == (0.3, 7, "0.5")


def test_a_method_that_print_does_not_know_stands_beside_those_it_does(capsys):
    few = ["--methods", "erm,sam,sam:rho=0.2,gsam", "--seeds", "2", *SIZE, "--jobs", "1"]
    assert main(["compare", "table1", *few, "--out", "o"]) == 0
    rows = report("o")["rows"]
    assert [row["method"] for row in rows] == ["ERM", "SAM", "SAM rho=0.2", "GSAM"]
    accuracy = [row["published_accuracy_percent"] for row in rows]
    assert accuracy == [95.41, 96.52, None, None]


# ---- methods ----


def test_options_are_for_those_that_take_them():
    line = ["compare", "--methods", "erm,sam:steps=2,sam,esam,looksam", "--rho", "0.3", "--k", "3"]
    assert [(named.name, named.call) for named in methods(parse(line))] == [
        ("ERM", "ERM()"),
        ("SAM steps=2", "SAM(rho=0.3, p=2.0, order=1, steps=2)"),
        ("SAM", "SAM(rho=0.3, p=2.0, order=1, steps=1)"),
        ("ESAM", "ESAM(rho=0.3, beta=0.6, gamma=0.5)"),
        ("LookSAM", "LookSAM(rho=0.3, k=3, alpha=0.7, p=2.0)"),
    ]


@pytest.mark.parametrize("name", arguments.METHODS)
def test_the_call_in_a_note_makes_the_method(name):
    (named,) = methods(parse(["compare", "--methods", name.upper()]))
    assert eval(named.call, vars(ms.sam)) == named.method


def test_every_option_reaches_every_method_that_takes_it():
    values = {"p": "inf", "order": "2", "steps": "3", "chunk": "4", "k": "7"}
    for name, (_, takes) in MAKE.items():
        for option in takes:
            value = values.get(option, "0.25")
            (own,) = methods(parse(["compare", "--methods", f"{name}:{option}={value}"]))
            (shared,) = methods(parse(["compare", "--methods", name, f"--{option}", value]))
            assert f"{option}={float(value) if value == '0.25' else value}" in own.call
            assert own.method == shared.method


# ---- going on ----


def count(out="o"):
    """How many cells are finished in a file that may not be there yet."""
    try:
        return max(Path(out, "cells.jsonl").read_bytes().count(b"\n") - 1, 0)
    except FileNotFoundError:
        return 0


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def strip(cell):
    cell["result"].pop("seconds")
    return json.dumps(cell)


def test_a_killed_command_goes_on_to_the_same_results(capfd):
    """SIGKILL while cells are trained: nothing of Python's runs, the file may be torn."""
    long = [*SMALL, "--seeds", "4", "--epochs", "40"]
    done = subprocess.run(
        [sys.executable, KILLING, "0", *long, "--out", "o", "--jobs", "2"],  # and its workers
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    before = Path("o/cells.jsonl").read_bytes()
    assert count() == 2
    with open("o/cells.jsonl", "ab") as file:
        file.write(b'{"method": "Meth')
    assert main([*long, "--out", "o"]) == 0
    assert " 2 before." in capfd.readouterr().err
    assert Path("o/cells.jsonl").read_bytes().startswith(before)
    assert main([*long, "--out", "whole"]) == 0
    assert sorted(map(strip, lines("o")[1:])) == sorted(map(strip, lines("whole")[1:]))


def test_a_finished_command_prints_its_table_at_once(monkeypatch, capsys):
    assert main([*SMALL, "--out", "o"]) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(compare, "run_cells", lambda _, cells, **__: iter(cells))
    assert main([*SMALL, "--out", "o"]) == 0
    out, err = capsys.readouterr()
    assert out == first
    assert re.fullmatch(r"0 runs in [\d.]+ s, 6 before\.\n", err)


def test_more_seeds_methods_and_rates_run_what_is_missing(capsys):
    assert main([*SMALL, "--quiet"]) == 0
    more = ["--methods", "sam,gsam", "--seeds", "1,2", "--noise", "0,0.5"]
    assert main([*SMALL, *more]) == 0
    assert "7 runs in" in (said := capsys.readouterr().err)
    assert "1 before." in said
    assert len(list(Path("runs").iterdir())) == 1
    (out,) = Path("runs").iterdir()
    assert len(lines(out)) == 1 + 6 + 7
    assert {row["method"] for row in report(out)["rows"]} == {"SAM", "GSAM"}


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        for number, found in enumerate(run_cells(*args, **kwargs)):
            if number == 2:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(compare, "run_cells", interrupted)
    assert main([*SMALL, "--out", "my part"]) == 130
    out, err = capsys.readouterr()
    again = f"{shlex.quote(sys.executable)} -m minisam {' '.join(SMALL)} --out 'my part'"
    assert (out, err) == (
        "",
        "minisam compare: interrupted. 2 of 6 runs are finished and kept in my "
        f"part/cells.jsonl; to go on: {again}\n",
    )
    assert count("my part") == 2


def test_ctrl_c_in_a_terminal_reaches_all_processes():
    long = [*SMALL, "--seeds", "40", "--epochs", "60", "--out", "o", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minisam", *long],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell without job control starts what is in its background deaf to SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until(lambda: count() >= 2)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == b""
    said = f"minisam compare: interrupted. {count()} of 120 runs are finished and kept in o/cells"
    assert err.startswith(said.encode())
    assert err.count(b"\n") == 1
    until(lambda: not alive(process.pid))  # its workers, too


def test_lost_workers_are_no_reason_to_lose_results(monkeypatch, capsys):
    def lost(*args, **kwargs):
        yield next(run_cells(*args, **kwargs))
        raise WorkersLostError("a worker process was killed")

    monkeypatch.setattr(compare, "run_cells", lost)
    assert main([*SMALL, "--out", "o"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("minisam compare: a worker process was killed. 1 of 6 runs are finished")
    assert count() == 1


def test_a_run_that_diverges_is_shown_and_stops_no_other(capsys):
    line = [*SMALL, "--methods", "erm,usam:rho=1e20", "--out", "o"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert re.search(r"^USAM +diverged +– ", out, re.MULTILINE)
    assert re.search(r"^ERM +\d", out, re.MULTILINE)
    erm, usam = report("o")["rows"]
    assert (erm["diverged"], usam["diverged"], usam["accuracy_percent_mean"]) == (0, 2, None)
    assert main([*line, "--quiet"]) == 0  # and it is not tried again
    assert count() == 4


# ---- what is refused ----


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tabel1", "unknown table 'tabel1'. Did you mean 'table1'? Choose from table1, table2."),
        ("--methods erm,sma", "unknown method 'sma'. Did you mean 'sam'? Choose from sam, erm"),
        ("--methods erm,,sam", "--methods has an empty name"),
        ("--methods sam:rhoo=1", "in 'sam:rhoo=1': unknown option 'rhoo'. Did you mean 'rho'?"),
        ("--methods erm:rho=1", "in 'erm:rho=1': unknown option 'rho'. Choose from none."),
        ("--methods sam:rho", "in 'sam:rho': rho is float, as in sam:rho=1, got ''."),
        ("--methods looksam:k=1.5", "in 'looksam:k=1.5': k is int, as in looksam:k=1, got '1.5'"),
        ("--methods sam,erm,sam", "--methods has SAM(rho=0.05, p=2.0, order=1, steps=1) twice."),
        ("--methods sam,sam:rho=0.05", "--methods has SAM(rho=0.05, p=2.0, order=1, steps=1) tw"),
        ("--methods sam:rho=-1", "rho must be a finite number >= 0, got -1.0."),
        ("--k 2", "--k is for looksam; erm, sam have no use for it."),
        ("--methods erm,dnsam --p 3", "gsam, fsam, msam; erm, dnsam have no use for it."),
        ("--methods erm --rho 0.1", "--rho would change nothing: ERM does not climb."),
        ("--methods erm --p 3", "--p would change nothing: ERM does not climb."),
        ("--noise-kind pair", "--noise-kind would change nothing: without --noise no label is"),
        ("--seeds x", "--seeds is 'x'; write how many, as in 5, or which, as in 3,7."),
        ("--seeds 0", "--seeds is '0'; write how many"),
        ("--seeds 1.5", "--seeds is '1.5'; write how many"),
        ("--seeds 1,,2", "--seeds is '1,,2'; write how many"),
        ("--seeds=-1,2", "--seeds is '-1,2'; write how many"),
        ("--seeds 3,3", "given twice: ERM, seed 3, noise 0."),
        ("--noise 1", "noise must be in [0, 1), got 1.0"),
        ("--noise 0,-0.1", "noise must be in [0, 1), got -0.1"),
        ("--noise nan", "noise must be in [0, 1), got nan"),
        ("--noise 20%", "--noise is '20%'; write fractions of the training labels, as in 0,0.2."),
        ("--noise 0.2,0.2", "given twice: ERM, seed 0, noise 0.2."),
        ("--noise-kind odd", "unknown kind of noise 'odd'. Choose from symmetric, pair."),
        ("--epochs 0", "epochs must be at least 1, got 0."),
        ("--batch-size 0", "batch_size must be at least 1, got 0."),
        ("--lr nan", "lr must be in [0, inf), got nan."),
        ("--jobs 0", "jobs must be at least 1, got 0."),
        ("--jobs 2 --cluster 127.0.0.1:1", "--jobs is for this machine; a cluster has its worke"),
        ("--seed 1", "unknown argument '--seed'. Did you mean '--seeds'?"),
        ("--train 5000", "train is 5000, but digits has 1200 train examples"),
        ("--model cnn --hidden 8", "--hidden shapes the mlp, not the cnn."),
    ],
)
def test_a_wrong_argument_is_one_line_and_code_2(line, message, capsys, tmp_path):
    assert main(["compare", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("minisam compare: ")
    assert err.endswith("See 'minisam compare --help'.\n")
    assert (out, err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_settings_is_refused_by_name(capsys):
    assert main([*SMALL, "--out", "o", "--quiet"]) == 0
    before = Path("o/cells.jsonl").read_bytes()
    assert main([*SMALL, "--epochs", "3", "--hidden", "9", "--out", "o"]) == 2
    said = capsys.readouterr().err
    assert "o/cells.jsonl holds cells with other settings: model was 'Sequential(" in said
    assert "; epochs was 2, now 3. Give another folder, or delete it." in said
    assert Path("o/cells.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("compare", "compare-digits-mlp"),
        ("compare table2 --seeds 9 --noise 0.5 --methods erm", "compare-table2-digits-mlp"),
        ("compare table2 --jobs 1 --cluster x --quiet", "compare-table2-digits-mlp"),
        ("compare table1 --rho 0.05 --epochs 200", "compare-table1-digits-mlp"),
        ("compare table1 --rho 0.1 --k 3", "compare-table1-digits-mlp-rho0.1-k3"),
        ("compare --noise-kind pair --model cnn", "compare-digits-cnn-noise_kindpair"),
    ],
)
def test_a_folder_is_named_by_what_its_cells_share(line, name):
    assert folder_name(parse(line.split())) == name


def test_without_joblib_the_remedy_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert main([*SMALL, "--out", "o"]) == 1
    assert "pip install 'minisam[compare]'" in capsys.readouterr().err


def test_without_distributed_the_remedy_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "minisam.experiments.cluster", raising=False)
    assert main([*SMALL[:-2], "--cluster", "127.0.0.1:1", "--out", "o"]) == 1
    assert "pip install 'minisam[cluster]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_refused_before_training(capsys):
    Path("file").write_text("in the way")
    assert main([*SMALL, "--out", "file/below"]) == 1
    told = "minisam compare: cannot write to file/below. Name another folder with --out.\n"
    assert capsys.readouterr().err == told


def test_what_has_options_of_its_own_was_not_published(tmp_path, capsys):
    options = "--seeds 2 --train 60 --test 30 --epochs 1 --hidden 4 --jobs 1 --quiet"
    line = f"compare table1 --methods sam:rho=9,sam,erm {options} --out {tmp_path}/o"
    assert main(line.split()) == 0
    table = capsys.readouterr().out.split("\n\n")[0]
    published = {row.split("  ")[0]: "96.52" in row for row in table.splitlines()[3:]}
    assert published == {"SAM rho=9": False, "SAM": True, "ERM": False}
