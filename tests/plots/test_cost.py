"""Accuracy against gradients: averages, the Pareto front, and points at the edge."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam.plots import Cost, cost_figure, costs, pareto_front


def rows(**methods):
    return [
        {"method": name, "test_accuracy": accuracy, "evaluations": evaluations, "seed": seed}
        for name, (accuracies, evaluations) in methods.items()
        for seed, accuracy in enumerate(accuracies)
    ]


def front(*pairs):
    found = [Cost(str(i), accuracy, 0.0, cost) for i, (cost, accuracy) in enumerate(pairs)]
    return [int(cost.method) for cost in pareto_front(found)]


def test_means_and_deviations_by_hand():
    sam, erm = costs(rows(ERM=([0.8], 10), SAM=([0.9, 0.96, 0.9], 20)))
    assert (sam.method, erm.method) == ("SAM", "ERM")
    assert sam.accuracy == pytest.approx(0.92)
    assert sam.deviation == pytest.approx(statistics.stdev([0.9, 0.96, 0.9]))
    assert sam.evaluations == 20
    assert erm[1:] == (0.8, 0.0, 10.0)


def test_costs_that_differ_from_seed_to_seed_are_averaged():
    some = [
        {"method": "AE-SAM", "test_accuracy": 0.5, "evaluations": cost} for cost in (10, 14, 15)
    ]
    assert costs(some)[0].evaluations == 13


@pytest.mark.parametrize(
    "bad", [("test_accuracy", math.nan), ("test_accuracy", 97.0), ("evaluations", math.inf)]
)
def test_a_bad_run_is_named(bad, tmp_path):
    some = [{"method": "SAM", "test_accuracy": 0.5, "evaluations": 3} | dict([bad])]
    with pytest.raises(ValueError, match=r"a run of SAM has accuracy .* did not finish"):
        cost_figure(some, tmp_path / "f")
    with pytest.raises(ValueError, match="at least one run"):
        cost_figure([], tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_the_front_by_hand():
    assert front((10, 0.8), (20, 0.9), (15, 0.7), (30, 0.9), (20, 0.85)) == [0, 1]
    assert front((20, 0.9), (10, 0.8)) == [1, 0]  # the cheapest first
    assert front((10, 0.8), (10, 0.8), (10, 0.7)) == [0, 1]  # equals do not beat each other
    assert front((10, 0.8), (20, 0.8)) == [0]
    assert front((10, 0.8), (5, 0.8)) == [1]
    assert front((10, 0.5)) == [0]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=9))
def test_the_front_is_what_nothing_beats(pairs):
    found = set(front(*pairs))
    for i, (cost, accuracy) in enumerate(pairs):
        beaten = any((c <= cost and a > accuracy) or (c < cost and a >= accuracy) for c, a in pairs)
        assert (i in found) == (not beaten)


def test_the_figure_shows_means_bars_and_the_front(tmp_path, drawn, legible):
    some = rows(ERM=([0.8, 0.82], 10), SAM=([0.9, 0.94], 20), Poor=([0.7, 0.74], 15))
    cost_figure(some, tmp_path / "f", title="here")
    texts = legible(drawn[0])
    assert {"SAM 92.0 ± 2.8", "ERM 81.0 ± 1.4", "Poor 72.0 ± 2.8", "here"} <= texts
    (axes,) = drawn[0].axes
    sam, erm, poor = axes.containers
    for bars, x, y, deviation in (
        (sam, 20, 92, 2.828),
        (erm, 10, 81, 1.414),
        (poor, 15, 72, 2.828),
    ):
        assert bars.lines[0].get_xydata()[0] == pytest.approx([x, y])
        (low, high) = bars.lines[2][0].get_segments()[0][:, 1]
        assert (low, high) == pytest.approx((y - deviation, y + deviation), abs=1e-3)
    # Only what is on the front is filled.
    assert [bars.lines[0].get_markerfacecolor() for bars in axes.containers] == [
        "C0",
        "C1",
        "white",
    ]
    (stairs,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert [list(point) for point in stairs.get_xydata()] == [[10, pytest.approx(81)], [20, 92]]
    assert axes.get_xlabel() == "gradient evaluations (batches)"
    assert axes.get_ylabel() == "test accuracy (%)"
    (title,) = (legend.get_title().get_text() for legend in drawn[0].legends)
    assert "mean ± std" in title
    assert "side by side" not in title


def test_what_is_far_out_stands_at_the_edge_with_its_number(tmp_path, drawn, legible):
    near = {f"M{i}": ([0.90 + 0.01 * i], 100 + 10 * i) for i in range(6)}
    cost_figure(rows(**near, Dear=([0.93], 5000), Poor=([0.2], 120)), tmp_path / "f")
    assert {"5,000", "20.0", "Dear 93.0", "Poor 20.0"} <= legible(drawn[0])
    (axes,) = drawn[0].axes
    at = {bars.get_label().split()[0]: bars.lines[0].get_xydata()[0] for bars in axes.containers}
    assert 150 < at["Dear"][0] < 160
    assert at["Dear"][1] == pytest.approx(93)
    assert 89 < at["Poor"][1] < 90
    assert axes.get_xlim()[1] < 170
    assert axes.get_ylim()[0] > 88


def test_a_wild_method_is_drawn_where_it_is_and_its_bar_cut(tmp_path, drawn):
    near = {f"M{i}": ([0.90 + 0.01 * i], 100 + 10 * i) for i in range(6)}
    cost_figure(rows(**near, Wild=([1.0, 0.84], 125)), tmp_path / "f")
    (axes,) = drawn[0].axes
    (wild,) = (bars for bars in axes.containers if bars.get_label().startswith("Wild"))
    assert wild.lines[0].get_ydata()[0] == pytest.approx(92)
    assert wild.lines[2][0].get_segments()[0][1, 1] == pytest.approx(100)


def test_methods_of_one_cost_stand_side_by_side(tmp_path, drawn, legible):
    same = {f"M{i}": ([0.9 + 0.001 * i], 100 + 100 * (i > 4)) for i in range(10)}
    cost_figure(rows(**same), tmp_path / "f")
    legible(drawn[0])
    places = {bars.lines[0].get_xdata()[0] for bars in drawn[0].axes[0].containers}
    assert len(places) == 10
    assert {100.0, 200.0} <= places  # the best of each is where it belongs
    assert all(min(abs(x - 100), abs(x - 200)) < 10 for x in places)
    (title,) = (legend.get_title().get_text() for legend in drawn[0].legends)
    assert "side by side" in title
    assert "std" not in title  # of one seed


def test_a_method_keeps_its_marker_whatever_its_rank(tmp_path, drawn):
    markers = []
    for better in (0.9, 0.7):
        cost_figure(rows(ERM=([0.8], 10), SAM=([better], 20)), tmp_path / "a")
        axes = drawn[-1].axes[0]
        found = [(bars.get_label().split()[0], bars[0].get_marker()) for bars in axes.containers]
        markers.append(dict(found))
    assert markers[0] == markers[1]
    assert len(set(markers[0].values())) == 2


@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.9, 0.97, 1.0])
def test_one_method_alone(accuracy, tmp_path):
    assert cost_figure(rows(ERM=([accuracy], 10)), tmp_path / "f")[0].stat().st_size > 1000
