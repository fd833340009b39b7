"""What nobody needs any more, found and removed while pushes and pulls go on.

A blob is garbage when no manifest in its repository names it and it was neither sent, mounted nor
asked for within a time: a client that is told that a blob is here may rely on it for so long.

Manifests can be pulled by their digests, so they are garbage only if that was asked for. Then those
go that were neither sent nor asked for within the time, and that nothing leads to which stays: no
entry of ``index.json``, which has the tags and what other tools list without one, no index and no
subject.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from manyfest.oci.digest import Digest
from manyfest.serve.errors import Refusal
from manyfest.serve.leads import Leads
from manyfest.serve.repository import Repository
from manyfest.serve.storage import Storage
from manyfest.stores.files import TEMPORARY_PREFIX

LEFT_ALONE = 24 * 3600.0
"""Seconds that something must not have been touched for to be garbage."""


class Garbage(Struct, frozen=True):
    """What can go. ``files`` are what killed pushes left and uploads that were given up;
    ``manifests`` and ``blobs`` are in a repository; ``shared`` are those that no repository has
    then, with their sizes in bytes. None of it was touched for ``older_than`` seconds."""

    files: tuple[Path, ...]
    manifests: tuple[tuple[str, Digest], ...]
    blobs: tuple[tuple[str, Digest], ...]
    shared: dict[Digest, int]
    older_than: float

    @property
    def size(self) -> int:
        """Bytes that become free, those of unfinished uploads aside."""
        return sum(self.shared.values())


def find(storage: Storage, *, older_than: float = LEFT_ALONE, untagged: bool = False) -> Garbage:
    """Look for garbage that was not touched for ``older_than`` seconds; change nothing. With
    ``untagged``, manifests may be garbage.

    Raises :class:`~manyfest.errors.ManyfestError` if a manifest cannot be read, since what it
    names cannot be told then.
    """
    limit = time.time() - older_than
    files = list(_old_files(storage.uploads.folder, limit))
    manifests: list[tuple[str, Digest]] = []
    blobs: list[tuple[str, Digest]] = []
    going: list[Path] = []
    for name in storage.begun():
        repository = storage.repository(name)
        files += _old_files(repository.layout.path, limit, TEMPORARY_PREFIX)
        if not repository.exists():
            continue
        files += repository.dangling_referrers(limit)
        old, leads = set(repository.old_blobs(limit)), Leads.of(repository.manifests())
        unled = _unled(repository, leads, old) if untagged else set()
        unnamed = old - leads.named(leads.parts.keys() - unled) - unled
        manifests += ((name, digest) for digest in leads.in_order(unled))
        blobs += ((name, digest) for digest in unnamed)
        going += (repository.blob(digest) for digest in unnamed | unled)
        for digest in unled:
            with suppress(Refusal):  # it was deleted at this moment
                going += map(Path, repository.names(repository.manifest(digest)))
    shared = dict(_released(storage, (*files, *going)))
    return Garbage(tuple(files), tuple(manifests), tuple(blobs), shared, older_than)


def remove(storage: Storage, garbage: Garbage) -> None:
    """Remove what was found, unless somebody has come to need it meanwhile. Wherever this is
    interrupted, no manifest has lost what it names.

    Raises as :func:`find` does, and :class:`~manyfest.errors.StoreError` for a repository that is
    pushed to without a pause.
    """
    limit = time.time() - garbage.older_than
    for path in garbage.files:
        if _changed(path) < limit:
            path.unlink(missing_ok=True)
    manifests, blobs = _by_repository(garbage.manifests), _by_repository(garbage.blobs)
    for name in {**manifests, **blobs}:
        repository = storage.repository(name)
        with repository.alone():
            left = _without(repository, manifests[name], limit)
            repository.drop_blobs([each for each in blobs[name] if each not in left], limit)
    for digest in garbage.shared:
        storage.release(digest)


def _without(repository: Repository, manifests: Set[Digest], limit: float) -> set[Digest]:
    """Remove those of ``manifests`` that may still go; what is named by the others."""
    leads = Leads.of(repository.manifests())
    unled = _unled(repository, leads, set(repository.old_blobs(limit))) if manifests else set()
    left = leads.parts.keys() - unled
    for digest in leads.in_order(unled):
        if digest in left:
            continue
        if digest not in manifests or not repository.drop_manifest(digest, limit):
            left |= leads.reached([digest], left)
    return leads.named(left)


def _unled(repository: Repository, leads: Leads, old: Set[Digest]) -> set[Digest]:
    """The manifests that only have each other, and of which none is of use to somebody."""
    listed = (entry.digest for entry in repository.tags.read().entries)
    reached = leads.reached([*listed, *(leads.parts.keys() - old)])
    return leads.parts.keys() - reached


def _by_repository(found: Iterable[tuple[str, Digest]]) -> defaultdict[str, set[Digest]]:
    sorted_: defaultdict[str, set[Digest]] = defaultdict(set)
    for name, digest in found:
        sorted_[name].add(digest)
    return sorted_


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
