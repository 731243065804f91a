"""The figure of training runs shows what it was given, on axes that say what they are."""

import struct
import xml.etree.ElementTree as ElementTree

import pytest

from minisam.plots import training_figure

HISTORIES = {
    "SAM": [
        {"evaluations": 40.0 * e, "loss": 1 / e, "test_accuracy": 1 - 0.1 / e} for e in range(1, 9)
    ],
    "ERM (same epochs)": [
        {"evaluations": 20.0 * e, "loss": 2 / e, "test_accuracy": 1 - 0.2 / e} for e in range(1, 9)
    ],
}


@pytest.fixture
def figure(drawn, tmp_path):
    training_figure(HISTORIES, tmp_path / "f.png", title="here")
    return drawn[0]


def test_both_files_are_images_of_one_size(tmp_path):
    png, svg = training_figure(HISTORIES, tmp_path / "a folder.png")
    assert (png, svg) == (tmp_path / "a folder.png", tmp_path / "a folder.svg")
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1800, 740)
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("648pt", "266.4pt")


def test_curves_are_the_histories(figure):
    loss, accuracy = figure.axes
    for axes, key, scale in ((loss, "loss", 1), (accuracy, "test_accuracy", 100)):
        assert [line.get_label() for line in axes.lines] == list(HISTORIES)
        for line, entries in zip(axes.lines, HISTORIES.values(), strict=True):
            assert list(line.get_xdata()) == [entry["evaluations"] for entry in entries]
            assert list(line.get_ydata()) == [scale * entry[key] for entry in entries]


def test_axes_name_quantity_and_unit(figure):
    loss, accuracy = figure.axes
    assert {axes.get_xlabel() for axes in figure.axes} == {"gradient evaluations (batches)"}
    assert loss.get_ylabel() == "training loss, mean of each epoch (nats)"
    assert accuracy.get_ylabel() == "test accuracy (%)"
    assert loss.get_yscale() == "log"
    assert figure.get_suptitle() == "here"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(HISTORIES)


def test_curves_differ_without_their_colour(figure):
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == len(HISTORIES)
    assert len({line.get_color() for line in figure.axes[0].lines}) == len(HISTORIES)


def test_nothing_touches_the_right_edge(figure):
    end = max(axes.get_tightbbox().x1 for axes in figure.axes)
    assert end <= figure.bbox.x1 - 0.1 * figure.dpi


def test_a_loss_of_zero_has_no_logarithm(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    monkeypatch.setattr(Axes, "set_yscale", lambda *_: pytest.fail("log of 0"))
    epoch = {"evaluations": 5.0, "loss": 0.0, "test_accuracy": 1.0}
    png, _ = training_figure({"ERM": [epoch]}, tmp_path / "f")
    assert png.stat().st_size > 1000


@pytest.mark.parametrize("histories", [{}, {"SAM": []}])
def test_nothing_to_draw_is_an_error(histories, tmp_path):
    with pytest.raises(ValueError, match="at least one run, each with at least one epoch"):
        training_figure(histories, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
