"""The arithmetic of a table, by numbers worked out by hand."""

import math

import pytest

import minisam as ms
from minisam.experiments import published
from minisam.experiments.ranking import (
    Difference,
    against_published,
    difference,
    order,
    printed_order,
    verdict,
)
from minisam.experiments.summary import spread, summarize

METHODS = {"ERM": ms.sam.ERM(), "AE": ms.sam.AESAM(lambda1=0.0, lambda2=2.0)}
ACCURACY = {("ERM", 0): 0.90, ("ERM", 1): 0.92, ("ERM", 2): 0.97, ("AE", 0): 0.95, ("AE", 1): 0.95}


def result(cell):
    name = "ERM" if cell.method.name == "ERM" else "AE"
    noise = {"effective_noise": cell.noise + 0.01 * cell.seed}
    if (name, cell.seed) not in ACCURACY:
        return noise | {"diverged": "the loss is not finite"}
    return noise | {
        "accuracy": ACCURACY[name, cell.seed] - cell.noise,
        "climbed": 0.1 * cell.seed,
        "evaluations": 100.0 + cell.seed,
        "seconds": 2.0 * cell.seed,
        "lambda_max": 4.0,
    }


@pytest.fixture
def rows():
    return summarize(METHODS, [0, 1, 2], [0.0, 0.2], result)


def test_spread():
    # Deviations -2, -1, 0, 3: squares 14, over n - 1 = 3.
    assert spread([1.0, 2.0, 3.0, 6.0]) == (3.0, pytest.approx(math.sqrt(14 / 3)))
    assert spread([5.0]).mean == 5.0
    assert math.isnan(spread([5.0]).std)
    assert all(map(math.isnan, spread([])))


def test_rows_are_means_over_seeds(rows):
    erm, ae, noisy, _ = rows
    assert [(row.method, row.noise) for row in rows] == [
        ("ERM", 0.0),
        ("AE", 0.0),
        ("ERM", 0.2),
        ("AE", 0.2),
    ]
    # 90, 92, 97: mean 93; squares 9 + 1 + 16 = 26, over 2.
    assert erm.accuracy == (pytest.approx(93.0), pytest.approx(math.sqrt(13)))
    assert erm.climbed == (pytest.approx(10.0), pytest.approx(10.0))
    assert erm.evaluations == (101.0, 1.0)
    assert erm.seconds == (2.0, 2.0)
    assert erm.lambda_max == (4.0, 0.0)
    assert erm.accuracies == pytest.approx({0: 90.0, 1: 92.0, 2: 97.0})
    assert noisy.accuracy.mean == pytest.approx(73.0)
    assert noisy.effective_noise == pytest.approx(0.21)
    assert (erm.diverged, ae.diverged) == (0, 1)


def test_a_diverged_cell_is_counted_and_not_averaged(rows):
    ae = rows[1]
    assert ae.accuracy == (pytest.approx(95.0), pytest.approx(0.0))
    assert sorted(ae.accuracies) == [0, 1]
    assert ae.effective_noise == pytest.approx(0.01)  # its labels were made, all the same


def test_all_diverged(rows):
    (row,) = summarize({"AE": METHODS["AE"]}, [2], [0.0], result)
    assert (row.diverged, dict(row.accuracies)) == (1, {})
    assert math.isnan(row.accuracy.mean)


def test_a_prediction_is_of_adaptive_methods_only(rows):
    # G(0) = -1/√(2π), G(2) = 2 Φ(-2) - φ(2), with Φ(-2) = 0.0227501 and φ(2) = 0.0539910.
    by_hand = (-0.3989423 - (2 * 0.0227501 - 0.0539910)) / (0 - 2)
    assert rows[0].predicted is None
    assert rows[1].predicted == pytest.approx(100 * by_hand, abs=1e-4)


# ---- who is better ----


def test_a_difference_is_paired_by_seed():
    # 1, 2, 6 over the seeds both have: mean 3, squares 4 + 1 + 9 = 14 over 2, over 3.
    a = {0: 91.0, 1: 82.0, 2: 76.0, 9: 0.0}
    b = {2: 70.0, 1: 80.0, 0: 90.0, 8: 50.0}
    assert difference(a, b) == Difference(3.0, pytest.approx(math.sqrt(7 / 3)))
    assert difference(a, b).sign == ">"
    assert difference(b, a).sign == "<"


@pytest.mark.parametrize(
    ("mean", "error", "sign"),
    [(1.0, 0.99, ">"), (1.0, 1.0, "≈"), (-1.0, 1.01, "≈"), (-1.0, 0.99, "<"), (0.0, 0.0, "≈")],
)
def test_a_tie_is_within_one_standard_error(mean, error, sign):
    assert Difference(mean, error).sign == sign


