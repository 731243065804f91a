"""Numerical derivatives against known ones, and their estimates of their own error."""

import numpy as np
import pytest

from minisam.autodiff.errors import ShapeError
from minisam.autodiff.numerical import (
    central_difference,
    complex_step,
    difference,
    rounding_noise,
)

KNOWN = {
    "sin": (lambda t: np.sin(0.7 + t), np.cos(0.7)),
    "exp": (lambda t: np.exp(3 * t), 3.0),
    "reciprocal near its pole": (lambda t: 1 / (0.3 + t), -1 / 0.09),
    "log near its end": (lambda t: np.log(0.01 + t), 100.0),
    "root near its end": (lambda t: np.sqrt(0.001 + t), 0.5 / np.sqrt(0.001)),
    "oscillation": (lambda t: np.sin(20 * t), 20.0),
    "polynomial": (lambda t: 4 + 2 * t + t**6, 2.0),
    "constant": (lambda t: 5.0 + 0 * t, 0.0),
    "flat at zero": (lambda t: t**9, 0.0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_difference_knows_its_error(name: str) -> None:
    curve, expected = KNOWN[name]
    slope = difference(curve)
    assert not slope.kinked
    assert abs(slope.value - expected) <= max(slope.error, 1e-18)
    assert slope.error <= 2e-8 * abs(expected) + 1e-11


@pytest.mark.parametrize("name", KNOWN)
def test_complex_step_is_exact(name: str) -> None:
    curve, expected = KNOWN[name]
    assert abs(complex_step(curve) - expected) <= 4e-16 * abs(expected) + 1e-100


def test_polynomials_up_to_degree_6_are_exact() -> None:
    for degree in range(1, 7):
        slope = central_difference(lambda t, n=degree: (1 + t) ** n, 2.0**-4)
        assert slope.value == pytest.approx(degree, rel=1e-13)


@pytest.mark.parametrize(
    "curve",
    [
        np.abs,
        lambda t: np.maximum(t, 0),
        lambda t: np.where(t > 0, 1.0, 0.0),  # a jump of the value
        lambda t: np.sign(t) * np.sqrt(np.abs(t)),  # a vertical tangent
        lambda t: np.sqrt(t),  # an end of the domain
        lambda t: np.abs(t - 1e-7),  # closer than the smallest step
    ],
)
def test_kinks_are_seen(curve: object) -> None:
    assert difference(curve).kinked  # type: ignore[arg-type]


def test_one_kink_among_many_is_located_with_its_slopes() -> None:
    offset = np.array([1.0, -2.0, 0.0, 3.0])
    slope = difference(lambda t: np.abs(offset + t))
    assert slope.kinked.tolist() == [False, False, True, False]
    assert slope.left[2] == pytest.approx(-1)
    assert slope.right[2] == pytest.approx(1)


def test_a_kink_nearby_makes_the_step_smaller() -> None:
    slope = difference(lambda t: np.abs(t - 1e-4) + t**2)
    assert not slope.kinked
    assert slope.value == pytest.approx(-1, rel=1e-8)


def test_size_scales_the_step() -> None:
    large = 1e6
    slope = difference(lambda t: (large + t) ** 2, size=large)
    assert slope.value == pytest.approx(2 * large, rel=1e-12)


def test_float32_evaluation_is_known_to_be_rough() -> None:
    slope = difference(lambda t: np.sin(np.float32(0.7 + t)), dtype=np.float32)
    assert not slope.kinked
    assert 1e-6 < slope.error < 1e-2
    assert abs(slope.value - np.cos(0.7)) <= slope.error


def test_complex_step_refuses_a_dropped_imaginary_part() -> None:
    with pytest.raises(np.exceptions.ComplexWarning):
        complex_step(lambda t: np.asarray(np.ones(2) + t).astype(float))


def test_each_element_has_its_own_error() -> None:
    slope = difference(lambda t: np.array([np.sin(0.7 + t), 1e12 * np.sin(0.7 + t)]))
    assert slope.error[0] < 1e-11
    assert slope.error[1] > 1e-4
    slope = difference(lambda t: np.array([np.abs(t), 1e12 * np.sin(0.7 + t)]))
    assert slope.kinked.tolist() == [True, False]


def test_noise_is_that_of_the_terms_and_no_jump() -> None:
    noise = rounding_noise(lambda t: np.array([1 + t, (1e6 + np.cos(t + 1)) - 1e6, t > 0]))
    assert noise[0] < 1e-15
    assert 1e-11 < noise[1] < 1e-8
    assert noise[2] == 0


def test_a_shape_that_changes_is_refused() -> None:
    with pytest.raises(ShapeError, match="changes within"):
        difference(lambda t: np.ones(2 if t < 1e-3 else 1))


def test_empty_curves() -> None:
    slope = difference(lambda t: np.ones((0, 2)) * t)
    assert slope.value.shape == (0, 2)
    assert not slope.kinked.any()
