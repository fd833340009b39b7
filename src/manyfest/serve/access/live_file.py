"""What a file says, read again when the file changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from manyfest.errors import ManyfestError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LiveFile(Generic[T]):
    """``value`` is what ``read`` made of the file when it was last whole and right."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        """Reads the file. Raises what ``read`` does."""
        self._path = path
        self._read = read
        self._state = self._look()
        self.value = read(path)

    def refresh(self) -> None:
        """Read it if it is another than before. What is wrong with it is logged once, and what it
        said before goes on to count: a mistake must neither lock everybody out nor let anybody
        in."""
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self.value = self._read(self._path)
        except ManyfestError as error:
            logger.warning("%s; what it said before goes on to count", error)
        else:
            logger.info("%s was read again", self._path)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            state = self._path.stat()
        except OSError:
            return None
        return state.st_ino, state.st_size, state.st_mtime_ns
