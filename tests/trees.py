"""Any tree of files: made up by hypothesis, put on disk, told as a value that can be compared."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hypothesis import strategies as st


@dataclass(frozen=True)
class File:
    """``same_as`` makes it a hard link to one of the files before it, if there is any."""

    content: bytes = b""
    mode: int = 0o644
    note: bytes = b""
    same_as: int | None = None


@dataclass(frozen=True)
class Folder:
    mode: int
    inside: Mapping[bytes, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    target: bytes


@dataclass(frozen=True)
class Pipe:
    mode: int


Node: TypeAlias = File | Folder | Link | Pipe

Told = tuple[str, int, bytes, bytes]
"""Kind, mode (0 for a link), content or target, and note. A hard link tells its first name."""


def _fits(name: bytes) -> bool:
    return 0 < len(name) <= 255 and name not in {b".", b".."} and not name.startswith(b".wh.")


_NAMES = (
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), max_size=90)
    .map(str.encode)
    .filter(_fits)
    | st.binary(min_size=1, max_size=8).map(lambda raw: raw.translate(None, b"/\0")).filter(_fits)
    | st.sampled_from([b"a", b"b", b"a.b", b"a b", b"n" * 255])
)
_TARGETS = st.lists(_NAMES | st.just(b".."), min_size=1, max_size=5).map(b"/".join)
_FILES = st.builds(
    File,
    content=st.binary(max_size=2000),
    mode=st.integers(0, 0o7777).map(lambda mode: mode | 0o400),
    note=st.binary(max_size=20),
    same_as=st.none() | st.integers(0, 3),
)
_LEAVES = (
    _FILES
    | st.builds(Link, _TARGETS | _TARGETS.map(lambda target: b"/" + target))
    | st.builds(Pipe, st.integers(0, 0o7777))
)
_MODES = st.integers(0, 0o7777).map(lambda mode: mode | 0o700)


def _folders(inside: st.SearchStrategy[Node]) -> st.SearchStrategy[Folder]:
    return st.builds(Folder, _MODES, st.dictionaries(_NAMES, inside, max_size=4))


TREES: st.SearchStrategy[Folder] = _folders(st.recursive(_LEAVES, _folders, max_leaves=8))


def keeps_notes(folder: Path) -> bool:
    """Whether the file system keeps extended attributes of users."""
    try:
        os.setxattr(folder, "user.test", b"")
    except OSError:
        return False
    os.removexattr(folder, "user.test")
    return True


def put(tree: Folder, folder: Path, *, notes: bool) -> None:
    """Make the tree's files in ``folder``, which is new."""
    folder.mkdir()
    _Maker(notes=notes).fill(tree, os.fsencode(folder))


class _Maker:
    def __init__(self, *, notes: bool) -> None:
        self._notes = notes
        self._made: list[bytes] = []

    def fill(self, folder: Folder, path: bytes) -> None:
        for name, node in folder.inside.items():
            self._make(node, path + b"/" + name)
        os.chmod(path, folder.mode)

    def _make(self, node: Node, path: bytes) -> None:
        if isinstance(node, Folder):
            os.mkdir(path)
            self.fill(node, path)
        elif isinstance(node, Link):
            os.symlink(node.target, path)
        elif isinstance(node, Pipe):
            os.mkfifo(path)
            os.chmod(path, node.mode)
        elif node.same_as is not None and self._made:
            os.link(self._made[node.same_as % len(self._made)], path)
        else:
            self._write(node, path)

    def _write(self, file: File, path: bytes) -> None:
        with open(path, "xb") as opened:
            opened.write(file.content)
            if file.note and self._notes:
                os.setxattr(opened.fileno(), "user.note", file.note)
        os.chmod(path, file.mode)
        self._made.append(path)


def told(folder: Path) -> dict[bytes, Told]:
    """What is in ``folder``, by name, the folder itself left out."""
    root = os.fsencode(folder)
    first: dict[int, bytes] = {}
    found: dict[bytes, Told] = {}
    for above, folders, files in os.walk(root):
        for path in (above + b"/" + name for name in (*folders, *files)):
            found[path[len(root) + 1 :]] = _tell(path)
    for name in sorted(found):
        status = os.lstat(root + b"/" + name)
        if stat.S_ISREG(status.st_mode) and first.setdefault(status.st_ino, name) != name:
            found[name] = ("hardlink", 0, first[status.st_ino], b"")
    return found


def _tell(path: bytes) -> Told:
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return ("symlink", 0, os.readlink(path), b"")
    if stat.S_ISDIR(status.st_mode):
        return ("dir", mode, b"", b"")
    if stat.S_ISFIFO(status.st_mode):
        return ("fifo", mode, b"", b"")
    with open(path, "rb") as opened:
        has_note = "user.note" in os.listxattr(path)
        note = os.getxattr(path, "user.note") if has_note else b""
        return ("file", mode, opened.read(), note)
