"""Spectra and rises: what is drawn is what was computed."""

import numpy as np
import pytest

from minisam.plots import rises_figure, spectra_figure
from minisam.sharpness import Density


def densities():
    erm = Density(np.array([[0.0, 4.0]]), np.array([[0.9, 0.1]]))
    sam = Density(np.array([[0.0, 2.0]]), np.array([[0.9, 0.1]]))
    return {"ERM": erm, "SAM": sam}


def test_the_curves_are_the_densities_with_one_width(tmp_path, drawn, legible):
    spectra_figure(densities(), tmp_path / "f", title="here")
    (axes,) = drawn[0].axes
    for curve, density in zip(axes.lines, densities().values(), strict=True):
        x = np.asarray(curve.get_xdata())
        np.testing.assert_allclose(curve.get_ydata(), density(x, 0.04))
        assert x.min() < 0 < 4 < x.max()
    assert axes.get_yscale() == "log"
    texts = legible(drawn[0])
    assert {"here", "ERM: largest 4", "SAM: largest 2"} <= texts


def test_one_eigenvalue_has_a_width_too(tmp_path, drawn):
    spectra_figure({"flat": Density(np.zeros((1, 1)), np.ones((1, 1)))}, tmp_path / "f")
    assert np.isfinite(drawn[0].axes[0].lines[0].get_ydata()).all()


def test_without_a_density_there_is_no_figure(tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        spectra_figure({}, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_models_have_colours_and_measures_have_styles(tmp_path, drawn, legible):
    rises = {
        name: {"ball maximum": [a, 2 * a], "first order": [a / 2, a]}
        for name, a in (("ERM", 0.2), ("SAM", 0.1))
    }
    rises_figure([0.1, 0.2], rises, tmp_path / "f", title="here")
    (axes,) = drawn[0].axes
    shown = {line.get_label(): line for line in axes.lines}
    for name, measured in rises.items():
        for what, values in measured.items():
            line = shown[f"{name}, {what}"]
            assert list(line.get_xdata()) == [0.1, 0.2]
            assert list(line.get_ydata()) == values
    assert len({line.get_color() for line in axes.lines}) == 2
    assert len({line.get_linestyle() for line in axes.lines}) == 2
    assert axes.get_yscale() == "log"
    assert "here" in legible(drawn[0])


def test_a_rise_of_nothing_is_drawn_on_a_plain_scale(tmp_path, drawn):
    rises_figure([0.1, 0.2], {"ERM": {"one step": [0.0, 0.1]}}, tmp_path / "f")
    assert drawn[0].axes[0].get_yscale() == "linear"
