"""The tester is tested: wrong rules that check_grads must reject, each for the right reason.

A mutant is a function of one flag: ``make(False)`` is a function with one thing wrong, and
``make(True)`` its correct twin, which must be accepted. The kill rate is in pytest's summary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from minisam.autodiff import (
    GradientError,
    Primitive,
    bilinear,
    elementwise,
    jointly_linear,
    linear,
    primitive,
    selection,
)
from minisam.autodiff.check import check_grads
from minisam.autodiff.primitive import unbroadcast
from minisam.autodiff.tensor import Tensor, value_of

RNG = np.random.default_rng(20240229)
X = RNG.uniform(0.3, 1.5, 4)
SQUARE = RNG.uniform(0.3, 1.5, (3, 3))
OTHER = RNG.uniform(0.3, 1.5, (3, 3))
WIDE = RNG.uniform(0.3, 1.5, (2, 3))
CUBE = RNG.uniform(0.3, 1.5, (2, 2, 2))


class Mutant(NamedTuple):
    """A way to be wrong, where to look, and what the message must say."""

    make: Callable[[bool], Any]
    args: tuple[Any, ...]
    reason: str
    options: dict[str, Any]


MUTANTS: dict[str, Mutant] = {}


def mutant(reason: str, *args: Any, **options: Any) -> Callable[[Any], Any]:
    """Add a mutant to the table under its function's name."""

    def add(make: Callable[[bool], Any]) -> Callable[[bool], Any]:
        MUTANTS[make.__name__] = Mutant(make, args, reason, options)
        return make

    return add


def nowhere(rng: np.random.Generator) -> list[Any]:
    """A domain without points: mutants are not checked as primitives."""
    return []


def sine(*partial: Any, forward: Any = np.sin, **more: Any) -> Primitive:
    """An elementwise primitive that computes a sine, with some partial derivative."""
    return elementwise("mutant", forward, *partial, domain=nowhere, **more)


def rules(forward: Any, pull: Any, push: Any) -> Primitive:
    """A primitive with these three functions."""
    return primitive("mutant", forward, pull, push, domain=nowhere)


def sine_rules(pull: Any = None, push: Any = None) -> Primitive:
    """A sine with one rule replaced."""
    return rules(
        np.sin,
        pull or (lambda i, ct, y, x: ct * np.cos(x)),
        push or (lambda tangents, y, x: tangents[0] * np.cos(x)),
    )


# Wrong numbers in an elementwise rule.


@mutant(r"wrong derivative \((forward|reverse)\): argument 0 at \(0,\)", X)
def wrong_sign(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) if ok else -np.cos(x))


@mutant("wrong derivative", X)
def factor_1e_3(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) * (1 if ok else 1.001))


@mutant("wrong derivative", X)
def factor_1e_5(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) * (1 if ok else 1 + 1e-5))


@mutant("wrong derivative.*complex step", X)
def factor_1e_9_seen_by_the_complex_step(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) * (1 if ok else 1 + 1e-9))


@mutant("wrong derivative.*difference quotient", X, analytic=False)
def factor_1e_6_seen_by_the_difference_quotient(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) * (1 if ok else 1 + 1e-6))


@mutant("wrong derivative", X.astype(np.float32))
def factor_1e_3_in_float32(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) * (1 if ok else 1.001))


@mutant("wrong derivative", X)
def square_forgotten(ok: bool) -> Any:
    return elementwise("m", np.tanh, lambda y, x: 1 - (y * y if ok else y), domain=nowhere)


@mutant("wrong derivative", X)
def output_for_input(ok: bool) -> Any:
    return elementwise("m", np.log, lambda y, x: 1 / (x if ok else y), domain=nowhere)


@mutant("wrong derivative", X)
def exponent_not_lowered(ok: bool) -> Any:
    n = 3
    return elementwise(
        "m", lambda x: x**n, lambda y, x: n * x ** (n - 1 if ok else n), domain=nowhere
    )


@mutant("wrong derivative", X, X[::-1].copy())
def partials_swapped(ok: bool) -> Any:
    partials = (lambda y, a, b: 1 / b, lambda y, a, b: -y / b)
    return elementwise("m", np.divide, *partials[:: 1 if ok else -1], domain=nowhere)


