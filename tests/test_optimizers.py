"""The optimizers against PyTorch, against sums written out by hand, and against their promises."""

import math
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.mixins import NDArrayOperatorsMixin

from minisam.optimizers import SGD, Adam, AdamW, constant, cosine, step_decay, warmup

STEPS = 25
SIZE = 7

SGDS = {
    "plain": SGD(0.1),
    "decay": SGD(0.1, weight_decay=0.03),
    "momentum": SGD(0.1, momentum=0.9),
    "momentum-decay": SGD(0.1, momentum=0.9, weight_decay=0.03),
    "nesterov": SGD(0.1, momentum=0.8, nesterov=True),
    "nesterov-decay": SGD(0.1, momentum=0.8, nesterov=True, weight_decay=0.03),
}
DECOUPLED_SGDS = {
    "decoupled": SGD(0.1, weight_decay=0.03, decoupled=True),
    "momentum-decoupled": SGD(0.1, momentum=0.9, weight_decay=0.03, decoupled=True),
    "nesterov-decoupled": SGD(0.1, 0.8, nesterov=True, weight_decay=0.03, decoupled=True),
}
ADAMS = {
    "adam": Adam(),
    "adam-decay": Adam(0.02, weight_decay=0.3),
    "adam-betas-eps": Adam(0.02, betas=(0.7, 0.95), eps=1e-2),
    "adam-no-means": Adam(0.02, betas=(0.0, 0.0)),
    "adamw": AdamW(),
    "adamw-decay": AdamW(0.02, betas=(0.8, 0.99), eps=1e-4, weight_decay=0.3),
    "adamw-no-decay": AdamW(0.02, weight_decay=0.0),
}
ALL = SGDS | DECOUPLED_SGDS | ADAMS


def cases(optimizers):
    return [pytest.param(opt, id=name) for name, opt in optimizers.items()]


def problem(dtype=np.float64):
    """A start, a gradient and a learning rate for every step; one coordinate of g is often 0."""
    rng = np.random.default_rng(2024)
    w = rng.normal(size=SIZE).astype(dtype)
    gs = rng.normal(size=(STEPS, SIZE)).astype(dtype)
    gs[:, 0] *= rng.random(STEPS) < 0.3
    gs[:, 1] *= 1e-4
    return w, gs, rng.uniform(0.01, 0.2, size=STEPS).tolist()


def trajectory(opt, w, gs, lrs, state=None):
    state = opt.init(w) if state is None else state
    path = []
    for g, lr in zip(gs, lrs, strict=True):
        w, state = opt.step(w, g, state, lr)
        path.append(w)
    return np.array(path), state


# The trajectory of another's implementation


