"""Figure 2 of the AE-SAM poster: the statistics are SciPy's, the norms are those of training."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import minisam as ms
from minisam.plots import normality_figure, normality_test, quantiles, squared_norms

DRAW = {
    "normal": lambda rng, n: rng.normal(3, 2, n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "chi-square": lambda rng, n: 1e-8 * rng.chisquare(5, n),
    "uniform": lambda rng, n: rng.uniform(-1e6, 1e6, n),
    "left": lambda rng, n: -rng.exponential(size=n),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize("n", [5, 1000])
def test_the_statistics_are_scipys(draw, n):
    x = draw(np.random.default_rng(n), n)
    found = normality_test(x)
    assert found.skewness == pytest.approx(stats.skew(x), rel=1e-10, abs=1e-12)
    assert found.kurtosis == pytest.approx(stats.kurtosis(x), rel=1e-10, abs=1e-12)
    expected = stats.jarque_bera(x)
    assert found.jarque_bera == pytest.approx(expected.statistic, rel=1e-10)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)
    normal, z = quantiles(x)
    assert normal == pytest.approx(stats.norm.ppf((np.arange(n) + 0.5) / n), abs=1e-9)
    assert z == pytest.approx(np.sort(stats.zscore(x)), abs=1e-9)
    assert found.correlation == pytest.approx(stats.pearsonr(normal, z).statistic, rel=1e-10)


@pytest.mark.parametrize("k", [2, 8])
def test_chi_squares_have_the_moments_of_the_book(k):
    """Skewness √(8/k) and excess kurtosis 12/k, to four standard errors of 40 samples."""
    samples = np.random.default_rng(k).chisquare(k, (40, 50_000))
    found = np.array([normality_test(sample)[:2] for sample in samples])
    error = found.std(axis=0, ddof=1) / math.sqrt(40)
    assert (abs(found.mean(axis=0) - [math.sqrt(8 / k), 12 / k]) < 4 * error).all()


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_and_shift_do_not_matter(scale, shift):
    x = np.random.default_rng(0).exponential(size=50)
    assert normality_test(scale * x + shift) == pytest.approx(normality_test(x), rel=1e-6)


@pytest.mark.parametrize("x", [[], [2.0], [1.0, 1.0, 1.0], [1.0, math.nan], [[1.0, 2.0]]])
def test_a_sample_without_a_shape_is_refused(x, tmp_path):
    with pytest.raises(ValueError, match="give finite numbers, not all of them the same"):
        normality_test(np.array(x))
    with pytest.raises(ValueError, match="give finite numbers"):
        normality_figure({"x": np.array(x)}, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_squared_norms_by_hand(dtype):
    """L(B; w) = mean_i ½ (a_iᵀw)², whose gradient is mean_i (a_iᵀw) a_i."""
    rng = np.random.default_rng(1)
    batches = [rng.normal(size=(n, 4)).astype(dtype) for n in (1, 3, 6)]
    w = rng.normal(size=4).astype(dtype)
    found = squared_norms([lambda w, a=a: (a @ w) ** 2 / 2 for a in batches], w)
    expected = [np.sum((((a @ w) @ a) / len(a)).astype("float64") ** 2) for a in batches]
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, rel=1e-12 if dtype == "float64" else 1e-5)


def test_squared_norms_are_what_ae_sam_measures():
    """The same batch at the same w gives its s, and a float32 square does not overflow."""
    rng = np.random.default_rng(2)
    a, w = rng.normal(size=(5, 3)), rng.normal(size=3)

    def losses(w):
        return np.tanh(a @ w)

    method = ms.sam.AESAM()
    s = method.gradient(losses, w, method.init(w)).record["s"]
    assert squared_norms([losses], w)[0] == pytest.approx(s, rel=1e-12)
    big = np.float32(1e25) * np.ones(2, "float32")
    assert squared_norms([lambda w: w * big], np.ones(2, "float32"))[0] == pytest.approx(5e49)


def test_panels_show_the_sample_and_its_numbers(tmp_path, drawn, legible):
    rng = np.random.default_rng(3)
    samples = {"start": rng.chisquare(50, 400), "end": rng.chisquare(1, 400)}
    normality_figure(samples, tmp_path / "f", title="here")
    texts = legible(drawn[0])
    start, end, start_qq, end_qq = drawn[0].axes
    for top, bottom, (name, x) in zip(
        (start, end), (start_qq, end_qq), samples.items(), strict=True
    ):
        assert top.get_title() == name
        heights = [(bar.get_height(), bar.get_width()) for bar in top.patches]
        assert sum(h * w for h, w in heights) == pytest.approx(1)
        curve, zero = top.lines
        # Where the squared norm is 0, in deviations from the mean.
        assert zero.get_xdata()[0] == pytest.approx(-x.mean() / x.std())
        assert max(curve.get_ydata()) == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-3)
        diagonal, points = bottom.lines
        assert (diagonal.get_xdata() == diagonal.get_ydata()).all()
        assert (points.get_ydata() == quantiles(x)[1]).all()
        assert (points.get_xdata() == quantiles(x)[0]).all()
        found = normality_test(x)
        (text,) = (text for text in texts if f"skewness {found.skewness:.2f}" in text)
        assert "400 batches" in text
        assert f"excess kurtosis {found.kurtosis:.2f}" in text
        assert f"Jarque–Bera {found.jarque_bera:,.0f}" in text
        assert "5% limit 6.0" in text
    assert stats.chi2(2).ppf(0.95) == pytest.approx(6.0, abs=0.05)


def test_no_sample_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one sample"):
        normality_figure({}, tmp_path / "f")
