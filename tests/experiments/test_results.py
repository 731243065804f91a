"""A file of finished cells: what was appended is there, whatever happened to the process."""

import json
import os
import subprocess
import sys

import pytest

import minisam as ms
from minisam.experiments import Cell, Results, ResultsError

SETTINGS = {"epochs": 3, "model": "Linear(2, 3)"}
CELLS = [Cell(ms.sam.SAM(), seed, 0.2) for seed in range(4)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a folder" / "cells.jsonl"


def test_a_file_that_is_not_ours_is_left_as_it_is(path):
    path.parent.mkdir()
    for text in ("precious text", '{"mine": 1}', "a line\nand another"):
        path.write_text(text)
        with pytest.raises(ResultsError):
            Results(path, SETTINGS)
        assert path.read_text() == text


def write(path, cells=CELLS):
    with Results(path, SETTINGS) as results:
        for cell in cells:
            results.append(cell, {"accuracy": 0.1 + 0.2 + cell.seed})


def found(path):
    with Results(path, SETTINGS) as results:
        return [cell.seed for cell in CELLS if cell in results]


def test_what_was_appended_comes_back(path):
    write(path)
    with Results(path, SETTINGS) as results:
        assert len(results) == 4
        assert [results[cell] for cell in CELLS] == [{"accuracy": 0.1 + 0.2 + s} for s in range(4)]
        assert Cell(ms.sam.SAM(), 0, 0.4) not in results
        assert Cell(ms.sam.SAM(0.1), 0, 0.2) not in results
    assert path.read_bytes().count(b"\n") == 5


def test_it_goes_on(path):
    write(path, CELLS[:2])
    before = path.read_bytes()
    write(path, CELLS[2:])
    assert path.read_bytes().startswith(before)
    assert found(path) == [0, 1, 2, 3]


def test_a_line_without_its_end_is_dropped_at_every_length(path):
    write(path, CELLS[:2])
    content = path.read_bytes()
    second = content.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(second, len(content)):
        path.write_bytes(content[:length])
        assert found(path) == [0]
        assert path.read_bytes() == content[:second]
    path.write_bytes(content[: second + 9])
    write(path, CELLS[1:])  # and the next line does not hang on what was torn
    assert found(path) == [0, 1, 2, 3]


def test_a_first_line_without_its_end_is_no_file_yet(path):
    write(path, [])
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    assert found(path) == []
    assert path.read_bytes() == content


def test_each_line_is_one_write_and_synced(path, monkeypatch):
    synced = []
    fsync = os.fsync

    def look(descriptor):
        fsync(descriptor)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", look)
    write(path, CELLS[:2])
    assert [content.count(b"\n") for content in synced] == [1, 2, 3]
    assert all(content.endswith(b"\n") for content in synced)


def test_what_a_killed_process_appended_is_there(path):
    code = (
        "import os, sys, signal, minisam as ms\n"
        "from minisam.experiments import Cell, Results\n"
        "results = Results(sys.argv[1], {'epochs': 3, 'model': 'Linear(2, 3)'})\n"
        "for seed in (0, 1):\n"
        "    results.append(Cell(ms.sam.SAM(), seed, 0.2), {'accuracy': 0.5})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False, timeout=60)
    assert done.returncode == -9
    assert found(path) == [0, 1]  # and its lock is gone


def test_other_settings_are_refused_by_name(path):
    write(path)
    before = path.read_bytes()
    for settings, message in [
        (SETTINGS | {"epochs": 4}, "holds cells with other settings: epochs was 3, now 4. "),
        ({"epochs": 3}, r"model was 'Linear\(2, 3\)', now None"),
        (SETTINGS | {"new": 1}, "new was None, now 1"),
    ]:
        with pytest.raises(ResultsError, match=message):
            Results(path, settings)
    assert path.read_bytes() == before


def test_settings_are_compared_as_json(path):
    Results(path, {"hidden": (16, 8)}).__exit__()
    Results(path, {"hidden": [16, 8]}).__exit__()


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, b"something else\n", "line 1 is damaged. Delete the file."),
        (1, b'{"version": 99, "settings": {}}\n', "no file of results of this version"),
        (1, b"[1]\n", "no file of results"),
        (3, b'{"method": \n', "line 3 is damaged. Delete the line to run its cell again."),
        (3, b"\x00\xff\n", "line 3 is damaged"),
        (3, b'{"seed": 1}\n', "line 3 is damaged"),
        (3, b"7\n", "line 3 is damaged"),
    ],
)
def test_a_damaged_line_is_named(path, number, line, message):
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = line
    path.write_bytes(b"".join(lines))
    with pytest.raises(ResultsError, match=message):
        Results(path, SETTINGS)


def test_a_file_is_one_process_s(path):
    with (
        Results(path, SETTINGS),
        pytest.raises(ResultsError, match="another process is writing to"),
    ):
        Results(path, SETTINGS)
    Results(path, SETTINGS).__exit__()


def test_what_is_no_json_is_not_written(path):
    with Results(path, SETTINGS) as results:
        before = path.read_bytes()
        for wrong in ({"accuracy": float("nan")}, {"accuracy": {1}}):
            with pytest.raises((ValueError, TypeError)):
                results.append(CELLS[0], wrong)
        assert CELLS[0] not in results
    assert path.read_bytes() == before


def test_each_line_is_json_of_its_own(path):
    write(path)
    head, *lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert head == {"version": 1, "settings": SETTINGS}
    assert [(line["seed"], line["noise"]) for line in lines] == [(s, 0.2) for s in range(4)]
    assert "name='SAM'" in lines[0]["method"]