def torch_trajectory(opt, w, gs, lrs):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's optimizers")
    p = torch.nn.Parameter(torch.tensor(w))
    if isinstance(opt, SGD):
        kwargs = {"momentum": opt.momentum, "nesterov": opt.nesterov}
        theirs = torch.optim.SGD
    else:
        kwargs = {"betas": opt.betas, "eps": opt.eps}
        theirs = torch.optim.AdamW if isinstance(opt, AdamW) else torch.optim.Adam
    other = theirs([p], lr=1.0, weight_decay=opt.weight_decay, **kwargs)
    path = []
    for g, lr in zip(gs, lrs, strict=True):
        other.param_groups[0]["lr"] = lr
        p.grad = torch.tensor(g)
        other.step()
        path.append(p.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("opt", cases(SGDS | ADAMS))
def test_trajectory_is_pytorchs(opt):
    w, gs, lrs = problem()
    ours, _ = trajectory(opt, w, gs, lrs)
    np.testing.assert_allclose(ours, torch_trajectory(opt, w, gs, lrs), rtol=1e-12, atol=1e-12)


# The trajectory by hand: coordinate by coordinate in Python floats, with every running quantity
# written as the sum over the past that it stands for, so that no recursion is shared.


def sgd_by_hand(opt, w, gs, lrs):
    path, past = [], []
    for g, lr in zip(gs, lrs, strict=True):
        if opt.decoupled:
            past.append(g)
            w = w - lr * opt.weight_decay * w
        else:
            past.append(g + opt.weight_decay * w)
        velocity = sum(opt.momentum**age * d for age, d in enumerate(reversed(past)))
        w = w - lr * (past[-1] + opt.momentum * velocity if opt.nesterov else velocity)
        path.append(w)
    return path


def adam_by_hand(opt, w, gs, lrs):
    def mean(values, beta):
        weights = [beta**age for age in range(len(values))]
        pairs = zip(weights, reversed(values), strict=True)
        return sum(k * x for k, x in pairs) / sum(weights)

    path, past = [], []
    for g, lr in zip(gs, lrs, strict=True):
        if isinstance(opt, AdamW):
            past.append(g)
            w = w - lr * opt.weight_decay * w
        else:
            past.append(g + opt.weight_decay * w)
        spread = math.sqrt(mean([d * d for d in past], opt.betas[1]))
        w = w - lr * mean(past, opt.betas[0]) / (spread + opt.eps)
        path.append(w)
    return path


@pytest.mark.parametrize("opt", cases(ALL))
def test_trajectory_is_the_sum_written_out(opt):
    w, gs, lrs = problem()
    by_hand = sgd_by_hand if isinstance(opt, SGD) else adam_by_hand
    expected = [by_hand(opt, float(w[i]), gs[:, i].tolist(), lrs) for i in range(SIZE)]
    ours, _ = trajectory(opt, w, gs, lrs)
    np.testing.assert_allclose(ours, np.array(expected).T, rtol=1e-12, atol=1e-12)


def test_the_two_decays_differ():
    w, gs, lrs = problem()
    for coupled, decoupled in (
        (SGDS["momentum-decay"], DECOUPLED_SGDS["momentum-decoupled"]),
        (Adam(weight_decay=0.1), AdamW(weight_decay=0.1)),
    ):
        apart = trajectory(coupled, w, gs, lrs)[0] - trajectory(decoupled, w, gs, lrs)[0]
        assert np.abs(apart[-1]).max() > 1e-3


# What a step promises about its arguments


@pytest.mark.parametrize("opt", cases(ALL))
def test_a_step_changes_none_of_its_arguments_and_shares_no_memory_with_them(opt):
    w, gs, lrs = problem()
    _, state = trajectory(opt, w, gs[:3], lrs[:3])
    given_arrays = [w, gs[3], *state.values()]
    copies = [a.copy() for a in given_arrays]
    keys = list(state)
    for a in given_arrays:
        a.flags.writeable = False
    w_new, state_new = opt.step(w, gs[3], state, lrs[3])
    assert list(state) == keys
    for a, copy in zip(given_arrays, copies, strict=True):
        np.testing.assert_array_equal(a, copy)
        for result in (w_new, *state_new.values()):
            assert not np.shares_memory(result, a)


@pytest.mark.parametrize("opt", cases(ALL))
def test_a_step_of_length_zero_returns_a_new_equal_vector(opt):
    w, gs, _ = problem()
    w_new, _ = opt.step(w, gs[0], opt.init(w), 0.0)
    np.testing.assert_array_equal(w_new, w)
    assert w_new is not w


@pytest.mark.parametrize("opt", cases(ALL))
def test_a_strided_view_steps_like_its_copy(opt):
    w, gs, lrs = problem()
    ours, _ = trajectory(opt, np.repeat(w, 2)[::2], np.asfortranarray(gs), lrs)
    np.testing.assert_array_equal(ours, trajectory(opt, w, gs, lrs)[0])


@pytest.mark.parametrize("opt", cases(ALL))
def test_the_empty_vector_steps(opt):
    w = np.zeros(0)
    assert opt.step(w, w, opt.init(w), 0.1)[0].shape == (0,)


@pytest.mark.parametrize("opt", cases(ALL))
def test_a_run_resumed_from_npz_is_bit_identical(opt, tmp_path):
    w, gs, lrs = problem(np.float32)
    whole, _ = trajectory(opt, w, gs, lrs)
    half, state = trajectory(opt, w, gs[:11], lrs[:11])
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
        rest, _ = trajectory(opt, half[-1], gs[11:], lrs[11:], dict(saved))
    np.testing.assert_array_equal(np.concatenate([half, rest]), whole)


class Guarded(NDArrayOperatorsMixin):
    """An array of a foreign library: it leaves its device for nobody, and is float32 throughout."""

    def __init__(self, value):
        assert value.dtype == np.float32
        self.value, self.shape, self.dtype = value, value.shape, value.dtype

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        assert method == "__call__"
        assert not any(isinstance(x, np.ndarray | np.generic) for x in inputs), "host array"
        values = [x.value if isinstance(x, Guarded) else x for x in inputs]
        if out:
            kwargs["out"] = tuple(o.value for o in out)
        return Guarded(getattr(ufunc, method)(*values, **kwargs))

    def __array_function__(self, func, types, args, kwargs):
        assert func is np.zeros_like
        return Guarded(np.zeros_like(args[0].value))

    def __array__(self, *args, **kwargs):
        raise AssertionError("copied to the host")

    __float__ = __int__ = __bool__ = item = __array__


@pytest.mark.parametrize("opt", cases(ALL))
def test_a_step_stays_on_its_device_and_in_its_dtype(opt):
    w, gs, lrs = problem(np.float32)
    expected, _ = trajectory(opt, w, gs, lrs)
    assert expected.dtype == np.float32
    w = Guarded(w)
    state = opt.init(w)
    for g, lr in zip(gs, lrs, strict=True):
        w, state = opt.step(w, Guarded(g), state, lr)
        assert isinstance(w, Guarded)
        for name, a in state.items():
            assert isinstance(a, np.ndarray if name == "step" else Guarded)
    np.testing.assert_array_equal(w.value, expected[-1])


def test_numpy_scalars_as_hyperparameters_do_not_promote_float32():
    f = np.float64
    w, gs, _ = problem(np.float32)
    for opt in (
        SGD(f(0.1), f(0.9), nesterov=True, weight_decay=f(0.1)),
        SGD(f(0.1), f(0.9), weight_decay=f(0.1), decoupled=True),
        Adam(f(0.1), (f(0.9), f(0.99)), f(1e-8), f(0.1)),
        AdamW(lambda t, total: f(0.1), (f(0.9), f(0.99)), f(1e-8), f(0.1)),
    ):
        assert type(opt.lr_at(0, 1)) is float
        w_new, state = opt.step(w, gs[0], opt.init(w), f(0.1))
        assert {w_new.dtype, *(state[k].dtype for k in state if k != "step")} == {w.dtype}


def test_adams_defaults_and_counter():
    assert Adam() == Adam(1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    assert AdamW() == AdamW(1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    w, gs, lrs = problem(np.float32)
    step = trajectory(Adam(), w, gs, lrs)[1]["step"]
    assert (step, step.shape, step.dtype.kind) == (STEPS, (), "i")


def test_adam_survives_a_gradient_that_is_always_zero():
    w = np.ones(3)
    path, _ = trajectory(Adam(), w, np.zeros((4, 3)), [0.1] * 4)
    np.testing.assert_array_equal(path, np.ones((4, 3)))


@pytest.mark.parametrize("opt", cases(ALL))
def test_optimizers_descend_a_quadratic(opt):
    w = np.linspace(-1, 1, 6)
    state = opt.init(w)
    for t in range(200):
        w, state = opt.step(w, w, state, warmup(cosine(0.05), 10)(t, 200))
    assert np.linalg.norm(w) < 0.05


# Schedules

rates = st.floats(1e-6, 10.0)
totals = st.integers(1, 300)


@given(rates, totals)
def test_constant_is_constant(lr, total):
    assert {constant(lr)(t, total) for t in range(total)} == {lr}


@given(rates, rates, totals)
def test_cosine_runs_from_lr_to_final_and_turns_nowhere(lr, final, total):
    schedule = cosine(lr, final)
    values = [schedule(t, total) for t in range(total + 1)]
    assert (values[0], values[-1]) == (lr, final)
    direction = math.copysign(1.0, final - lr)
    slack = 1e-15 * max(lr, final)
    assert all(direction * (b - a) >= -slack for a, b in pairwise(values))
    assert schedule(total + 5, total) == final
    assert schedule(total, 2 * total) == pytest.approx((lr + final) / 2)


@given(rates, st.lists(st.floats(0.01, 0.99), max_size=4), st.floats(0.0, 0.99), totals)
def test_step_decay_drops_once_at_each_milestone(lr, milestones, gamma, total):
    schedule = step_decay(lr, milestones, gamma)
    values = [schedule(t, total) for t in range(total + 1)]
    assert values[0] == lr
    assert values[-1] == lr * gamma ** len(milestones)
    assert values == sorted(values, reverse=True)
    assert len(set(values)) <= len(set(milestones)) + 1


@given(st.integers(2, 2000), st.data())
def test_step_decay_falls_at_the_step_itself(total, data):
    at = data.draw(st.integers(1, total - 1))
    schedule = step_decay(1.0, [at / total], gamma=0.5)
    assert (schedule(at - 1, total), schedule(at, total)) == (1.0, 0.5)


def test_step_decay_at_decimal_fractions():
    for percent in range(1, 100):
        schedule = step_decay(1.0, [float(f"0.{percent:02d}")], gamma=0.5)
        assert [schedule(percent - 1, 100), schedule(percent, 100)] == [1.0, 0.5]


@given(rates, st.integers(1, 100), totals)
def test_warmup_of_a_constant_is_linear_and_then_constant(lr, steps, total):
    schedule = warmup(lr, steps)
    values = [schedule(t, total) for t in range(total)]
    assert values[0] == pytest.approx(lr / steps)
    assert values == sorted(values)
    np.testing.assert_allclose(np.diff(values[:steps]), lr / steps, rtol=1e-6)
    assert set(values[steps - 1 :]) <= {lr}


@given(rates, st.integers(1, 100), totals)
def test_warmup_changes_nothing_after_it(lr, steps, total):
    for inner in (cosine(lr), step_decay(lr, (0.5, 0.75))):
        outer = warmup(inner, steps)
        for t in range(total):
            factor = (t + 1) / steps if t < steps else 1.0
            assert outer(t, total) == inner(t, total) * factor


def test_an_optimizer_reads_its_schedule():
    assert SGD(0.3).lr_at(5, 10) == 0.3
    assert SGD(lambda t, total: t / total).lr_at(5, 10) == 0.5
    assert Adam(warmup(constant(0.4), 4)).lr_at(0, 10) == 0.1
    assert AdamW(step_decay(1.0, [0.5], 0.25)).lr_at(9, 10) == 0.25


def test_an_optimizer_prints_compares_and_pickles_as_what_it_is():
    opt = SGD(warmup(cosine(0.1), 5), momentum=0.9)
    assert "lr=warmup(schedule=cosine(lr=0.1, final=0.0), steps=5), momentum=0.9" in repr(opt)
    assert pickle.loads(pickle.dumps(opt)) == opt != SGD(warmup(cosine(0.1), 6), momentum=0.9)
    assert Adam(weight_decay=0.01) != AdamW()
    assert hash(Adam(step_decay(0.1, [0.5]))) == hash(Adam(step_decay(0.1, (0.5,))))
    with pytest.raises(AttributeError):
        opt.momentum = 0.5


# Errors: what happened, and what to do

W = np.ones(3)
LR = "Use a small positive number such as 0.1."
NO_DECAY = "Use 0 for none; 5e-4 is usual."
MOMENTUM = "Near 1 the velocity hardly decays; 0.9 is usual."
BETAS = "(0.9, 0.999) is usual."
GAMMA = "It is the factor at each milestone; 0.1 is usual."
FRACTION = "For a step number write step / total."
RESUME = "Start from its init(w), or resume with the optimizer that made the state."
SAVED = "Start from init(w), or resume with the w this state was saved with."
GRADIENT = "Pass the gradient of the loss at this w."
ADAM0 = Adam().init(W)

BAD_NUMBERS = [
    (lambda: SGD(-0.1), f"SGD: lr must be in [0, inf), got -0.1. {LR}"),
    (lambda: SGD(math.nan), f"SGD: lr must be in [0, inf), got nan. {LR}"),
    (lambda: Adam(math.inf), f"Adam: lr must be in [0, inf), got inf. {LR}"),
    (lambda: AdamW(-1.0), f"AdamW: lr must be in [0, inf), got -1.0. {LR}"),
    (lambda: SGD(0.1, 1.0), f"SGD: momentum must be in [0, 1), got 1.0. {MOMENTUM}"),
    (lambda: SGD(0.1, -0.5), f"SGD: momentum must be in [0, 1), got -0.5. {MOMENTUM}"),
    (
        lambda: SGD(0.1, nesterov=True),
        "SGD: nesterov=True looks ahead along the momentum, but momentum is 0.0. "
        "Set momentum=0.9, or nesterov=False.",
    ),
    (
        lambda: SGD(0.1, weight_decay=-1.0),
        f"SGD: weight_decay must be in [0, inf), got -1.0. {NO_DECAY}",
    ),
    (
        lambda: AdamW(weight_decay=math.nan),
        f"AdamW: weight_decay must be in [0, inf), got nan. {NO_DECAY}",
    ),
    (
        lambda: Adam(betas=(0.9, 1.0)),
        f"Adam: betas must be two numbers in [0, 1), got (0.9, 1.0). {BETAS}",
    ),
    (
        lambda: AdamW(betas=(-0.1, 0.9)),
        f"AdamW: betas must be two numbers in [0, 1), got (-0.1, 0.9). {BETAS}",
    ),
    (
        lambda: Adam(betas=(0.9,)),
        f"Adam: betas must be two numbers in [0, 1), got (0.9,). {BETAS}",
    ),
    (
        lambda: Adam(eps=-1.0),
        "Adam: eps must be in [0, inf), got -1.0. Use a tiny number such as 1e-8.",
    ),
    (lambda: constant(-1.0), f"constant: lr must be in [0, inf), got -1.0. {LR}"),
    (lambda: cosine(math.nan), f"cosine: lr must be in [0, inf), got nan. {LR}"),
    (
        lambda: cosine(0.1, -1.0),
        "cosine: final must be in [0, inf), got -1.0. It is a learning rate too.",
    ),
    (lambda: step_decay(-1.0, [0.5]), f"step_decay: lr must be in [0, inf), got -1.0. {LR}"),
    (
        lambda: step_decay(0.1, [0.5], 1.5),
        f"step_decay: gamma must be in [0, 1), got 1.5. {GAMMA}",
    ),
    (
        lambda: step_decay(0.1, [0.5, 30]),
        f"step_decay: a milestone is a fraction of the run in (0, 1), got 30.0. {FRACTION}",
    ),
    (lambda: warmup(-1.0, 5), f"warmup: lr must be in [0, inf), got -1.0. {LR}"),
    (
        lambda: warmup(0.1, 0),
        "warmup: steps must be at least 1, got 0. For no warm-up use the schedule itself.",
    ),
    (
        lambda: SGD(0.1).step(W, W, {}, -0.1),
        f"SGD.step: lr must be in [0, inf), got -0.1. {LR}",
    ),
    (
        lambda: AdamW().step(W, W, ADAM0, math.nan),
        f"AdamW.step: lr must be in [0, inf), got nan. {LR}",
    ),
    (
        lambda: SGD(0.1).step(W, W, ADAM0, 0.1),
        "SGD.step: the state holds ['m', 'step', 'v'], but SGD(lr=0.1, momentum=0.0, "
        "nesterov=False, weight_decay=0.0, decoupled=False) keeps []. " + RESUME,
    ),
    (
        lambda: Adam().step(W, W, {"momentum": W}, 0.1),
        "Adam.step: the state holds ['momentum'], but Adam(lr=0.001, betas=(0.9, 0.999), "
        "eps=1e-08, weight_decay=0.0) keeps ['m', 'step', 'v']. " + RESUME,
    ),
]

BAD_SHAPES = [
    (
        lambda: SGD(0.1).step(W, np.ones(1), {}, 0.1),
        f"SGD.step: the gradient has shape (1,), but w has shape (3,). {GRADIENT}",
    ),
    (
        lambda: AdamW().step(W, np.ones((2, 3)), ADAM0, 0.1),
        f"AdamW.step: the gradient has shape (2, 3), but w has shape (3,). {GRADIENT}",
    ),
    (
        lambda: SGD(0.1, 0.9).step(W, W, {"momentum": np.ones(1)}, 0.1),
        f"SGD.step: the state's 'momentum' has shape (1,), but w has shape (3,). {SAVED}",
    ),
    (
        lambda: Adam().step(W, W, ADAM0 | {"v": np.ones(4)}, 0.1),
        f"Adam.step: the state's 'v' has shape (4,), but w has shape (3,). {SAVED}",
    ),
]

BAD_DTYPES = [
    (
        lambda: SGD(0.1).step(W, W.astype(np.float32), {}, 0.1),
        f"SGD.step: the gradient has dtype float32, but w has dtype float64. {GRADIENT}",
    ),
    (
        lambda: Adam().step(W, W, ADAM0 | {"m": W.astype(np.float32)}, 0.1),
        f"Adam.step: the state's 'm' has dtype float32, but w has dtype float64. {SAVED}",
    ),
]


@pytest.mark.parametrize(
    ("error", "wrong", "message"),
    [("ValueError", *case) for case in BAD_NUMBERS]
    + [("ShapeError", *case) for case in BAD_SHAPES]
    + [("TypeError", *case) for case in BAD_DTYPES],
)
def test_an_error_says_what_happened_and_what_to_do(error, wrong, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$") as caught:
        wrong()
    assert caught.type.__name__ == error
