"""A run on disk: one .npz file, written atomically, read without pickle, with a checksum.

The file holds the arrays of the run (parameters, optimizer state, method state) and a JSON text
(settings, history, counters). It is written beside its final name and moved over it, so that a
process killed at any moment leaves either the old checkpoint or the new one, never half of one.
"""

import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minisam.arrays import Array, to_numpy

VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is not one of this run."""


@dataclass
class Checkpoint:
    """Everything a run needs to go on as if it had not been interrupted.

    Attributes
    ----------
    arrays : dict from str to array
        ``w``, ``optimizer/...``, ``method/...``, and the series of ``steps/...``.
    meta : dict
        JSON values: ``settings``, ``epoch`` (epochs done), ``evaluations``, ``seconds`` and
        ``history``.

    Examples
    --------
    >>> Checkpoint({"w": 0.0, "optimizer/momentum": 1.0}).state("optimizer")
    {'momentum': 1.0}
    """

    arrays: dict[str, Array]
    meta: dict[str, Any] = field(default_factory=dict)

    def state(self, kind: str) -> dict[str, Array]:
        """Return the arrays of ``"optimizer"``, ``"method"`` or ``"steps"`` by their own names."""
        return {k.split("/", 1)[1]: v for k, v in self.arrays.items() if k.startswith(kind + "/")}


def _digest(arrays: dict[str, np.ndarray[Any, Any]]) -> str:
    h = hashlib.sha256()
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        h.update(f"{name} {a.dtype.str} {a.shape}\n".encode())
        h.update(a.tobytes())
    return h.hexdigest()


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint, atomically.

    Parameters
    ----------
    path : path
        Where; an existing file is replaced only once the new one is safe on disk.
    checkpoint : Checkpoint
        What.

    Raises
    ------
    OSError
        The file cannot be written; the old one is left as it is.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/run.npz", Checkpoint({"w": np.ones(2)}, {"epoch": 3}))
    ...     back = load(f"{folder}/run.npz")
    >>> back.arrays["w"], back.meta["epoch"]
    (array([1., 1.]), 3)
    """
    arrays = {name: to_numpy(a) for name, a in checkpoint.arrays.items()}
    meta = json.dumps({"version": VERSION, **checkpoint.meta}).encode()
    arrays["meta"] = np.frombuffer(meta, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, checksum=np.array(_digest(arrays)), **arrays)  # type: ignore[arg-type]
    replace_file(Path(path), buffer.getbuffer())


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole, or leave it as it was.

    Parameters
    ----------
    path : pathlib.Path
        Where; its folder is made if it is not there.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        It cannot be written; an old one is left as it is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder, "new", "a.txt"), b"all of it")
    ...     Path(folder, "new", "a.txt").read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # the rename itself must survive a power failure, too
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and verify it.

    Parameters
    ----------
    path : path
        A file written by `save`.

    Returns
    -------
    Checkpoint
        As it was saved, bit for bit.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    CheckpointError
        It is damaged, of another version, or no checkpoint at all.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(f"{folder}/run.npz").write_bytes(b"something else")
    ...     load(f"{folder}/run.npz")
    Traceback (most recent call last):
    ...
    minisam.training.checkpoint.CheckpointError: ...run.npz (14 bytes) is not a minisam...
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no checkpoint at {path}. Train first, or give another path.")
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        checksum = str(arrays.pop("checksum"))
        meta = json.loads(arrays["meta"].tobytes())
        version = meta.pop("version")
    except Exception as error:  # a damaged archive makes its readers fail in many ways
        raise CheckpointError(
            f"{path} ({len(content)} bytes) is not a minisam checkpoint, or is damaged."
        ) from error
    if version != VERSION:
        raise CheckpointError(
            f"{path} has version {version}, this minisam reads {VERSION}. Use the minisam "
            "that wrote it."
        )
    found = _digest(arrays)
    if found != checksum:
        raise CheckpointError(
            f"{path} ({len(content)} bytes) is damaged: its checksum is {found[:16]}…, but should "
            f"be {checksum[:16]}…."
        )
    del arrays["meta"]
    return Checkpoint(arrays, meta)
