"""What must hold between the methods, bit for bit or to rounding; and of each one by itself."""

import numpy as np
import pytest

import minisam as ms
from minisam.sam import (
    AESAM,
    DNSAM,
    ERM,
    ESAM,
    FSAM,
    GSAM,
    SAM,
    SSSAM,
    USAM,
    AELookSAM,
    LookSAM,
    epsilon_hat,
)
from tests.sam.kin import LAYERS, NAMES, cut, kin, many, trajectory

INF = float("inf")
every_one = pytest.mark.parametrize("name", NAMES)


def same_run(net, one, other, **options):
    batches = many(net)
    full = [cut(net, slice(None))]
    a, steps = trajectory(one, batches, net.w, full, **options)
    b, others = trajectory(other, batches, net.w, full, **options)
    assert not np.array_equal(a, net.w)
    assert a.tobytes() == b.tobytes()
    assert [s.loss for s in steps] == [s.loss for s in others]
    return steps, others


SAME_AS_SAM = {
    "looksam k=1": LookSAM(0.2, k=1),
    "aesam": AESAM(0.2, -INF, -INF),
    "aelooksam": AELookSAM(0.2, -INF, -INF),
    "sssam p=1": SSSAM(0.2, 1.0),
    "esam": ESAM(0.2, beta=1, gamma=1),
    "esam by tensor": ESAM(0.2, beta=1, gamma=1, tensors=LAYERS),
    "chunk is batch": SAM(0.2, chunk=5),
    "chunk is more": SAM(0.2, chunk=100),
    "one ascent step": SAM(0.2, steps=1),
    "gsam without alpha": GSAM(0.2, alpha=0),
    "fsam without mean": FSAM(0.2, sigma=0),
}


@pytest.mark.parametrize("name", SAME_AS_SAM)
def test_it_is_sam(net, name):
    steps, _ = same_run(net, SAME_AS_SAM[name], SAM(0.2))
    assert all(step.evaluations == 2 for step in steps)


@pytest.mark.parametrize(
    "method", [AESAM(0.2, INF, INF), AELookSAM(0.2, INF, INF), SSSAM(0.2, 0.0)]
)
def test_it_is_erm(net, method):
    steps, _ = same_run(net, method, ERM())
    assert all(step.evaluations == 1 for step in steps)


@every_one
def test_radius_zero_is_erm(net, name):
    """All but ESAM with γ < 1, whose second gradient is of the examples that come first."""
    if name == "sam, chunks":  # the mean of chunks is the mean to rounding
        batches = many(net)
        a, b = (trajectory(m, batches, net.w)[0] for m in (kin(0)[name], ERM()))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)
    elif name == "esam":
        same_run(net, ESAM(0, beta=0.6, gamma=1), ERM())
        losses = cut(net, slice(None))
        step = kin(0)[name].gradient(losses, net.w, {}, draw=0)
        first = ms.grad(lambda w: losses(w, slice(3)).mean())(net.w)
        np.testing.assert_array_equal(step.g, first)
    else:
        same_run(net, kin(0)[name], ERM())


@every_one
def test_a_zero_gradient_gives_the_plain_step(name):
    """From the start, and after it: no NaN either way."""
    target = np.arange(59.0)

    def losses(w, rows=slice(None)):
        return np.ones(4)[rows] * np.sum((w - target) ** 2)

    w, steps = trajectory(kin()[name], [losses] * 4, target, [losses])
    for step in steps:
        np.testing.assert_array_equal(step.g, 0)
        assert step.loss == 0
        assert all(np.isfinite(a).all() for a in step.state.values())
    np.testing.assert_array_equal(w, target)


@every_one
def test_in_one_dimension_g_s_is_parallel_to_g(name):
    """Where LookSAM's g_v is nothing but rounding, whose direction must not be followed."""
    method = kin()[name]
    if "tensor" in name:
        pytest.skip("its slices are of a longer vector")

    def losses(w, rows=slice(None)):
        return np.array([0.3, 0.7, 1.1])[rows] * np.cosh(w[0])

    _, steps = trajectory(method, [losses] * 7, np.array([0.77]), [losses])
    for step in steps:
        assert np.isfinite(step.g).all()
        if "looksam" in name:
            assert step.state["direction"] == 0


