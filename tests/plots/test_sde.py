"""Figures of the SDE models show the numbers that were found, legibly."""

import numpy as np
import pytest

from minisam import sde
from minisam.plots import (
    cycle_figure,
    escape_figure,
    metric_figure,
    paths_figure,
    stationary_figure,
    weak_error_figure,
)

TITLE = "SAM on something: η = 0.05, ρ = 0.1, σ = 0.5,\n1,500 steps, 20,000 paths, seed 0"


@pytest.fixture(scope="module")
def runs():
    noise = sde.Gaussian([[0.1]])
    found, _ = sde.compare(sde.SAM, sde.wavy(), noise, eta=0.1, rho=0.2, steps=6, paths=40, every=2)
    return found


def test_paths_are_means_and_their_band_a_standard_deviation(runs, tmp_path, drawn, legible):
    paths_figure(runs, 0.1, ["f", "‖x‖"], tmp_path / "f", title=TITLE)
    for axes, observable in zip(drawn[0].axes, ["f", "‖x‖"], strict=True):
        assert [line.get_label() for line in axes.lines[:3]] == ["SAM", "SAM SDE", "SGD SDE"]
        for line, process in zip(axes.lines[:3], runs.processes, strict=True):
            np.testing.assert_allclose(line.get_xdata(), [0, 0.2, 0.4, 0.6])
            np.testing.assert_array_equal(line.get_ydata(), runs.mean(process, observable))
        band = axes.collections[0].get_paths()[0].vertices
        mean, spread = runs.mean("SAM", observable)[-1], runs.std("SAM", observable)[-1]
        ends = {round(y, 9) for x, y in band if x == pytest.approx(0.6)}
        assert ends == {round(mean - spread, 9), round(mean + spread, 9)}
        model, around = runs.mean("SAM SDE", observable), runs.std("SAM SDE", observable)
        for line, edge in zip(axes.lines[3:], (model - around, model + around), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), edge)
            assert line.get_color() == axes.lines[1].get_color()
        assert axes.get_ylabel() == f"mean of {observable}"
    assert TITLE in legible(drawn[0])


def test_weak_errors_with_their_slopes(tmp_path, drawn, legible):
    etas = np.array([0.1, 0.05, 0.025])
    errors = {"SAM SDE": etas, "SGD SDE": np.sqrt(etas)}
    standard = {name: 0.01 * error for name, error in errors.items()}
    weak_error_figure(sde.WeakError(etas, errors, standard), tmp_path / "f", title=TITLE)
    (axes,) = drawn[0].axes
    for line, error in zip(axes.lines[::3], errors.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.transpose([etas, error]))
    low, high = axes.lines[1].get_ydata(), axes.lines[2].get_ydata()
    np.testing.assert_allclose(high - low, 8 * standard["SAM SDE"])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    texts = legible(drawn[0])
    assert {TITLE, "SAM SDE: slope 1.00 ± 0.01", "SGD SDE: slope 0.50 ± 0.01"} <= texts


def test_what_lies_on_the_sde_hides_it_not(tmp_path, drawn):
    etas = np.array([0.1, 0.05])
    errors = {"SAM SDE": etas, "its drift only": etas}
    weak_error_figure(sde.WeakError(etas, errors, errors), tmp_path / "f")
    model, other = drawn[0].axes[0].lines[::3]
    assert model.get_linewidth() > 2 * other.get_linewidth()
    assert model.get_zorder() < other.get_zorder()
    assert model.get_alpha() < 0.5


def test_stationary_ratios(tmp_path, drawn, legible):
    rhos, ratios = np.array([0.1, 0.2]), {"SAM SDE": np.array([1.0, 0.99])}
    found = sde.Stationary(rhos, ratios, ratios, ratios, {"SAM SDE": np.full(2, 0.01)})
    stationary_figure(found, tmp_path / "f", title=TITLE)
    (axes,) = drawn[0].axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0.1, 1.0], [0.2, 0.99]])
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), [1, 1])
    assert {TITLE, "SAM SDE", "radius ρ"} <= legible(drawn[0])


def test_the_metric(tmp_path, drawn, legible):
    errors = {"SAM SDE": np.array([0.01, 0.02]), "SGD SDE": np.array([0.03, 0.06])}
    found = sde.Metric(np.array([0.1, 0.2]), errors, {name: 0.1 * e for name, e in errors.items()})
    metric_figure(found, tmp_path / "f", title=TITLE)
    (axes,) = drawn[0].axes
    for line, error in zip(axes.lines[::3], errors.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.transpose([[0.1, 0.2], error]))
    low, high = axes.lines[1].get_ydata(), axes.lines[2].get_ydata()
    np.testing.assert_allclose(high - low, 0.8 * errors["SAM SDE"])
    assert {TITLE, "SGD SDE", "radius ρ"} <= legible(drawn[0])


def test_escape_curves(tmp_path, drawn, legible):
    noise = sde.Gaussian.isotropic(0.3, 2)
    left = sde.escape(sde.saddle(), noise, eta=0.1, rho=0.5, radius=1.0, steps=50, paths=30)
    escape_figure(left, 0.1, tmp_path / "f", title=TITLE)
    (axes,) = drawn[0].axes
    for line, name in zip(axes.lines, ["SGD", "USAM", "DNSAM", "SAM"], strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_ydata(), left.mean(name, "inside"))
        assert line.get_xdata()[-1] == pytest.approx(5.0)
    assert {TITLE, "DNSAM"} <= legible(drawn[0])


def test_the_two_cycle_beside_its_amplitude(tmp_path, drawn, legible):
    found = sde.cycle(sde.quadratic([[1.0]], [2.0]), eta=0.2, rho=0.5, steps=100)
    cycle_figure(found, tmp_path / "f", title=TITLE)
    left, right = drawn[0].axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), found.halves)
    np.testing.assert_array_equal(left.lines[1].get_ydata(), [found.amplitude] * 2)
    np.testing.assert_array_equal(right.lines[0].get_xdata(), np.arange(80, 101))
    ends = [found.amplitude, -found.amplitude]
    np.testing.assert_allclose(right.lines[0].get_ydata()[::-1], [*ends * 10, ends[0]], rtol=1e-4)
    assert [line.get_ydata()[0] for line in right.lines[1:]] == ends
    assert {TITLE, "step", "ηλρ/(2 - ηλ)"} <= legible(drawn[0])