def test_one_seed_decides_nothing():
    assert difference({0: 99.0}, {0: 1.0}).sign == "?"
    assert difference({0: 99.0}, {1: 1.0}).sign == "?"
    assert difference({}, {}).sign == "?"


def test_order():
    same = {seed: 96.0 + seed for seed in range(3)}
    accuracies = {
        "worst": {seed: 80.0 + seed for seed in range(3)},
        "a": same,
        "b": {0: 96.5, 1: 96.5, 2: 98.0},
        "gone": {},
        "best": {seed: 99.0 + seed for seed in range(3)},
    }
    assert order(accuracies) == "best > a ≈ b > worst"
    assert order({"only": {0: 1.0}}) == "only"
    assert order({"x": {0: 1.0}, "y": {0: 2.0}}) == "y ? x"
    assert order({}) == ""


def test_order_in_print():
    assert printed_order({"a": 1.0, "b": 3.0, "c": 3.0, "d": 2.0}) == "b = c > d > a"


OURS = {
    "high": {0: 90.0, 1: 91.0, 2: 92.0},
    "near": {0: 90.5, 1: 90.5, 2: 92.0},
    "low": {0: 80.0, 1: 81.0, 2: 83.0},
}


def test_the_same_ranking_is_called_the_same():
    pairs = against_published(OURS, {"high": 60.0, "low": 50.0})
    assert verdict(pairs) == (
        "Our ranking is the published one. Of 1 pairs: same order 1, tie 0, opposite order 0."
    )


def test_a_tie_is_called_a_tie():
    pairs = against_published(OURS, {"high": 60.0, "near": 55.0, "low": 50.0})
    assert verdict(pairs) == (
        "Our ranking leaves open what the published one decides, and contradicts nothing. "
        "Of 3 pairs: same order 2, tie 1, opposite order 0."
    )


def test_a_ranking_that_differs_is_called_different():
    pairs = against_published(OURS, {"low": 60.0, "near": 55.0, "high": 50.0})
    assert [(a, b) for a, b, _ in pairs] == [("low", "near"), ("low", "high"), ("near", "high")]
    # low - near: -10.5, -9.5, -9: mean -29/3; low - high: -10, -10, -9: mean -29/3, error 1/3.
    assert verdict(pairs).splitlines() == [
        "Our ranking differs from the published one. "
        "Of 3 pairs: same order 0, tie 1, opposite order 2.",
        "  published low > near, here 9.67 ± 0.44 points the other way",
        "  published low > high, here 9.67 ± 0.33 points the other way",
    ]


def test_what_is_not_known_is_not_claimed():
    one = {name: {0: by_seed[0]} for name, by_seed in OURS.items()}
    text = verdict(against_published(one, {"low": 60.0, "high": 50.0}))
    assert text == (
        "Our ranking is not known: a standard error takes two seeds. "
        "Of 1 pairs: same order 0, tie 0, opposite order 0, not known 1."
    )


def test_equal_printed_numbers_and_other_methods_are_left_out():
    assert against_published(OURS, {"high": 60.0, "near": 60.0, "unheard of": 1.0}) == []


# ---- what was printed ----


def test_published_numbers_are_those_of_the_poster():
    names = ["ERM", "SAM", "ESAM", "SS-SAM", "AE-SAM", "LookSAM", "AE-LookSAM"]
    assert list(published.TABLE1) == list(published.TABLE2) == names
    made = [ms.sam.ERM(), ms.sam.SAM(), ms.sam.ESAM(), ms.sam.SSSAM(), ms.sam.AESAM()]
    made += [ms.sam.LookSAM(), ms.sam.AELookSAM()]
    assert [method.name for method in made] == names
    # Checksums of the columns, added up from the poster.
    table1 = [by_rate[0.0] for by_rate in published.TABLE1.values()]
    assert sum(each.accuracy for each in table1) == pytest.approx(674.40)
    assert sum(each.std for each in table1) == pytest.approx(0.76)
    assert sum(each.climbed for each in table1) == pytest.approx(340.1)
    sums = {0.2: (647.43, 399.9), 0.4: (595.41, 400.0), 0.6: (513.89, 399.9), 0.8: (379.57, 400.0)}
    for rate, (accuracy, climbed) in sums.items():
        column = [by_rate[rate] for by_rate in published.TABLE2.values()]
        assert sum(each.accuracy for each in column) == pytest.approx(accuracy)
        assert sum(each.climbed for each in column) == pytest.approx(climbed)
        assert {each.std for each in column} == {None}
