"""Finished cells on disk: a file that is only ever appended to, so that a killed run goes on.

The first line holds the settings that all cells share, every other line one finished cell; each is
JSON. A line is written at once and synced before the next cell is taken. A process killed in
between leaves at most one line without its end, which is recognised and dropped.
"""

import json
import os
from pathlib import Path
from typing import Any

from minisam.experiments.cell import Cell

VERSION = 1
HEAD = b'{"version": '
"""What a file of ours begins with."""


class ResultsError(ValueError):
    """A file of results is damaged, in use, or of an experiment with other settings."""


class Results:
    """An open file of finished cells.

    Parameters
    ----------
    path : path
        Where; the file and its folders are made if they are not there.
    settings : dict
        JSON values; a file of cells with other settings is refused.

    Raises
    ------
    ResultsError
        It has other settings, or a damaged line, or another process has it open.
    OSError
        It cannot be read or written.

    Examples
    --------
    >>> import tempfile, minisam as ms
    >>> cell = Cell(ms.sam.ERM(), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Results(f"{folder}/cells.jsonl", {"epochs": 2}) as results:
    ...         results.append(cell, {"accuracy": 0.5})
    ...     with Results(f"{folder}/cells.jsonl", {"epochs": 2}) as results:
    ...         results[cell]
    {'accuracy': 0.5}
    """

    def __init__(self, path: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._found: dict[tuple[str, int, float], dict[str, Any]] = {}
        # Not buffered, so that a line is one write.
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115 (closed by __exit__)
        try:
            self._lock()
            self._read(settings)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, cell: Cell) -> bool:
        return cell.key in self._found

    def __getitem__(self, cell: Cell) -> dict[str, Any]:
        return self._found[cell.key]

    def append(self, cell: Cell, result: dict[str, Any]) -> None:
        """Add a finished cell; it is on disk when this returns.

        Parameters
        ----------
        cell : Cell
            Which.
        result : dict
            JSON values, as of `run_cell`.
        """
        method, seed, noise = cell.key
        self._write({"method": method, "seed": seed, "noise": noise, "result": result})
        self._found[cell.key] = result  # before the sync, in which Ctrl-C would leave it uncounted
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        """Refuse to share the file: what one process appends, another would not know of."""
        import fcntl  # POSIX's own; without it nothing else of this package is lost

        try:
            # The lock is the open file's, so that it goes with the process, however that ends.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsError(
                f"another process is writing to {self.path}. Wait for it, or give another folder."
            ) from None

    def _read(self, settings: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.readall()
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines()
        if lines:
            self._check(self._parsed(lines[0], 1), settings)
        elif not HEAD.startswith(content[: len(HEAD)]):
            raise self._damaged(1)
        if whole < len(content):
            self._file.truncate(whole)  # the line that a killed process did not finish
        if not lines:
            self._write({"version": VERSION, "settings": settings})
            os.fsync(self._file.fileno())
            return
        for number, line in enumerate(lines[1:], 2):
            entry = self._parsed(line, number)
            try:
                key = entry["method"], entry["seed"], entry["noise"]
                self._found[key] = entry["result"]
            except (KeyError, TypeError):
                raise self._damaged(number) from None

    def _check(self, head: Any, settings: dict[str, Any]) -> None:
        if not isinstance(head, dict) or head.get("version") != VERSION or "settings" not in head:
            raise ResultsError(
                f"{self.path} is no file of results of this version of minisam. Give another "
                "folder, or delete it."
            )
        before, now = head["settings"], json.loads(json.dumps(settings))
        changed = [
            f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise ResultsError(
                f"{self.path} holds cells with other settings: {'; '.join(changed)}. Give another "
                "folder, or delete it."
            )

    def _parsed(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise self._damaged(number) from None

    def _damaged(self, number: int) -> ResultsError:
        hint = "Delete the line to run its cell again." if number > 1 else "Delete the file."
        return ResultsError(f"{self.path}: line {number} is damaged. {hint}")

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        if self._file.write(line) != len(line):
            raise OSError(f"cannot write to {self.path}: is the disk full?")
