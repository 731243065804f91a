"""To a device and back, by name; what is missing is said, and what is mixed is named."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minisam as ms
from minisam.arrays import DeviceError, device_of, on_host
from minisam.cli import main
from tests.training.conftest import make_data


def test_there_and_back(fake):
    x = np.arange(3.0)
    there = ms.to_device(x, "cuda")
    assert type(there) is fake.ndarray
    assert device_of(there) == "cuda"
    assert not on_host(there)
    assert ms.to_device(there, "cuda") is there
    back = ms.to_numpy(there)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, x)
    assert ms.to_numpy(x) is x


def test_the_backend_is_that_of_the_array_call_by_call(fake):
    x = np.arange(1.0, 4.0)
    gradient = ms.grad(lambda x: np.sum(np.log(x)))
    on_device, on_the_host = gradient(ms.to_device(x, "cuda")), gradient(x)
    assert type(on_device) is fake.ndarray
    assert type(on_the_host) is np.ndarray
    np.testing.assert_array_equal(on_device.get(), on_the_host)


def test_a_derivative_goes_back_the_way_it_came(fake):
    def f(x):
        return ms.to_numpy(np.sin(ms.to_device(x, "cuda"))) * x

    ms.check_grads(f, (np.array([0.3, -0.7]),), order=3, analytic=False)
    with pytest.raises(TypeError, match="measures on the host"):
        ms.check_grads(np.sin, (ms.to_device([0.3], "cuda"),))


def test_parameters_are_the_same_everywhere(fake):
    model = ms.nn.mlp([4, 3, 2])
    w = model.init(7, "float64", device="cuda")
    assert device_of(w) == "cuda"
    np.testing.assert_array_equal(w.get(), model.init(7, "float64"))
    dropped = ms.ops.dropout(ms.to_device(np.ones(9), "cuda"), 0.5, seed=1)
    np.testing.assert_array_equal(dropped.get(), ms.ops.dropout(np.ones(9), 0.5, seed=1))


@pytest.mark.parametrize("name", ["gpu", "cuda:1", "cuda:x", "cuda:", "cpu:0", ""])
def test_names_that_are_none(fake, name):
    message = rf"^device '{name}': expected 'cpu' or 'cuda'. .* CUDA_VISIBLE_DEVICES"
    for x in (np.ones(1), ms.to_device(np.ones(1), "cuda")):
        with pytest.raises(ValueError, match=message):
            ms.to_device(x, name)
        with pytest.raises(ValueError, match=message):
            ms.grad(lambda x: np.sum(ms.to_device(x, name)))(x)
    with pytest.raises(ValueError, match=message):
        ms.nn.mlp([2, 2]).init(0, device=name)


def test_without_cupy_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r"pip install 'minisam\[cuda13\]'"):
        ms.to_device(np.ones(1), "cuda")
    with pytest.raises(ImportError, match="pip install"):
        ms.nn.mlp([2, 2]).init(0, device="cuda")


def test_without_a_device(fake, monkeypatch):
    monkeypatch.setattr(fake, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="finds no GPU"):
        ms.to_device(np.ones(1), "cuda")


def test_mixed_devices_are_both_named(fake):
    model = ms.nn.mlp([3, 2])
    x = np.ones((4, 3), "float32")
    with pytest.raises(TypeError, match=r"dense: .*\(4, 3\) on 'cpu' and \(8,\) on 'cuda'"):
        model(model.init(0, device="cuda"), x)
    with pytest.raises(TypeError, match=r"bring them to one: ms.to_device"):
        ms.grad(lambda w: np.sum(model(w, ms.to_device(x, "cuda"))))(model.init(0))
    there = ms.to_device(x, "cuda")
    with pytest.raises(TypeError, match=r"\(\) on 'cpu' and \(4, 3\) on 'cuda'; bring them to one"):
        ms.grad(lambda a: np.sum(a * np.array(2.0, "float32")))(there)
    doubled = ms.grad(lambda a: np.sum(a * np.float32(2.0)))(there)  # a scalar is anywhere
    np.testing.assert_array_equal(doubled.get(), np.full((4, 3), 2.0))


@pytest.mark.parametrize("part", ["x_train", "y_train", "x_test", "y_test"])
def test_a_data_set_is_on_one_device(fake, part):
    data = make_data()
    there = ms.to_device(getattr(data, part), "cuda")
    with pytest.raises(TypeError, match=rf"'{data.name}': arrays of .* on 'cpu' and .* on 'cuda'"):
        replace(data, **{part: there})


def test_an_import_never_imports_cupy():
    code = "import sys, minisam as m; m.nn, m.train, m.sam; sys.exit('cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("method", [ms.sam.SAM(0.05), ms.sam.AESAM(0.05), ms.sam.FSAM(0.05)])
def test_training_is_the_same_and_resumes(fake, tmp_path, method):
    data, model = make_data(), ms.nn.mlp([6, 5, 3])
    options = {"batch_size": 10, "progress": False}
    args = model, data.to_device("cuda"), method, ms.optimizers.Adam(0.01)
    run = ms.train(*args, epochs=3, **options)
    host = ms.train(model, data, method, ms.optimizers.Adam(0.01), epochs=3, **options)
    np.testing.assert_allclose(run.w.get(), host.w, rtol=0, atol=1e-12)
    for ours, theirs in zip(run.history, host.history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-12)
        assert ours["test_accuracy"] == theirs["test_accuracy"]
    assert isinstance(run.history[0]["loss"], float)
    # A run that stops after its second epoch, and goes on.
    path = tmp_path / "run.npz"

    class Stop(Exception):
        pass

    def stopping(logits, labels, seen=[]):  # noqa: B006
        seen.append(1)
        if len(seen) > 90:
            raise Stop
        return ms.nn.cross_entropy(logits, labels)

    stopping.__name__ = "cross_entropy"
    with pytest.raises(Stop):
        ms.train(*args, epochs=30, checkpoint=path, loss=stopping, **options)
    again = ms.train(*args, epochs=30, checkpoint=path, **options)
    whole = ms.train(*args, epochs=30, **options)
    np.testing.assert_array_equal(again.w.get(), whole.w.get())
    with pytest.raises(ValueError, match="on cuda"):
        ms.train(
            model, data, method, ms.optimizers.Adam(0.01), epochs=30, checkpoint=path, **options
        )


def test_divergence_is_found_at_the_end_of_the_epoch_and_its_step_named(fake):
    data = make_data().to_device("cuda")
    with pytest.raises(FloatingPointError, match=r"not finite at step [1-4] \(epoch 1\)"):
        ms.train(
            ms.nn.mlp([6, 5, 3]),
            replace(data, x_train=data.x_train * 1e150),
            ms.sam.SAM(0.05),
            ms.optimizers.SGD(1e160),
            epochs=2,
            batch_size=10,
            progress=False,
        )


def test_the_command_line(fake, tmp_path, capsys):
    args = ["train", "--train", "60", "--test", "20", "--epochs", "1", "--quiet", "--no-compare"]
    pytest.importorskip("sklearn")
    assert main([*args, "--device", "cuda", "--out", str(tmp_path / "a")]) == 0
    on_device = capsys.readouterr().out
    assert main([*args, "--out", str(tmp_path / "b")]) == 0
    host = capsys.readouterr().out
    assert on_device.splitlines()[:-3] == host.splitlines()[:-3]
    for name in ("tpu", "cuda:1"):
        assert main([*args, "--device", name]) == 2
        assert f"device '{name}': expected 'cpu' or 'cuda'. " in capsys.readouterr().err


def test_the_command_line_without_cupy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["train", "--device", "cuda"]) == 1
    assert "pip install 'minisam[cuda13]'" in capsys.readouterr().err


def test_acceptance_on_the_fake(tmp_path):
    """The command for a machine with a GPU, as far as it can be run without one."""
    pytest.importorskip("sklearn")
    command = [sys.executable, "tests/gpu/acceptance.py"]
    out = tmp_path / "found.json"
    done = subprocess.run(
        [*command, "--fake", "--short", "--out", str(out)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert "no GPU" in found["device"]
    results = [line["result"] for line in found["lines"]]
    assert results.count("ok") >= 13
    assert "FAILED" not in results


def test_an_epoch_copies_its_order_and_nothing_else(fake):
    data, model = make_data().to_device("cuda"), ms.nn.mlp([6, 5, 3])
    with fake.counted() as counts:
        ms.train(
            *(model, data, ms.sam.SAM(0.05), ms.optimizers.SGD(0.1, 0.9)),
            epochs=3,
            batch_size=10,
            progress=False,
        )
    assert counts.to_device == 1 + 3  # the parameters, and the order of each epoch
    # Of an epoch the losses, whether all is finite (5 losses, w, the momentum), and two numbers of
    # the evaluation; the examples, for their fingerprint, once.
    assert counts.to_host <= 3 * (1 + 7 + 2) + 4


def test_the_point_of_a_derivative_is_kept(fake):
    x = ms.to_device([1.0, 2.0], "cuda")
    _, push = ms.linearize(lambda x: x * x, x)
    x[...] = 0
    assert push(ms.to_device([1.0, 1.0], "cuda")).tolist() == [2.0, 4.0]
