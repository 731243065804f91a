"""Slices and planes: what is drawn is what was computed."""

import numpy as np
import pytest

from minisam.plots import planes_figure, slices_figure
from minisam.sharpness import Landscape

STEPS = np.linspace(-1, 1, 11)


def line(scale, low=0.1):
    return Landscape((STEPS,), low + scale * STEPS**2)


def plane(scale, low=0.1):
    x, y = np.linspace(-1, 1, 7), np.linspace(-2, 2, 9)
    return Landscape((x, y), low + scale * (x[:, None] ** 2 + 0.1 * y**2))


def test_the_curves_are_the_slices(tmp_path, drawn, legible):
    slices = {"left": {"ERM": line(2), "SAM": line(1)}, "right": {"ERM": line(3), "SAM": line(2)}}
    slices_figure(slices, tmp_path / "f", title="here")
    for axes, (label, curves) in zip(drawn[0].axes, slices.items(), strict=True):
        assert axes.get_xlabel() == label
        assert axes.get_yscale() == "log"
        for shown, (name, expected) in zip(axes.lines, curves.items(), strict=True):
            assert shown.get_label() == name
            np.testing.assert_array_equal(shown.get_xdata(), STEPS)
            np.testing.assert_array_equal(shown.get_ydata(), expected.values)
    assert {"here", "left", "right", "loss (nats)"} <= legible(drawn[0])


@pytest.mark.parametrize(("low", "log"), [(0.0, True), (0.1, False)])
def test_where_a_loss_is_zero_or_asked_the_scale_is_plain(low, log, tmp_path, drawn):
    slices_figure({"t": {"a": line(1, low)}}, tmp_path / "f", log=log)
    assert drawn[0].axes[0].get_yscale() == "linear"


def test_planes_have_common_levels_and_x_is_the_first_direction(tmp_path, drawn, legible):
    planes = {"ERM": plane(2), "SAM": plane(1)}
    path = np.array([[0.5, 1.0], [0.0, 0.5], [0.0, 0.0]])
    paths = {"SAM": {"ten steps": path}}
    planes_figure(planes, tmp_path / "f", paths=paths, labels=("u", "v"), title="here")
    left, right, _ = drawn[0].axes
    assert left.get_xlim() == (-1, 1)
    assert left.get_ylim() == (-2, 2)
    filled = [axes.collections[0] for axes in (left, right)]
    np.testing.assert_array_equal(filled[0].levels, filled[1].levels)
    assert filled[0].levels[0] == pytest.approx(0.1)
    assert filled[0].levels[-1] == pytest.approx(plane(2).values.max())
    # SAM's plane is the lower one: it does not reach the colours of the highest levels.
    highest = [max(i for i, p in enumerate(f.get_paths()) if len(p.vertices)) for f in filled]
    assert highest[1] < highest[0]
    assert not left.lines
    curve, end = right.lines
    np.testing.assert_array_equal(np.stack(curve.get_data(), axis=1), path)
    assert curve.get_label() == "ten steps"
    assert [float(x[0]) for x in end.get_data()] == [0, 0]
    assert {"here", "ERM", "SAM", "u", "v", "ten steps"} <= legible(drawn[0])


def test_an_overflow_far_away_leaves_the_rest(tmp_path, drawn):
    broken = plane(1)
    broken.values[0, 0] = np.nan
    broken.values[-1, -1] = np.inf
    planes_figure({"a": broken}, tmp_path / "f")
    assert drawn[0].axes[0].collections[0].levels[-1] < 2


def test_a_flat_plane_and_one_that_touches_zero(tmp_path, drawn):
    planes_figure({"a": plane(0)}, tmp_path / "f")
    planes_figure({"a": plane(1, low=0.0)}, tmp_path / "g")
    for figure in drawn[::2]:
        levels = figure.axes[0].collections[0].levels
        assert (np.diff(levels) > 0).all()
        assert levels[0] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda path: slices_figure({}, path),
        lambda path: slices_figure({"t": {"a": plane(1)}}, path),
        lambda path: planes_figure({}, path),
        lambda path: planes_figure({"a": line(1)}, path),
        lambda path: planes_figure({"a": plane(np.nan)}, path),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="figure"):
        wrong(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_a_bowl_is_where_it_is(tmp_path, drawn):
    """Neither mirrored nor with its directions exchanged."""
    x, y = np.linspace(-1, 1, 41), np.linspace(-2, 2, 61)
    bowl = 0.01 + (x[:, None] - 0.5) ** 2 + 0.2 * (y + 1) ** 2
    planes_figure({"a": Landscape((x, y), bowl)}, tmp_path / "f")
    lowest = drawn[0].axes[0].collections[0].get_paths()[0].vertices
    np.testing.assert_allclose((lowest.min(axis=0) + lowest.max(axis=0)) / 2, [0.5, -1], atol=0.1)
