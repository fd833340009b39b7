"""ADD of a local archive: told by its content, unpacked into the image.

Plain tar and tar compressed by gzip, zstd, bzip2 or xz are unpacked, as BuildKit does; anything
else, a compressed file that is no tar too, is copied as it is.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile.place import shown
from manyfest.build.files import File, base, join, parent, resolve
from manyfest.build.filesystem import Change
from manyfest.build.ownership import Owner
from manyfest.build.stretch import slice_of
from manyfest.build.xattrs import kept
from manyfest.errors import BuildError, InvalidArchive
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.header import BLOCK
from manyfest.layers.read import scan
from manyfest.layers.streams import CHUNK, read_head
from manyfest.layers.unwrap import unwrap

_CHECKSUM = slice(148, 156)


def is_archive(file: File) -> bool:
    """Whether ADD unpacks ``file``: whether, unpacked, it begins with a tar header."""
    if file.entry.type is not EntryType.FILE or not callable(file.content):
        return False
    with closing(file.content()) as source:
        try:
            head = read_head(unwrap(source), BLOCK)
        except InvalidArchive:
            return False
    return len(head) == BLOCK and _has_checksum(head)


def spool(file: File, folder: Path) -> Path:
    """The tar in ``file``, uncompressed, as a new file in ``folder``.

    Raises :class:`~manyfest.errors.InvalidArchive` for a damaged one.
    """
    if not callable(file.content):
        raise BuildError("is no archive", where=shown(file.entry.name))
    path = folder / f"unpacked-{os.urandom(8).hex()}.tar"
    with closing(file.content()) as source, path.open("xb") as target:
        reader = unwrap(source)
        while chunk := reader.read(CHUNK):
            target.write(chunk)
    return path


def unpack(
    tar: Path, archive: File, change: Change, into: str, owner: Owner | None, *, latest: int
) -> None:
    """Put the entries of ``tar``, spooled from ``archive``, below the directory ``into``.

    They keep their modes, and their owners unless there is an ``owner``; times after ``latest``
    become ``latest``. Raises :class:`~manyfest.errors.InvalidArchive` for a damaged archive.
    """
    links: dict[str, File] = {}
    with tar.open("rb") as source:
        for entry, offset in scan(source, where=archive.entry.name, unique=False):
            if entry.name == ".":
                continue  # the directory it is unpacked to is there, and stays as it is
            file = _file(entry, tar, offset, archive, latest)
            if entry.type is EntryType.HARDLINK:
                file = links.get(entry.linkname) or _in_image(entry, change, into)
            if not file.is_directory:
                links[entry.name] = file
            _put(change, into, replace(file, entry=_owned(file.entry, entry.name, owner)))


def _file(entry: Entry, tar: Path, offset: int, archive: File, latest: int) -> File:
    entry = replace(entry, uname="", gname="", xattrs=kept(entry.xattrs))
    if (entry.mtime, entry.nanoseconds) > (latest, 0):
        entry = replace(entry, mtime=latest, nanoseconds=0)
    if entry.type is not EntryType.FILE:
        return File(entry=entry)
    return File(
        entry=entry,
        content=slice_of(tar, offset, entry.size),
        identity=(archive.identity, offset),
        changed=archive.changed,
        inode=(archive.identity, offset, entry.name),
    )


def _in_image(link: Entry, change: Change, into: str) -> File:
    """The file that is in the image already and that ``link`` leads to. The layer repeats it,
    because a hard link cannot lead out of its layer."""
    name = _place(change, into, link.linkname)
    found = change.find(name)
    if found is None or found.is_directory:
        raise InvalidArchive(
            f"has {link.name!r}, a hard link to {link.linkname!r}, which is no file"
        )
    target = replace(found, inode=found.inode or (change, name))
    change.put(target)
    return target


def _owned(entry: Entry, name: str, owner: Owner | None) -> Entry:
    uid, gid = owner or (entry.uid, entry.gid)
    return replace(entry, name=name, uid=uid, gid=gid)


def _put(change: Change, into: str, file: File) -> None:
    """As an unpacker does: links that lead to a name are followed, and what is in the way is
    replaced, but a directory takes over what a directory held."""
    name = _place(change, into, file.entry.name)
    change.make_directories(parent(name))
    change.put(replace(file, entry=replace(file.entry, name=name)))


def _place(change: Change, into: str, name: str) -> str:
    """Where ``name`` in an archive is in the image: links on the way to it are followed."""
    above = resolve(_Below(change, into), parent(name))
    return join(join(into, above), base(name))


class _Below(Struct, frozen=True):
    """What is below a directory, seen as a root of its own: no link leads out of it, as in
    BuildKit, which unpacks an archive with its destination as the root."""

    change: Change
    into: str

    def find(self, name: str) -> File | None:
        return self.change.find(join(self.into, name))


def _has_checksum(block: bytes) -> bool:
    """Whether the block is a tar header: the sum of its bytes, as it says itself, with the sum's
    own field taken as spaces. Old archives sum signed bytes."""
    written = block[_CHECKSUM].strip(b" \0")
    if not written or written.strip(b"01234567"):
        return False
    others = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    high = sum(byte > 127 for byte in others)
    return int(written, 8) in {sum(others), sum(others) - 256 * high}
