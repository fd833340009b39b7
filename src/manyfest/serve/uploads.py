"""Blobs on their way in: one file for each, hashed as it grows.

An upload belongs to a repository and is known by an identity that cannot be guessed. What has
arrived lies in its file, so an upload outlives a broken connection and a restart; the state of the
hash is kept in memory and is made anew from the file when it is lost.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol, Self

from msgspec import Struct

from manyfest.oci.digest import Digest
from manyfest.serve.errors import Refusal
from manyfest.serve.room import NoRoom, Room
from manyfest.serve.syncs import write_out
from manyfest.stores.base import CHUNK_SIZE

_IDENTITY = re.compile(r"[0-9a-f]{32}")
_MOST = 4096
"""Uploads that may be unfinished at a time. The hash of each is kept in memory."""

_MOST_OF_ONE = 1024
"""Of one client, or it would keep all others from pushing."""

_STALE_IF_MANY = 15 * 60.0
"""Seconds after its last byte that an upload is given up when there are too many."""

STALE_AFTER = 24 * 3600.0
"""Seconds after its last byte that an unfinished upload is given up."""


_WRITTEN_OUT_AFTER = 8 * 1024 * 1024
"""Bytes that are sent to the disk while more arrive, so that at the end few are waited for."""


class Hash(Protocol):
    """A hash that ``hashlib`` makes."""

    @property
    def name(self) -> str: ...
    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Self: ...


class _Progress(Struct, frozen=True):
    """A hash of a file's first ``size`` bytes, while nobody has written to it since ``changed``."""

    size: int
    changed: int
    hash: Hash


class Uploads:
    """The unfinished uploads in ``folder``, as far as there is ``room`` for them. None may become
    larger than ``largest`` bytes."""

    def __init__(self, folder: Path, room: Room, *, largest: int | None = None) -> None:
        self.folder = folder
        self.room = room
        self.largest = largest
        self._progress: OrderedDict[Path, _Progress] = OrderedDict()
        self._guard = Lock()

    @property
    def unfinished(self) -> int:
        """Those that were begun and wait to be gone on with, as far as this process knows."""
        return len(self._progress)

    def begin(self, repository: str, algorithm: str = "sha256", whose: str = "") -> str:
        """Start an upload to the repository by the client ``whose`` it is; gives its identity.

        ``algorithm`` is what its digest will most likely be of.
        """
        mark = _mark(whose)
        self._limit(mark)
        identity = secrets.token_hex(12) + mark
        path = self._path(repository, identity)
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        try:
            changed = os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
        self._remember(path, _Progress(0, changed, hashlib.new(algorithm)))
        return identity

    def size(self, repository: str, identity: str) -> int:
        """Bytes that have arrived."""
        try:
            state = self._path(repository, identity).stat()
        except FileNotFoundError:
            raise unknown_upload() from None
        if state.st_nlink != 1:
            raise unknown_upload()  # it is a blob by now
        return state.st_size

    def discard(self, repository: str, identity: str) -> None:
        """Give the upload up."""
        path = self._path(repository, identity)
        self._recall(path)
        try:
            path.unlink()
        except FileNotFoundError:
            raise unknown_upload() from None

    def open(self, repository: str, identity: str) -> Writer:
        """The upload, for one request alone, which must close it.

        Raises :class:`Refusal` if there is no such upload, or another request is writing to it.
        """
        path = self._path(repository, identity)
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError:
            raise unknown_upload() from None
        try:
            _lock(file)
            progress = self._progress_of(path, file)
        except BaseException:
            file.close()
            raise
        return Writer(self, path, file, progress)

    def keep(self, path: Path, file: BinaryIO, size: int, running: Hash) -> None:
        """Remember the hash of an upload that may go on.

        The file's time is set here: the kernel's own clock ticks so seldom that what another
        process writes could leave it as it was.
        """
        if os.fstat(file.fileno()).st_nlink == 1:
            now = time.time_ns()
            os.utime(file.fileno(), ns=(now, now))
            changed = os.fstat(file.fileno()).st_mtime_ns
            self._remember(path, _Progress(size, changed, running))

    def remove_stale(self, *, older_than: float = STALE_AFTER) -> None:
        """Remove what nobody has written to for so many seconds."""
        limit = time.time() - older_than
        for path in self.folder.glob("*"):  # of none, where the folder is not there
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()

    def _progress_of(self, path: Path, file: BinaryIO) -> _Progress:
        state = os.fstat(file.fileno())
        known = self._recall(path)
        if known and (known.size, known.changed) == (state.st_size, state.st_mtime_ns):
            return known
        running = _hash_of(file, known.hash.name if known else "sha256")
        return _Progress(state.st_size, state.st_mtime_ns, running)

    def _path(self, repository: str, identity: str) -> Path:
        """The file's name holds the repository's, so that no other repository finds it."""
        if not _IDENTITY.fullmatch(identity):
            raise unknown_upload()
        owner = hashlib.sha256(repository.encode()).hexdigest()[:16]
        return self.folder / f"{identity}-{owner}"

    def _limit(self, mark: str) -> None:
        """Raises :class:`Refusal` if there are too many, or too many of the client with this mark.
        The oldest must go first, so that those that are never finished shut out others for a while
        only."""
        most = self._exceeded(mark)
        if not most:
            return
        self.remove_stale(older_than=_STALE_IF_MANY)
        with self._guard:
            for path in [path for path in self._progress if not path.exists()]:
                del self._progress[path]
        most = self._exceeded(mark)
        if most:
            raise Refusal(
                "TOOMANYREQUESTS",
                f"{most} uploads are unfinished: finish or cancel some",
                headers={"Retry-After": "60"},
            )

    def _exceeded(self, mark: str) -> int:
        """The bound that is reached; 0 if none is."""
        if len(self._progress) >= _MOST:
            return _MOST
        if len(self._progress) < _MOST_OF_ONE:
            return 0
        with self._guard:
            own = sum(path.name.startswith(mark, 24) for path in self._progress)
        return _MOST_OF_ONE if own >= _MOST_OF_ONE else 0

    def _remember(self, path: Path, progress: _Progress) -> None:
        with self._guard:
            self._progress[path] = progress

    def _recall(self, path: Path) -> _Progress | None:
        with self._guard:
            return self._progress.pop(path, None)