@mutant("wrong derivative.*: argument 1", X, X[::-1].copy())
def second_sign_forgotten(ok: bool) -> Any:
    return elementwise("m", np.subtract, 1, -1 if ok else 1, domain=nowhere)


@mutant("wrong derivative", np.array([-0.4, 0.7, 1.1]), analytic=False)
def slope_of_abs_ignores_the_sign(ok: bool) -> Any:
    return elementwise(
        "m",
        np.abs,
        lambda y, x: np.sign(value_of(x)) if ok else np.ones_like(value_of(x)),
        domain=nowhere,
    )


@mutant("wrong derivative", np.array([-0.4, 0.7, 2.1]), analytic=False)
def gradient_passes_a_clip(ok: bool) -> Any:
    return elementwise(
        "m",
        lambda x: np.clip(x, 0, 1),
        lambda y, x: (value_of(x) == value_of(y)) if ok else np.ones_like(value_of(x)),
        domain=nowhere,
    )


@mutant("wrong derivative", X, X[::-1].copy(), analytic=False)
def maximum_pays_the_loser(ok: bool) -> Any:
    more = lambda a, b: (value_of(a) > value_of(b)) if ok else (value_of(a) < value_of(b))  # noqa: E731
    return elementwise(
        "m",
        np.maximum,
        lambda y, a, b: more(a, b),
        lambda y, a, b: more(b, a),
        domain=nowhere,
    )


@mutant("wrong derivative.*at \\(2,\\)", X)
def wrong_at_one_coordinate(ok: bool) -> Any:
    def slope(y: Any, x: Any) -> Any:
        return np.cos(x) if ok else np.cos(x) * np.where(np.arange(x.size) == 2, 1.01, 1)

    return sine(slope)


@mutant(r"wrong derivative.*argument 0 at \(617,\)", RNG.normal(size=1000), order=1)
def wrong_at_one_coordinate_of_many(ok: bool) -> Any:
    def slope(y: Any, x: Any) -> Any:
        return np.cos(x) if ok else np.cos(x) * np.where(np.arange(x.size) == 617, 1.01, 1)

    return sine(slope)


@mutant(
    r"wrong derivative \(reverse\): argument 0 at \(617,\)",
    RNG.normal(size=1000),
    order=1,
    modes=("reverse",),
)
def wrong_at_one_coordinate_of_a_large_gradient(ok: bool) -> Any:
    weights = np.ones(1000)
    weights[617] = 1 if ok else 1.01
    return rules(
        lambda x: np.sum(np.sin(x)),
        lambda i, ct, y, x: ct * np.cos(x) * weights,
        lambda tangents, y, x: np.sum(tangents[0] * np.cos(x)),
    )


@mutant("not finite", X)
def nan_at_a_regular_point(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x) + (0 if ok else np.where(np.arange(x.size) == 1, np.nan, 0)))


SIZES = np.array([1.0, 1.0, 1e12])


@mutant(r"wrong derivative.*output at \(1,\)", X[:3])
def wrong_beside_a_large_output(ok: bool) -> Any:
    wrong = np.array([1, 1 if ok else 1.001, 1])
    return sine(lambda y, x: SIZES * np.cos(x) * wrong, forward=lambda x: SIZES * np.sin(x))


@mutant(r"wrong derivative.*output at \(1,\)", X[:3], analytic=False)
def wrong_beside_a_large_output_seen_by_the_difference_quotient(ok: bool) -> Any:
    return wrong_beside_a_large_output(ok)


@mutant("wrong derivative", X[:3].astype(np.float32), order=1)
def wrong_beside_a_large_output_in_float32(ok: bool) -> Any:
    sizes, wrong = SIZES.astype(np.float32), np.array([1, 1 if ok else 1.001, 1], np.float32)
    return sine(lambda y, x: sizes * np.cos(x) * wrong, forward=lambda x: sizes * np.sin(x))


# One mode right, the other wrong.


@mutant(r"wrong derivative \(forward\)", X)
def only_the_jvp_is_wrong(ok: bool) -> Any:
    return sine_rules(push=lambda tangents, y, x: tangents[0] * np.cos(x) * (1 if ok else 1.001))


@mutant(r"wrong derivative \(reverse\)", X)
def only_the_vjp_is_wrong(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: ct * np.cos(x) * (1 if ok else 1.001))


