"""Every equation holds, and its entry says all there is to say."""

import dataclasses
import importlib
import json
import math
import re

import numpy as np
import pytest

from minisam import equations, sam
from minisam.equations import EQUATIONS, Equation

NAMES = [equation.name for equation in EQUATIONS]
MISPRINTS = [equation for equation in EQUATIONS if equation.printed is not None]
LATEX = [
    (f"{equation.name}{'-printed' * (i > 0)}", latex)
    for equation in EQUATIONS
    for i, latex in enumerate([equation.latex, equation.printed_latex])
    if latex is not None
]


@pytest.fixture(scope="module")
def results():
    return {result.name: result for result in equations.verify()}


@pytest.mark.parametrize("name", NAMES)
def test_holds(results, name):
    result = results[name]
    assert result.passed, result
    assert result.error <= result.tolerance
    assert not result.message


@pytest.mark.parametrize("name", NAMES)
def test_tolerance_is_near_the_error(results, name):
    """Above what rounding explains, a tolerance is at most 1000 times what is measured."""
    result = results[name]
    assert result.tolerance <= max(1e-12, 1000 * result.error)


@pytest.mark.parametrize("equation", EQUATIONS, ids=NAMES)
def test_entry_is_complete(equation):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", equation.name)
    assert equation.title.strip()
    assert equation.source.strip()
    assert equation.measures.strip()
    assert (equation.printed is None) == (equation.printed_latex is None)
    module, name = equation.implementation.rsplit(".", 1)
    assert getattr(importlib.import_module(module), name) is equation.function
    assert equation.function.__doc__


def test_names_are_unique():
    assert len(set(NAMES)) == len(NAMES)
    assert len({equation.title for equation in EQUATIONS}) == len(NAMES)


@pytest.mark.parametrize(("name", "latex"), LATEX, ids=[name for name, _ in LATEX])
def test_latex_is_balanced(name, latex):
    bare = re.sub(r"\\[{}|]", "", latex)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))
    assert latex.count(r"\|") % 2 == 0
    assert latex.isascii()


@pytest.mark.parametrize(("name", "latex"), LATEX, ids=[name for name, _ in LATEX])
def test_latex_compiles(name, latex):
    mathtext = pytest.importorskip("matplotlib.mathtext")
    mathtext.MathTextParser("path").parse(f"${latex}$")


def test_same_numbers_at_every_call_and_in_every_order(results):
    for result in equations.verify(reversed(NAMES)):
        before = results[result.name]
        assert (result.error, result.printed_error) == (before.error, before.printed_error)


def test_global_random_state_is_neither_used_nor_changed():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    equations.verify(["dual-norm-optimal", "algorithm-1"])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("equation", MISPRINTS, ids=[e.name for e in MISPRINTS])
def test_misprint_must_be_wrong(results, equation):
    result = results[equation.name]
    assert result.kind == "fails as printed"
    assert result.printed_error > equations.EXPOSED >= 1e6 * result.tolerance
    harmless = dataclasses.replace(equation, printed=equation.check)
    assert not harmless.verify().passed
    uncorrected = dataclasses.replace(equation, check=equation.printed)
    assert not uncorrected.verify().passed


# Verification itself.


def entry(check, **fields):
    return Equation("entry", "", "", "", sam.epsilon_hat, "", check, 1e-3, **fields)


@pytest.mark.parametrize(
    ("error", "passed"), [(0.0, True), (1e-3, True), (1.1e-3, False), (math.nan, False)]
)
def test_passing_is_at_most_the_tolerance(error, passed):
    assert entry(lambda: error).verify().passed is passed


@pytest.mark.parametrize(
    ("error", "passed"), [(1e-3, False), (0.01, False), (0.02, True), (math.nan, True)]
)
def test_a_printed_form_must_fail_by_more_than_one_percent(error, passed):
    assert entry(lambda: 0.0, printed=lambda: error, printed_latex="").verify().passed is passed


def test_an_exception_is_a_failure_with_a_message():
    result = entry(lambda: 1 / 0).verify()
    assert not result.passed
    assert result.message == "ZeroDivisionError: division by zero"
    assert math.isnan(result.error)


def test_verify_takes_names_one_name_or_nothing(monkeypatch):
    assert [r.name for r in equations.verify(["erm", "algorithm-1"])] == ["erm", "algorithm-1"]
    assert [r.name for r in equations.verify("erm")] == ["erm"]
    assert equations.verify([]) == []
    monkeypatch.setattr(equations, "EQUATIONS", EQUATIONS[:2])
    assert [r.name for r in equations.verify()] == NAMES[:2]


def test_unknown_name_lists_the_nearest():
    with pytest.raises(ValueError, match=r"'dual-norm-lenght'\. Did you mean dual-norm-length"):
        equations.verify(["erm", "dual-norm-lenght"])
    with pytest.raises(
        ValueError, match=rf"'xxx'\. `minisam verify` without a name lists all {len(NAMES)}"
    ):
        equations.verify(["xxx"])
    with pytest.raises(ValueError, match=r"Did you mean .*notes-multiplication"):
        equations.verify(["multipl"])


def test_data_is_json_with_everything_in_it(results):
    rows = equations.to_data(results.values())
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [row["name"] for row in rows] == NAMES
    for row, equation in zip(rows, EQUATIONS, strict=True):
        assert row["source"] == equation.source
        assert row["latex"] == equation.latex
        assert row["function"] == equation.implementation
        assert row["passed"] is True
        assert (row["printed_error"] is None) == (equation.printed is None)


def test_data_of_a_failure_is_json_too(results):
    broken = dataclasses.replace(
        results["erm"], error=math.nan, printed_error=math.inf, passed=False
    )
    (row,) = equations.to_data([broken])
    assert row["error"] is row["printed_error"] is None
    json.dumps(row, allow_nan=False)


def test_table_shows_failures(results):
    broken = dataclasses.replace(results["erm"], passed=False, message="ValueError: because")
    table = equations.to_table([results["algorithm-1"], broken])
    assert re.search(r"^algorithm-1 .* holds$", table, re.M)
    assert re.search(r"^erm .* FAILED ValueError: because$", table, re.M)
    assert "1 of 2 verified" in table
    assert all(line == line.rstrip() for line in table.splitlines())


def test_table_of_everything(results):
    table = equations.to_table(results.values()).splitlines()
    assert len(table) == len(NAMES) + 4
    assert table[-1].startswith(f"{len(NAMES)} of {len(NAMES)} verified in ")
    misprints = sum(equation.printed is not None for equation in EQUATIONS)
    assert table[-1].endswith(
        f"; of them {misprints} misprints, which fail as printed and hold as corrected"
    )
    holding = [result for result in results.values() if result.kind == "holds"]
    assert "misprint" not in equations.to_table(holding)
