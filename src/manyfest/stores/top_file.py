"""A layout's ``index.json``, parsed once and again only when it has changed, whoever changed it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct

from manyfest.errors import InvalidArchive, NotFound
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.stores.files import open_file
from manyfest.stores.names import parse_top

_YOUNG = 50_000_000
"""Nanoseconds, several ticks of the clock that files get their times from."""

Identity = tuple[int, int, int]


class _Known(Struct, frozen=True):
    identity: Identity
    top: Manifest


class TopFile:
    """The file at ``path``; threads may share it. ``where`` names its layout in errors."""

    def __init__(self, path: Path, *, where: str) -> None:
        self._path = path
        self._where = where
        self._known: _Known | None = None

    def known(self) -> Manifest | None:
        """What is known from memory, if that is still what the file says. Never waits long."""
        known = self._known
        try:
            is_same = known is not None and known.identity == _identity(os.stat(self._path))
        except OSError:
            return None
        return known.top if known is not None and is_same else None

    def read(self) -> Manifest:
        """What the file says, from memory if it has not changed.

        Raises :class:`~manyfest.errors.NotFound` if there is no layout, and
        :class:`~manyfest.errors.InvalidArchive`.
        """
        return self.known() or self.read_anew()

    def read_anew(self) -> Manifest:
        """The same, from the file in any case."""
        identity, raw = self._content()
        top = parse_top(raw, where=str(self._path))
        # A file this young may be replaced by one of the same time: then it is read once more.
        is_young = time.time_ns() - identity[1] < _YOUNG
        self._known = None if is_young else _Known(identity, top)
        return top

    def remember(self, state: os.stat_result, top: Manifest) -> None:
        """What was just written there, so that it need not be read: ``state`` is of the file before
        it got its name, and its time is one that no other file has."""
        self._known = _Known(_identity(state), top)

    def _content(self) -> tuple[Identity, bytes]:
        try:
            with open_file(self._path) as file:
                state = os.fstat(file.fileno())
                raw = file.read(MAX_MANIFEST_SIZE + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("there is no OCI layout here", where=self._where) from None
        except OSError as error:
            raise self._invalid(f"cannot be read: {error.strerror}") from None
        if len(raw) > MAX_MANIFEST_SIZE:
            raise self._invalid(f"it is more than the {MAX_MANIFEST_SIZE} bytes allowed")
        return _identity(state), raw

    def _invalid(self, what: str) -> InvalidArchive:
        return InvalidArchive(what, where=str(self._path))


def _identity(state: os.stat_result) -> Identity:
    """Differs when the file was replaced: each new one has its own inode or time."""
    return state.st_ino, state.st_mtime_ns, state.st_size
