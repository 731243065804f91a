"""What check_grads accepts, refuses, and says. The wrong rules it must reject: test_mutants."""

import inspect

import numpy as np
import pytest

import minisam as ms
from minisam.autodiff import PRIMITIVES, elementwise
from minisam.autodiff.check import check_grads
from minisam.autodiff.contracts import name_of
from minisam.autodiff.levels import draw, flat, split
from minisam.autodiff.tensor import value_of

RNG = np.random.default_rng(7)
X = RNG.uniform(0.3, 1.5, 4)
A = RNG.normal(size=(4, 3))


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (np.sin, (X,)),
        (lambda x: np.sum(np.sin(x) * x), (X,)),
        (lambda x, a: np.tanh(x @ a), (X, A)),
        (lambda x: x, (X,)),
        (lambda x, y: x * y, (np.array(2.0), np.array(3.0))),
        (lambda x, n: np.sum(x, axis=n), (A, 1)),
        (lambda names, x: x * len(names), (["a", "b"], X)),
        (lambda x, y: x + 0 * y.sum(), (X, A)),
        (np.exp, (np.float64(0.3),)),
        (np.exp, (np.zeros((0, 3)),)),
        (lambda x: np.sum(x), (np.zeros((0, 3)),)),
        (lambda x: x[2:2], (X,)),
        (lambda x: np.log(x), (1e-3 * X,)),
        (lambda x: x**3, (1e4 * X,)),
        (lambda x: 1e-8 * np.sin(x), (X,)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_derivatives_are_accepted(f, args, dtype) -> None:
    cast = tuple(a.astype(dtype) if hasattr(a, "dtype") else a for a in args)
    assert check_grads(f, cast, order=2) is None


@pytest.mark.parametrize("modes", [("reverse",), ("forward",), ["forward", "reverse"]])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_mix_of_modes(modes, order) -> None:
    check_grads(lambda x, a: np.tanh(x @ a), (X, A), order, modes)


def test_a_thousand_variables() -> None:
    x = RNG.normal(size=(50, 20))
    check_grads(lambda x: np.sum(np.tanh(x) ** 2, axis=0), (x,))


# Nothing passes for want of anything to check.


@pytest.mark.parametrize("args", [(), (1,), (1.0,), (np.arange(3),), ([1.0, 2.0],)])
def test_no_variable(args) -> None:
    with pytest.raises(ValueError, match="no array of floats"):
        check_grads(lambda *xs: np.ones(3), args)


def test_arguments_are_a_tuple() -> None:
    with pytest.raises(TypeError, match=r"check_grads: args is a tuple, as \(w,\); got a ndarray"):
        check_grads(np.sin, X)
    with pytest.raises(TypeError, match=r"jvp: args and tangents are tuples, as \(w,\) and \(v,\)"):
        ms.jvp(np.sin, X, (X,))
    with pytest.raises(TypeError, match=r"as \(w,\) and \(v,\); got a ndarray"):
        ms.jvp(np.sin, (X,), X)


@pytest.mark.parametrize("options", [{"order": 0}, {"modes": ()}, {"modes": ("backward",)}])
def test_no_derivative_asked_for(options) -> None:
    with pytest.raises(ValueError, match="nothing to check"):
        check_grads(np.sin, (X,), **options)


@pytest.mark.parametrize("f", [lambda x: np.ones(3), lambda x: 1.0, lambda x: np.sin(value_of(x))])
def test_a_function_of_nothing(f) -> None:
    with pytest.raises(ms.GradientError, match="vacuous"):
        check_grads(f, (X,))


def test_dtypes_must_be_one_and_known() -> None:
    with pytest.raises(TypeError, match="float32, float64"):
        check_grads(np.add, (X, X.astype(np.float32)))
    with pytest.raises(TypeError, match="float16"):
        check_grads(np.sin, (X.astype(np.float16),))


def test_errors_of_the_function_itself_are_its_own() -> None:
    with pytest.raises(ms.ShapeError):
        check_grads(np.matmul, (A, A))


# Kinks have a name and a place; they are never a wrong derivative and never a right one.


@pytest.mark.usefixtures("scratch_primitives")
@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 1.0])
def test_at_a_kink_no_rule_is_right_or_wrong(slope) -> None:
    f = elementwise(
        f"|x| with slope {slope} at 0",
        np.abs,
        lambda y, x: np.where(value_of(x) == 0, slope, np.sign(value_of(x))),
        domain=lambda rng: [],
    )
    with pytest.raises(ms.GradientError, match=r"kink .*argument 0 at \(2,\).*slope -1 .* 1 on"):
        check_grads(f, (np.array([1.0, -1.0, 0.0]),))