def test_the_scale_of_the_loss(net):
    """It leaves SAM's perturbed point where it is, and moves USAM's."""
    for method, moved in ((SAM(0.2), False), (USAM(0.2), True)):
        points = {}
        for scale in (1.0, 2.0**20):
            seen = points[scale] = []

            def losses(w, scale=scale, seen=seen):
                seen.append(np.array(getattr(w, "value", w)))
                return scale * net.losses(w)

            method.gradient(losses, net.w, {})
        assert np.array_equal(points[1.0][1], points[2.0**20][1]) is not moved


@every_one
@pytest.mark.parametrize("call", [1, 2, 3])
def test_w_and_state_are_left_alone_when_a_pass_raises(net, name, call):
    method, calls = kin()[name], []
    inner = cut(net, slice(None))
    w = net.w.copy()
    _, steps = trajectory(method, many(net, 3), w, [inner])
    state = steps[-1].state
    before = {k: np.array(v) for k, v in state.items()}

    def losses(w, rows=slice(None)):
        calls.append(rows)
        if len(calls) == call:
            raise RuntimeError("in this pass")
        return inner(w, rows)

    try:
        method.gradient(losses, w, state, 0, 1, 0, [losses])
    except RuntimeError:
        assert len(calls) == call
    else:
        assert len(calls) < call
    assert w.tobytes() == net.w.tobytes()
    assert state.keys() == before.keys()
    for k, v in state.items():
        assert np.asarray(v).tobytes() == before[k].tobytes()


@every_one
def test_a_trajectory_can_be_replayed(net, name):
    """Nothing but the arguments matters, and none of them is written to."""
    batches, full = many(net), [cut(net, slice(None))]
    w, steps = trajectory(kin()[name], batches, net.w, full)
    method = kin()[name]
    state = steps[3].state
    for a in (*state.values(), net.w):
        a.flags.writeable = False
    again, at = [], net.w
    for t, step in enumerate(steps):
        before = method.init(at) if t == 0 else steps[t - 1].state
        again.append(method.gradient(batches[t], at, before, t, 9, (0, 3, t), full))
        assert again[t].g.tobytes() == step.g.tobytes()
        assert again[t].record == step.record
        at = at - 0.1 * step.g
    net.w.flags.writeable = True
    assert at.tobytes() == w.tobytes()


@every_one
def test_float32_stays_float32(net, name):
    x, y = net.x.astype("f4"), net.y

    def losses(w, rows=slice(None)):
        return ms.nn.cross_entropy(net.model(w, x[rows]), y[rows])

    _, steps = trajectory(kin()[name], [losses] * 5, net.w.astype("f4"), [losses])
    for step in steps:
        assert step.g.dtype == step.loss.dtype == np.float32
        for key in {"direction", "momentum"} & step.state.keys():
            assert step.state[key].dtype == np.float32


# The updates, written out.


def test_several_ascent_steps(net):
    grad = ms.grad(net.loss)
    for p in (2, INF):
        e = np.zeros_like(net.w)
        for _ in range(4):
            e = e + epsilon_hat(grad(net.w + e), 0.3, p)
            shorter = e * min(1, 0.3 / np.linalg.norm(e))
            e = shorter if p == 2 else np.clip(e, -0.3, 0.3)
        step = SAM(0.3, p, steps=4).gradient(net.losses, net.w, {})
        np.testing.assert_allclose(step.g, grad(net.w + e), rtol=0, atol=1e-12)
        assert step.evaluations == 5
    by_layer = SAM(0.3, groups=LAYERS, steps=4)
    seen = []

    def losses(w):
        seen.append(np.array(getattr(w, "value", w)) - net.w)
        return net.losses(w)

    by_layer.gradient(losses, net.w, {})
    for e in seen:
        assert all(np.linalg.norm(e[part]) <= 0.3 * (1 + 1e-12) for part in LAYERS)


def test_chunks(net):
    expected = np.zeros_like(net.w)
    for rows in (slice(0, 4), slice(4, 6)):
        losses = cut(net, rows)
        expected += SAM(0.3).gradient(losses, net.w, {}).g * (rows.stop - rows.start) / 6
    step = SAM(0.3, chunk=4).gradient(cut(net, slice(None)), net.w, {})
    np.testing.assert_allclose(step.g, expected, rtol=0, atol=1e-14)
    assert step.loss == pytest.approx(float(net.loss(net.w)), rel=1e-14)
    assert (step.evaluations, step.record) == (2, {"forwards": 1})


