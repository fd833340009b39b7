"""Keeping a folder of files within bounds: the oldest go first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from manyfest.stores.files import TEMPORARY_PREFIX, remove_abandoned

_BLOCK = 4096
"""Bytes that the smallest file takes."""

_LOOKS = 16
"""How often, about, the size is looked at while as much is added as the limit allows."""


def prune_now_and_then(
    folder: Path, added: int, *, limit: int, chance: Callable[[], float]
) -> None:
    """Call this for every ``added`` bytes, and ``folder`` stays at about ``limit``.

    ``chance`` gives numbers from 0 to 1: with many small files it is not worth it to look each
    time. Raises ``OSError``.
    """
    if chance() * limit < _on_disk(added) * _LOOKS:
        _prune(folder, limit)


def _prune(folder: Path, limit: int) -> None:
    """Remove the oldest until a quarter of the room is free, if there are more than ``limit``
    bytes; and what killed runs left."""
    remove_abandoned(folder)
    files: list[tuple[float, int, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                if not entry.name.startswith(TEMPORARY_PREFIX):
                    files.append((state.st_mtime, _on_disk(state.st_size), entry.path))
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return
    for _, size, path in sorted(files):
        if total <= limit * 3 // 4:
            return
        with suppress(OSError):
            os.unlink(path)
        total -= size


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
