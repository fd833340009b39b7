"""Trees of files to copy from and into: a build context, a stage's root file system.

Names are relative to the tree's root and clean, as in an archive; the root itself is ``.``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from manyfest.errors import DockerfileError
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.write import Content

MAX_LINKS = 255
"""Symbolic links that one path may lead through: BuildKit's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One name in a tree.

    ``identity`` tells ``content`` from other bytes: two files with equal identities hold the same.
    Names with one ``inode`` are hard links of each other; ``entry`` is never of that type.
    """

    entry: Entry
    content: Content | None = None
    identity: Hashable = None
    inode: Hashable = None

    @property
    def is_directory(self) -> bool:
        return self.entry.type is EntryType.DIR


def directory(name: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, mtime: int = 0) -> File:
    """A directory that a build makes itself."""
    entry = Entry(name=name, type=EntryType.DIR, mode=mode, uid=uid, gid=gid, mtime=mtime)
    return File(entry=entry)


class Lookup(Protocol):
    """Where files can be found by name."""

    def find(self, name: str, /) -> File | None:
        """What has this name, a symbolic link itself included; ``None`` if nothing has."""
        ...


class Tree(Lookup, Protocol):
    """Where files can be copied from."""

    @property
    def label(self) -> str:
        """What the tree is, for people."""
        ...

    def names(self, directory: str, /) -> Sequence[str]:
        """The last parts of the names in a directory, sorted by their bytes."""
        ...

    def why_missing(self, name: str, /) -> str:
        """How to mend that nothing has this name, as far as the tree can tell."""
        ...


def join(directory: str, name: str) -> str:
    """The name of ``name`` in ``directory``."""
    return name if directory == "." else f"{directory}/{name}"


def parent(name: str) -> str:
    """The directory that ``name`` is in; the root is in itself."""
    return posixpath.dirname(name) or "."


def base(name: str) -> str:
    """The last part of ``name``."""
    return posixpath.basename(name)


def ancestors(name: str) -> Iterator[str]:
    """The directories above ``name``, the nearest first, without the root."""
    while (name := parent(name)) != ".":
        yield name


def rooted(path: str) -> str:
    """``path``, seen from the root, as a name: without leading slash, ``.`` and ``..``."""
    return posixpath.normpath(f"/{path.lstrip('/')}")[1:] or "."


def resolve(tree: Lookup, path: str) -> str:
    """The name that ``path`` leads to when all symbolic links in it are followed.

    Links cannot lead out of the tree: ``..`` at the root stays there. Parts that do not exist
    are taken as they are. Raises :class:`~manyfest.errors.DockerfileError` for links in a circle.
    """
    here = "."
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            here = parent(here)
            continue
        found = tree.find(join(here, part))
        if found is None or found.entry.type is not EntryType.SYMLINK:
            here = join(here, part)
            continue
        links += 1
        if links > MAX_LINKS:
            raise DockerfileError(f"{path!r} leads through more than {MAX_LINKS} symbolic links")
        if found.entry.linkname.startswith("/"):
            here = "."
        todo.extend(found.entry.linkname.split("/")[::-1])
    return here