@mutant("adjoint", X, analytic=False)
def vjp_off_by_less_than_a_difference_sees(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: ct * np.cos(x) * (1 if ok else 1 + 1e-9))


@mutant(r"wrong derivative \(forward\): argument 1", X, X[::-1].copy())
def second_tangent_ignored_when_both_vary(ok: bool) -> Any:
    def push(tangents: Any, y: Any, a: Any, b: Any) -> Any:
        ta, tb = tangents
        if ta is None:
            return a * tb
        return ta * b + a * tb if ok and tb is not None else ta * b

    return rules(np.multiply, lambda i, ct, y, a, b: ct * (b, a)[i], push)


@mutant(r"(error|wrong derivative) \(forward\): .*", X, X[::-1].copy())
def constant_argument_forgotten(ok: bool) -> Any:
    def push(tangents: Any, y: Any, a: Any, b: Any) -> Any:
        ta, tb = tangents
        if ok:
            ta = np.zeros(a.shape) if ta is None else ta
            tb = np.zeros(b.shape) if tb is None else tb
        return ta * b + a * tb

    return rules(np.multiply, lambda i, ct, y, a, b: ct * (b, a)[i], push)


# Right first derivatives, wrong higher ones.


@mutant("wrong derivative.* over ", X)
def intermediate_saved_as_a_constant(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x if ok else value_of(x)))


@mutant("wrong derivative.* over reverse.*cotangent 1", X)
def cotangent_taken_as_a_constant(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: (ct if ok else value_of(ct)) * np.cos(x))


@mutant("wrong derivative.* over forward.*tangent 1", X)
def tangent_taken_as_a_constant(ok: bool) -> Any:
    return sine_rules(
        push=lambda ts, y, x: (ts[0] if ok else value_of(ts[0])) * np.cos(x),
    )


@mutant("wrong derivative.* over ", X)
def second_derivative_wrong(ok: bool) -> Any:
    slope = elementwise(
        "mutant slope", np.cos, lambda y, x: -np.sin(x) * (1 if ok else 1.001), domain=nowhere
    )
    return sine(lambda y, x: slope(x))


@mutant("wrong derivative.* over .* over ", X, order=3)
def third_derivative_wrong(ok: bool) -> Any:
    curvature = elementwise(
        "mutant curvature",
        lambda x: -np.sin(x),
        lambda y, x: -np.cos(x) * (1 if ok else 1.001),
        domain=nowhere,
    )
    slope = elementwise("mutant slope", np.cos, lambda y, x: curvature(x), domain=nowhere)
    return sine(lambda y, x: slope(x))


@mutant("symmetry", X, analytic=False)
def hessian_slightly_asymmetric(ok: bool) -> Any:
    a = np.diag([1.0, 2.0, 3.0, 4.0])
    a[0, 1] += 0 if ok else 1e-10
    return rules(
        lambda x: 0.5 * x @ np.diag(np.diag(a)) @ x,
        lambda i, ct, y, x: ct * (a @ x),
        lambda tangents, y, x: np.sum(tangents[0] * (a @ x)),
    )


@mutant("wrong derivative", SQUARE)
def mean_of_a_normalisation_held_fixed(ok: bool) -> Any:
    def normalise(x: Any) -> Any:
        mean = np.mean(x, axis=0)
        return (x - (mean if ok else value_of(mean))) ** 3

    return normalise


# Linear primitives and their transposes.


@mutant("wrong derivative", SQUARE)
def sum_for_mean(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: np.mean(x, axis=0),
        lambda ct, x: np.broadcast_to(ct / (len(x) if ok else 1), x.shape),
        domain=nowhere,
    )


@mutant("wrong derivative", SQUARE)
def keepdims_forgotten(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: np.sum(x, axis=1),
        lambda ct, x: np.broadcast_to(ct[:, None] if ok else ct, x.shape),
        domain=nowhere,
    )


@mutant("wrong derivative", X)
def cumsum_not_reversed(ok: bool) -> Any:
    return linear(
        "m",
        np.cumsum,
        lambda ct, x: np.flip(np.cumsum(np.flip(ct))) if ok else np.cumsum(ct),
        domain=nowhere,
    )


