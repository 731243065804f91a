"""Figures: the files are what they say, and show what they were given."""

import struct
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from minisam import plots
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
def drawn(tmp_path, monkeypatch):
    """The figure object behind the files."""
    from matplotlib.figure import Figure

    figures = []
    savefig = Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    training_figure(HISTORIES, tmp_path / "f.png", title="here")
    return figures[0]


def test_both_files_are_images_of_one_size(tmp_path):
    png, svg = training_figure(HISTORIES, tmp_path / "a folder.png")
    assert (png, svg) == (tmp_path / "a folder.png", tmp_path / "a folder.svg")
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1800, 740)
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("648pt", "266.4pt")


def test_one_run_gives_one_and_the_same_file(tmp_path):
    for name in ("a", "b"):
        training_figure(HISTORIES, tmp_path / name)
    for suffix in (".png", ".svg"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in "ab")
        assert first == second


def test_curves_are_the_histories(drawn):
    loss, accuracy = drawn.axes
    for axes, key, scale in ((loss, "loss", 1), (accuracy, "test_accuracy", 100)):
        assert [line.get_label() for line in axes.lines] == list(HISTORIES)
        for line, entries in zip(axes.lines, HISTORIES.values(), strict=True):
            assert list(line.get_xdata()) == [entry["evaluations"] for entry in entries]
            assert list(line.get_ydata()) == [scale * entry[key] for entry in entries]


def test_axes_name_quantity_and_unit(drawn):
    loss, accuracy = drawn.axes
    assert {axes.get_xlabel() for axes in drawn.axes} == {"gradient evaluations (batches)"}
    assert loss.get_ylabel() == "training loss, mean of each epoch (nats)"
    assert accuracy.get_ylabel() == "test accuracy (%)"
    assert loss.get_yscale() == "log"
    assert drawn.get_suptitle() == "here"
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == list(HISTORIES)


def test_curves_differ_without_their_colour(drawn):
    assert len({line.get_linestyle() for line in drawn.axes[0].lines}) == len(HISTORIES)
    assert len({line.get_color() for line in drawn.axes[0].lines}) == len(HISTORIES)


def test_nothing_touches_the_right_edge(drawn):
    end = max(axes.get_tightbbox().x1 for axes in drawn.axes)
    assert end <= drawn.bbox.x1 - 0.1 * drawn.dpi


def test_a_loss_of_zero_has_no_logarithm(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    monkeypatch.setattr(Axes, "set_yscale", lambda *_: pytest.fail("log of 0"))
    epoch = {"evaluations": 5.0, "loss": 0.0, "test_accuracy": 1.0}
    png, _ = training_figure({"ERM": [epoch]}, tmp_path / "f")
    assert png.stat().st_size > 1000


def test_the_callers_matplotlib_is_left_alone(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    training_figure(HISTORIES, tmp_path / "f")
    assert dict(matplotlib.rcParams) == before
    plot = sys.modules.get("matplotlib.pyplot")
    assert plot is None or plot.get_fignums() == []


@pytest.mark.parametrize("histories", [{}, {"SAM": []}])
def test_nothing_to_draw_is_an_error(histories, tmp_path):
    with pytest.raises(ValueError, match="at least one run, each with at least one epoch"):
        training_figure(histories, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_error_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[plots\]'"):
        training_figure(HISTORIES, tmp_path / "f")


def test_the_palette_is_okabe_and_itos():
    assert set(plots.COLOURS) <= {
        "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
    }  # fmt: skip
    assert len(set(plots.COLOURS)) == 7
