"""The loop: what it records, that it can be repeated and resumed bit for bit, when it stops."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam import nn
from minisam.data import batches
from minisam.optimizers import SGD, Adam, AdamW, cosine
from minisam.sam import ERM, SAM
from minisam.training import CheckpointError, DivergedError, evaluate, load_checkpoint, train
from minisam.training import loop as module

train = partial(train, progress=False)

PLAIN = nn.mlp([6, 5, 3])
NOISY = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 3))
OPTIMIZERS = {
    "sgd": SGD(0.1),
    "momentum": SGD(cosine(0.1), momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": Adam(0.01),
    "adamw": AdamW(cosine(0.01)),
}
METHODS = {
    "erm": ERM(),
    "sam": SAM(0.1),
    "order 2": SAM(0.1, p=3, order=2),
    "asam": SAM(0.5, eta=0.01, groups=(slice(0, 56), slice(56, 99))),
}
RUNS = [
    ("erm", "sgd"), ("erm", "momentum"), ("sam", "momentum"), ("erm", "adam"), ("sam", "adam"),
    ("order 2", "adamw"), ("asam", "momentum"),
]  # fmt: skip


def same(one, other):
    assert one.w.dtype == other.w.dtype
    assert one.w.tobytes() == other.w.tobytes()
    assert one.evaluations == other.evaluations
    assert one.statistics.tobytes() == other.statistics.tobytes()
    assert without_seconds(one) == without_seconds(other)


def without_seconds(run):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in run.history]


# What a run is.


def test_it_is_algorithm_1_written_out(data):
    """The same steps by hand: order of the batches, masks, learning rates and all."""
    method, optimizer = SAM(0.1), SGD(cosine(0.2), momentum=0.9)
    run = train(NOISY, data, method, optimizer, epochs=3, batch_size=16, seed=5)
    w = NOISY.init((5, 0), "float64")
    velocity, t, history = np.zeros_like(w), 0, []
    for epoch in range(3):
        losses = 0.0
        for rows in batches(41, 16, (5, 1, epoch)):
            x, y = data.x_train[rows], data.y_train[rows]

            def loss(w, x=x, y=y, t=t):
                return nn.cross_entropy(NOISY(w, x, train=True, seed=(5, 2, t)), y).mean()

            losses += float(loss(w)) * len(rows)
            g = ms.sam.sam_gradient(loss, w, 0.1)
            velocity = 0.9 * velocity + g
            w = w - cosine(0.2)(t, 9) * velocity
            t += 1
        statistics = NOISY.statistics(w, [data.x_train])
        logits = NOISY(w, data.x_test, statistics=statistics)
        history.append(
            {
                "epoch": epoch + 1,
                "lr": cosine(0.2)(t - 3, 9),
                "loss": losses / 41,
                "test_loss": float(nn.cross_entropy(logits, data.y_test).mean()),
                "test_accuracy": float((logits.argmax(axis=1) == data.y_test).mean()),
                "evaluations": 2.0 * t,
            }
        )
    np.testing.assert_allclose(run.w, w, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(run.statistics, statistics, rtol=1e-11)
    assert run.evaluations == 18
    for found, expected in zip(without_seconds(run), history, strict=True):
        assert found == pytest.approx(expected, rel=1e-10)
    seconds = [entry["seconds"] for entry in run.history]
    assert sorted(seconds) == seconds
    assert run.seconds == pytest.approx(seconds[-1], abs=1e-3)
    json.dumps(run.history)
    json.dumps(run.settings)


@pytest.mark.parametrize(("method", "optimizer"), RUNS)
def test_it_is_a_function_of_its_arguments(data, method, optimizer):
    def go(**changed):
        options = {"epochs": 2, "batch_size": 16, "seed": 3} | changed
        return train(NOISY, data, METHODS[method], OPTIMIZERS[optimizer], **options)

    one = go()
    same(one, go())
    for changed in ({"seed": 4}, {"batch_size": 15}, {"epochs": 3}):
        assert not np.array_equal(go(**changed).w, one.w)


def test_methods_with_one_seed_start_alike_and_see_the_same_batches(data):
    seen = {}
    for name in ("erm", "sam"):
        seen[name] = []

        def loss(logits, labels, name=name):
            seen[name].append(labels.tolist())
            return nn.cross_entropy(logits, labels)

        run = train(PLAIN, data, METHODS[name], SGD(0.0), epochs=2, batch_size=16, loss=loss)
        np.testing.assert_array_equal(run.w, PLAIN.init((0, 0), "float64"))
    # Each epoch: 3 batches, and one evaluation; SAM sees every batch twice in turn.
    once = seen["sam"][0:6:2] + seen["sam"][6:7] + seen["sam"][7:13:2] + seen["sam"][13:]
    assert once == seen["erm"]
    assert seen["sam"][0] == seen["sam"][1]
    assert sorted(y for batch in seen["erm"][:3] for y in batch) == sorted(data.y_train.tolist())
    assert seen["erm"][:3] != seen["erm"][4:7], "another order in the next epoch"


def test_global_random_state_is_neither_read_nor_changed(data):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    train(NOISY, data, SAM(0.1), SGD(0.1), epochs=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_data_is_not_written_to(data):
    for a in (data.x_train, data.y_train, data.x_test, data.y_test):
        a.flags.writeable = False
    train(NOISY, data, SAM(0.1), SGD(0.1), epochs=1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_everything_stays_in_the_dtype_of_the_data(data_of_dtype, method, optimizer, tmp_path):
    path, dtype = tmp_path / "run.npz", data_of_dtype.x_train.dtype
    run = train(
        NOISY, data_of_dtype, METHODS[method], OPTIMIZERS[optimizer], epochs=1, checkpoint=path
    )
    assert run.w.dtype == run.statistics.dtype == dtype
    saved = load_checkpoint(path)
    assert saved.arrays["w"].dtype == dtype
    for name, a in saved.state("optimizer").items():
        assert a.dtype == dtype or name == "step"


def test_a_last_batch_of_a_single_example(data):
    """41 examples in batches of 20: the one that is left has variance 0 in batch norm."""
    assert [len(rows) for rows in batches(41, 20, 0)] == [20, 20, 1]
    run = train(NOISY, data, SAM(0.1), SGD(0.1), epochs=2, batch_size=20)
    assert np.isfinite(run.w).all()
    one = train(NOISY, data, SAM(0.1), SGD(0.1), epochs=1, batch_size=1)
    assert np.isfinite(one.w).all()
    assert one.evaluations == 2 * 41


def test_a_batch_larger_than_the_data(data):
    assert train(PLAIN, data, ERM(), SGD(0.1), epochs=2, batch_size=1000).evaluations == 2


def test_training_learns(data):
    rng = np.random.default_rng(1)
    separable = replace(data, y_train=(data.x_train @ rng.normal(size=(6, 3))).argmax(axis=1))
    for method in METHODS.values():
        run = train(NOISY, separable, method, Adam(0.03), epochs=12, batch_size=21)
        assert run.history[-1]["loss"] < 0.6 * run.history[0]["loss"]


def test_regression(data):
    """Another loss, with targets of its own shape."""

    def one_hot(logits, labels):
        return nn.mse(logits, np.eye(3)[labels])

    run = train(PLAIN, data, SAM(0.05), SGD(0.1), epochs=3, loss=one_hot)
    assert run.history[-1]["loss"] < run.history[0]["loss"]


# Evaluation.


@pytest.mark.parametrize("size", [1, 4, 13, 1000])
def test_evaluation_in_batches_is_evaluation_at_once(data, size, monkeypatch):
    w = NOISY.init(0, "float64")
    statistics = NOISY.statistics(w, [data.x_train])
    logits = NOISY(w, data.x_test, statistics=statistics)
    expected = (
        nn.cross_entropy(logits, data.y_test).mean(),
        (logits.argmax(axis=1) == data.y_test).mean(),
    )
    monkeypatch.setattr(module, "EVALUATION_BATCH", size)
    found = evaluate(NOISY, w, data.x_test, data.y_test, statistics)
    assert found == pytest.approx(expected, rel=1e-12)
    assert [type(v) for v in found] == [float, float]


def test_evaluation_of_nothing(data):
    with pytest.raises(ValueError, match="there are no examples"):
        evaluate(PLAIN, PLAIN.init(0, "float64"), data.x_test[:0], data.y_test[:0])


def test_statistics_are_of_the_first_2000_examples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2500, 6)) * np.linspace(1, 3, 2500)[:, None]
    model = nn.BatchNorm(6)
    w = model.init(0, "float64")
    for n, used in ((2500, 2000), (1700, 1700), (30, 30)):
        expected = np.stack([x[:used].mean(axis=0), x[:used].var(axis=0)])
        found = module.statistics_at(model, w, x[:n])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


# Resuming.


@pytest.mark.parametrize(("method", "optimizer"), RUNS)
@pytest.mark.parametrize("model", [PLAIN, NOISY], ids=["plain", "noisy"])
def test_resuming_after_any_epoch_is_bit_identical(
    data, model, method, optimizer, tmp_path, monkeypatch
):
    method, optimizer = METHODS[method], OPTIMIZERS[optimizer]
    if method.groups and model is PLAIN:
        method = replace(method, groups=(slice(0, 20), slice(20, model.size)))
    go = partial(train, model, data, method, optimizer, epochs=4, batch_size=16)
    whole = go()
    path, copies = tmp_path / "run.npz", []
    save = module.files.save

    def save_and_copy(to, checkpoint):
        save(to, checkpoint)
        copies.append(Path(shutil.copy(to, tmp_path / f"{len(copies)}.npz")))

    monkeypatch.setattr(module.files, "save", save_and_copy)
    same(go(checkpoint=path), whole)
    monkeypatch.undo()
    assert len(copies) == 4
    for done, copy in enumerate(copies, 1):
        assert load_checkpoint(copy).meta["epoch"] == done
        before = copy.read_bytes()
        same(go(checkpoint=copy), whole)
        if done == 4:
            assert copy.read_bytes() == before, "there was nothing left to do"


def test_interrupted_within_an_epoch(data, tmp_path):
    """What was done since the last checkpoint is done again, with the same batches and masks."""
    go = partial(train, NOISY, data, SAM(0.1), Adam(0.01), epochs=4, batch_size=16)
    whole, path = go(), tmp_path / "run.npz"
    for stop in (1, 10, 9):
        calls = []

        def cross_entropy(logits, labels, stop=stop, calls=calls):
            calls.append(1)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return nn.cross_entropy(logits, labels)

        with pytest.raises(KeyboardInterrupt):
            go(checkpoint=path, loss=cross_entropy)
    assert load_checkpoint(path).meta["epoch"] == 2
    same(go(checkpoint=path), whole)


def test_resuming_can_be_declined(data, tmp_path):
    path = tmp_path / "run.npz"
    go = partial(train, PLAIN, data, ERM(), SGD(0.1), epochs=1, checkpoint=path)
    first = go(seed=1)
    with pytest.raises(CheckpointError):
        go(seed=2)
    second = go(seed=2, resume=False)
    assert not np.array_equal(first.w, second.w)
    np.testing.assert_array_equal(load_checkpoint(path).arrays["w"], second.w)


def test_a_damaged_checkpoint_can_be_deleted_to_start_anew(data, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=r"is damaged\. Delete it to start anew\.$"):
        train(PLAIN, data, ERM(), SGD(0.1), epochs=1, checkpoint=path)


def test_a_checkpoint_of_another_run(data, tmp_path):
    path = tmp_path / "run.npz"
    base = {
        "model": PLAIN, "data": data, "method": SAM(0.1), "optimizer": SGD(0.1), "epochs": 2,
        "batch_size": 16, "seed": 0, "loss": nn.cross_entropy,
    }  # fmt: skip
    train(**base, checkpoint=path)
    labels = data.y_train.copy()
    labels[0] = (labels[0] + 1) % 3

    def other(logits, labels):
        return nn.cross_entropy(logits, labels)

    changes = {
        "model": nn.mlp([6, 5, 3], activation=nn.Tanh),
        "fingerprint": {"data": replace(data, y_train=labels)},
        "method": SAM(0.1, groups=(slice(0, 20), slice(20, 53))),
        "optimizer": SGD(0.1, momentum=0.5),
        "epochs": 3,
        "batch_size": 17,
        "seed": 1,
        "loss": other,
    }
    before = path.read_bytes()
    for name, change in changes.items():
        change = change if isinstance(change, dict) else {name: change}
        with pytest.raises(CheckpointError, match=rf"other settings: {name} was .*, now") as caught:
            train(**(base | change), checkpoint=path)
        assert str(path) in str(caught.value)
        assert "; " not in str(caught.value), "what has not changed is not named"
    assert path.read_bytes() == before
    with pytest.raises(CheckpointError, match=r"method was .*; seed was 0, now 1\. Give another"):
        train(**(base | {"method": ERM(), "seed": 1}), checkpoint=path)


@pytest.mark.parametrize("part", ["x_train", "y_train", "x_test", "y_test"])
def test_the_fingerprint_is_of_all_examples(data, part):
    a = getattr(data, part).copy()
    a[-1] = (a[-1] + 1) % 3
    changed = replace(data, **{part: a})
    assert module.fingerprint(changed) != module.fingerprint(data)
    assert module.fingerprint(replace(data)) == module.fingerprint(data)


def test_a_checkpoint_that_is_none_of_a_run(data, tmp_path):
    path = tmp_path / "run.npz"
    ms.training.save_checkpoint(path, ms.training.Checkpoint({"w": np.ones(3)}))
    with pytest.raises(CheckpointError, match="model was None, now"):
        train(PLAIN, data, ERM(), SGD(0.1), epochs=1, checkpoint=path)


def test_settings_hold_no_memory_address(data, tmp_path):
    """A schedule and a loss that are plain functions: the same in another process."""

    def schedule(t, total):
        return np.float32(0.1) * (1 - t / total)

    path = tmp_path / "run.npz"
    loss = partial(nn.cross_entropy)
    go = partial(train, PLAIN, data, ERM(), SGD(schedule), epochs=np.int64(2), seed=np.int32(1))
    run = go(loss=loss, checkpoint=path)
    assert " at 0x" not in json.dumps(run.settings)
    assert "schedule" in run.settings["optimizer"]
    same(go(loss=partial(nn.cross_entropy), checkpoint=path), run)


def test_a_damaged_checkpoint_stops_the_run(data, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"run\.npz \(7 bytes\)"):
        train(PLAIN, data, ERM(), SGD(0.1), epochs=1, checkpoint=path)
    assert path.read_bytes() == b"damaged"


# SIGKILL.

SCRIPT = Path(__file__).with_name("killed_run.py")


def start(*arguments):
    root = str(Path(ms.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
    )


def finish(process):
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors.decode()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.npz"
    assert finish(start(path)) == (0, "")
    return load_checkpoint(path)


def check_identical(path, uninterrupted):
    assert finish(start(path)) == (0, "")
    found = load_checkpoint(path)
    assert found.meta["epoch"] == 100
    assert found.arrays.keys() == uninterrupted.arrays.keys()
    for name, a in uninterrupted.arrays.items():
        assert found.arrays[name].tobytes() == a.tobytes()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_at_random_moments(uninterrupted, tmp_path):
    path, rng = tmp_path / "run.npz", np.random.default_rng()
    epochs = []
    for _ in range(5):
        # The time that Python takes to start is not interesting. Nor is how long a test waits for
        # a busy processor: it would come too late to kill, so that the kernel does it.
        code, _ = finish(start(path, "later", rng.uniform(1e-4, 0.1)))
        assert code in (-signal.SIGALRM, 0)
        epochs.append(load_checkpoint(path).meta["epoch"])
    assert epochs == sorted(epochs)
    assert epochs[0] < 100, "the run was killed before its end"
    check_identical(path, uninterrupted)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize(
    "moment", ["np.savez", "os.fsync", "os.fsync-after", "os.replace", "os.replace-after"]
)
def test_killed_while_saving(uninterrupted, tmp_path, moment):
    path = tmp_path / "run.npz"
    code, _ = finish(start(path, moment, 3))
    assert code == -signal.SIGKILL
    saved = load_checkpoint(path)
    # Two fsyncs make one save: the file's and the folder's.
    epoch = {"os.fsync": 1, "os.fsync-after": 1, "os.replace-after": 3}.get(moment, 2)
    assert saved.meta["epoch"] == epoch
    check_identical(path, uninterrupted)


# Divergence.


@pytest.mark.parametrize("method", METHODS)
def test_a_loss_that_is_nan_stops_the_run(data, method, tmp_path):
    """3 steps an epoch; step 7 is in the third."""
    path = tmp_path / "run.npz"
    method = METHODS[method]
    go = partial(train, NOISY, data, method, SGD(0.1), epochs=5, batch_size=16, checkpoint=path)
    counted = []

    def poisoned(logits, labels):
        counted.append(len(labels))
        out = nn.cross_entropy(logits, labels)
        return out * np.nan if steps(counted, method) == 7 else out

    with pytest.raises(DivergedError) as caught:
        go(loss=poisoned)
    message = str(caught.value)
    assert f"{method.name}: the loss or the gradient is not finite at step 7 (epoch 3)" in message
    assert f"the last good checkpoint is {path}, after epoch 2" in message
    saved = load_checkpoint(path)
    assert saved.meta["epoch"] == 2
    assert all(np.isfinite(a).all() for a in saved.arrays.values())


def steps(counted, method):
    """Number of the step that the latest call belongs to; -1 for an evaluation."""
    passes = 1 if method.name == "ERM" else 2
    epoch, call = divmod(len(counted) - 1, 3 * passes + 1)
    return -1 if call == 3 * passes else 3 * epoch + call // passes


def test_it_stops_before_there_is_a_checkpoint(data, tmp_path):
    def nan(logits, labels):
        return nn.cross_entropy(logits, labels) * np.nan

    for path in (None, tmp_path / "run.npz"):
        with pytest.raises(DivergedError, match=r"ERM: .* at step 0 .*there is no checkpoint yet"):
            train(PLAIN, data, ERM(), SGD(0.1), epochs=1, loss=nan, checkpoint=path)
        assert path is None or not path.exists()


@pytest.mark.parametrize("optimizer", [SGD(1e200), SGD(1e200, momentum=0.9), SGD(1e308)])
@pytest.mark.parametrize("method", ["erm", "sam"])
def test_a_learning_rate_that_is_too_large(data, method, optimizer, tmp_path):
    """Without a warning of NumPy's, and without a checkpoint that holds an infinity."""
    path = tmp_path / "run.npz"
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        train(PLAIN, data, METHODS[method], optimizer, epochs=6, batch_size=41, checkpoint=path)
    if path.exists():
        saved = load_checkpoint(path)
        assert all(np.isfinite(a).all() for a in saved.arrays.values())
        assert all(np.isfinite(list(entry.values())).all() for entry in saved.meta["history"])