def test_usam_and_dnsam(net):
    losses = cut(net, slice(0, 3))
    batch = ms.grad(lambda w: losses(w).mean())
    g, full = batch(net.w), ms.grad(net.loss)(net.w)
    usam = USAM(0.3).gradient(losses, net.w, {})
    np.testing.assert_allclose(usam.g, batch(net.w + 0.3 * g), rtol=0, atol=1e-14)
    parts = [cut(net, slice(0, 4)), cut(net, slice(4, 6))]
    step = DNSAM(0.3).gradient(losses, net.w, {}, full=parts)
    expected = batch(net.w + 0.3 * g / np.linalg.norm(full))
    np.testing.assert_allclose(step.g, expected, rtol=0, atol=1e-13)
    assert step.evaluations == 2 + 6 / 3
    with pytest.raises(ValueError, match="DNSAM divides by the norm of the full gradient: give"):
        DNSAM(0.3).gradient(losses, net.w, {})


@pytest.mark.parametrize("tensors", [None, LAYERS])
def test_esam(net, tensors):
    losses = cut(net, slice(None))
    g = ms.grad(net.loss)(net.w)
    draws = np.random.default_rng((5, 3)).random(59 if tensors is None else 3)
    mask = draws < 0.6
    if tensors:
        mask = np.repeat(mask, [20, 24, 15])
    assert 0 < mask.sum() < 59
    up = net.w + (0.3 / 0.6) * mask * g / np.linalg.norm(g)
    top = np.argsort(net.losses(net.w) - net.losses(up))[:3]
    expected = ms.grad(lambda w: losses(w, top).mean())(up)
    step = ESAM(0.3, 0.6, 0.5, tensors=tensors).gradient(losses, net.w, {}, draw=(5, 3))
    np.testing.assert_allclose(step.g, expected, rtol=0, atol=1e-14)
    assert (step.evaluations, step.record) == (1.5, {"forwards": 1})


def test_esam_takes_the_first_of_equals_and_as_many_as_it_says():
    """The published code takes one too few, and none where all rise alike."""
    for b, gamma, kept in ((4, 0.5, 2), (5, 0.5, 3), (1, 0.5, 1), (100, 0.07, 7), (3, 0.01, 1)):
        seen = []

        def losses(w, rows=None, b=b, seen=seen):
            seen.append(rows)
            n = b if rows is None else len(rows)
            return np.ones(n) * w[0] ** 2

        step = ESAM(0.1, 1, gamma).gradient(losses, np.ones(1), {})
        if kept < b:
            assert seen[-1].tolist() == list(range(kept))
        assert step.evaluations == 1 + kept / b


@pytest.mark.parametrize("tensors", [None, LAYERS])
def test_looksam(net, tensors):
    batches, w, parts = many(net), net.w, tensors or [slice(None)]
    _, steps = trajectory(LookSAM(0.2, 3, 0.7, tensors=tensors), batches, w)
    g_v = np.zeros_like(w)
    for t, step in enumerate(steps):
        loss = ms.grad(lambda w, t=t: batches[t](w).mean())
        g = loss(w)
        if t % 3 == 0:
            expected = loss(w + 0.2 * g / np.linalg.norm(g))
            for s in parts:
                g_v[s] = expected[s] - (g[s] @ expected[s]) / (g[s] @ g[s]) * g[s]
        else:
            expected = g.copy()
            for s in parts:
                expected[s] += 0.7 * np.linalg.norm(g[s]) / np.linalg.norm(g_v[s]) * g_v[s]
        np.testing.assert_allclose(step.g, expected, rtol=0, atol=1e-12)
        assert step.evaluations == (2 if t % 3 == 0 else 1)
        w = w - 0.1 * step.g


def test_looksam_before_its_first_climb_is_plain(net):
    method = LookSAM(0.2, k=3)
    step = method.gradient(net.losses, net.w, method.init(net.w), t=1)
    np.testing.assert_array_equal(step.g, ms.grad(net.loss)(net.w))


def test_gsam_fsam_and_msam(net):
    batches = many(net)
    for name in ("gsam", "fsam", "msam"):
        w, v, m = net.w, np.zeros(59), None
        _, steps = trajectory(kin()[name], batches, w)
        for t, step in enumerate(steps):
            loss = ms.grad(lambda w, t=t: batches[t](w).mean())
            g = loss(w)
            if name == "gsam":
                g_p = loss(w + 0.2 * g / np.linalg.norm(g))
                expected = g_p - 0.4 * (g - (g @ g_p) / (g_p @ g_p) * g_p)
            elif name == "fsam":
                d = g if m is None else g - m
                m = g if m is None else 0.9 * m + 0.1 * g
                expected = loss(w + 0.2 * d / np.linalg.norm(d))
            else:
                expected = loss(w - 0.2 * v / (np.linalg.norm(v) or 1))
                v = 0.9 * v + expected
            np.testing.assert_allclose(step.g, expected, rtol=0, atol=1e-12)
            assert step.evaluations == (1 if name == "msam" else 2)
            w = w - 0.1 * step.g