def test_a_kink_among_many_variables_is_located() -> None:
    x = RNG.choice([-1.0, 1.0], 1000)
    x[321] = 0
    with pytest.raises(
        ms.GradientError, match=r"kink .*argument 0 at \(321,\), output at \(321,\)"
    ):
        check_grads(np.abs, (x,))


def test_a_tie_is_a_kink() -> None:
    with pytest.raises(ms.GradientError, match=r"kink \(value\): at argument 0 at \(1,\)"):
        check_grads(np.max, (np.array([0.0, 2.0, 2.0]),))


def test_a_kink_of_the_derivative_shows_at_order_2() -> None:
    x = np.array([1.0, -1.0, 0.0])
    check_grads(lambda x: np.abs(x) * x**2, (x,), order=1)
    with pytest.raises(ms.GradientError, match=r"kink \(value of (reverse|forward)\)"):
        check_grads(lambda x: np.abs(x) * x**2, (x,), order=2)


def test_a_kink_nearby_is_no_kink() -> None:
    check_grads(np.abs, (np.array([1e-4, -5e-5]),))
    with pytest.raises(ms.GradientError, match=r"kink.*at \(1,\).*do not settle"):
        check_grads(np.abs, (np.array([1e-4, -5e-6]),), order=1)


@pytest.mark.parametrize("near", [1e-4, 2e-2])
@pytest.mark.parametrize("modes", [("reverse",), ("forward",)])
def test_a_shape_that_changes_nearby_is_a_kink(near, modes) -> None:
    x = np.array([near, 1.0, -1.0])
    with pytest.raises(ms.GradientError, match=r"kink.*at argument 0.*the output's shape changes"):
        check_grads(lambda x: x[x > 0], (x,), 2, modes)
    check_grads(lambda x: x[x > 0], (x + 0.5,), 2, modes)


def test_the_end_of_the_domain_is_a_kink() -> None:
    with pytest.raises(ms.GradientError, match=r"kink|not finite"), np.errstate(all="ignore"):
        check_grads(np.sqrt, (np.array([1.0, 0.0]),))


# The complex step.


def test_analytic_true_is_a_claim() -> None:
    check_grads(np.sin, (X,), analytic=True)
    for f in (np.absolute, lambda x: np.sin(x) * np.sign(x)):
        with pytest.raises(ms.GradientError, match="not analytic"):
            check_grads(f, (X,), analytic=True)


def test_functions_that_refuse_complex_numbers_are_checked_without() -> None:
    def f(x):
        if x.dtype.kind == "c":
            raise RuntimeError("no complex numbers here")
        return np.sin(x)

    check_grads(f, (X,))
    with pytest.raises(ms.GradientError, match=r"not analytic.*RuntimeError"):
        check_grads(f, (X,), analytic=True)


# Dtypes.


def test_float32_is_held_to_float32_and_not_less() -> None:
    x = X.astype(np.float32)

    def f(x):
        return np.sin(x) + 3e-4 * (x - value_of(x))

    with pytest.raises(ms.GradientError, match="wrong derivative"):
        check_grads(f, (x,), order=1)


def test_float32_constants_in_the_function() -> None:
    a = A.astype(np.float32)
    check_grads(lambda x: np.tanh(x @ a), (X.astype(np.float32),))


def test_float64_constants_in_a_float32_function_are_the_engines_error() -> None:
    with pytest.raises(TypeError, match="mixes float32"):
        check_grads(lambda x: np.sin(x) * A[:, 0], (X.astype(np.float32),))


