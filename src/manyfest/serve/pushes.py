"""Manifests on their way into a repository, those together that are sent at the same time.

To wait for the disk, and to rewrite ``index.json``, costs the same for one as for twenty.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TypeVar, cast

from msgspec import Struct

from manyfest.oci.manifest import Manifest
from manyfest.serve.batches import Batches
from manyfest.serve.holdings import Holdings
from manyfest.serve.pool import BlobPool, NewFile
from manyfest.serve.syncs import sync_files, sync_folders
from manyfest.serve.tag_change import TagChange

T = TypeVar("T")


class Push(Struct, eq=False):
    """A manifest, which ``read`` gives, and its ``tags``. What it points at must be here, if it is
    to be ``whole``. In the end it is ``stored``, or there is a ``failure``."""

    read: Callable[[], Manifest]
    tags: Sequence[str] = ()
    whole: bool = True
    stored: Manifest | None = None
    failure: Exception | None = None

    def attempt(self, work: Callable[[], T]) -> T | None:
        """What ``work`` gives; ``None`` if it fails, which ends this push and no other."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - whoever pushed it raises it
            self.failure = error
            return None

    def result(self) -> Manifest:
        """What is stored now. Raises what went wrong."""
        if self.failure is not None:
            raise self.failure
        return cast("Manifest", self.stored)


class _Entry(Struct):
    """A manifest in a file with its bytes, not yet synced."""

    push: Push
    manifest: Manifest
    file: NewFile
    change: TagChange


class Pushes:
    """All pushes of manifests to one repository."""

    def __init__(self, repository: Holdings, pool: BlobPool) -> None:
        self._repository = repository
        self._pool = pool
        self._rounds: Batches[Push] = Batches(self._do_all, pool.rounds)

    def do(self, push: Push) -> Manifest:
        """Store the manifest and make its tags mean it, all at the same moment. Raises
        :class:`~manyfest.serve.errors.Refusal`, and what reading it raised."""
        self._rounds.do(push)
        return push.result()

    async def share(self, push: Push) -> Manifest:
        """The same, without a thread for each."""
        await self._rounds.share(push)
        return push.result()

    def _do_all(self, pushes: Sequence[Push]) -> None:
        read = [
            (push, manifest)
            for push in pushes
            if (manifest := push.attempt(partial(self._read, push))) is not None
        ]
        if not read:
            return
        with self._repository.adding(), ExitStack() as files:
            found = (push.attempt(partial(self._written, push, m, files)) for push, m in read)
            entries = [entry for entry in found if entry is not None]
            if entries:
                self._enter_all(entries)
        for entry in entries:
            self._repository.remember(entry.manifest)
            entry.push.stored = entry.manifest
            entry.push.attempt(entry.change.check)

    def _read(self, push: Push) -> Manifest:
        manifest = push.read()
        if push.whole and not self._repository.exists():
            self._repository.check_children(manifest)  # what is refused makes no repository
        return manifest

    def _written(self, push: Push, manifest: Manifest, files: ExitStack) -> _Entry:
        if push.whole:
            self._repository.check_children(manifest)
        file = files.enter_context(self._pool.written(manifest.raw))
        return _Entry(push, manifest, file, TagChange.pointing(push.tags, manifest.descriptor))

    def _enter_all(self, entries: Sequence[_Entry]) -> None:
        """First all content is synced, then all names are. Nothing is deleted meanwhile."""
        tagged = [entry.change for entry in entries if entry.change.tags]
        tags, layout = self._repository.tags, self._repository.layout
        with tags.changed(tagged) if tagged else layout.changing() as new_top:
            files = [entry.file.descriptor for entry in entries]
            sync_files([*files, *new_top.to_sync] if new_top else files)
            folders = {folder: None for entry in entries for folder in self._enter(entry)}
            sync_folders(list(folders))

    def _enter(self, entry: _Entry) -> Iterator[str]:
        """Give a manifest its names; the folders that are to be synced then."""
        digest = entry.manifest.descriptor.digest
        blob = self._repository.blob_name(digest)
        self._pool.enter(entry.file.path, digest, blob, synced=True)
        yield os.path.dirname(blob)
        yield from self._repository.mark(entry.manifest)
