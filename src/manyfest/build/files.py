"""Trees of files to copy from and into: a build context, a stage's root file system.

Names are relative to the tree's root and clean, as in an archive; the root itself is ``.``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol, runtime_checkable

from msgspec import Struct

from manyfest.build.once import Once
from manyfest.errors import DockerfileError
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.write import Content

MAX_LINKS = 255
"""Symbolic links that one path may lead through: BuildKit's limit."""


class File(Struct, frozen=True, kw_only=True, eq=False):
    """One name in a tree. Two are compared by being the same object, which is cheap.

    ``identity`` tells ``content`` from other bytes: two files with equal identities hold the same.
    Names with one ``inode`` are hard links of each other; ``entry`` is never of that type.
    ``changed``, in nanoseconds since 1970, is when content that is told by times last changed; a
    little later it can have changed again without that being seen in ``identity``.
    """

    entry: Entry
    content: Content | None = None
    identity: Hashable = None
    inode: Hashable = None
    changed: int = 0

    @property
    def is_directory(self) -> bool:
        return self.entry.type is EntryType.DIR


@lru_cache(maxsize=4096)
def directory(name: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, mtime: int = 0) -> File:
    """A directory that a build makes itself; the same object for the same one."""
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


class Placed(Struct, frozen=True):
    """A file under the name and with the owner and mode that it gets in an image. A directory is
    ``implied`` if it is only there for what lies below it; ``mode`` is what it had in its tree."""

    file: File
    mode: int
    implied: bool = False


class OneFile:
    """A tree that holds one file, which is not from the context."""

    def __init__(self, file: File, label: str) -> None:
        self.label = label
        self._file = file

    def find(self, name: str) -> File | None:
        return self._file if name == self._file.entry.name else None

    def names(self, directory: str) -> Sequence[str]:
        return [self._file.entry.name] if directory == "." else []

    def why_missing(self, name: str) -> str:  # noqa: ARG002
        return ""


@runtime_checkable
class Remembers(Protocol):
    """A tree that does not change, and is copied from in the same way for several platforms."""

    @property
    def placings(self) -> Once[Hashable, tuple[Placed, ...]]:
        """What came of copying a directory, by all that it depends on."""
        ...


def join(directory: str, name: str) -> str:
    """The name of ``name`` in ``directory``."""
    if name == ".":
        return directory
    return name if directory == "." else f"{directory}/{name}"


def parent(name: str) -> str:
    """The directory that ``name`` is in; the root is in itself."""
    return name.rpartition("/")[0] or "."


def base(name: str) -> str:
    """The last part of ``name``."""
    return name.rpartition("/")[2]


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
    parts = path.split("/")[::-1]
    links = 0
    while parts:
        part = parts.pop()
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
        parts.extend(found.entry.linkname.split("/")[::-1])
    return here
