import hashlib
import re

import pytest

from minisam.data import DamagedFileError
from minisam.data.files import candidates, is_present, read_known


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def paths(nowhere, monkeypatch):
    """Return the six paths at which set/file may lie: root, environment, home; each two."""
    monkeypatch.setenv("MINISAM_DATA", str(nowhere / "env"))
    folders = [nowhere / "root", nowhere / "env", nowhere / "home" / ".cache" / "minisam"]
    return [path for folder in folders for path in (folder / "set" / "file", folder / "file")]


def test_order_of_search(paths, nowhere):
    assert candidates("set", ["file"], nowhere / "root") == paths
    # A file put at an earlier place hides those at later ones.
    for i, path in reversed(list(enumerate(paths))):
        content = b"content %d" % i
        put(path, content)
        assert read_known("set", {"file": md5(content)}, nowhere / "root") == content


def test_without_root_or_environment_only_home_is_searched(paths, monkeypatch):
    assert candidates("set", ["file"]) == paths[2:]
    monkeypatch.setenv("MINISAM_DATA", "")
    assert candidates("set", ["file"]) == paths[4:]


def test_a_tilde_is_the_home_folder(nowhere):
    assert candidates("set", ["file"], "~/mine")[1] == nowhere / "home" / "mine" / "file"


def test_an_earlier_place_beats_an_earlier_name(paths, nowhere):
    put(nowhere / "root" / "raw", b"raw")
    put(nowhere / "env" / "zipped", b"zipped")
    md5s = {"zipped": md5(b"zipped"), "raw": md5(b"raw")}
    assert read_known("set", md5s, nowhere / "root") == b"raw"
    assert read_known("set", md5s) == b"zipped"


def test_presence_ignores_folders_and_content(paths):
    paths[-1].mkdir(parents=True)
    assert not is_present("set", ["file"])
    put(paths[-2], b"whatever")
    assert is_present("set", ["other", "file"])


def test_damage_names_file_size_and_both_hashes(paths, nowhere):
    put(paths[1], b"wrong")
    put(paths[2], b"right")
    with pytest.raises(DamagedFileError) as caught:
        read_known("set", {"file": md5(b"right")}, nowhere / "root")
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    for part in [str(paths[1]), "5 bytes", md5(b"wrong"), md5(b"right"), *map(str, paths)]:
        assert part in message


def test_missing_names_every_place_and_where_to_put_it(paths, nowhere):
    with pytest.raises(FileNotFoundError) as caught:
        read_known("set", {"file": "0" * 32, "other": "1" * 32}, nowhere / "root")
    message = str(caught.value)
    for path in paths:
        assert f"\n  {path}\n" in f"{message}\n"
        assert f"\n  {path.with_name('other')}\n" in f"{message}\n"
    assert re.search(r"file \(MD5 0{32}\) or other \(MD5 1{32}\) was not found", message)
    assert f"put the file at {paths[0]}" in message
    assert "MINISAM_DATA" in message
