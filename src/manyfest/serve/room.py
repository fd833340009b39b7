"""How much may be stored: no more than a quota, and never the last of the disk.

What is there is counted at the start and then kept up to date by what this process adds. Other
processes and deletions show when it is counted again, which happens before anything is refused.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from threading import Lock

from manyfest.serve.errors import Refusal

RESERVE = 64 * 1024 * 1024
"""Bytes of the disk that stay free, so that the registry can still be looked at and cleared."""

_COUNTED_AGAIN = 5.0
"""Seconds between two counts, at least."""


class NoRoom(Refusal):
    """What arrives would not fit."""


class Room:
    """The room of the registry in ``root``; ``quota`` is in bytes."""

    def __init__(self, root: Path, *, quota: int | None = None) -> None:
        self._folders = (root / "blobs", root / "uploads")
        self.quota = quota
        self._used: int | None = None
        self._counted = float("-inf")
        self._guard = Lock()

    def take(self, size: int) -> None:
        """Account for so many more bytes. Raises :class:`NoRoom` if they do not fit."""
        if shutil.disk_usage(self._folders[1]).free - size < RESERVE:
            raise NoRoom("DENIED", "the registry's disk is full", status=507)
        if self.quota is None:
            return
        with self._guard:
            if not self._fits(size) and time.monotonic() - self._counted > _COUNTED_AGAIN:
                self._used, self._counted = self.count(), time.monotonic()
            if not self._fits(size):
                raise NoRoom("DENIED", f"the registry may hold {self.quota} bytes and is full")
            self._used = (self._used or 0) + size

    def give_back(self, size: int) -> None:
        """So many bytes that were accounted for do not come after all."""
        with self._guard:
            if self._used is not None:
                self._used -= size

    def lacking(self, size: int) -> int:
        """How many bytes must go for ``size`` more to fit; 0 if they do."""
        disk = size + RESERVE - shutil.disk_usage(self._folders[1]).free
        if self.quota is None:
            return max(disk, 0)
        with self._guard:
            if not self._fits(size):
                self._used, self._counted = self.count(), time.monotonic()
            return max(disk, (self._used or 0) + size - self.quota, 0)

    def count_again(self) -> None:
        """Something was removed: what there is must be counted before anything is refused."""
        with self._guard:
            self._used, self._counted = None, float("-inf")

    def _fits(self, size: int) -> bool:
        return (
            self.quota is not None and self._used is not None and (self._used + size <= self.quota)
        )

    def count(self) -> int:
        """Bytes of everything that is stored, each file once whatever names it has."""
        sizes: dict[int, int] = {}
        for top in self._folders:
            for folder, _, names in os.walk(top):
                for name in names:
                    try:
                        state = os.stat(os.path.join(folder, name))
                    except FileNotFoundError:
                        continue
                    sizes[state.st_ino] = state.st_size
        return sum(sizes.values())
