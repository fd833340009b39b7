"""Manifests that were read before, kept on disk: Docker Hub counts how often they are read, and
does not count how often they are asked about.

What is kept is never trusted: it is hashed whenever it is read, so a file that is torn or was
tampered with only costs a request. Nor does it stand for the registry: it says what the bytes of a
digest are, and whether the registry still has it, and lets this user read it, a HEAD request tells
each time. Every repository has manifests of its own here (CVE-2026-35172).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.stores.base import Reader
from manyfest.stores.files import read_small, unnamed_file
from manyfest.stores.pruning import prune_now_and_then

LIMIT = 64 * 1024 * 1024
"""Bytes on disk."""


class ManifestCache:
    """Manifests in ``folder``, readable for nobody else, together about ``limit`` bytes; the
    oldest go first. Threads and processes may share it. A folder that cannot be used is no error:
    then nothing is kept."""

    def __init__(
        self, folder: Path, limit: int = LIMIT, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._chance = chance

    def get(self, place: str, descriptor: Descriptor) -> bytes | None:
        """The manifest's bytes, if the repository ``place`` gave them before."""
        try:
            raw = read_small(self._path(place, descriptor.digest), MAX_MANIFEST_SIZE)
        except OSError:
            return None
        return raw if _is_it(raw, descriptor) else None

    def put(self, place: str, descriptor: Descriptor, raw: bytes) -> None:
        """Keep what ``place`` gave, if it is what the descriptor says."""
        if not _is_it(raw, descriptor):
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with unnamed_file(self._folder, mode=0o600) as unnamed:
                unnamed.file.write(raw)
                unnamed.name(self._path(place, descriptor.digest), lasting=False)
            prune_now_and_then(self._folder, len(raw), limit=self._limit, chance=self._chance)

    def _path(self, place: str, digest: Digest) -> Path:
        return self._folder / hashlib.sha256(f"{place}\n{digest}".encode()).hexdigest()


class KeptReader:
    """Passes a manifest on and, once all of it went through, hands it to ``keep``."""

    def __init__(self, reader: Reader, size: int, keep: Callable[[bytes], None]) -> None:
        self._reader = reader
        self._left = min(size, MAX_MANIFEST_SIZE)
        self._keep = keep
        self._parts: list[bytes] = []

    def read(self, size: int, /) -> bytes:
        chunk = self._reader.read(size)
        if chunk and self._left > 0:
            self._left -= len(chunk)
            self._parts.append(chunk)
            if self._left <= 0:
                self._keep(b"".join(self._parts))
                self._parts = []
        return chunk

    def close(self) -> None:
        self._reader.close()


def _is_it(raw: bytes, descriptor: Descriptor) -> bool:
    return (
        len(raw) == descriptor.size
        and Digest.of(raw, descriptor.digest.algorithm) == descriptor.digest
    )
