"""Figure 1 of the AE-SAM poster: the curve is the mean, the band the range."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam.plots import epoch_means, gradient_norms_figure


def test_epoch_means_by_hand():
    assert epoch_means(np.array([1.0, 2.0, 3.0, 10.0, 0.0, 2.0]), 2).tolist() == [2.0, 4.0]


@pytest.mark.parametrize(("shape", "epochs"), [((7,), 2), ((0,), 1), ((4,), 0), ((2, 2), 2)])
def test_steps_that_do_not_fill_the_epochs_are_refused(shape, epochs):
    with pytest.raises(ValueError, match=rf"of {epochs} epochs"):
        epoch_means(np.ones(shape), epochs)


def test_infinite_thresholds_record_the_norms_of_sam_and_erm():
    """What the figure relies on: the recording runs are SAM and ERM, and s is ‖∇L_B(w_t)‖²."""
    data = ms.data.load("digits", train=120, test=50)
    model = ms.nn.mlp([64, 8, 10])

    def run(method):
        return ms.train(
            model, data, method, ms.optimizers.SGD(0.1), epochs=2, batch_size=40, progress=False
        )

    for inf, plain in ((-math.inf, ms.sam.SAM(0.1)), (math.inf, ms.sam.ERM())):
        recorded, same = run(ms.sam.AESAM(0.1, inf, inf)), run(plain)
        assert (recorded.w == same.w).all()
        assert recorded.evaluations == same.evaluations
        assert epoch_means(recorded.steps["s"], 2).shape == (2,)


def test_the_curve_is_the_mean_over_seeds_and_the_band_their_range(tmp_path, drawn):
    norms = {
        "SAM": np.array([[4.0, 1.0, 0.25], [2.0, 3.0, 0.75], [3.0, 2.0, 0.5]]),
        "ERM": np.array([[8.0, 2.0, 1.0]]),
    }
    gradient_norms_figure(norms, tmp_path / "f", title="here")
    (axes,) = drawn[0].axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[3.0, 2.0, 0.5], [8.0, 2.0, 1.0]]
    assert [line.get_label() for line in axes.lines] == list(norms)
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    band = axes.collections[0].get_paths()[0].vertices
    for epoch, low, high in ((1, 2.0, 4.0), (2, 1.0, 3.0), (3, 0.25, 0.75)):
        assert {y for x, y in band if x == epoch} == {low, high}
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_title()) == ("epoch", "here")
    assert axes.get_ylabel().endswith("(nats²)")
    assert axes.get_legend().get_title().get_text() == "mean and range of the seeds"
    gradient_norms_figure({"ERM": norms["ERM"]}, tmp_path / "one")
    assert drawn[-1].axes[0].get_legend().get_title().get_text() == ""


@pytest.mark.parametrize("values", [np.ones(3), np.zeros((1, 2)), np.ones((0, 3)), [[math.nan]]])
def test_what_has_no_logarithm_is_refused(values, tmp_path):
    with pytest.raises(ValueError, match=r"positive numbers of shape \(seeds, epochs\)"):
        gradient_norms_figure({"SAM": np.asarray(values)}, tmp_path / "f")
    with pytest.raises(ValueError, match="at least one method"):
        gradient_norms_figure({}, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