@mutant("wrong derivative", CUBE)
def permutation_not_inverted(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: np.transpose(x, (1, 2, 0)),
        lambda ct, x: np.transpose(ct, (2, 0, 1) if ok else (1, 2, 0)),
        domain=nowhere,
    )


@mutant("wrong derivative", X)
def pad_off_by_one(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: np.pad(x, (1, 2)),
        lambda ct, x: ct[1:-2] if ok else ct[2:-1],
        domain=nowhere,
    )


@mutant("wrong derivative", X)
def slice_off_by_one(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: x[1:3],
        lambda ct, x: np.pad(ct, (1, 1) if ok else (0, 2)),
        domain=nowhere,
    )


def _scatter(ct: Any, x: Any, index: Any, add: bool) -> Any:
    out = np.zeros(x.shape)
    if add:
        np.add.at(out, index, ct)
    else:
        out[index] = ct
    return out


@mutant("wrong derivative", X, order=1)
def duplicate_index_lost(ok: bool) -> Any:
    index = [0, 2, 2]
    return linear(
        "m", lambda x: x[index], lambda ct, x: _scatter(ct, x, index, add=ok), domain=nowhere
    )


@mutant("wrong derivative", X, order=1)
def negative_index_misread(ok: bool) -> Any:
    back = [-1 if ok else -2]
    return linear(
        "m", lambda x: x[[-1]], lambda ct, x: _scatter(ct, x, back, add=True), domain=nowhere
    )


@mutant("wrong derivative", X)
def repeats_grouped_wrongly(ok: bool) -> Any:
    return linear(
        "m",
        lambda x: np.repeat(x, 3),
        lambda ct, x: np.sum(np.reshape(ct, (4, 3) if ok else (3, 4)), axis=1 if ok else 0),
        domain=nowhere,
    )


@mutant("wrong derivative", RNG.normal(size=6), order=1)
def correlation_not_flipped(ok: bool) -> Any:
    kernel = np.array([1.0, 2.0, -3.0])
    return linear(
        "m",
        lambda x: np.convolve(x, kernel, "valid"),
        lambda ct, x: np.convolve(ct, kernel[::-1] if ok else kernel, "full"),
        domain=nowhere,
    )


@mutant("wrong derivative.*argument 1", X, X[:2].copy())
def parts_start_too_early(ok: bool) -> Any:
    starts = (0, 4 if ok else 3)
    return jointly_linear(
        "m",
        lambda *arrays: np.concatenate(arrays),
        lambda i, ct, *arrays: ct[starts[i] : starts[i] + arrays[i].size],
        domain=nowhere,
    )


@mutant("wrong derivative", X, X[::-1].copy())
def branches_swapped(ok: bool) -> Any:
    mask = np.array([True, False, False, True])
    return jointly_linear(
        "m",
        lambda a, b: np.where(mask, a, b),
        lambda i, ct, a, b: ct * (mask if (i == 0) == ok else ~mask),
        domain=nowhere,
    )


# Bilinear primitives.


def _matmul(transpose_a: Any, transpose_b: Any) -> Primitive:
    return bilinear("m", np.matmul, transpose_a, transpose_b, domain=nowhere)


@mutant(r"wrong derivative.*argument 0 at \(0, 0\)", SQUARE, OTHER)
def transpose_missing(ok: bool) -> Any:
    return _matmul(lambda ct, a, b: ct @ (b.T if ok else b), lambda ct, a, b: a.T @ ct)


@mutant("wrong derivative.*argument 1", SQUARE, OTHER)
def factors_in_the_wrong_order(ok: bool) -> Any:
    return _matmul(lambda ct, a, b: ct @ b.T, lambda ct, a, b: a.T @ ct if ok else ct @ a.T)


@mutant("error|shape", WIDE, SQUARE)
def right_for_square_matrices_only(ok: bool) -> Any:
    return _matmul(lambda ct, a, b: ct @ b.T, lambda ct, a, b: (a.T if ok else a) @ ct)


@mutant("shape", SQUARE, X[:3].copy())
def broadcast_sum_dropped(ok: bool) -> Any:
    return rules(
        np.multiply,
        lambda i, ct, y, a, b: unbroadcast(ct * (b, a)[i], (a, b)[i]) if ok else ct * (b, a)[i],
        lambda ts, y, a, b: (
            (0 if ts[0] is None else ts[0] * b) + (0 if ts[1] is None else a * ts[1])
        ),
    )