class Writer:
    """An upload that one request writes to, at its end."""

    def __init__(self, uploads: Uploads, path: Path, file: BinaryIO, progress: _Progress) -> None:
        self.path = path
        self.size = progress.size
        self._uploads = uploads
        self._file = file
        self._hash = progress.hash
        self._written_out = progress.size
        self._start = (progress.size, progress.hash.copy())
        file.seek(progress.size)

    def append(self, data: bytes) -> None:
        """Write and hash, which both let other threads run meanwhile. Raises :class:`Refusal` if
        there is no room for it, or it is too large."""
        self.expect(len(data))
        self._uploads.room.take(len(data))
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._hash.update(data)
        self.size += len(data)
        if self.size - self._written_out >= _WRITTEN_OUT_AFTER:
            part = self.size - self._written_out
            write_out(self._file.fileno(), self._written_out, part)
            self._written_out = self.size

    def expect(self, size: int) -> None:
        """So many more bytes are to come. Raises :class:`~manyfest.serve.room.NoRoom` if the blob
        would be too large."""
        largest = self._uploads.largest
        if largest is not None and self.size + size > largest:
            raise NoRoom("SIZE_INVALID", f"a blob may have {largest} bytes at most", status=413)

    def roll_back(self) -> None:
        """Take back what this request wrote."""
        self.size, self._hash = self._start
        self._written_out = self.size
        self._file.truncate(self.size)
        self._file.seek(self.size)

    def digest(self, algorithm: str) -> Digest:
        """The digest of all that has arrived."""
        if algorithm != self._hash.name:
            self._hash = _hash_of(self._file, algorithm)
        return Digest(algorithm, self._hash.hexdigest())

    def close(self) -> None:
        """Let other requests go on with the upload, or forget it if it is finished."""
        with self._file:
            self._uploads.keep(self.path, self._file, self.size, self._hash)


def _lock(file: BinaryIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refusal(
            "BLOB_UPLOAD_INVALID", "another request is writing to this upload", status=409
        ) from None
    # A finished upload's file goes on as a blob: it must never be written to again.
    if os.fstat(file.fileno()).st_nlink != 1:
        raise unknown_upload()


def _hash_of(file: BinaryIO, algorithm: str) -> Hash:
    running = hashlib.new(algorithm)
    file.seek(0)
    while chunk := file.read(CHUNK_SIZE):
        running.update(chunk)
    return running


def _mark(whose: str) -> str:
    """What the identities of one client's uploads end with."""
    return hashlib.sha256(whose.encode()).hexdigest()[:8]


def unknown_upload() -> Refusal:
    """The answer for an upload that is not there, any more or in this repository."""
    return Refusal("BLOB_UPLOAD_UNKNOWN", "there is no such upload in this repository")
