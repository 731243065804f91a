"""The SAM step's schematic: every arrow is computed, and labelled where it is."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam.plots import sam_step, schematic_figure
from minisam.plots.schematic import valley

W, RHO, LR = np.array([-1.6, 0.12]), 0.4, 0.25


def bowl(w):
    return np.log(np.sum(np.exp(np.array([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]]) @ w)))


@pytest.mark.parametrize("loss", [valley, bowl])
@pytest.mark.parametrize("rho", [0.05, 0.4])
def test_the_step_is_sams(loss, rho):
    step = sam_step(loss, W, rho, LR)
    g = ms.grad(loss)(W)
    assert (step.w == W).all()
    assert (step.g == g).all()
    assert np.linalg.norm(step.w_adv - W) == pytest.approx(rho, rel=1e-12)
    # ε̂ points along the gradient, uphill.
    assert step.w_adv - W == pytest.approx(rho * g / math.hypot(*g), rel=1e-12)
    assert step.w_sam == pytest.approx(W - LR * ms.sam.sam_gradient(loss, W, rho), rel=1e-12)
    assert step.g_adv == pytest.approx(ms.grad(loss)(step.w_adv), rel=1e-12)
    assert step.w_plain == pytest.approx(W - LR * g, rel=1e-12)


def test_the_valley_by_hand():
    """With H = diag(1, 10): g = Hw, ε̂ = ρ g/‖g‖, and SAM's gradient is H(w + ε̂)."""
    step = sam_step(valley, W, RHO, LR)
    h = np.array([1.0, 10.0])
    assert step.g == pytest.approx([-1.6, 1.2])  # of length 2
    assert step.w_adv == pytest.approx([-1.6 - 0.32, 0.12 + 0.24])
    assert step.g_adv == pytest.approx(h * [-1.92, 0.36])
    assert step.w_plain == pytest.approx([-1.2, -0.18])
    assert step.w_sam == pytest.approx([-1.12, -0.78])


def arrows(axes):
    """Tail and head of each."""
    return [(np.array(note.xyann), np.array(note.xy)) for note in axes.texts if note.arrow_patch]


def test_the_figure_shows_the_step(tmp_path, drawn, legible):
    schematic_figure(tmp_path / "f", title="here")
    texts = legible(drawn[0])
    for label in (
        "$w_t$",
        r"$w_\mathrm{adv} = w_t + \hat\epsilon$",
        "$w_{t+1}$",
        r"$w_{t+1}^\mathrm{SAM}$",
    ):
        assert label in texts
    assert {r"$-\eta\,\nabla L(w_t)$", r"$\hat\epsilon$", "here", "$w_1$", "$w_2$"} <= texts
    step = sam_step(valley, W, RHO, LR)
    (axes,) = drawn[0].axes
    ends = [np.concatenate(arrow) for arrow in arrows(axes)]
    for tail, head in (
        (step.w, step.w_adv),
        (step.w, step.w_plain),
        (step.w, step.w_sam),
        (step.w_adv, step.w_adv - LR * step.g_adv),
    ):
        assert any(np.allclose([*tail, *head], end, rtol=0, atol=1e-12) for end in ends)
    circle = axes.lines[0].get_xydata()
    assert np.linalg.norm(circle - W, axis=1) == pytest.approx(RHO, rel=1e-12)
    assert axes.get_aspect() == 1  # or the circle would not be one, nor angles right
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for x, y in (*circle, step.w_sam, step.w_plain):
        assert left < x < right
        assert low < y < high


def test_no_label_lies_on_an_arrow(tmp_path, drawn, legible):
    from matplotlib.path import Path

    schematic_figure(tmp_path / "f")
    legible(drawn[0])  # which lays the figure out
    (axes,) = drawn[0].axes
    labels = [note for note in axes.texts if note.get_text()]
    assert len(labels) == 8
    for arrow in arrows(axes):
        line = Path(axes.transData.transform(arrow))
        assert not [note for note in labels if line.intersects_bbox(note.get_tightbbox())]


def test_contours_are_those_of_the_loss(tmp_path, drawn):
    schematic_figure(tmp_path / "f", bowl)
    (lines,) = drawn[0].axes[0].collections
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        found = [float(bowl(point)) for point in path.vertices]
        assert found == pytest.approx([level] * len(found), rel=1e-2, abs=1e-2)


@pytest.mark.parametrize(
    ("w", "rho", "lr"), [((1.0,), 1, 1), ((1.0, 0.0), 0, 1), ((1.0, 0.0), 1, -1)]
)
def test_what_is_no_step_in_the_plane_is_refused(w, rho, lr, tmp_path):
    with pytest.raises(ValueError, match="two numbers, rho and lr positive"):
        schematic_figure(tmp_path / "f", w=w, rho=rho, lr=lr)
    with pytest.raises(ValueError, match=r"no step to draw, the gradient is \[0. 0.\] at"):
        schematic_figure(tmp_path / "f", w=(0.0, 0.0))
    with pytest.raises(ValueError, match=r"\[1. 0.\] at \[0. 0.\] and \[0. 0.\] at \[1. 0.\]"):
        schematic_figure(tmp_path / "f", lambda w: w[0] - w[0] ** 2 / 2, (0.0, 0.0), rho=1.0)
    assert list(tmp_path.iterdir()) == []
