"""A stretch of a larger file, as a file of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO


def slice_of(path: Path, offset: int, size: int) -> Callable[[], BinaryIO]:
    """What opens ``size`` bytes from ``offset`` on of the file at ``path``."""
    return partial(_Stretch, path, offset, size)


class _Stretch(io.FileIO):
    def __init__(self, path: Path, offset: int, size: int) -> None:
        super().__init__(path)
        self.seek(offset)
        self._left = size

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = super().read(wanted) or b""
        self._left -= len(data)
        return data
