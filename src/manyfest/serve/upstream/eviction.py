"""Room for what is to come: what was of use longest ago goes first.

Whoever reads a file goes on reading it when it has lost its name. Only between the moment that a
file was found and the moment that it is opened it must not go, so what was just of use stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

from manyfest.errors import StoreError
from manyfest.oci.digest import Digest
from manyfest.serve.errors import Refusal
from manyfest.serve.repository import Repository
from manyfest.serve.storage import Storage

JUST_USED = 10.0
"""Seconds after which something that was of use may go."""

_MORE = 20
"""One part in so many of what is needed more goes too, so that not each download looks for it."""


class Eviction:
    """Takes content away from ``storage``; threads and processes may do so at the same time."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._turn = Lock()

    def make_room(self, size: int) -> None:
        """See to it that so many bytes fit, if what may go is enough for that."""
        room = self._storage.room
        if not room.lacking(size):
            return
        with self._turn:
            lacking = room.lacking(size)
            if lacking:
                self._free(lacking, (room.quota or 0) // _MORE)
                room.count_again()

    def _free(self, lacking: int, more: int) -> None:
        limit = time.time() - JUST_USED
        oldest = sorted(
            (state.st_mtime, digest, state.st_size)
            for digest, state in self._storage.shared()
            if state.st_mtime < limit
        )
        if sum(size for _, _, size in oldest) < lacking:
            return  # nothing should go for what will not fit
        wanted = lacking + more
        repositories = [self._storage.repository(name) for name in self._storage.begun()]
        for _, digest, size in oldest:
            if wanted <= 0:
                return
            self._take_away(digest, repositories, limit)
            if not self._storage.is_held(digest):
                wanted -= size

    def _take_away(self, digest: Digest, holders: Sequence[Repository], limit: float) -> None:
        """Take the content from all repositories. One that is pushed to keeps it."""
        for repository in holders:
            with suppress(Refusal, StoreError):
                repository.forget(digest, limit)
        self._storage.release(digest)
