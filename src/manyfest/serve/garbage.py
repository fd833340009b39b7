"""What nobody needs any more, found and removed while pushes and pulls go on.

A blob is garbage when no manifest in its repository names it and it was neither sent, mounted nor
asked for within a time: a client that is told that a blob is here may rely on it for so long.
Manifests are never garbage, tagged or not: they can be pulled by their digest.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.serve.repository import Repository
from manyfest.serve.storage import Storage
from manyfest.stores.files import TEMPORARY_PREFIX

LEFT_ALONE = 24 * 3600.0
"""Seconds that something must not have been touched for to be garbage."""


class Garbage(Struct, frozen=True):
    """What can go. ``files`` are what killed pushes left and uploads that were given up;
    ``blobs`` are in a repository; ``shared`` are those that no repository has then, with their
    sizes in bytes. None of it was touched for ``older_than`` seconds."""

    files: tuple[Path, ...]
    blobs: tuple[tuple[str, Digest], ...]
    shared: dict[Digest, int]
    older_than: float

    @property
    def size(self) -> int:
        """Bytes that become free, those of unfinished uploads aside."""
        return sum(self.shared.values())


def find(storage: Storage, *, older_than: float = LEFT_ALONE) -> Garbage:
    """Look for garbage that was not touched for ``older_than`` seconds; change nothing.

    Raises :class:`~manyfest.errors.ManyfestError` if a manifest cannot be read, since what it
    names cannot be told then.
    """
    limit = time.time() - older_than
    files = list(_old_files(storage.uploads.folder, limit))
    blobs: list[tuple[str, Digest]] = []
    for name in storage.begun():
        repository = storage.repository(name)
        files += _old_files(repository.layout.path, limit, TEMPORARY_PREFIX)
        if not repository.exists():
            continue
        files += repository.dangling_referrers(limit)
        named = _named(repository)
        blobs += ((name, blob) for blob in repository.old_blobs(limit) if blob not in named)
    going = (*files, *(storage.repository(name).blob(digest) for name, digest in blobs))
    return Garbage(tuple(files), tuple(blobs), dict(_released(storage, going)), older_than)


def remove(storage: Storage, garbage: Garbage) -> None:
    """Remove what was found, unless somebody has come to need it meanwhile.

    Raises as :func:`find` does, and :class:`~manyfest.errors.StoreError` for a repository that is
    pushed to without a pause.
    """
    limit = time.time() - garbage.older_than
    for path in garbage.files:
        if _changed(path) < limit:
            path.unlink(missing_ok=True)
    by_repository: dict[str, list[Digest]] = {}
    for name, digest in garbage.blobs:
        by_repository.setdefault(name, []).append(digest)
    for name, digests in by_repository.items():
        repository = storage.repository(name)
        with repository.alone():
            named = _named(repository)
            repository.drop_blobs([each for each in digests if each not in named], limit)
    for digest in garbage.shared:
        storage.release(digest)


def _named(repository: Repository) -> set[Digest]:
    """All that the manifests of a repository name, and themselves."""
    return {digest for manifest in repository.manifests() for digest in _parts(manifest)}


def _parts(manifest: Manifest) -> Iterator[Digest]:
    """Foreign layers too: some clients push them all the same."""
    yield manifest.descriptor.digest
    if isinstance(manifest.body, Image):
        yield manifest.body.config.digest
        yield from (layer.digest for layer in manifest.body.layers)
    else:
        yield from (entry.digest for entry in manifest.body.manifests)


def _released(storage: Storage, going: Iterable[Path]) -> Iterator[tuple[Digest, int]]:
    """The shared blobs that have no other name once the names in ``going`` are gone."""
    names: Counter[int] = Counter()
    for path in going:
        with suppress(FileNotFoundError):
            names[path.stat().st_ino] += 1
    for digest, state in storage.shared():
        if state.st_nlink - names[state.st_ino] <= 1:
            yield digest, state.st_size


def _old_files(folder: Path, limit: float, prefix: str = "") -> Iterator[Path]:
    for path in folder.glob(f"{prefix}*"):
        if path.is_file() and _changed(path) < limit:
            yield path


def _changed(path: Path) -> float:
    """When it was last written to; never, if it is gone."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
