"""Folders for work that is under way; the next run removes those that a killed one left.

A build makes its blobs in one before they go to where the image is wanted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from manyfest.errors import BuildError
from manyfest.stores.layout import LayoutStore

PREFIX = ".manyfest-build-"
"""How the names of these places begin. They may lie in a context, and are never a part of it."""


@contextmanager
def workspace(folder: Path | None = None, *, named_by: str = "TMPDIR") -> Iterator[LayoutStore]:
    """A layout in a :func:`room` in ``folder``, which ``named_by`` may name another place for.

    Raises :class:`~manyfest.errors.BuildError` if its disk becomes full meanwhile.
    """
    with room(folder) as place:
        try:
            # The lock is on the folder around it: a layout locks its own when its index changes.
            yield LayoutStore(place / "layout", lasting=False)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT} or error.filename:
                raise
            raise BuildError(
                f"the image cannot be written: {error.strerror}",
                where=str(place.parent),
                mend=f"make room there, or let {named_by} name another place",
            ) from None


@contextmanager
def room(folder: Path | None = None) -> Iterator[Path]:
    """A new folder in ``folder``, by default the system's temporary one; it is gone afterwards.

    It is locked while it is in use. Those that killed runs left in the same folder are removed.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    place = Path(folder or tempfile.gettempdir())
    _remove_abandoned(place)
    path, lock = _begin(place)
    try:
        yield path
    finally:
        # Whatever a thread still writes after Ctrl-C is of no use to anybody.
        remove_tree(path)
        os.close(lock)


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, also what its owner may not write to; as far as it goes."""
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def _begin(place: Path) -> tuple[Path, int]:
    """A new folder, and the lock on it."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = _open_folder(path)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)  # it was taken for abandoned before it was locked


def _remove_abandoned(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _open_folder(path)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(path)
            finally:
                os.close(lock)


def _open_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
