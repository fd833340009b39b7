"""One entry of a tar archive, as a value, and the one form in which names are compared."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct, field

from manyfest.errors import InvalidArchive


class EntryType(StrEnum):
    FILE = "file"
    DIR = "dir"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHAR = "char"
    BLOCK = "block"
    FIFO = "fifo"


NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})


class Entry(Struct, frozen=True, kw_only=True):
    """What an archive says about one name.

    ``name`` is relative to the root, without a slash at either end (``clean_name``); the root
    itself is ``.``. ``linkname`` is a name of the same form for a hard link, and any text for a
    symbolic link. Text that is not UTF-8 is held with surrogate escapes, so that its bytes survive.
    ``mode`` holds the permission bits only (up to 0o7777). ``size`` is in bytes, and 0 for all but
    files. ``mtime`` is in seconds since 1970; ``nanoseconds`` (0 to 999 999 999) are added to it.
    """

    name: str
    type: EntryType = EntryType.FILE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    nanoseconds: int = 0
    linkname: str = ""
    uname: str = ""
    gname: str = ""
    xattrs: Mapping[str, bytes] = field(default_factory=lambda: NO_XATTRS)
    devmajor: int = 0
    devminor: int = 0


def clean_name(name: str) -> str:
    """``name`` without ``.`` components and needless slashes; the root is ``.``.

    A leading slash is dropped, as every runtime does when it unpacks a layer. Raises
    ``InvalidArchive`` for an empty name, a NUL, and any ``..``: whether ``a/../b`` is ``b``
    depends on what ``a`` is, so no reading of it is safe.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not name:
        raise InvalidArchive("an entry has no name")
    if "\0" in name:
        raise InvalidArchive(f"the name {name!r} holds a NUL")
    if ".." in parts:
        raise InvalidArchive(f"the name {name!r} climbs out with '..'")
    return "/".join(parts) or "."


def encode_name(name: str) -> bytes:
    """The bytes that stand for ``name`` in an archive."""
    return name.encode("utf-8", "surrogateescape")


def decode_name(raw: bytes) -> str:
    """The text of a name in an archive; the inverse of ``encode_name``."""
    return raw.decode("utf-8", "surrogateescape")
