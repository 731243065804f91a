"""``minisam sde``: what it prints, draws and refuses."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minisam import sde
from minisam.cli import main, simulating
from minisam.cli import sde as cli_sde
from minisam.cli.arguments import PROBLEMS

SHORT = ["--paths", "60", "--steps", "20"]
FEW = [*SHORT, "--substeps", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_problem_can_be_named():
    assert tuple(simulating.MAKE) == PROBLEMS


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
    name = "sde-wavy-usam-paths-eta0.02-rho0.2-steps20-paths60-substeps2"
    assert out.endswith(f"Figure: figures/{name}.png, {name}.svg\n")
    names = sorted(path.name for path in Path("figures").iterdir())
    assert names == [f"{name}.png", f"{name}.svg"]


def test_weak_errors(capsys):
    assert (
        main(["sde", "quadratic", "--experiment", "weak", "--eta", "0.2", *FEW, "--out", "o"]) == 0
    )
    out, _ = capsys.readouterr()
    assert "\nweak error of E‖x‖², largest over all steps, ρ ~ √η\n" in out
    assert re.search(r"^ +η = 0.2 +η = 0.1 +η = 0.05 +η = 0.025 +slope$", out, re.M)
    for model in ("SAM SDE", "its drift only", "SGD SDE", "USAM SDE"):
        assert re.search(rf"^{model} .* -?\d\.\d\d\d ± \d\.?\d*$", out, re.M)
    assert Path("o/sde-quadratic-sam-weak-eta0.2-steps20-paths60-substeps2.png").exists()


def test_the_metric_for_several_radii(capsys):
    args = ["sde", "wavy", "--experiment", "metric", "--method", "dnsam", "--rho", "0.2", *FEW]
    assert main(args) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"^ +ρ = 0.05 +ρ = 0.1 +ρ = 0.2$", out, re.M)
    noise = sde.Gaussian([[0.25]])
    found = sde.metric(
        sde.DNSAM, sde.wavy(2.5), noise, [0.2], eta=0.05, steps=20, paths=60, substeps=2
    )
    for model in ("DNSAM SDE", "SGD SDE"):
        (error,), (standard,) = found.errors[model], found.standard_errors[model]
        assert re.search(rf"^{model} .* {error:.4g} ± {standard:.1g}$", out, re.M)


def test_stationary_variances(capsys):
    line = ["sde", "quadratic", "--experiment", "stationary", "--method", "usam"]
    assert main([*line, *SHORT]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"^ +ρ = 0.025 +ρ = 0.05 +ρ = 0.1$", out, re.M)
    assert re.search(r"^USAM SDE / USAM +\d.* ± ", out, re.M)
    assert re.search(r"^its drift only / USAM +\d.* ± ", out, re.M)


def test_a_long_run_between_two_wells_is_not_refused(capsys):
    assert main(["sde", "two-wells", "--experiment", "stationary", *SHORT]) == 0
    assert "E‖x‖² after" in capsys.readouterr().out


def test_escape(capsys):
    args = ["sde", "saddle", "--experiment", "escape", "--rho", "0.5", "--radius", "2", *SHORT]
    assert main(args) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("SGD, USAM, DNSAM, SAM on saddle: η = 0.05, ρ = 0.5")
    assert "has not left ‖x‖ <= 2\n" in out
    assert re.search(r"^step +SGD +USAM +DNSAM +SAM$", out, re.M)
    assert "figures/sde-saddle-escape-rho0.5-steps20-paths60-radius2.0.png" in out


def test_the_two_cycle(capsys):
    """ηλρ/(2 - ηλ) is 0.2·0.5/1.8 on ½x²."""
    args = ["sde", "quadratic", "--experiment", "cycle", "--rho", "0.5", "--eta", "0.2"]
    assert main(args) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("SAM on quadratic: η = 0.2, ρ = 0.5, no noise, 100 steps\n")
    assert f"ηλρ/(2 - ηλ) = {0.1 / 1.8:.6g} with λ = 1\n" in out
    assert re.search(r"^The last iterate is \d\.?\d*e-1\d away from the last but two\.$", out, re.M)
    assert re.search(rf"^100 +{0.1 / 1.8:.6g} +[+-][0-9.]+e-12$", out, re.M)
    assert Path("figures/sde-quadratic-sam-cycle-eta0.2-rho0.5.svg").exists()


@pytest.mark.parametrize("experiment", ["paths", "weak", "metric", "stationary"])
def test_one_path_has_no_standard_error(experiment, capsys):
    line = ["sde", "quadratic", "--experiment", experiment, "--paths", "1", "--steps", "4"]
    assert main(line) == 0
    found = re.findall(r"\d ± (\S+)", capsys.readouterr().out)
    assert len(found) > 5
    assert set(found) == {"nan"}


def test_figures_of_other_options_are_other_files():
    for rho in ("0.1", "0.2"):
        assert main(["sde", "cosh", "--rho", rho, *FEW]) == 0
    assert len(list(Path("figures").iterdir())) == 4


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
        ("sde wavy --radius 2", 2, "--radius would change nothing: it is of the ball that paths"),
        ("sde wavy --method sgd --rho=0.1", 2, "--rho would change nothing: SGD does not climb."),
        ("sde wavy --method sgd --experiment metric", 2, "metric varies ρ, which SGD has none of"),
        ("sde wavy --method sgd --experiment stationary", 2, "stationary varies ρ, which SGD has"),
        ("sde saddle --experiment stationary", 2, "curvature -1 everywhere in one direction, in"),
        ("sde digits --batch 5 --sigma 0.5", 2, "--sigma would change nothing: with --batch the"),
        ("sde saddle --experiment escape --method sgd", 2, "--method would change nothing: escape"),
        ("sde saddle --experiment escape --substeps 4", 2, "--substeps would change nothing: esc"),
        ("sde wavy --experiment stationary --substeps 4", 2, "--substeps would change nothing: "),
        ("sde wavy --experiment cycle --sigma 0", 2, "--sigma would change nothing: cycle is one"),
        ("sde wavy --experiment cycle --method usam", 2, "--method would change nothing: only SAM"),
        ("sde saddle --experiment cycle --eta 1.5 --steps 2000", 1, "has left the range of floats"),
        ("sde saddle --experiment cycle", 2, "SAM on saddle did not end at a minimum: halfway"),
        ("sde wavy --experiment cycle --steps 1", 2, "steps must be at least 2, got 1"),
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
