"""Manifests that were read before, kept on disk: Docker Hub counts how often they are read, and
does not count how often they are asked about.

What is kept is never trusted: it is hashed whenever it is read, so a file that is torn or was
tampered with only costs a request. Nor does it stand for the registry: it says what the bytes of a
digest are, and whether the registry still has it, and lets this user read it, a HEAD request tells
each time. Every repository has manifests of its own here (CVE-2026-35172).
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.stores.base import Reader
from manyfest.stores.files import TEMPORARY_PREFIX, read_small, remove_abandoned, unnamed_file

LIMIT = 64 * 1024 * 1024
"""Bytes on disk."""

_BLOCK = 4096
"""Bytes that the smallest file takes."""

_LOOKS = 16
"""How often, about, the size is looked at while as much is added as the limit allows."""

_OFF = frozenset({"", "off"})


def cache_folder(environ: Mapping[str, str], home: Path) -> Path | None:
    """Where manifests are kept; ``None`` if ``MANYFEST_CACHE_DIR`` says nowhere."""
    told = environ.get("MANYFEST_CACHE_DIR")
    if told is not None:
        return None if told in _OFF else Path(told) / "manifests"
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    # By its specification a relative path there counts as none.
    return (base if base.is_absolute() else home / ".cache") / "manyfest" / "manifests"


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
            if self._chance() * self._limit < _on_disk(len(raw)) * _LOOKS:
                self._prune()

    def _path(self, place: str, digest: Digest) -> Path:
        return self._folder / hashlib.sha256(f"{place}\n{digest}".encode()).hexdigest()

    def _prune(self) -> None:
        """Remove the oldest until a quarter of the room is free."""
        remove_abandoned(self._folder)
        files: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if not entry.name.startswith(TEMPORARY_PREFIX):
                        files.append((state.st_mtime, _on_disk(state.st_size), entry.path))
        total = sum(size for _, size, _ in files)
        if total <= self._limit:
            return
        for _, size, path in sorted(files):
            if total <= self._limit * 3 // 4:
                return
            with suppress(FileNotFoundError):
                os.unlink(path)
            total -= size


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


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
