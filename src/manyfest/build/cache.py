"""What earlier builds made, kept on disk, so that it is made once and not every time.

It holds blobs, and notes that say which blob came of which inputs. A blob is hashed whenever it is
taken, and has no name in the build's own folder before that: one that is torn, or was changed, is
made anew. A note is believed, and nothing about it can be checked, so a folder that somebody else
could write to is not used. Why it is so: docs/decisions/0009-build-cache.md.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from stat import S_IWGRP, S_IWOTH

import msgspec

from manyfest.errors import DigestMismatch, InvalidManifest
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import CHUNK_SIZE, Content, VerifyingReader
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.cache_folder import cache_folder
from manyfest.stores.files import TEMPORARY_PREFIX, open_file, read_small, unnamed_file
from manyfest.stores.pruning import prune_now_and_then

LIMIT = 2 * 1024 * 1024 * 1024
"""Bytes on disk."""

_LARGEST_NOTE = 4096


def user_cache() -> BuildCache | None:
    """This user's own, unless the environment says that there is to be none."""
    folder = cache_folder(os.environ, Path.home())
    return BuildCache(folder / "builds") if folder else None


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of some inputs: a layer's blob, its size in bytes, and the digest of its tar;
    ``since``, in nanoseconds since 1970, is before any of them was looked at."""

    digest: Digest
    size: int
    diff_id: Digest
    since: int


json.prepare(Note)


class BuildCache:
    """What is kept in ``folder``, readable for nobody else, together about ``limit`` bytes; what
    was not used for the longest time goes first.

    Threads and processes may share it. Nothing that goes wrong with it is an error: then nothing
    is found in it, or nothing is kept. ``opened``, in nanoseconds since 1970, is before anything
    was read for this build.
    """

    def __init__(
        self,
        folder: Path,
        limit: int = LIMIT,
        *,
        clock: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.opened = clock()
        self._folder = folder
        self._limit = limit
        self._chance = chance

    def find(self, key: str) -> Note | None:
        """What is noted under ``key``, the digest of the inputs in hexadecimal."""
        if not self._is_ours:
            return None
        path = self._note(key)
        try:
            raw = read_small(path, _LARGEST_NOTE)
            note = json.convert(json.loads(raw, "a note"), Note, "a note")
        except (OSError, InvalidManifest):
            return None
        _touch(path)
        return note

    def note(self, key: str, note: Note) -> None:
        """Keep ``note`` under ``key``."""
        if not self._is_ours:
            return
        with suppress(OSError), unnamed_file(self._folder, mode=0o600) as unnamed:
            unnamed.file.write(json.dumps(note))
            unnamed.name(self._note(key), lasting=False)

    def take(self, blob: Descriptor, room: BlobFolder) -> bool:
        """Put the blob into ``room``, if it is kept here and its bytes are what they should be."""
        if not self._is_ours:
            return False
        path = self._blob(blob.digest)
        try:
            if not _linked(path, blob, room):
                room.put(Content(blob, lambda: open_file(path)))
        except DigestMismatch:
            with suppress(OSError):
                path.unlink()
            return False
        except OSError:
            return False
        _touch(path)
        return True

    def keep(self, blob: Descriptor, room: BlobFolder) -> None:
        """Keep a blob that is in ``room``."""
        if not self._is_ours:
            return
        with suppress(OSError):
            path, to = room.path(blob.digest), self._blob(blob.digest)
            with _second_name(path, to) as link:
                if link is None:
                    _copy(path, to)
                else:
                    link.rename(to)
            prune_now_and_then(self._folder, blob.size, limit=self._limit, chance=self._chance)

    def _note(self, key: str) -> Path:
        return self._folder / f"layer-{key}"

    def _blob(self, digest: Digest) -> Path:
        return self._folder / f"{digest.algorithm}-{digest.hex}"

    @cached_property
    def _is_ours(self) -> bool:
        """Whether nobody else can write to the folder. It is made if it is missing."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._folder.stat()
        except OSError:
            return False
        return status.st_uid == os.geteuid() and not status.st_mode & (S_IWGRP | S_IWOTH)


@contextmanager
def _second_name(path: Path, near: Path) -> Iterator[Path | None]:
    """Another name for the file, in the folder of ``near``, for as long as the block takes;
    ``None`` on another file system, or one without links. Raises ``OSError``.

    The file is locked meanwhile: the name begins as those of unfinished files do, and whoever
    clears up there must not take it for one that was abandoned.
    """
    name = near.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}")
    near.parent.mkdir(parents=True, exist_ok=True)
    with open_file(path) as file:
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
        try:
            os.link(path, name, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:
            yield None
            return
        try:
            yield name
        finally:
            # It is still there after a rename to what is the same file.
            name.unlink(missing_ok=True)


def _linked(path: Path, blob: Descriptor, room: BlobFolder) -> bool:
    """Whether the file got its name in ``room`` without being copied."""
    target = room.path(blob.digest)
    with _second_name(path, target) as link:
        if link is None:
            return False
        _verify(link, blob)
        link.rename(target)
    return True


def _verify(path: Path, blob: Descriptor) -> None:
    with closing(VerifyingReader(open_file(path), blob, where=str(path))) as reader:
        while reader.read(CHUNK_SIZE):
            pass


def _copy(path: Path, to: Path) -> None:
    with open_file(path) as source, unnamed_file(to.parent, mode=0o600) as unnamed:
        while chunk := source.read(CHUNK_SIZE):
            unnamed.file.write(chunk)
        unnamed.name(to, lasting=False)


def _touch(path: Path) -> None:
    """It was used now."""
    with suppress(OSError):
        os.utime(path)
