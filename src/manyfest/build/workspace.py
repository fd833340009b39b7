"""The place where a build makes its blobs before they go to where the image is wanted."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from manyfest.stores.layout import LayoutStore

PREFIX = ".manyfest-build-"
"""How the names of these places begin. They may lie in a context, and are never a part of it."""


@contextmanager
def workspace(folder: Path | None = None) -> Iterator[LayoutStore]:
    """A layout in ``folder``, by default the system's temporary one; it is gone afterwards.

    It is locked while it is in use. Those that killed builds left in the same folder are removed.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    place = Path(folder or tempfile.gettempdir())
    _remove_abandoned(place)
    room, lock = _begin(place)
    try:
        # The lock is on the folder around it: a layout locks its own when its index changes.
        yield LayoutStore(room / "layout", lasting=False)
    finally:
        # Whatever a thread still writes after Ctrl-C is of no use to anybody.
        shutil.rmtree(room, ignore_errors=True)
        os.close(lock)


def _begin(place: Path) -> tuple[Path, int]:
    """A new folder, and the lock on it."""
    while True:
        room = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = _open_folder(room)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if room.exists():
                return room, lock
            os.close(lock)  # it was taken for abandoned before it was locked


def _remove_abandoned(place: Path) -> None:
    for room in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _open_folder(room)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(room, ignore_errors=True)
            finally:
                os.close(lock)


def _open_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
