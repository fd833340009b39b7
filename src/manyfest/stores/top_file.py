"""A layout's ``index.json``, parsed once and again only when it has changed, whoever changed it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct

from manyfest.errors import InvalidArchive, NotFound
from manyfest.oci.limits import MAX_LAYOUT_INDEX_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.stores.files import Unnamed, open_file, sync_folder
from manyfest.stores.names import parse_top

_YOUNG = 50_000_000
"""Nanoseconds, several ticks of the clock that files get their times from."""

Identity = tuple[int, int, int]
"""Tells a file from the one that took its place."""


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
        return known.top if known is not None and known.identity == self.identity() else None

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

    def remember(self, identity: Identity | None, top: Manifest) -> None:
        """What the file says that was just put there; without an ``identity`` it is read."""
        self._known = None if identity is None else _Known(identity, top)

    def forget(self) -> None:
        """Read the file when it is needed again."""
        self._known = None

    def identity(self) -> Identity | None:
        """Of the file that is there now; ``None`` if there is none."""
        try:
            return identity_of(os.stat(self._path))
        except OSError:
            return None

    def _content(self) -> tuple[Identity, bytes]:
        try:
            with open_file(self._path) as file:
                state = os.fstat(file.fileno())
                raw = file.read(MAX_LAYOUT_INDEX_SIZE + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("there is no OCI layout here", where=self._where) from None
        except OSError as error:
            raise self._invalid(f"cannot be read: {error.strerror}") from None
        if len(raw) > MAX_LAYOUT_INDEX_SIZE:
            raise self._invalid(f"it is more than the {MAX_LAYOUT_INDEX_SIZE} bytes allowed")
        return identity_of(state), raw

    def _invalid(self, what: str) -> InvalidArchive:
        return InvalidArchive(what, where=str(self._path))


class NewTop:
    """A file that is to take the place of ``index.json``, whose content is all there.

    Its time is set to the nanosecond: the kernel's own clock ticks so seldom that two files could
    have the same, and the one be taken for the other. ``identity`` is ``None`` if the file system
    does not keep it.
    """

    def __init__(self, unnamed: Unnamed, path: Path, *, lasting: bool) -> None:
        self._unnamed = unnamed
        self._path = path
        self._lasting = lasting
        unnamed.file.flush()
        now = time.time_ns()
        os.utime(unnamed.file.fileno(), ns=(now, now))
        state = os.fstat(unnamed.file.fileno())
        self.identity = identity_of(state) if state.st_mtime_ns == now else None

    @property
    def to_sync(self) -> tuple[int, ...]:
        """The open file that :meth:`sync` syncs, for those who sync it with others."""
        return (self._unnamed.file.fileno(),) if self._lasting else ()

    def sync(self) -> None:
        """Make its content survive a crash, if it is to. It must before it gets its name."""
        if self._lasting:
            os.fsync(self._unnamed.file.fileno())

    def put_in_place(self) -> None:
        """Give it the name, in the place of whatever has that now."""
        self._unnamed.path.rename(self._path)
        if self._lasting:
            sync_folder(self._path.parent)


def identity_of(state: os.stat_result) -> Identity:
    """Differs when the file was replaced: each new one has its own inode or time."""
    return state.st_ino, state.st_mtime_ns, state.st_size
