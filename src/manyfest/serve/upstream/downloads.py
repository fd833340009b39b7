"""Blobs on their way from an upstream: each is fetched once, and sent while it arrives.

A download has a thread of its own and goes on when all its clients have gone away. Its last bytes
are given out only when the whole has the right digest, and what has not gets no name.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Set
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from manyfest.errors import ConnectionFailed, DigestMismatch, ManyfestError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.serve.bodies import LivePart
from manyfest.serve.storage import Storage
from manyfest.serve.upstream.flights import MOST, stopping, too_many
from manyfest.serve.upstream.origin import Origin
from manyfest.stores.base import CHUNK_SIZE, VerifyingReader
from manyfest.stores.files import Unnamed, unnamed_file

logger = logging.getLogger(__name__)

_MOST_AT_A_TIME = 32


class Download:
    """A blob that arrives in a file. ``begun`` is done when its first bytes have come, and raises
    if none do, so that clients are told; ``ended`` is set when it is kept or has failed."""

    def __init__(self, size: int, holder: str) -> None:
        self.size = size
        self.begun: Future[None] = Future()
        self.ended = threading.Event()
        self._there = 0
        self._failure: Exception | None = None
        self._holders = {holder}
        self._is_open = True
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._guard = threading.Lock()
        self._descriptor = -1

    def body(self) -> LivePart:
        """All of it, as it comes."""
        return LivePart(self._chunks, self.size)

    def join(self, holder: str) -> bool:
        """Give it to this repository too; ``False`` if it is too late for that."""
        with self._guard:
            if self._is_open:
                self._holders.add(holder)
            return self._is_open

    def is_for(self, holder: str) -> bool:
        """Whether this repository will have it, as far as can be seen."""
        with self._guard:
            return self._failure is None and holder in self._holders

    @property
    def is_there(self) -> bool:
        """Whether all of it has come, and is right."""
        with self._guard:
            return self.begun.done() and self._there == self.size

    @property
    def has_failed(self) -> bool:
        """Whether no more will come."""
        with self._guard:
            return self._failure is not None

    def begin(self, file: Path) -> None:
        """It arrives in this file. Raises what it has failed for."""
        self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        with self._guard:
            self._go_on()
            self.begun.set_result(None)

    def advance(self, count: int) -> None:
        """So many bytes more are in the file. Raises what it has failed for."""
        with self._guard:
            self._go_on()
            self._there += count
        self._wake()

    def _go_on(self) -> None:
        if self._failure is not None:
            raise self._failure

    def fail(self, error: Exception) -> None:
        """No more will come."""
        with self._guard:
            self._failure = self._failure or error
            self._is_open = False
            if not self.begun.done():
                self.begun.set_exception(error)
        self._wake()

    def holders(self, known: Set[str]) -> Set[str]:
        """The repositories that are to have it and are not ``known``. When there are no more,
        nobody joins any more."""
        with self._guard:
            new = self._holders - known
            self._is_open = bool(new)
        return new

    async def _chunks(self, part: range) -> AsyncIterator[bytes]:
        at = part.start
        while at < part.stop:
            there = await self._beyond(at)
            end = min(there, part.stop, at + CHUNK_SIZE)
            chunk = await asyncio.to_thread(os.pread, self._descriptor, end - at, at)
            at += len(chunk)
            yield chunk

    async def _beyond(self, at: int) -> int:
        """How many bytes there are, once they are more than ``at``."""
        while True:
            with self._guard:
                if self._there > at:
                    return self._there
                if self._failure is not None:
                    raise ConnectionFailed("the download from the upstream failed")
                loop = asyncio.get_running_loop()
                woken = loop.create_future()
                self._waiting.append((loop, woken))
            await woken

    def _wake(self) -> None:
        with self._guard:
            waiting, self._waiting = self._waiting, []
        for loop, woken in waiting:
            try:
                loop.call_soon_threadsafe(_set, woken)
            except RuntimeError:  # its loop has ended, and so whoever waited in it
                continue


class Downloads:
    """The downloads into ``storage`` that are under way. ``make_room`` sees to it that so many
    bytes fit."""

    def __init__(self, storage: Storage, make_room: Callable[[int], None]) -> None:
        self._storage = storage
        self._make_room = make_room
        self._running: dict[Digest, Download] = {}
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_A_TIME)

    def find(self, digest: Digest) -> Download | None:
        """The one that brings this blob, if it is on its way."""
        with self._guard:
            return self._running.get(digest)

    def begin(self, blob: Descriptor, origin: Origin, holder: str) -> Download:
        """Fetch the blob from ``origin``, in which the repository ``holder`` is known to have it;
        or let that have it too if it is on its way already. Raises
        :class:`~manyfest.serve.errors.Refusal` if there are too many."""
        with self._guard:
            running = self._running.get(blob.digest)
            if running is not None and running.join(holder):
                return running
            if len(self._running) >= MOST:
                raise too_many()
            download = Download(blob.size, holder)
            work = threading.Thread(
                target=self._run, args=(download, blob, origin), name="download", daemon=True
            )
            work.start()
            self._running[blob.digest] = download  # if it was started, or all would wait for ever
        return download

    def give_up(self) -> None:
        """Let nobody wait any longer for those of which something is still to come."""
        with self._guard:
            running = list(self._running.values())
        for download in running:
            if not download.is_there:
                download.fail(stopping())

    def settle(self, seconds: float) -> None:
        """Wait for those of which all has come to be kept, for so long at most."""
        deadline = time.monotonic() + seconds
        with self._guard:
            running = list(self._running.values())
        for download in running:
            if download.is_there:
                download.ended.wait(max(deadline - time.monotonic(), 0))

    def _run(self, download: Download, blob: Descriptor, origin: Origin) -> None:
        with self._places:
            try:
                self._fetch(download, blob, origin)
            except Exception as error:  # noqa: BLE001 - those who read it raise it
                if not download.has_failed:
                    self._log(error, blob, origin)
                download.fail(error)
            finally:
                with self._guard:
                    if self._running.get(blob.digest) is download:
                        del self._running[blob.digest]
                download.ended.set()

    def _fetch(self, download: Download, blob: Descriptor, origin: Origin) -> None:
        reader = VerifyingReader(origin.open(blob), blob, where=origin.label)
        with closing(reader):
            if self._storage.room.lacking(blob.size):
                _check_size(blob, origin)
            self._make_room(blob.size)
            self._storage.room.take(blob.size)
            try:
                with unnamed_file(self._storage.uploads.folder) as unnamed:
                    _copy(reader, unnamed, download)
                    self._keep(download, unnamed.path, blob)
            except BaseException:
                self._storage.room.give_back(blob.size)
                raise

    def _keep(self, download: Download, file: Path, blob: Descriptor) -> None:
        """Give the file its name, in every repository that is to have it."""
        first = min(download.holders(frozenset()))
        self._storage.repository(first).add_blob(file, blob.digest)
        known = {first}
        while new := download.holders(known):
            for other in new:
                self._storage.repository(other).mount(blob.digest, self._storage.repository(first))
            known |= new

    @staticmethod
    def _log(error: Exception, blob: Descriptor, origin: Origin) -> None:
        if isinstance(error, ManyfestError):
            logger.warning("%s@%s: %s", origin.label, blob.digest, error)
        else:
            logger.error("%s@%s cannot be kept", origin.label, blob.digest, exc_info=error)


def _check_size(blob: Descriptor, origin: Origin) -> None:
    """Raise :class:`DigestMismatch` unless the upstream says the same as a manifest, which whoever
    pushed it may have made so that all else goes for nothing."""
    size = origin.measure(blob.digest)
    if size != blob.size:
        raise DigestMismatch(
            f"{blob.digest} has {size} bytes, but {blob.size} were promised", where=origin.label
        )


def _copy(reader: VerifyingReader, unnamed: Unnamed, download: Download) -> None:
    unnamed.file.truncate(download.size)  # so that what counts the files sees all that will come
    chunk = reader.read(CHUNK_SIZE)
    download.begin(unnamed.path)
    while chunk:
        unnamed.file.write(chunk)
        unnamed.file.flush()
        download.advance(len(chunk))
        chunk = reader.read(CHUNK_SIZE)


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