@mutant("wrong derivative.*argument 1", SQUARE, X[:3].copy())
def broadcast_sum_over_the_wrong_axis(ok: bool) -> Any:
    return rules(
        np.multiply,
        lambda i, ct, y, a, b: ct * b if i == 0 else np.sum(ct * a, axis=0 if ok else 1),
        lambda ts, y, a, b: (
            (0 if ts[0] is None else ts[0] * b) + (0 if ts[1] is None else a * ts[1])
        ),
    )


@mutant("shape", RNG.uniform(0.3, 1.5, (1, 3)))
def axis_of_length_one_squeezed(ok: bool) -> Any:
    return sine_rules(
        pull=lambda i, ct, y, x: ct * np.cos(x) if ok else np.squeeze(ct * np.cos(x)),
    )


# Selections and reductions.


def _gather() -> Primitive:
    return linear(
        "m gather",
        lambda x, chosen: np.sum(x * chosen, axis=1),
        lambda ct, x, chosen: ct[:, None] * chosen,
        domain=nowhere,
    )


@mutant("wrong derivative", SQUARE)
def maximum_of_the_wrong_axis(ok: bool) -> Any:
    def choose(y: Any, x: Any) -> Any:
        best = np.max(x, axis=1, keepdims=True) if ok else np.max(x, axis=0, keepdims=True)
        return (x == best).astype(x.dtype)

    return selection("m", lambda x: np.max(x, axis=1), choose, _gather(), domain=nowhere)


@mutant("wrong derivative", SQUARE)
def minimum_chosen_for_maximum(ok: bool) -> Any:
    pick = np.max if ok else np.min
    return selection(
        "m",
        lambda x: np.max(x, axis=1),
        lambda y, x: (x == pick(x, axis=1, keepdims=True)).astype(x.dtype),
        _gather(),
        domain=nowhere,
    )


@mutant("wrong derivative", SQUARE, analytic=False)
def ties_counted_twice(ok: bool) -> Any:
    """Of two copies of each row the maximum is tied; the weights must still sum to 1."""

    def choose(y: Any, x: Any) -> Any:
        ties = (x == y[:, None]).astype(x.dtype)
        return ties / np.sum(ties, axis=1, keepdims=True) if ok else ties

    largest = selection("m", lambda x: np.max(x, axis=1), choose, _gather(), domain=nowhere)
    return lambda x: largest(np.concatenate([x, x], axis=1))


@mutant("wrong derivative", X, analytic=False, order=1)
def permutation_of_sort_not_inverted(ok: bool) -> Any:
    def pull(i: int, ct: Any, y: Any, x: Any) -> Any:
        order = np.argsort(x)
        return ct[np.argsort(order) if ok else order]

    return rules(np.sort, pull, lambda tangents, y, x: tangents[0][np.argsort(x)])


@mutant("wrong derivative", SQUARE)
def softmax_over_the_wrong_axis(ok: bool) -> Any:
    def softmax(x: Any) -> Any:
        e = np.exp(x)
        return e / np.sum(e, axis=1, keepdims=True)

    def project(t: Any, y: Any) -> Any:
        return y * (t - np.sum(t * y, axis=1 if ok else 0, keepdims=True))

    return rules(softmax, lambda i, ct, y, x: project(ct, y), lambda ts, y, x: project(ts[0], y))


@mutant("wrong derivative", X)
def weights_not_normalised(ok: bool) -> Any:
    def weights(y: Any, x: Any) -> Any:
        return np.exp(x - y) if ok else np.exp(x)

    return rules(
        lambda x: np.log(np.sum(np.exp(x))),
        lambda i, ct, y, x: ct * weights(y, x),
        lambda ts, y, x: np.sum(ts[0] * weights(y, x)),
    )


@mutant("wrong derivative", SQUARE)
def wrong_label_in_the_cross_entropy(ok: bool) -> Any:
    labels = np.array([0, 1, 1])

    def forward(z: Any) -> Any:
        return np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(3), labels]

    def slope(z: Any) -> Any:
        e = np.exp(z)
        onehot = np.eye(3)[labels if ok else (labels + 1) % 3]
        return e / np.sum(e, axis=1, keepdims=True) - onehot

    return rules(
        forward,
        lambda i, ct, y, z: ct[:, None] * slope(z),
        lambda ts, y, z: np.sum(ts[0] * slope(z), axis=1),
    )


