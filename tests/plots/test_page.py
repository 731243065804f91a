"""The style sheet, and what every figure on disk has in common."""

import sys
from importlib.resources import files

import numpy as np
import pytest

import minisam as ms
from minisam import plots
from minisam.plots.page import write

S = np.exp(np.random.default_rng(0).normal(size=(2, 40)))
STEPS = {"s": S[0], "mean": S[1], "variance": S[0], "c": np.linspace(1, -1, 40)}
STEPS["climbed"] = (S[0] >= plots.threshold(STEPS)).astype(float)
ROWS = [
    {"method": name, "test_accuracy": 0.9 + 0.01 * i + 0.001 * seed, "evaluations": 100 * i + 100}
    for i, name in enumerate(("ERM", "SAM", "AE-SAM"))
    for seed in range(3)
]
EPOCH = {"evaluations": 20.0, "loss": 0.5, "test_accuracy": 0.9}
FIGURES = {
    "training": lambda path: plots.training_figure({"SAM": [EPOCH]}, path),
    "gradient-norms": lambda path: plots.gradient_norms_figure({"SAM": S}, path),
    "normality": lambda path: plots.normality_figure({"start": S[0], "end": S[1]}, path),
    "decisions": lambda path: plots.decisions_figure(STEPS, path),
    "cost": lambda path: plots.cost_figure(ROWS, path),
    "schematic": lambda path: plots.schematic_figure(path),
}
every = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@every
def test_one_figure_gives_one_and_the_same_file(draw, tmp_path):
    for name in ("a", "b"):
        assert draw(tmp_path / name) == (tmp_path / f"{name}.png", tmp_path / f"{name}.svg")
    for suffix in (".png", ".svg"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in "ab")
        assert first == second
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert b"<svg " in (tmp_path / "a.svg").read_bytes()


@every
def test_every_axis_has_a_label_and_every_text_its_place(draw, tmp_path, drawn, legible):
    draw(tmp_path / "f")
    legible(drawn[0])
    for axes in drawn[0].axes:
        beside = axes.get_shared_x_axes().get_siblings(axes) if not axes.get_xlabel() else [axes]
        assert any(other.get_xlabel() for other in beside)
        beside = axes.get_shared_y_axes().get_siblings(axes) if not axes.get_ylabel() else [axes]
        assert any(other.get_ylabel() for other in beside)


@every
def test_letters_are_legible_in_a_column(draw, tmp_path, drawn):
    draw(tmp_path / "f")
    sizes = [text.get_fontsize() for text in drawn[0].findobj(lambda a: hasattr(a, "get_fontsize"))]
    width = drawn[0].get_size_inches()[0]
    # Set in a column of 3.4 inches; the figure of `minisam train` is for a page of 6.5.
    column = 6.5 if width == 9 else 3.4
    assert min(sizes) * column / width >= 5.5


@every
def test_without_matplotlib_the_error_names_the_remedy(draw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[plots\]'"):
        draw(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_the_callers_matplotlib_is_left_alone_and_leaves_no_trace(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        FIGURES["schematic"](tmp_path / "a")
        assert dict(matplotlib.rcParams) == before
    FIGURES["schematic"](tmp_path / "b")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    plot = sys.modules.get("matplotlib.pyplot")
    assert plot is None or plot.get_fignums() == []


def test_the_style_sheet_is_a_users_too():
    from matplotlib import rcParams, style

    assert files("minisam.plots").joinpath("minisam.mplstyle").read_text(encoding="utf-8")
    with style.context(ms.plots.style):
        assert rcParams["svg.hashsalt"] == "minisam"
        cycle = rcParams["axes.prop_cycle"].by_key()
    assert set(cycle["color"]) <= {
        "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
    }  # fmt: skip
    assert len(set(cycle["color"])) == len(cycle["color"]) == 7
    assert len(set(cycle["linestyle"][:4])) == 4
    assert len(set(zip(*cycle.values(), strict=True))) == 7


def test_what_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write(tmp_path / "nowhere" / "f", lambda figure: figure.subplots())
