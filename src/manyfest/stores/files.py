"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

from manyfest.errors import StoreError

TEMPORARY_PREFIX = ".manyfest-"
"""How the names of unfinished files begin, so that a killed run's can be told and removed."""


_unfinished: set[Path] = set()
"""What this process has begun to write."""

_NO_ROOM = "make room there, and run it again"
_NOT_ALLOWED = "write to where you may, or have that changed"
_MENDS = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: _NOT_ALLOWED,
}


class Unnamed:
    """A file that is being written and has no name of its own yet."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path

    def name(self, path: Path, *, lasting: bool = True) -> None:
        """Sync it, and give it its name, in the place of whatever has that now.

        What need not be ``lasting`` is not synced: a crash may leave it torn, or without its name.
        """
        self.file.flush()
        if lasting:
            os.fsync(self.file.fileno())
        # Still open, and so locked: until it has its name, it must not be taken for abandoned.
        self.path.rename(path)
        if lasting:
            sync_folder(path.parent)


@contextmanager
def unnamed_file(folder: Path, *, mode: int = 0o644) -> Iterator[Unnamed]:
    """A file to write in ``folder``, which is made if it is missing. It vanishes when the block
    ends, unless it was given a name."""
    try:
        temporary, descriptor = _begin(folder, mode)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = _begin(folder, mode)
    _unfinished.add(temporary)
    try:
        with open(descriptor, "w+b") as file:
            yield Unnamed(file, temporary)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        _unfinished.discard(temporary)


@contextmanager
def new_file(path: Path, *, mode: int = 0o644, lasting: bool = True) -> Iterator[BinaryIO]:
    """A file to write that takes the name ``path`` when the block ends, and vanishes if it raises.

    If it is to be ``lasting``, it is synced before it is renamed, and its folder after, so that a
    crash at any instant leaves the old file or the whole new one. Missing folders are made.
    """
    with unnamed_file(path.parent, mode=mode) as unnamed:
        yield unnamed.file
        unnamed.name(path, lasting=lasting)


def _begin(folder: Path, mode: int) -> tuple[Path, int]:
    """An unfinished file, locked for as long as it is open."""
    while True:
        path = folder / f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # it was taken for abandoned before it was locked


class FolderLock:
    """A lock on ``folder`` itself, so that no file is left behind. Those who share it keep away
    those who want to be alone, and the other way round; a process that ends lets go of it.

    Raises ``OSError``.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def alone(self) -> None:
        """Have it alone; wait for that."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_alone(self) -> bool:
        """Have it alone, if nobody else has it; otherwise it is not even shared any more."""
        with suppress(BlockingIOError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def share(self) -> None:
        """Have it together with others who share it; wait for whoever has it alone."""
        with suppress(OSError):  # not every file system has locks; there, nobody can be alone
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go of it. Harmless when repeated."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove_abandoned(folder: Path) -> None:
    """Remove what killed runs left in ``folder``: unfinished files that nobody holds a lock on."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError), open_file(path) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove what threads of this process are writing below ``folder``, and nobody waits for: they
    fail then, if they get so far."""
    for path in list(_unfinished):
        if path.is_relative_to(folder):
            with suppress(OSError):
                path.unlink()


def open_file(path: Path) -> FileIO:
    """The file, to be read, unbuffered.

    Raises ``OSError``, for anything but a regular file too: what came from elsewhere may have a
    pipe in a file's place, and opening that would wait for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return FileIO(descriptor, "rb")


def read_small(path: Path, limit: int) -> bytes:
    """The whole file. Raises ``OSError``, beyond ``limit`` bytes as well."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(
                errno.EFBIG, f"it is {size} bytes, more than the {limit} allowed", str(path)
            )
        return file.read(limit)


@contextmanager
def write_errors(where: str) -> Iterator[None]:
    """Turns what the operating system says of a write into
    :class:`~manyfest.errors.StoreError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        mend = _MENDS.get(error.errno or 0, "")
        raise StoreError(f"cannot be written: {reason}", where=where, mend=mend) from error


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
