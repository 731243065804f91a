"""Finding a known file and trusting it: where it may lie, and the hash it must have."""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

StrPath = str | os.PathLike[str]


class DamagedFileError(ValueError):
    """A file was found, but what is in it is not what it should be."""


def places(root: StrPath | None = None) -> list[Path]:
    """Return the folders data is looked for in, first choice first.

    Parameters
    ----------
    root : path, optional
        The caller's own folder.

    Returns
    -------
    list of pathlib.Path
        ``root`` if given, the environment variable ``MINISAM_DATA`` if set, ``~/.cache/minisam``.

    Examples
    --------
    >>> [place.as_posix() for place in places("my-data")][0]
    'my-data'
    """
    given = (root, os.environ.get("MINISAM_DATA"), "~/.cache/minisam")
    return [Path(place).expanduser() for place in given if place]


def candidates(folder: str, names: Collection[str], root: StrPath | None = None) -> list[Path]:
    """Return every path at which one of several interchangeable files may lie, in order.

    Parameters
    ----------
    folder : str
        The data set's own folder inside a place.
    names : collection of str
        The files' names, first choice first.
    root : path, optional
        As in `places`.

    Returns
    -------
    list of pathlib.Path
        For each place, and there for each name, ``place/folder/name`` and then ``place/name``.

    Examples
    --------
    >>> [path.as_posix() for path in candidates("mnist", ["labels"], root="my-data")][:2]
    ['my-data/mnist/labels', 'my-data/labels']
    """
    return [
        path
        for place in places(root)
        for name in names
        for path in (place / folder / name, place / name)
    ]


def is_present(folder: str, names: Collection[str], root: StrPath | None = None) -> bool:
    """Say whether any of several files lies at any of its `candidates`.

    Parameters
    ----------
    folder, names, root
        As in `candidates`.

    Returns
    -------
    bool
        True as soon as one exists; its content is not looked at.

    Examples
    --------
    >>> is_present("mnist", ["no such file"])
    False
    """
    return any(path.is_file() for path in candidates(folder, names, root))


def read_known(folder: str, md5s: Mapping[str, str], root: StrPath | None = None) -> bytes:
    """Read the first file found of several interchangeable ones, and check its hash.

    The bytes that are hashed are the bytes that are returned: the file cannot change between the
    check and its use. MD5 is there to find damage; it is no protection against an attacker.

    Parameters
    ----------
    folder : str
        The data set's own folder inside a place.
    md5s : mapping from str to str
        File names, first choice first, each with its MD5 in hexadecimal.
    root : path, optional
        As in `places`.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    FileNotFoundError
        If no place has any of the files; the message lists every path looked at.
    DamagedFileError
        If the file found has another hash; the message gives its size and both hashes.

    Examples
    --------
    >>> read_known("mnist", {"no-such-file": "0" * 32}, root="my-data")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no-such-file (MD5 00000000000000000000000000000000) was not found. ...
    """
    paths = candidates(folder, md5s, root)
    looked = "Looked at, in this order:" + "".join(f"\n  {path}" for path in paths)
    for path in paths:
        if path.is_file():
            content = path.read_bytes()
            found = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if found != md5s[path.name]:
                raise DamagedFileError(
                    f"{path} ({len(content)} bytes) has MD5 {found}, expected {md5s[path.name]}. "
                    "It is damaged or another file of this name; replace it with the original. "
                    + looked
                )
            return content
    wanted = " or ".join(f"{name} (MD5 {md5})" for name, md5 in md5s.items())
    raise FileNotFoundError(
        f"{wanted} was not found. Nothing is downloaded: put the file at {paths[0]}, or set "
        f"MINISAM_DATA to the folder that holds it or its {folder}/. {looked}"
    )
