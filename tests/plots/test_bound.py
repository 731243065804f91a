"""The terms of the PAC-Bayes theorem: what is drawn is what was computed."""

import pytest

from minisam.plots import bound_figure
from minisam.sharpness import Bound, complexity


def bounds():
    return [
        Bound(rho, 0.05, 50_000, 20, 2.0, 0.01, 0.01 + rho, complexity(4 / rho**2, 50_000, 20))
        for rho in (0.5, 0.05, 0.2)
    ]


def test_the_curves_are_the_terms_in_order_of_the_radius(tmp_path, drawn, legible):
    bound_figure(bounds(), tmp_path / "f", title="here")
    left, right = drawn[0].axes
    ordered = sorted(bounds(), key=lambda bound: bound.rho)
    *curves, line = left.lines
    for curve, expected in zip(
        curves,
        ([b.value for b in ordered], [b.terms.h for b in ordered], [b.highest for b in ordered]),
        strict=False,
    ):
        assert list(curve.get_xdata()) == [0.05, 0.2, 0.5]
        assert list(curve.get_ydata()) == expected
    assert set(curves[3].get_ydata()) == {0.01}
    assert set(line.get_ydata()) == {1}
    for curve, name in zip(right.lines, ("norm", "confidence", "grid"), strict=True):
        assert curve.get_label() == name
        assert list(curve.get_ydata()) == [getattr(b.terms, name) for b in ordered]
    texts = legible(drawn[0])
    assert {"here", "largest $L_S$ in the ball", "terms of $h^2$"} <= texts


@pytest.mark.parametrize("few", [[], bounds()[:1], bounds()[:1] * 2])
def test_one_radius_is_no_curve(few, tmp_path):
    with pytest.raises(ValueError, match="two radii or more"):
        bound_figure(few, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
