"""The one writer of tar archives: the same entries give the same bytes, everywhere.

Headers are plain ustar where that holds the entry, and PAX where it does not: names that are long
or not ASCII, sizes from 8 GiB, times with fractions or before 1970, large owner numbers, extended
attributes. Access and change times are never written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Protocol, TypeAlias

from manyfest.errors import BuildError
from manyfest.layers import header as blocks
from manyfest.layers import pax
from manyfest.layers.arrange import arrange
from manyfest.layers.entry import Entry, EntryType, encode_name
from manyfest.layers.header import BLOCK, MAX_ID, MAX_NAME, MAX_SIZE, ZEROS, Header
from manyfest.layers.streams import CHUNK, Sink


class Opened(Protocol):
    """Bytes to read, and to close then."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


Content: TypeAlias = bytes | os.PathLike[str] | Callable[[], Opened]
"""A file's bytes: themselves, where they lie, or what opens them."""

_TYPEFLAGS = {
    EntryType.FILE: b"0",
    EntryType.HARDLINK: b"1",
    EntryType.SYMLINK: b"2",
    EntryType.CHAR: b"3",
    EntryType.BLOCK: b"4",
    EntryType.DIR: b"5",
    EntryType.FIFO: b"6",
}
_PAX_NAME = b"././@PaxHeader"
_OWNER_SIZE = 31  # the header's 32 bytes end in a NUL
_LINK_SIZE = 100


def write_layer(
    items: Iterable[tuple[Entry, Content | None]], sink: Sink, *, mtime: int = 0
) -> None:
    """Write a layer's tar to ``sink``, arranged as ``arrange`` says; ``mtime`` is for the parent
    directories it adds. Content goes with files only. Raises ``BuildError``."""
    listed = list(items)
    contents = {entry.name: content for entry, content in listed}
    writer = TarWriter(sink)
    for entry in arrange((entry for entry, _ in listed), mtime=mtime):
        writer.add(entry, contents.get(entry.name))
    writer.close()


class TarWriter:
    """Writes entries to a sink in the order in which they are added."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def add(self, entry: Entry, content: Content | None = None) -> None:
        """Write one entry, and for a file its content.

        Raises ``BuildError`` when the content does not have ``entry.size`` bytes, as of a file that
        changed since it was listed, or when the entry cannot be told in a tar archive.
        """
        parts = _parts(entry, b"" if content is None else content)
        if entry.size <= CHUNK:
            self._sink.write(b"".join(parts))
        else:
            for part in parts:
                self._sink.write(part)

    def close(self) -> None:
        """Write the end: two blocks of zeros. They are not padded to a tape's record of 10 240
        bytes, which no reader of layers needs."""
        self._sink.write(ZEROS * 2)


def _parts(entry: Entry, content: Content) -> Iterator[bytes]:
    """All that tells ``entry``: its headers, and for a file its content and the padding."""
    yield headers(entry)
    if entry.type is not EntryType.FILE:
        return
    left = entry.size
    for data in _portions(entry, content):
        left -= len(data)
        if left < 0:
            break
        yield data
    if left:
        raise BuildError(
            f"changed while it was read: it had {entry.size} bytes,"
            f" and now has {'fewer' if left > 0 else 'more'}",
            where=repr(entry.name),
        )
    yield ZEROS[: -entry.size % BLOCK]


def _portions(entry: Entry, content: Content) -> Iterator[bytes]:
    """The content, up to one byte more than ``entry.size``, which shows that it has grown."""
    if isinstance(content, bytes):
        yield content
        return
    left = entry.size + 1
    try:
        with closing(content() if callable(content) else open(content, "rb")) as source:
            while left and (data := source.read(min(CHUNK, left))):
                left -= len(data)
                yield data
    except OSError as error:
        raise BuildError(f"cannot be read: {error.strerror}", where=repr(entry.name)) from error


def headers(entry: Entry) -> bytes:
    """The blocks that tell ``entry``: one, or three and more when it needs a PAX header.

    Raises ``BuildError`` for what a tar archive cannot hold.
    """
    _check(entry)
    records = {
        b"%b%b" % (pax.XATTR, encode_name(key)): value for key, value in entry.xattrs.items()
    }
    block = blocks.encode(_fit(entry, records))
    if not records:
        return block
    body = pax.serialise(records)
    head = blocks.encode(Header(b"x", _PAX_NAME, 0o644, 0, 0, len(body), 0, b"", b"", b"", 0, 0))
    return b"".join((head, body, ZEROS[: -len(body) % BLOCK], block))


def _fit(entry: Entry, records: dict[bytes, bytes]) -> Header:
    """The header of ``entry``; what it cannot hold is put into ``records``."""

    def text(key: bytes, value: str, room: int) -> bytes:
        if not value:
            return b""
        raw = encode_name(value)
        if raw.isascii() and len(raw) <= room:
            return raw
        records[key] = raw
        return raw.decode("ascii", "replace").replace("\ufffd", "?").encode("ascii")[:room]

    def number(key: bytes, value: int, largest: int) -> int:
        if value <= largest:
            return value
        records[key] = b"%d" % value
        return 0

    name = f"{entry.name}/" if entry.type is EntryType.DIR else entry.name
    return Header(
        typeflag=_TYPEFLAGS[entry.type],
        name=text(b"path", name, MAX_NAME if blocks.split(encode_name(name)) else _LINK_SIZE),
        mode=entry.mode,
        uid=number(b"uid", entry.uid, MAX_ID),
        gid=number(b"gid", entry.gid, MAX_ID),
        size=number(b"size", entry.size, MAX_SIZE),
        mtime=_time(entry, records),
        linkname=text(b"linkpath", entry.linkname, _LINK_SIZE),
        uname=text(b"uname", entry.uname, _OWNER_SIZE),
        gname=text(b"gname", entry.gname, _OWNER_SIZE),
        devmajor=entry.devmajor,
        devminor=entry.devminor,
    )


def _time(entry: Entry, records: dict[bytes, bytes]) -> int:
    if 0 <= entry.mtime <= MAX_SIZE and not entry.nanoseconds:
        return entry.mtime
    records[b"mtime"] = pax.format_time(entry.mtime, entry.nanoseconds)
    return min(max(entry.mtime, 0), MAX_SIZE)


def _check(entry: Entry) -> None:
    faults = {
        "its size is below 0, or it is no file and has one": entry.size < 0
        or (entry.size and entry.type is not EntryType.FILE),
        "its mode is not within 0 to 07777": not 0 <= entry.mode <= 0o7777,
        "its owner or group is below 0": entry.uid < 0 or entry.gid < 0,
        "its device numbers are out of range": not (
            0 <= entry.devmajor <= MAX_ID and 0 <= entry.devminor <= MAX_ID
        ),
        "a name holds a NUL": "\0" in entry.name + entry.linkname + entry.uname + entry.gname,
        "it is a link without a target": not entry.linkname
        and entry.type in {EntryType.SYMLINK, EntryType.HARDLINK},
        "the name of an extended attribute is empty or holds '='": any(
            not key or "=" in key for key in entry.xattrs
        ),
    }
    for fault, found in faults.items():
        if found:
            raise BuildError(f"cannot be put into a layer: {fault}", where=repr(entry.name))
