"""From headers to an entry: what PAX and GNU extended headers add to the block they precede."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from manyfest.errors import InvalidArchive
from manyfest.layers import pax
from manyfest.layers.entry import (
    NO_XATTRS,
    Entry,
    EntryType,
    clean_name,
    decode_name,
)
from manyfest.layers.header import MAX_SIZE, Header

_TYPES = {
    b"0": EntryType.FILE,
    b"\0": EntryType.FILE,
    b"1": EntryType.HARDLINK,
    b"2": EntryType.SYMLINK,
    b"3": EntryType.CHAR,
    b"4": EntryType.BLOCK,
    b"5": EntryType.DIR,
    b"6": EntryType.FIFO,
}
_LINKS = frozenset({EntryType.HARDLINK, EntryType.SYMLINK})
_DEVICES = frozenset({EntryType.CHAR, EntryType.BLOCK})
_MAX_NAME = 4096  # PATH_MAX: Linux takes no longer one
_SPARSE = b"GNU.sparse."
_ENCODINGS = frozenset({b"BINARY", b"ISO-IR 10646 2000 UTF-8"})
_MEANINGFUL = frozenset(
    {b"path", b"linkpath", b"size", b"uid", b"gid", b"uname", b"gname", b"mtime"}
)


class Extensions:
    """What the extended headers before one entry say; each kind may come once."""

    __slots__ = ("_seen", "records")

    TYPES: ClassVar[frozenset[bytes]] = frozenset({b"x", b"g", b"L", b"K"})

    def __init__(self) -> None:
        self._seen = b""
        self.records: dict[bytes, bytes] = {}

    def add(self, typeflag: bytes, body: bytes) -> None:
        """Take in one extended header. Raises ``InvalidArchive``."""
        if typeflag in self._seen:
            raise InvalidArchive("an entry has two extended headers of one kind")
        self._seen += typeflag
        if b"x" in self._seen and (b"L" in self._seen or b"K" in self._seen):
            raise InvalidArchive("an entry has both PAX and GNU extended headers")
        if typeflag == b"x":
            self.records.update(_checked(pax.parse(body)))
        elif typeflag == b"g":
            _refuse_global(pax.parse(body))
        else:
            self.records[b"path" if typeflag == b"L" else b"linkpath"] = body.removesuffix(b"\0")

    def refuse_any(self) -> None:
        """Raises ``InvalidArchive`` when there is a header with no entry after it."""
        if self._seen.strip(b"g"):
            raise InvalidArchive("ends with an extended header that belongs to no entry")


def _checked(records: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The records that have a value; an empty one stands for the header's own (POSIX)."""
    for key in records:
        if key.startswith(_SPARSE):
            raise _sparse()
    if records.get(b"hdrcharset", b"BINARY") not in _ENCODINGS:
        raise InvalidArchive(f"has names in the encoding {records[b'hdrcharset']!r}, not UTF-8")
    return {key: value for key, value in records.items() if value or key.startswith(pax.XATTR)}


def _refuse_global(records: Mapping[bytes, bytes]) -> None:
    """Some readers apply global records to every entry, and some (Go's) to none. ``git archive``
    writes a harmless one, its commit."""
    for key in records:
        if key in _MEANINGFUL or key.startswith((_SPARSE, pax.XATTR)):
            raise InvalidArchive(
                f"has a global PAX record {key!r}, which readers treat differently"
            )


def to_entry(header: Header, extensions: Extensions) -> Entry:
    """The entry that ``header`` and the extended headers before it describe.

    Raises ``InvalidArchive`` for what contradicts itself, and for types that no layer has.
    """
    records = extensions.records
    raw_name = records.get(b"path", header.name)
    type_ = _type(header.typeflag, raw_name)
    seconds, nanoseconds = header.mtime, 0
    if b"mtime" in records:
        seconds, nanoseconds = pax.parse_time(records[b"mtime"])
    device = (header.devmajor, header.devminor) if type_ in _DEVICES else (0, 0)
    return Entry(
        name=_name(raw_name, type_),
        type=type_,
        mode=header.mode & 0o7777,
        uid=_number(records, b"uid", header.uid),
        gid=_number(records, b"gid", header.gid),
        size=_size(header, records, type_),
        mtime=seconds,
        nanoseconds=nanoseconds,
        linkname=_linkname(records.get(b"linkpath", header.linkname), type_),
        uname=decode_name(records.get(b"uname", header.uname)),
        gname=decode_name(records.get(b"gname", header.gname)),
        xattrs=_xattrs(records) if records else NO_XATTRS,
        devmajor=device[0],
        devminor=device[1],
    )


def _type(typeflag: bytes, name: bytes) -> EntryType:
    """Before POSIX a directory was a file whose name ends in a slash, and only then."""
    if typeflag == b"S":
        raise _sparse()
    type_ = _TYPES.get(typeflag)
    if type_ is None:
        raise InvalidArchive(f"has an entry of the unknown type {typeflag!r}")
    if type_ is EntryType.FILE and name.endswith(b"/"):
        if typeflag == b"0":
            raise InvalidArchive(f"has the file {decode_name(name)!r} with a directory's name")
        return EntryType.DIR
    return type_


def _name(raw: bytes, type_: EntryType) -> str:
    if len(raw) > _MAX_NAME:
        raise InvalidArchive(f"has a name of {len(raw)} bytes: {decode_name(raw[:40])!r}")
    name = clean_name(decode_name(raw))
    if name == "." and type_ is not EntryType.DIR:
        raise InvalidArchive(f"has a {type_} in place of the root directory")
    return name


def _linkname(raw: bytes, type_: EntryType) -> str:
    if type_ not in _LINKS:
        return ""
    if not raw or b"\0" in raw or len(raw) > _MAX_NAME:
        raise InvalidArchive(f"has a link with a wrong target: {decode_name(raw[:40])!r}")
    target = decode_name(raw)
    return clean_name(target) if type_ is EntryType.HARDLINK else target


def _number(records: Mapping[bytes, bytes], key: bytes, own: int) -> int:
    return pax.parse_number(records[key], key.decode()) if key in records else own


def _size(header: Header, records: Mapping[bytes, bytes], type_: EntryType) -> int:
    """The record's size, which the header's own must equal unless only the record can hold it."""
    size = _number(records, b"size", header.size)
    if size != header.size and size <= MAX_SIZE:
        raise InvalidArchive(f"has an entry with two sizes, {header.size} and {size}")
    if size and type_ is not EntryType.FILE:
        raise InvalidArchive(f"has a {type_} with {size} bytes of content")
    return size


def _xattrs(records: Mapping[bytes, bytes]) -> Mapping[str, bytes]:
    found = {
        decode_name(key.removeprefix(pax.XATTR)): value
        for key, value in records.items()
        if key.startswith(pax.XATTR)
    }
    return MappingProxyType(found) if found else NO_XATTRS


def _sparse() -> InvalidArchive:
    return InvalidArchive(
        "has a sparse file, which not every reader understands", mend="pack it without --sparse"
    )