# Tolerances do not grow with the array.


@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_one_wrong_coordinate_is_found_at_any_size(n) -> None:
    wrong = np.zeros(n)
    wrong[n // 3] = 1e-5

    def f(x):
        return np.sin(x) + wrong * (x - value_of(x))

    with pytest.raises(ms.GradientError, match=rf"argument 0 at \({n // 3},\)"):
        check_grads(f, (np.linspace(1, 2, n),), order=1)


@pytest.mark.parametrize("analytic", [None, False])
@pytest.mark.parametrize("large", [1.0, 1e6, 1e12])
def test_a_large_output_hides_no_error_in_another(large, analytic) -> None:
    sizes, wrong = np.array([1.0, 1.0, large]), np.array([0.0, 1e-3, 0.0])

    def f(x):
        return sizes * np.sin(x) + wrong * (x - value_of(x))

    with pytest.raises(ms.GradientError, match=r"wrong derivative.*output at \(1,\)"):
        check_grads(f, (X[:3],), order=1, analytic=analytic)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(x) ** 2 + np.cos(x) ** 2,
        lambda x: np.sum(np.exp(x) / np.sum(np.exp(x))),
        lambda x: (x + 1e5) - 1e5,
        lambda x: np.stack([np.sum(x + 1e5) - 4e5, 1e9 * np.sum(np.sin(x))]),
    ],
)
@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("analytic", [None, False])
def test_what_cancelled_is_allowed_its_rounding(f, mode, analytic) -> None:
    for seed in range(5):
        check_grads(f, (X,), 1, (mode,), seed=seed, analytic=analytic)


@pytest.mark.parametrize("modes", [("reverse",), ("forward",), ("reverse", "forward")])
def test_a_hessian_that_is_zero_by_cancellation_is_symmetric(modes) -> None:
    for seed in range(5):
        check_grads(lambda x: x * (x / np.sqrt(x * x)), (X - 0.8,), 2, modes, seed=seed)


# Messages.


def test_the_message_is_enough_to_reproduce() -> None:
    def half(x, n):
        return x * value_of(x) * n

    with pytest.raises(ms.GradientError) as caught:
        check_grads(half, (A, 2), 2, ("reverse",), seed=5)
    first, second = str(caught.value).split("\n")
    assert first.startswith(
        "half: wrong derivative (reverse): argument 0 at (0, 0), complex step, "
    )
    assert f"Expect {4 * A[0, 0]:.12g}, Actual {2 * A[0, 0]:.12g}." in first
    assert second == (
        "Reproduce: minisam.check_grads(half, args, order=2, modes=('reverse',), seed=5) "
        "with args = (float64[4, 3], 2)."
    )


def test_names_of_functions() -> None:
    assert name_of(PRIMITIVES["sin"]) == "sin"
    assert name_of(ms.Tensor) == "Tensor"
    assert name_of(object()) == "object"


def test_the_seed_decides_everything() -> None:
    seen = []

    def f(x):
        seen.append(np.array(value_of(x)))
        return np.sin(x)

    check_grads(f, (X,), seed=3)
    first, seen[:] = list(seen), []
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    check_grads(f, (X,), seed=3)
    assert all(map(np.array_equal, first, seen))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_cotangents_have_no_tiny_and_no_unit_component() -> None:
    drawn = draw(np.random.default_rng(0), np.empty((100, 10)))
    assert np.abs(drawn).min() >= 0.5
    assert np.abs(drawn).max() <= 1.5
    assert (drawn < 0).any()
    assert (drawn > 0).any()
    assert not (np.abs(drawn) == 1).any()


def test_flat_and_split_are_inverse() -> None:
    arrays = (X.astype(np.float32), np.array(2.0, np.float32), np.zeros((0, 2), np.float32))
    back = split(flat(arrays), arrays)
    assert all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(arrays, back, strict=True)
    )


def test_public_signature() -> None:
    assert list(inspect.signature(check_grads).parameters) == [
        *("f", "args", "order", "modes", "analytic", "seed")
    ]
