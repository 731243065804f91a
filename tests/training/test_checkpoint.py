"""A run on disk: whole or as it was before, and never believed when damaged."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from minisam.training import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from minisam.training import checkpoint as module


@pytest.fixture
def checkpoint():
    arrays = {
        "w": np.array([1.5, -0.0, np.pi, 5e-324]),
        "optimizer/momentum": np.array([1, 2, 3, 4], "f4"),
        "optimizer/step": np.array(7),
        "method/mean": np.array(0.1, "f4"),
        "empty": np.zeros((0, 3), "f4"),
    }
    meta = {"epoch": 3, "settings": {"name": "ε̂"}, "history": [{"loss": 0.1 + 0.2}]}
    return Checkpoint(arrays, meta)


@pytest.fixture
def path(checkpoint, tmp_path):
    path = tmp_path / "run.npz"
    save_checkpoint(path, checkpoint)
    return path


def test_it_comes_back_bit_for_bit(checkpoint, path):
    back = load_checkpoint(str(path))
    assert back.meta == checkpoint.meta
    assert back.arrays.keys() == checkpoint.arrays.keys()
    for name, a in checkpoint.arrays.items():
        assert back.arrays[name].dtype == a.dtype
        assert back.arrays[name].shape == a.shape
        assert back.arrays[name].tobytes() == a.tobytes()
    assert back.state("optimizer").keys() == {"momentum", "step"}
    assert back.state("method").keys() == {"mean"}


def test_what_is_saved_is_not_changed(checkpoint, tmp_path):
    names, meta = list(checkpoint.arrays), dict(checkpoint.meta)
    save_checkpoint(tmp_path / "run.npz", checkpoint)
    assert list(checkpoint.arrays) == names
    assert checkpoint.meta == meta


def test_one_file_and_folders_are_made(checkpoint, tmp_path):
    path = tmp_path / "new folder" / "ρ=0.1" / "run"  # no suffix is added, either
    save_checkpoint(path, checkpoint)
    assert [p.name for p in path.parent.iterdir()] == ["run"]
    assert load_checkpoint(path).meta["epoch"] == 3


def test_strided_arrays(tmp_path):
    a = np.arange(12.0).reshape(3, 4)
    save_checkpoint(tmp_path / "run.npz", Checkpoint({"w": a[::2, ::-1], "t": a.T}))
    back = load_checkpoint(tmp_path / "run.npz").arrays
    np.testing.assert_array_equal(back["w"], a[::2, ::-1])
    np.testing.assert_array_equal(back["t"], a.T)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_crash_leaves_the_old_file_and_no_other(checkpoint, path, monkeypatch, call):
    before = path.read_bytes()

    def crash(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, call, crash)
    checkpoint.meta["epoch"] = 4
    with pytest.raises(OSError, match="no space left"):
        save_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_complete_before_it_is_moved(checkpoint, path, monkeypatch):
    """What is moved over the old file can be loaded already, and was synced."""
    seen = []
    real_replace, real_fsync = os.replace, os.fsync

    def fsync(descriptor):
        seen.append("fsync")
        real_fsync(descriptor)

    def replace(source, target):
        assert source.parent == target.parent, "a move between folders is not atomic"
        assert seen == ["fsync"]
        assert load_checkpoint(source).meta["epoch"] == 4
        assert load_checkpoint(target).meta["epoch"] == 3
        seen.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "fsync", fsync)
    checkpoint.meta["epoch"] = 4
    save_checkpoint(path, checkpoint)
    assert load_checkpoint(path).meta["epoch"] == 4
    assert seen == ["fsync", "replace", "fsync"], "the folder is synced after the move"


def test_a_truncated_file(path):
    content = path.read_bytes()
    for length in (0, 1, 4, 30, 100, len(content) // 2, len(content) - 22, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=rf"run\.npz \({length} bytes\).* is damaged\.$"):
            load_checkpoint(path)


def test_a_flipped_bit_anywhere(checkpoint, path):
    """It is found; or it is in a byte that means nothing, such as a time stamp."""
    content = path.read_bytes()
    harmless = 0
    for i in range(len(content)):
        damaged = bytearray(content)
        damaged[i] ^= 1 << (i % 8)
        path.write_bytes(damaged)
        try:
            back = load_checkpoint(path)
        except CheckpointError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            harmless += 1
            assert back.meta == checkpoint.meta
            for name, a in checkpoint.arrays.items():
                assert back.arrays[name].tobytes() == a.tobytes()
                assert back.arrays[name].dtype == a.dtype
    assert harmless < 0.5 * len(content)


def rewritten(path, **changed):
    """The archive with some arrays changed, and whole as an archive."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changed
    np.savez(path, **arrays)


def test_a_number_that_was_changed(path):
    rewritten(path, w=np.zeros(4))
    with pytest.raises(CheckpointError, match="is damaged: its checksum is"):
        load_checkpoint(path)


def test_a_dtype_or_a_shape_that_was_changed(path):
    """The same bytes, read otherwise."""
    w = load_checkpoint(path).arrays["w"]
    for other in (w.view("i8"), w.reshape(2, 2)):
        rewritten(path, w=other)
        with pytest.raises(CheckpointError, match="checksum"):
            load_checkpoint(path)


def test_settings_that_were_changed(path):
    meta = json.dumps({"version": module.VERSION, "epoch": 9}).encode()
    rewritten(path, meta=np.frombuffer(meta, np.uint8))
    with pytest.raises(CheckpointError, match="checksum"):
        load_checkpoint(path)


def test_another_version(checkpoint, path, monkeypatch):
    monkeypatch.setattr(module, "VERSION", 99)
    save_checkpoint(path, checkpoint)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="has version 99, this minisam reads 1"):
        load_checkpoint(path)


@pytest.mark.parametrize("what", ["text", "npy", "npz", "zip", "pickle", "json list"])
def test_something_else(path, what):
    if what == "text":
        path.write_text("epoch,loss\n1,0.5\n")
    elif what == "npy":
        with open(path, "wb") as file:
            np.save(file, np.ones(3))
    elif what == "npz":
        np.savez(path, w=np.ones(3))
    elif what == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "text")
    elif what == "pickle":
        path.write_bytes(pickle.dumps({"w": [1.0]}))
    else:
        rewritten(path, meta=np.frombuffer(b"[1]", np.uint8))
    with pytest.raises(CheckpointError, match="is not a minisam checkpoint, or is damaged"):
        load_checkpoint(path)


class Exploit:
    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_a_pickle_inside_is_not_executed(path, tmp_path):
    exploit = Exploit()
    exploit.folder = str(tmp_path / "executed")
    for name in ("w", "meta", "checksum"):
        rewritten(path, **{name: np.array([exploit], dtype=object)})
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
        assert not (tmp_path / "executed").exists()
        path.unlink()
        save_checkpoint(path, Checkpoint({"w": np.ones(1)}))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "run.npz")


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(OSError) as caught:
        load_checkpoint(tmp_path)  # a folder
    assert not isinstance(caught.value, CheckpointError)