@mutant("not finite", np.array([1.5, 0.0, 2.0]))
def product_divided_by_its_factors(ok: bool) -> Any:
    def others(y: Any, x: Any) -> Any:
        if not ok:
            with np.errstate(all="ignore"):
                return y / x
        a, b, c = x[0:1], x[1:2], x[2:3]
        return np.concatenate([b * c, a * c, a * b])

    return rules(
        np.prod,
        lambda i, ct, y, x: ct * others(y, x),
        lambda ts, y, x: np.sum(ts[0] * others(y, x)),
    )


@mutant("wrong derivative", X)
def norm_not_divided(ok: bool) -> Any:
    def slope(y: Any, x: Any) -> Any:
        return x / y if ok else x

    return rules(
        lambda x: np.sqrt(np.sum(x * x)),
        lambda i, ct, y, x: ct * slope(y, x),
        lambda ts, y, x: np.sum(ts[0] * slope(y, x)),
    )


# Contracts: linearity, dtype, memory, layout.


@mutant("zero", X)
def affine_in_the_cotangent(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: ct * np.cos(x) + (0 if ok else 1e-3))


@mutant("linear", X[:1])
def magnitude_of_the_cotangent(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: (ct if ok else np.abs(ct)) * np.cos(x))


@mutant("linear", X[:1])
def large_tangents_dropped(ok: bool) -> Any:
    return sine_rules(push=lambda ts, y, x: ts[0] * np.cos(x) * (1 if ok else ts[0] < 1.6))


@mutant("linear", X)
def cotangent_clipped(ok: bool) -> Any:
    return sine_rules(pull=lambda i, ct, y, x: (ct if ok else np.clip(ct, -10, 10)) * np.cos(x))


@mutant("dtype|wrong derivative", X, order=1)
def result_in_float32(ok: bool) -> Any:
    """The engine gives cotangents their dtype back, but not their digits."""
    dtype = np.float64 if ok else np.float32
    return sine_rules(pull=lambda i, ct, y, x: np.asarray(ct * np.cos(x), dtype))


@mutant("dtype", X.astype(np.float32), order=1)
def result_in_float64(ok: bool) -> Any:
    dtype = np.float32 if ok else np.float64
    return sine_rules(push=lambda ts, y, x: np.asarray(ts[0] * np.cos(x), dtype))


@mutant("mutation.*argument 0", X)
def forward_writes_into_its_input(ok: bool) -> Any:
    def forward(x: Any) -> Any:
        if not ok:
            x += 1e-9
        return np.sin(x)

    return sine(lambda y, x: np.cos(x), forward=forward)


@mutant("error.*read-only", X, order=1)
def rule_writes_into_the_input(ok: bool) -> Any:
    return sine_rules(
        pull=lambda i, ct, y, x: ct * np.cos(x) if ok else ct * np.cos(x, out=x),
    )


@mutant("mutation.*the cotangent", X, order=1)
def rule_writes_into_the_cotangent(ok: bool) -> Any:
    return sine_rules(
        pull=lambda i, ct, y, x: np.multiply(ct, np.cos(x), out=None if ok else ct),
    )


@mutant("mutation.*the tangent", X, order=1)
def rule_writes_into_the_tangent(ok: bool) -> Any:
    return sine_rules(
        push=lambda ts, y, x: np.multiply(ts[0], np.cos(x), out=None if ok else ts[0]),
    )


@mutant("aliasing.*a second call changed", X, order=1)
def rule_writes_into_the_value(ok: bool) -> Any:
    return rules(
        np.exp,
        lambda i, ct, y, x: np.multiply(ct, y, out=None if ok else y),
        lambda ts, y, x: ts[0] * y,
    )


@mutant("aliasing.*argument 0", X, order=1)
def constant_handed_out(ok: bool) -> Any:
    """Not the input: of that the engine keeps a copy of its own, and hands out none of it."""
    c = X[::-1].copy()
    return rules(
        lambda x: np.sum(c * x),
        lambda i, ct, y, x: c if not ok and ct == 1 else ct * c,
        lambda ts, y, x: np.sum(ts[0] * c),
    )


