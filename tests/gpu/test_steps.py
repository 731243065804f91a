"""A SAM step on a device: the host waits for nothing, nothing is copied, and kernels are few."""

import numpy as np
import pytest

import minisam as ms
from minisam.arrays import moved
from minisam.ops import classification, im2col
from minisam.sam import directions, perturbation
from tests.sam.kin import kin

MODELS = {
    "mlp": ms.nn.mlp([64, 16, 10]),
    "cnn": ms.nn.cnn((1, 8, 8), 10, (4, 8), 16),
    "resnet": ms.nn.resnet((1, 8, 8), 10, 4),
}
BUDGET = {"mlp": 95, "cnn": 263, "resnet": 1019}
"""Kernels of a SAM step, both gradients and the optimizer with momentum and weight decay."""
METHODS = {
    **{name: m for name, m in kin(0.1).items() if "tensor" not in name},
    **{f"sam, p={p}": ms.sam.SAM(0.1, p) for p in (1, 3, np.inf)},
    "sam, order 2": ms.sam.SAM(0.1, order=2),
    "asam": ms.sam.SAM(0.1, eta=0.01),
    "sam by layers": ms.sam.SAM(0.1, groups=(slice(0, 100), slice(100, None))),
    "sam, three steps, p=inf": ms.sam.SAM(0.1, np.inf, steps=3),
}
WAITS = {"aesam": 1, "aelooksam": 1}
"""Their decision is the host's: one number a step."""
MOVES = {"esam": 1}
"""It draws which weights are perturbed: on the host, and moved."""


def run(model, method, optimizer, device, steps=2, dtype="float32", labels=10):
    """Take some steps; give the parameters and all gradients, on that device."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 1, 8, 8)).astype(dtype), rng.integers(labels, size=8)
    w, x, y = (moved(a, device) for a in (model.init(0, dtype), x, y))
    memory, state = optimizer.init(w), method.init(w)

    def losses(w, rows=None):
        some = (x, y) if rows is None else (x[rows], y[rows])
        return ms.nn.cross_entropy(model(w, some[0], train=True, seed=0), some[1])

    def go():
        nonlocal w, memory, state
        for t in range(steps):
            found = method.gradient(losses, w, state, t, steps, (0, 3, t), [losses])
            w, memory = optimizer.step(w, found.g, memory, 0.1)
            state = found.state
        return w

    return go


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_of_every_model(fake, name, dtype):
    optimizer = ms.optimizers.SGD(0.1, 0.9, weight_decay=5e-4)
    step = run(MODELS[name], ms.sam.SAM(0.05), optimizer, "cuda", 1, dtype)
    with fake.counted() as counts, fake.no_synchronisation():
        w = step()
    assert (counts.to_device, counts.to_host, counts.synchronisations) == (0, 0, 0)
    assert counts.kernels <= BUDGET[name], counts.launched
    expected = run(MODELS[name], ms.sam.SAM(0.05), optimizer, "cpu", 1, dtype)()
    assert w.dtype == dtype
    limit = 2e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(w.get(), expected, rtol=0, atol=limit * np.abs(expected).max())


@pytest.mark.parametrize("name", METHODS)
def test_a_step_of_every_method(fake, name):
    optimizer = ms.optimizers.SGD(0.1, 0.9)
    args = MODELS["mlp"], METHODS[name], optimizer
    step = run(*args, "cuda", 4, "float64")
    with fake.counted() as counts:
        if name in WAITS:
            w = step()
        else:
            with fake.no_synchronisation():
                w = step()
    assert counts.synchronisations == 4 * WAITS.get(name, 0)
    assert counts.to_device == 4 * MOVES.get(name, 0)
    np.testing.assert_allclose(w.get(), run(*args, "cpu", 4, "float64")(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "optimizer",
    [
        ms.optimizers.SGD(0.1),
        ms.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=0.1),
        ms.optimizers.SGD(0.1, weight_decay=0.1, decoupled=True),
        ms.optimizers.Adam(0.01, weight_decay=0.1),
        ms.optimizers.AdamW(0.01),
    ],
    ids=repr,
)
def test_a_step_of_every_optimizer(fake, optimizer):
    args = MODELS["mlp"], ms.sam.SAM(0.05), optimizer
    step = run(*args, "cuda", 3, "float64")
    with fake.counted() as counts, fake.no_synchronisation():
        w = step()
    assert (counts.to_device, counts.to_host) == (0, 0)
    np.testing.assert_allclose(w.get(), run(*args, "cpu", 3, "float64")(), rtol=0, atol=1e-12)


# That these tests can fail: the library with a mistake in it.


def largest_that_raises(g):
    top = np.maximum(g.max(), -g.min())
    if not np.isfinite(top):
        raise perturbation.NonFiniteError("not finite")
    return top


def own_by_a_host_index(z, labels):
    return z[np.arange(len(labels)), labels]


def rejection_with_an_if(a, b):
    unit = ms.sam.epsilon_hat(b, 1.0)
    rest = a - (a * unit).sum() * unit
    return rest if unit.any() else np.zeros_like(a)


def product_by_numpy(a, b):
    return np.ascontiguousarray(np.matmul(a, b))


def patches_of_empty_memory(x, window, groups, right=im2col._patches):
    return right(np.empty_like(x), window, groups)


@pytest.mark.parametrize(
    ("module", "name", "wrong", "model", "method"),
    [
        (perturbation, "_largest", largest_that_raises, "mlp", "sam"),
        (perturbation, "on_host", lambda x: True, "mlp", "sam"),
        (classification, "_own", own_by_a_host_index, "mlp", "sam"),
        (directions, "rejection", rejection_with_an_if, "mlp", "gsam"),
        (im2col, "_product", product_by_numpy, "cnn", "sam"),
        (im2col, "_patches", patches_of_empty_memory, "resnet", "sam"),
        (im2col, "strided", np.lib.stride_tricks.as_strided, "resnet", "sam"),
    ],
    ids=lambda x: getattr(x, "__name__", None),
)
def test_a_mistake_in_the_library_is_caught(fake, monkeypatch, module, name, wrong, model, method):
    monkeypatch.setattr(module, name, wrong)
    args = MODELS[model], METHODS[method], ms.optimizers.SGD(0.1)
    step = run(*args, "cuda", 1)
    try:
        with fake.counted() as counts, fake.no_synchronisation():
            w = step()
    except (TypeError, AttributeError, fake.SynchronisationError):
        return
    monkeypatch.undo()
    right = run(*args, "cpu", 1)()
    assert counts.to_device or not np.allclose(w.get(), right, rtol=0, atol=1e-4)


def test_a_label_out_of_range_makes_the_loss_nan(fake):
    z = moved(np.zeros((3, 2)), "cuda")
    each = ms.nn.cross_entropy(z, moved(np.array([0, 2, -1]), "cuda"))
    assert np.isnan(each.get()).tolist() == [False, True, True]


def test_what_is_not_finite_makes_the_climb_nan(fake):
    for p in (1, 2, 3, np.inf):
        for bad in (np.nan, np.inf):
            e = ms.sam.epsilon_hat(moved(np.array([1.0, bad]), "cuda"), 0.1, p)
            assert np.isnan(e.get()).any(), (p, bad)