# What is counted.


@every_one
def test_the_count_is_what_the_engine_did(net, name, monkeypatch):
    """Examples that were differentiated, by a counter of its own, against the count reported."""
    from minisam.sam import batch as module

    examples = {"gradients": 0, "all": 0}

    def counting(transform):
        def made(f):
            def derivative(w):
                before = examples["all"]
                out = transform(f)(w)
                examples["gradients"] += examples["all"] - before
                return out

            return derivative

        return made

    for transform in ("grad", "value_and_grad"):
        monkeypatch.setattr(module, transform, counting(getattr(ms, transform)))

    def counted(losses):
        def inner(w, rows=slice(None)):
            each = losses(w, rows)
            examples["all"] += each.size
            return each

        return inner

    batches = [counted(losses) for losses in many(net, 12)]
    full = [counted(cut(net, slice(0, 4))), counted(cut(net, slice(4, 6)))]
    _, steps = trajectory(kin()[name], batches, net.w, full)
    total = sum(step.evaluations for step in steps)
    assert total == pytest.approx(examples["gradients"] / 5, rel=1e-12)
    forwards = sum(step.record.get("forwards", 0) for step in steps)
    assert examples["all"] - examples["gradients"] == 5 * forwards
    climbed = np.mean([step.record.get("climbed", 1) for step in steps])
    expected = {
        "erm": 1,
        "msam": 1,
        "sam, three steps": 4,
        "dnsam": 2 + 6 / 5,
        "esam": 1 + 3 / 5,
        "looksam": 1 + 1 / 3,
        "looksam by tensor": 1 + 1 / 3,
    }.get(name, 1 + climbed)
    assert total / 12 == pytest.approx(expected, rel=1e-12)
    if name in ("sssam", "aesam", "aelooksam"):
        assert 0 < climbed < 1


# What is refused.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SAM(steps=0), "SAM: steps must be at least 1, got 0"),
        (lambda: SAM(chunk=0), "SAM: chunk must be at least 1, got 0"),
        (lambda: SAM(steps=1.5), "SAM: steps must be at least 1, got 1.5; give a whole number"),
        (lambda: SAM(chunk=7.0), "SAM: chunk must be at least 1, got 7.0; give a whole number"),
        (lambda: SAM(p=3, steps=2), "exact for p=2 and p=inf without eta; got p=3"),
        (lambda: SAM(eta=0.1, steps=2), "without eta"),
        (lambda: SAM(order=2, steps=2), "order=2 differentiates one ascent step"),
        (lambda: USAM(-1), "USAM: rho must be a finite number >= 0, got -1"),
        (lambda: ESAM(beta=0), r"ESAM: beta must be in \(0, 1\], got 0"),
        (lambda: ESAM(gamma=1.5), r"ESAM: gamma must be in \(0, 1\], got 1.5"),
        (lambda: LookSAM(k=0), "k must be at least 1, got 0"),
        (lambda: LookSAM(k=2.5), "k must be at least 1, got 2.5; give a whole number"),
        (lambda: LookSAM(alpha=INF), "LookSAM: alpha must be a finite number, got inf"),
        (lambda: GSAM(alpha=float("nan")), "GSAM: alpha must be a finite number, got nan"),
        (lambda: FSAM(decay=1), r"F-SAM: decay must be in \[0, 1\), got 1"),
        (lambda: SSSAM(probability=2), r"probability must be in \[0, 1\], got 2"),
        (lambda: AESAM(delta=1), r"delta must be in \[0, 1\), got 1"),
        (lambda: AESAM(lambda1=-INF), "must be finite, or both the same infinity"),
        (lambda: linear_from(2), r"linear: start must be in \[0, 1\], got 2"),
    ],
)
def test_settings_are_checked_when_the_method_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def linear_from(start):
    return ms.sam.linear(start, 1)


@pytest.mark.parametrize("method", [SSSAM(), ESAM()])
def test_randomness_needs_a_draw(net, method):
    with pytest.raises(ValueError, match=f"{method.name} draws at random: give draw="):
        method.gradient(net.losses, net.w, {})