@mutant("aliasing.*memory of the last result", X, order=1)
def value_handed_out(ok: bool) -> Any:
    return rules(
        np.exp,
        lambda i, ct, y, x: y if not ok and np.all(ct == 1) else ct * y,
        lambda ts, y, x: ts[0] * y,
    )


@mutant("aliasing", X, order=1)
def buffer_reused(ok: bool) -> Any:
    buffer = np.empty_like(X)
    return sine_rules(
        pull=lambda i, ct, y, x: np.multiply(ct, np.cos(x), out=None if ok else buffer),
    )


@mutant("aliasing", X, X[::-1].copy(), order=1)
def one_array_for_two_arguments(ok: bool) -> Any:
    """The engine copies what comes out twice, so that this needs a rule that remembers."""
    memory: dict[int, Any] = {}

    def pull(i: int, ct: Any, y: Any, a: Any, b: Any) -> Any:
        return ct * 1.0 if ok else memory.setdefault(0, ct * 1.0)

    return rules(np.add, pull, lambda ts, y, a, b: sum(t for t in ts if t is not None))


@mutant("layout|wrong derivative", SQUARE, order=1)
def right_for_contiguous_input_only(ok: bool) -> Any:
    order = "C" if ok else "K"
    return sine_rules(
        pull=lambda i, ct, y, x: ct * np.cos(np.ravel(x, order=order).reshape(x.shape)),
    )


@mutant("error.*boom", X, order=1)
def rule_that_raises(ok: bool) -> Any:
    def pull(i: int, ct: Any, y: Any, x: Any) -> Any:
        if not ok:
            raise ZeroDivisionError("boom")
        return ct * np.cos(x)

    return sine_rules(pull=pull)


# Complex numbers must not mislead.


@mutant("wrong derivative.*difference quotient", X)
def complex_forward_agrees_with_the_wrong_rule(ok: bool) -> Any:
    """On complex input it is the cosine, whose derivative the wrong rule has."""

    def forward(x: Any) -> Any:
        return np.cos(x) if np.iscomplexobj(x) and not ok else np.sin(x)

    return sine(lambda y, x: np.cos(x) if ok else -np.sin(x), forward=forward)


@mutant("not analytic", X, analytic=True, order=1)
def imaginary_part_conjugated(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x), forward=lambda x: np.sin(x if ok else np.conj(x)))


@mutant("not analytic", X, analytic=True, order=1)
def imaginary_part_dropped(ok: bool) -> Any:
    return sine(lambda y, x: np.cos(x), forward=lambda x: np.sin(x if ok else np.real(x)))


# Functions, not rules, that are wrong.


@mutant("vacuous", X)
def result_cut_off(ok: bool) -> Any:
    return lambda x: np.sin(x if ok else value_of(x))


@mutant("vacuous", X)
def argument_ignored(ok: bool) -> Any:
    return lambda x: np.sin(x) if ok else np.ones(3)


@mutant("wrong derivative", X)
def half_of_it_cut_off(ok: bool) -> Any:
    return lambda x: np.sin(x) * (x if ok else value_of(x))


@mutant("value", X)
def another_function_for_tensors(ok: bool) -> Any:
    return lambda x: np.sin(x) + (0 if ok or type(x) is not Tensor else 1)


pytestmark = pytest.mark.usefixtures("scratch_primitives")


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_rejected(name: str, record_property: Callable[[str, Any], None]) -> None:
    make, args, reason, options = MUTANTS[name]
    record_property("mutant", "survived")
    with pytest.raises(GradientError, match=reason):
        check_grads(make(False), tuple(np.array(a) for a in args), **options)
    record_property("mutant", "killed")


@pytest.mark.parametrize("name", MUTANTS)
def test_twin_is_accepted(name: str) -> None:
    make, args, _, options = MUTANTS[name]
    check_grads(make(True), args, **options)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("make", [magnitude_of_the_cotangent, large_tangents_dropped])
def test_what_is_not_linear_is_seen_for_any_seed(make: Callable[[bool], Any], seed: int) -> None:
    with pytest.raises(GradientError, match=r"mutant: linear \((reverse|forward)\)"):
        check_grads(make(False), (X[:1],), order=1, seed=seed)


def test_third_derivative_needs_order_3() -> None:
    check_grads(third_derivative_wrong(False), (X,), order=2)


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 60
