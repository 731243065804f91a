"""Every method in the loop: resumed bit for bit, its records kept, its passes of one function."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam import nn, sam
from minisam.optimizers import SGD, cosine
from minisam.training import load_checkpoint
from minisam.training import loop as module
from minisam.training.examples import Examples

train = partial(ms.train, progress=False)
NOISY = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 3))
HALVES = (slice(0, 56), slice(56, 99))
METHODS = {
    "sam, three steps": sam.SAM(0.1, steps=3),
    "sam, chunks": sam.SAM(0.1, chunk=5),
    "usam": sam.USAM(0.1),
    "dnsam": sam.DNSAM(0.1),
    "esam": sam.ESAM(0.1, 0.6, 0.5),
    "esam by tensor": sam.ESAM(0.1, 0.6, 0.5, tensors=HALVES),
    "looksam": sam.LookSAM(0.1, k=4),
    "looksam by tensor": sam.LookSAM(0.1, k=4, tensors=HALVES),
    "sssam": sam.SSSAM(0.1, sam.trigonometric(0.3, 0.9)),
    "aesam": sam.AESAM(0.1),
    "aelooksam": sam.AELookSAM(0.1),
    "gsam": sam.GSAM(0.1),
    "fsam": sam.FSAM(0.1),
    "msam": sam.MSAM(0.1),
}
every_method = pytest.mark.parametrize("name", METHODS)


def same(one, other):
    assert one.w.tobytes() == other.w.tobytes()
    assert one.evaluations == other.evaluations
    assert one.steps.keys() == other.steps.keys()
    for name, series in one.steps.items():
        assert series.tobytes() == other.steps[name].tobytes()
    for a, b in zip(one.history, other.history, strict=True):
        assert a | {"seconds": 0} == b | {"seconds": 0}


@every_method
def test_resuming_after_any_epoch_is_bit_identical(data, name, tmp_path, monkeypatch):
    """3 steps an epoch, so that LookSAM's 4 and the checkpoints fall apart."""
    optimizer = SGD(cosine(0.1), momentum=0.9)
    go = partial(train, NOISY, data, METHODS[name], optimizer, epochs=4, batch_size=16)
    whole, copies = go(), []
    save = module.files.save

    def save_and_copy(to, checkpoint):
        save(to, checkpoint)
        copies.append(Path(shutil.copy(to, tmp_path / f"{len(copies)}.npz")))

    with monkeypatch.context() as copying:
        copying.setattr(module.files, "save", save_and_copy)
        same(go(checkpoint=tmp_path / "run.npz"), whole)
    for copy in copies:
        kept = METHODS[name].init(whole.w).keys()
        assert load_checkpoint(copy).state("method").keys() == kept
        same(go(checkpoint=copy), whole)


@every_method
def test_it_is_another_method_than_sam_and_erm(data, name):
    go = partial(train, NOISY, data, optimizer=SGD(0.1), epochs=6, batch_size=16)
    w = go(method=METHODS[name]).w
    assert np.isfinite(w).all()
    for other in (sam.SAM(0.1), sam.ERM()):
        assert not np.array_equal(w, go(method=other).w)


@pytest.mark.parametrize("name", ["looksam", "sssam", "aesam", "aelooksam"])
def test_decisions_are_recorded(data, name):
    run = train(NOISY, data, METHODS[name], SGD(0.1), epochs=4, batch_size=16)
    climbed = run.steps["climbed"]
    assert climbed.shape == (12,)
    assert set(climbed) == {0.0, 1.0}
    assert run.evaluations == 12 + climbed.sum()
    assert [entry["climbed"] for entry in run.history] == climbed.reshape(4, 3).mean(1).tolist()
    if name == "looksam":
        np.testing.assert_array_equal(np.flatnonzero(climbed), [0, 4, 8])
    elif "ae" in name:
        s, mean, variance, c = (run.steps[key] for key in ("s", "mean", "variance", "c"))
        np.testing.assert_array_equal(climbed, s >= mean + c * np.sqrt(variance))
        before = np.concatenate([[0], mean[:-1]])
        np.testing.assert_allclose(mean, 0.9 * before + 0.1 * s, rtol=1e-12)
        before = np.concatenate([[np.exp(-10)], variance[:-1]])
        np.testing.assert_allclose(variance, 0.9 * before + 0.1 * (s - mean) ** 2, rtol=1e-12)
        np.testing.assert_allclose(c, 1 - 2 * np.arange(12) / 12, atol=1e-15)
        assert set(run.steps) == {"s", "mean", "variance", "c", "climbed"}


