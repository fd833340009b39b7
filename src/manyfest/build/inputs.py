"""What the bytes of a layer depend on, told without reading the files that go into it."""

from __future__ import annotations

import hashlib
import marshal
import os
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec

from manyfest.build.files import File
from manyfest.layers.compression import Compression

RECENT = 2_000_000_000
"""Nanoseconds within which a file may change once more and look the same: file systems keep time
in steps of up to two seconds (FAT)."""

_COMPRESSORS = {
    Compression.NONE: (),
    Compression.GZIP: ("deflate",),
    Compression.ZSTD: ("zstandard",),
}


def layer_key(files: Iterable[File], compression: Compression, *, mtime: int) -> str | None:
    """The digest, in hexadecimal, of all that makes the bytes of a layer with ``files``; ``None``
    if that cannot be told.

    It is the same for the same files in another order. ``mtime`` is that of directories which are
    added.
    """
    inputs = sorted(map(_described, files))
    try:
        # Version 2 has no references between equal objects: equal values are equal bytes.
        raw = marshal.dumps((inputs, str(compression), mtime, _writers(compression)), 2)
    except ValueError:
        return None  # something stands for itself alone
    return hashlib.sha256(raw).hexdigest()


def _described(file: File) -> tuple[object, ...]:
    entry = file.entry
    return (
        entry.name,
        str(entry.type),
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size,
        entry.mtime,
        entry.nanoseconds,
        entry.linkname,
        entry.devmajor,
        entry.devminor,
        tuple(sorted(entry.xattrs.items())),
        file.content if isinstance(file.content, bytes) else _identity(file),
    )


def _identity(file: File) -> object:
    """``file.identity``, as far as it means the same tomorrow."""
    is_told = file.content is None or file.identity is not None
    return file.identity if is_told else object()


@cache
def _writers(compression: Compression) -> tuple[tuple[str, int, int], ...]:
    """What writes a layer: programs, whose files are told by size and time as others are."""
    found: list[tuple[str, int, int]] = []
    for package in ("manyfest.layers", *_COMPRESSORS[compression]):
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            found.extend(_sizes_and_times(folder))
    return tuple(sorted(found))


def _sizes_and_times(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                status = entry.stat()
                yield entry.name, status.st_size, status.st_mtime_ns


def may_have_changed(files: Iterable[File], since: int) -> bool:
    """Whether the inputs do not tell all: a file had changed so shortly before ``since``
    (nanoseconds since 1970) that it may have changed once more and look the same."""
    return any(file.changed >= since - RECENT for file in files)
