"""Looking at a process while it runs: its memory, and what it keeps on disk."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

INTERVAL = 0.02
"""Seconds between two looks. A look takes well below a millisecond."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Follows a process, and all that it starts, until it is left.

    ``memory`` is then the most resident memory of all of them together, and ``disk`` the most
    bytes in files that were not the target's own: in the folder ``aside``, open though deleted,
    or in the folder ``target`` beyond what stayed there.
    """

    def __init__(self, pid: int, *, aside: Path, target: Path) -> None:
        self.memory = 0
        self._pid = pid
        self._aside = aside
        self._target = target
        self._most_aside = 0
        self._most_at_all = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._done.set()
        self._thread.join()

    @property
    def disk(self) -> int:
        """Bytes beyond the target. Ask when the process has ended."""
        beyond = self._most_at_all - bytes_in(self._target)
        return max(self._most_aside, bytes_in(self._aside), beyond)

    def _follow(self) -> None:
        while not self._done.wait(INTERVAL):
            pids = list(family(self._pid))
            self.memory = max(self.memory, sum(resident(pid) for pid in pids))
            aside = bytes_in(self._aside) + sum(bytes_deleted(pid) for pid in pids)
            self._most_aside = max(self._most_aside, aside)
            self._most_at_all = max(self._most_at_all, aside + bytes_in(self._target))


def family(pid: int) -> Iterator[int]:
    """The process and all below it."""
    yield pid
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text()
            for child in children.split():
                yield from family(int(child))


def resident(pid: int) -> int:
    """Bytes of a process that are in memory; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def bytes_deleted(pid: int) -> int:
    """Bytes in files that a process holds open and that have no name (any more)."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(entry.path).endswith(" (deleted)"):
                    found = os.stat(entry.path)
                    total += found.st_blocks * 512 if stat.S_ISREG(found.st_mode) else 0
    return total


def bytes_in(folder: Path) -> int:
    """Bytes that the files in a folder, and in all below it, take on disk."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += bytes_in(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