def test_methods_that_decide_nothing_record_nothing(data):
    for method in (sam.ERM(), sam.SAM(0.1), sam.GSAM(0.1)):
        run = train(NOISY, data, method, SGD(0.1), epochs=1)
        assert run.steps == {}
        assert "climbed" not in run.history[0]
    run = train(NOISY, data, METHODS["esam"], SGD(0.1), epochs=1, batch_size=20)
    np.testing.assert_array_equal(run.steps["forwards"], [1, 1, 1])


def test_draws_depend_on_seed_and_step_alone(data):
    go = partial(train, NOISY, data, METHODS["sssam"], SGD(0.1), epochs=4, batch_size=16)
    climbed = go(seed=0).steps["climbed"]
    expected = [
        np.random.default_rng((0, 3, t)).random() < sam.trigonometric(0.3, 0.9)(t, 12)
        for t in range(12)
    ]
    np.testing.assert_array_equal(climbed, expected)
    assert not np.array_equal(climbed, go(seed=1).steps["climbed"])


def test_an_example_keeps_its_mask_in_a_smaller_pass(data):
    """Without batch norm, whose statistics are the pass's own: the losses are the same bits."""
    model = nn.Sequential(
        nn.Linear(6, 8), nn.Dropout(0.4), nn.Tanh(), nn.Linear(8, 9), nn.Dropout(0.2), nn.Tanh(),
        nn.Linear(9, 3),
    )  # fmt: skip
    w = model.init(0, "float64")
    examples = Examples(model, nn.cross_entropy, data, (5, 2, 7), np.arange(3, 30))
    whole = examples(w)
    for rows in (np.array([4, 11, 26]), slice(6, 19), slice(None)):
        np.testing.assert_allclose(examples(w, rows), whole[rows], rtol=1e-13)
    other = Examples(model, nn.cross_entropy, data, (5, 2, 8), np.arange(3, 30))
    assert not np.allclose(other(w, slice(0, 5)), whole[:5])


def test_the_full_gradient_is_of_all_examples(data):
    seen = []

    class Spy(sam.Method):
        def gradient(self, losses, w, state, t, total, draw, full):
            seen.append([part(w).size for part in full])
            return super().gradient(losses, w, state, t, total, draw, full)

    base = METHODS["dnsam"]
    spy = Spy(base.name, base.policy, base.rho, climb=base.climb)
    model = nn.mlp([6, 5, 3], activation=nn.Tanh)
    run = train(model, data, spy, SGD(0.1), epochs=1, batch_size=41)
    assert seen == [[41]]
    assert run.evaluations == 3
    same_batch = train(model, data, sam.SAM(0.1), SGD(0.1), epochs=1, batch_size=41)
    np.testing.assert_allclose(run.w, same_batch.w, rtol=0, atol=1e-12)


@every_method
def test_statistics_are_never_at_the_perturbed_point(data, name, monkeypatch):
    """Batch norm's are taken at w after the epoch, and no pass in training changes them."""
    points = []
    real = nn.Layer.statistics

    def recorded(self, w, batches):
        points.append(w)
        return real(self, w, batches)

    monkeypatch.setattr(type(NOISY), "statistics", recorded)
    run = train(NOISY, data, METHODS[name], SGD(0.1), epochs=2)
    assert len(points) == 3
    assert points[1] is run.w
    assert points[2] is run.w
    np.testing.assert_array_equal(run.statistics, real(NOISY, run.w, [data.x_train]))
