"""AE-SAM's decisions: the threshold drawn is the one that decided."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam.plots import climbed_fraction, decisions_figure, threshold


@pytest.fixture(scope="module")
def steps():
    data = ms.data.load("digits", train=300, test=50)
    optimizer = ms.optimizers.SGD(ms.optimizers.cosine(0.1), 0.9)
    method = ms.sam.AESAM(0.1, lambda1=-1.5, lambda2=0.5)
    run = ms.train(
        ms.nn.mlp([64, 16, 10]), data, method, optimizer, epochs=6, batch_size=30, progress=False
    )
    return run.steps


def test_a_step_climbed_exactly_where_s_reaches_the_threshold(steps):
    climbed = steps["climbed"] == 1
    assert 0.2 < climbed.mean() < 0.9
    assert (climbed == (steps["s"] >= threshold(steps))).all()


def test_the_threshold_by_hand():
    steps = {"mean": [1.0, 1.0], "variance": [4.0, 9.0], "c": [0.5, -1.0]}
    assert threshold({k: np.array(v) for k, v in steps.items()}).tolist() == [2.0, -2.0]


def test_the_fractions_by_hand():
    observed, predicted = climbed_fraction(
        {"climbed": np.array([1.0, 0.0, 0.0, 1.0]), "c": np.zeros(4)}
    )
    assert observed.tolist() == [1.0, 1 / 2, 1 / 3, 1 / 2]
    assert predicted.tolist() == [0.5] * 4  # Φ(0)


def test_the_prediction_is_the_average_of_the_chances_so_far(steps):
    """Mean of Φ(-c_i) for i <= t, as a sum where `expected_fraction` has the integral."""
    _, predicted = climbed_fraction(steps)
    chances = np.array([math.erfc(c / math.sqrt(2)) / 2 for c in steps["c"]])
    sums = np.cumsum((chances[1:] + chances[:-1]) / 2) / np.arange(1, chances.size)
    assert predicted[0] == pytest.approx(chances[0], abs=1e-12)
    assert predicted[1:] == pytest.approx(sums, abs=1e-4)  # of the trapezium rule
    assert abs(predicted[-1] - ms.sam.expected_fraction(-1.5, 0.5)) < 0.01


def test_the_figure_shows_the_steps(tmp_path, drawn, legible, steps):
    decisions_figure(steps, tmp_path / "f", title="here")
    assert "here" in legible(drawn[0])
    test, often = drawn[0].axes
    lines = {line.get_label(): line for line in test.lines}
    climbed = steps["climbed"] == 1
    assert (lines["climbed"].get_ydata() == steps["s"][climbed]).all()
    assert (lines["climbed"].get_xdata() == np.flatnonzero(climbed)).all()
    assert (lines["not climbed"].get_ydata() == steps["s"][~climbed]).all()
    assert lines["climbed"].get_marker() != lines["not climbed"].get_marker()
    limit = threshold(steps)
    assert (limit <= 0).any()  # which the logarithmic axis cannot show
    shown = lines[r"$\mu_t + c_t\sigma_t$"].get_ydata()
    assert (shown[limit > 0] == limit[limit > 0]).all()
    assert np.isnan(shown[limit <= 0]).all()
    assert (lines[r"$\mu_t$"].get_ydata() == steps["mean"]).all()
    observed, predicted = climbed_fraction(steps)
    assert (often.lines[0].get_ydata() == 100 * observed).all()
    assert (often.lines[1].get_ydata() == 100 * predicted).all()


def test_other_methods_have_no_such_decisions(tmp_path, steps):
    with pytest.raises(ValueError, match=r"AESAM or AELookSAM.*there is no c, mean, s, variance"):
        decisions_figure({"climbed": np.ones(3)}, tmp_path / "f")
    with pytest.raises(ValueError, match="finite thresholds"):
        decisions_figure({**steps, "c": np.full(steps["c"].shape, math.inf)}, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
