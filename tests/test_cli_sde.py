"""``minisam sde``: what it prints, draws and refuses."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minisam import sde
from minisam.cli import main
from minisam.cli import sde as cli_sde
from minisam.cli.arguments import PROBLEMS

FEW = ["--paths", "60", "--steps", "20", "--substeps", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_problem_can_be_named():
    assert tuple(cli_sde.MAKE) == PROBLEMS


def test_paths_beside_each_other(capsys):
    assert main(["sde", "wavy", "--method", "usam", "--eta", "0.02", "--rho", "0.2", *FEW]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("USAM on wavy: η = 0.02, ρ = 0.2, σ = 0.5,\n20 steps, 60 paths, seed 0\n")
    assert re.search(r"^ +step +USAM +USAM SDE - USAM +SGD SDE - USAM$", out, re.M)
    noise = sde.Gaussian([[0.25]])
    runs, _ = sde.compare(
        sde.USAM, sde.wavy(2.5), noise, eta=0.02, rho=0.2, steps=20, paths=60, substeps=2
    )
    mean, error = runs.mean("USAM", "f")[-1], runs.standard_error("USAM", "f")[-1]
    gap, gap_error = (each[-1] for each in runs.difference("USAM SDE", "USAM", "f"))
    cells = rf"20 +{mean:.4g} ± {error:.1g} +{gap:+.4g} ± {gap_error:.1g} "
    assert re.search(cells.replace("+", r"\+").replace(r" \+", " +"), out)
    metric, _ = sde.relative_error(runs, "USAM", "SGD SDE")
    assert f"SGD SDE: max_k |difference of mean ‖∇f‖+‖x‖| / mean is {metric:.4g} ± " in out
    assert out.endswith("Figure: figures/sde-wavy-usam-paths.png, sde-wavy-usam-paths.svg\n")
    names = sorted(path.name for path in Path("figures").iterdir())
    assert names == ["sde-wavy-usam-paths.png", "sde-wavy-usam-paths.svg"]


def test_weak_errors(capsys):
    assert (
        main(["sde", "quadratic", "--experiment", "weak", "--eta", "0.2", *FEW, "--out", "o"]) == 0
    )
    out, _ = capsys.readouterr()
    assert re.search(r"^ +η = 0.2 +η = 0.1 +η = 0.05 +η = 0.025 +slope$", out, re.M)
    for model in ("SAM SDE", "its drift only", "SGD SDE", "USAM SDE"):
        assert re.search(rf"^{model} .* -?\d\.\d\d\d ± \d\.?\d*$", out, re.M)
    assert Path("o/sde-quadratic-sam-weak.png").exists()


def test_stationary_variances(capsys):
    assert main(["sde", "quadratic", "--experiment", "stationary", "--method", "usam", *FEW]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"^ +ρ = 0.025 +ρ = 0.05 +ρ = 0.1$", out, re.M)
    assert re.search(r"^USAM SDE / USAM +\d.* ± ", out, re.M)
    assert re.search(r"^its drift only / USAM +\d.* ± ", out, re.M)


def test_escape(capsys):
    args = ["sde", "saddle", "--experiment", "escape", "--rho", "0.5", "--radius", "2", *FEW]
    assert main(args) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("SGD, USAM, DNSAM, SAM on saddle: η = 0.05, ρ = 0.5")
    assert "has not left ‖x‖ <= 2\n" in out
    assert re.search(r"^step +SGD +USAM +DNSAM +SAM$", out, re.M)


def test_batches_are_cut_from_as_many_examples_as_fill_them(capsys):
    args = ["sde", "logistic-iris", "--batch", "40", "--paths", "6", "--steps", "2"]
    assert main([*args, "--substeps", "1"]) == 0
    out, _ = capsys.readouterr()
    assert "batches of 40,\n" in out
    assert re.search(r"^Covariances of SAM SDE: \d+ of 12 matrices clipped; eigen", out, re.M)


def test_a_step_above_the_limit_is_warned_of(capsys):
    assert main(["sde", "quadratic", "--eta", "2.0", "--paths", "5", "--steps", "2"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("minisam sde: warning: eta = 2 is not below 2, the limit of stability")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("sde", 2, "the following arguments are required: PROBLEM"),
        ("sde wave", 2, "unknown problem 'wave'. Did you mean 'wavy'? Choose from quadratic,"),
        ("sde wavy --methd sam", 2, "unknown argument '--methd'. Did you mean '--method'?"),
        ("sde wavy --method adam", 2, "unknown method 'adam'"),
        ("sde wavy --rho 0", 2, "rho must be positive and finite, got 0.0: without a climb SAM is"),
        ("sde wavy --eta -1", 2, "eta must be positive and finite, got -1.0"),
        ("sde wavy --sigma -1", 2, "sigma must be at least 0"),
        ("sde wavy --paths 0", 2, "paths must be at least 1, got 0"),
        ("sde wavy --batch 3", 2, "but wavy is no mean over examples"),
        ("sde logistic-iris --batch 200", 2, "but logistic-iris has 150"),
        ("sde autoencoder --batch 40", 2, "--batch must divide the 150 examples of autoencoder"),
        ("sde wavy --experiment escape", 2, "paths start at ‖x‖ = 2.5, not inside of radius = 1"),
        ("sde two-wells --sigma 99 --eta 0.5 --steps 50", 1, "left the range of floats"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(line, code, message, capsys):
    assert main(line.split()) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("minisam sde: ")


def test_without_matplotlib_there_are_numbers_and_no_figure(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("minisam.plots.sde.write", _fail)
    assert main(["sde", "cosh", *FEW]) == 0
    out, err = capsys.readouterr()
    assert "SAM on cosh" in out
    assert err == "No figure. no matplotlib\n"


def _fail(*_):
    raise ImportError("no matplotlib")


def test_a_bar_is_shown_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["sde", "cosh", *FEW]) == 0
    assert "60/60" in capsys.readouterr().err
    assert main(["sde", "cosh", *FEW, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_rows_of_a_table_are_spread_and_include_both_ends():
    noise = sde.Gaussian([[0.0]])
    runs, _ = sde.compare(sde.SGD, sde.cosh(), noise, eta=0.1, steps=37, paths=1)
    rows = cli_sde._rows(runs)
    assert (rows[0], rows[-1], len(rows)) == (0, 37, 6)
    assert np.ptp(np.diff(rows)) <= 1


def test_no_folder_is_made_for_nothing(tmp_path, capsys):
    assert main(["sde", "wavy", "--eta", "0", "--out", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("mine")
    assert main(["sde", "wavy", "--out", str(tmp_path / "file")]) == 1
    assert "Name another folder with --out." in capsys.readouterr().err
