"""`minisam book` refuses what it cannot do, and leaves alone what is not its own."""

import subprocess
import sys

import pytest

from minisam.cli import book, main


def test_what_is_missing_is_named_with_its_remedy(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(book, "NEEDED", ("sphinx_that_is_not_there", "json"))
    monkeypatch.setattr(book, "installed", lambda name: name == "json")
    assert main(["book", "--out", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert "sphinx_that_is_not_there" in message
    assert "json" not in message
    assert ".[book]" in message
    assert not (tmp_path / "out").exists()


def test_a_module_of_a_package_that_is_missing_is_missing():
    assert not book.installed("no_such_package.part")
    assert book.installed("importlib.util")


def test_a_folder_of_something_else_is_left_alone(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(book, "installed", lambda name: True)
    (tmp_path / "thesis.txt").write_text("three years")
    assert main(["book", "--out", str(tmp_path)]) == 1
    assert "something else" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_without_a_checkout_it_says_where_to_go(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(book.minisam, "__file__", str(tmp_path / "minisam" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert main(["book"]) == 1
    assert "checkout" in capsys.readouterr().err


def test_a_book_that_is_there_survives_a_failure(monkeypatch, tmp_path):
    """A page with a fault: the warning is an error, and the old book stays."""
    pytest.importorskip("sphinx")
    pages = tmp_path / "book"
    pages.mkdir()
    (pages / "conf.py").write_text(
        "def setup(app):\n    app.connect('builder-inited', lambda app: "
        "(app.srcdir / 'index.rst').write_text(':ref:`nowhere`'))\n"
    )
    out = tmp_path / "out"
    out.mkdir()
    (out / "searchindex.js").write_text("old")
    script = (
        "import sys\nfrom pathlib import Path\nfrom minisam.cli import book, main\n"
        "book._pages, book.NEEDED = lambda: Path(sys.argv[1]), ()\n"
        "book.installed = lambda name: True\n"
        "sys.exit(main(['book', '--out', sys.argv[2]]))"
    )
    command = [sys.executable, "-c", script, str(pages), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert (out / "searchindex.js").read_text() == "old"


@pytest.mark.parametrize("word", ["bok", "--output"])
def test_a_misspelt_word_is_answered(capsys, word):
    assert main([word] if word == "bok" else ["book", word, "x"]) == 2
    assert "book" in capsys.readouterr().err
