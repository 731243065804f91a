"""Progress: a bar for someone who sees it, and no character for a file or a pipe."""

import sys

import minisam as ms
from minisam.progress import with_progress


def go(data, **options):
    model = ms.nn.mlp([6, 3])
    return ms.train(model, data, ms.sam.ERM(), ms.optimizers.SGD(0.1), epochs=2, **options)


def test_silent_in_a_pipe(data, capfd):
    go(data)
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_a_terminal(data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    go(data)
    out, err = capsys.readouterr()
    assert out == ""
    assert "ERM" in err
    assert "2/2" in err
    go(data, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_bar_goes_on_where_the_run_did(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(with_progress(range(3, 5), 5, "SAM", show=True)) == [3, 4]
    assert "5/5" in capsys.readouterr().err


def test_no_bar_without_tqdm(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(with_progress(range(2), 2, "SAM", show=True)) == [0, 1]
    assert capsys.readouterr() == ("", "")