def test_a_last_step_to_infinity_is_not_saved(data, tmp_path):
    """The loss was finite; the parameters after the step are not."""
    path = tmp_path / "run.npz"

    def schedule(t, total):
        return 1.7e308 if t == total - 1 else 0.1

    def steep(logits, labels):
        return 1e3 * nn.cross_entropy(logits, labels)

    with pytest.raises(DivergedError, match=r"at step 1 \(epoch 2\); the last good checkpoint"):
        train(
            PLAIN, data, ERM(), SGD(schedule), epochs=2, batch_size=41, loss=steep, checkpoint=path
        )
    assert load_checkpoint(path).meta["epoch"] == 1


def test_a_loss_that_is_nan_although_its_gradient_is_finite(data):
    def nan(logits, labels):
        return nn.cross_entropy(logits, labels) + np.nan

    with pytest.raises(DivergedError, match="at step 0"):
        train(PLAIN, data, ERM(), SGD(0.1), epochs=1, batch_size=16, loss=nan)


def test_an_optimizer_whose_memory_overflows():
    """Adam's g² in float32: the parameters would stand still from then on, without a word."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 6)).astype("f4"), rng.integers(3, size=8)
    data = ms.data.Dataset("tiny", x, y, x, y, classes=3)

    def steep(logits, labels):
        return 1e30 * nn.cross_entropy(logits, labels)

    with pytest.raises(DivergedError, match="at step 0"):
        train(PLAIN, data, ERM(), Adam(0.01), epochs=1, loss=steep)


# Errors.


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (0, "mlp", r"model must be made like ms.nn.mlp\(.*; got 'mlp'"),
        (1, ([[0.0]], [0]), r"data must be made like ms.data.load\('digits'\)"),
        (1, (np.zeros((999, 64)), 1), r"got \(array\(\[\[0\..{0,80}$"),
        (2, "sam", r"method must be made like ms.sam.SAM\(0.05\); got 'sam'"),
        (2, SAM, "method must be made like"),
        (3, 0.1, r"optimizer must be made like ms.optimizers.SGD\(0.1\); got 0.1"),
        (3, SGD, "optimizer must be made like"),
    ],
)
def test_arguments_of_another_kind(data, place, wrong, message):
    args = [PLAIN, data, ERM(), SGD(0.1)]
    args[place] = wrong
    with pytest.raises(TypeError, match=message):
        train(*args, epochs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": -3}, "epochs must be at least 1"),
        ({"epochs": 1, "batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"epochs": 1, "seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_settings_that_cannot_be(data, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(PLAIN, data, ERM(), SGD(0.1), **options, checkpoint=tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1.5}, "epochs must be an int, got 1.5"),
        ({"epochs": 1, "batch_size": "8"}, "batch_size must be an int, got '8'"),
        ({"epochs": 1, "seed": None}, "seed must be an int, got None"),
    ],
)
def test_settings_that_are_no_whole_numbers(data, options, message):
    with pytest.raises(TypeError, match=message):
        train(PLAIN, data, ERM(), SGD(0.1), **options)


def test_a_model_of_another_width(data):
    with pytest.raises(ms.ShapeError, match=r"expected \(batch, 7\)"):
        train(nn.mlp([7, 3]), data, ERM(), SGD(0.1), epochs=1)


def test_too_few_outputs(data):
    with pytest.raises(ValueError, match="but the logits have 2 classes"):
        train(nn.mlp([6, 2]), data, ERM(), SGD(0.1), epochs=1)


def test_a_loss_that_is_already_a_mean_is_refused():
    def mean_loss(logits, labels):
        return np.mean(nn.cross_entropy(logits, labels))

    model = nn.mlp([64, 10])
    w = model.init(0)
    x, y = np.zeros((3, 64), dtype="float32"), np.array([0, 1, 2])
    with pytest.raises(
        ms.ShapeError, match=r"returned shape \(\) for 3 examples.*without np\.mean"
    ):
        evaluate(model, w, x, y, loss=mean_loss)


# What is called after each epoch.


def test_it_is_given_the_parameters_and_the_entry_of_each_epoch(data):
    seen = []
    run = train(
        PLAIN, data, ERM(), SGD(0.1), epochs=3, after_epoch=lambda *given: seen.append(given)
    )
    assert [entry for _, entry in seen] == run.history
    assert seen[-1][0] is run.w
    alone = train(PLAIN, data, ERM(), SGD(0.1), epochs=2)
    # The schedule is constant, so that two epochs are the first two of three; later ones write
    # to no parameters that were given before.
    assert seen[1][0].tobytes() == alone.w.tobytes()


def test_if_it_returns_true_training_ends(data):
    whole = train(PLAIN, data, SAM(0.1), SGD(0.1), epochs=5)
    run = train(
        PLAIN, data, SAM(0.1), SGD(0.1), epochs=5, after_epoch=lambda _, entry: entry["epoch"] == 2
    )
    assert without_seconds(run) == without_seconds(whole)[:2]
    # A list is often appended to with a lambda: None does not end it, nor does False.
    for value in (None, False, 0):
        run = train(PLAIN, data, SAM(0.1), SGD(0.1), epochs=5, after_epoch=lambda *_, v=value: v)
        assert len(run.history) == 5


def test_a_run_that_ended_stays_as_it_is_when_it_is_resumed(data, tmp_path):
    path, called = tmp_path / "run.npz", []

    def enough(_, entry):
        called.append(entry["epoch"])
        return entry["epoch"] >= 2

    first = train(PLAIN, data, ERM(), SGD(0.1), epochs=5, checkpoint=path, after_epoch=enough)
    again = train(PLAIN, data, ERM(), SGD(0.1), epochs=5, checkpoint=path, after_epoch=enough)
    same(again, first)
    assert called == [1, 2, 2]
    longer = train(PLAIN, data, ERM(), SGD(0.1), epochs=5, checkpoint=path)
    same(longer, train(PLAIN, data, ERM(), SGD(0.1), epochs=5))
