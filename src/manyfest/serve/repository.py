"""One repository, as it is read, pushed to and cleared."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from manyfest.errors import ContentError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.serve.bodies import FilePart
from manyfest.serve.errors import Refusal, unknown_manifest
from manyfest.serve.holdings import Holdings, file_name_of
from manyfest.serve.memory import ManifestMemory
from manyfest.serve.pool import BlobPool, digests_in, name_anew, touch
from manyfest.serve.pushes import Pushes
from manyfest.serve.syncs import sync_folders
from manyfest.serve.tags import TagList
from manyfest.stores.referrers import as_referrer

_TRUSTED = 3600.0
"""Seconds after which it is noted again that somebody relies on a blob."""


class Repository(Holdings):
    """One repository. Threads and processes may share it."""

    warning = ""

    def __init__(self, name: str, folder: Path, pool: BlobPool, memory: ManifestMemory) -> None:
        super().__init__(name, folder, memory)
        self._pool = pool
        self.pushes = Pushes(self, pool)

    # Blobs

    async def find_blob(self, digest: Digest, *, to_send: bool) -> FilePart | None:  # noqa: ARG002 - it costs nothing
        """The blob; ``None`` if it is not in this repository."""
        return self.known_blob(digest)

    def known_blob(self, digest: Digest) -> FilePart | None:
        """The same."""
        size = self._size(digest)
        return None if size is None else FilePart(self.blob(digest), size)

    def add_blob(self, file: Path, digest: Digest) -> None:
        """Take over a file whose content has this digest."""
        with self.adding():
            self._pool.admit(file, digest, self.blob_name(digest))

    def mount(self, digest: Digest, source: Repository) -> bool:
        """Take a blob from another repository; ``False`` if that one does not have it."""
        return self._mount(digest, source.blob(digest))

    def mount_any(self, digest: Digest) -> bool:
        """Take a blob from whichever repository has it; ``False`` if none does."""
        return self._pool.is_held(digest) and self._mount(digest, self._pool.blobs.path(digest))

    def _mount(self, digest: Digest, blob: Path) -> bool:
        if not blob.exists():
            return False
        try:
            with self.adding():
                name = self.blob_name(digest)
                if name_anew(str(blob), name):
                    sync_folders([os.path.dirname(name)])
                touch(name)
        except OSError as error:
            # Gone by now, or it can have no more links: then the client sends it.
            if error.errno not in (errno.ENOENT, errno.EMLINK):
                raise
            return False
        return True

    def remove_blob(self, digest: Digest) -> None:
        """Raises :class:`Refusal` if it is not here, or is a manifest."""
        if self.is_manifest(digest):
            raise Refusal("UNSUPPORTED", f"{digest} is a manifest: delete it as one")
        try:
            self.blob(digest).unlink()
        except FileNotFoundError:
            raise Refusal("BLOB_UNKNOWN", f"{digest} is not in {self.name}") from None
        self._pool.release(digest)

    async def tag_list(self) -> TagList:
        """Its tags, as they are now."""
        return await self.tags.current()

    async def tag_names(self) -> Sequence[str]:
        """All tags, in ASCII order."""
        return (await self.tags.current()).names

    async def find_tag(self, tag: str) -> Digest | None:
        """The manifest that the tag means, if there is such a tag."""
        return (await self.tags.current()).by_name.get(tag)

    # Manifests

    def known_manifest(self, digest: Digest) -> Manifest | None:
        """The manifest, if it is in memory and still in the repository. Never waits long."""
        manifest = self._memory.get(self.name, digest)
        return manifest if manifest and self.is_manifest(digest) else None

    def manifest(self, digest: Digest) -> Manifest:
        """Raises :class:`Refusal` if it is not here or is only a blob."""
        known = self.known_manifest(digest)
        if known is not None:
            return known
        if not self._has_manifest(digest):
            raise unknown_manifest(str(digest), self.name)
        try:
            manifest = self._load(digest)
        except FileNotFoundError:  # it was deleted at this moment
            raise unknown_manifest(str(digest), self.name) from None
        self._memory.put(self.name, manifest)
        return manifest

    async def find_manifest(self, digest: Digest) -> Manifest:
        """The same, without holding up the event loop."""
        return await asyncio.to_thread(self.manifest, digest)

    def remove_manifest(self, digest: Digest) -> None:
        """Remove it with all its tags. Raises :class:`Refusal` if it is not here."""
        names = self._names_to_remove(digest)
        self.tags.remove_manifest(digest, then=lambda: self._unlink(digest, names))

    def _names_to_remove(self, digest: Digest) -> list[str]:
        """All names of a manifest, the one that decides first."""
        try:
            marks = self.names(self.manifest(digest))
        except ContentError:  # one that is damaged does not tell what it refers to
            found = self.layout.path.glob(f"referrers/*/*/{file_name_of(digest)}")
            marks = [*map(str, found), self._marker(digest)]
        return [*reversed(marks), self.blob_name(digest)]

    def _unlink(self, digest: Digest, names: Sequence[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(name)
        self._memory.forget(self.name, digest)
        self._pool.release(digest)

    def referrers(self, subject: Digest) -> Iterator[Descriptor]:
        """What points at ``subject``, by digest: artifact type and annotations included."""
        try:
            names = sorted(os.listdir(self._referrers(subject)))
        except FileNotFoundError:
            return
        for name in names:
            algorithm, _, hexadecimal = name.partition("-")
            try:
                manifest = self.manifest(Digest(algorithm, hexadecimal))
            except Refusal:
                continue  # it is being deleted, or the push of it was killed
            yield as_referrer(manifest)

    async def find_referrers(self, subject: Digest) -> Iterator[Descriptor]:
        """The same, to be gone through in a thread."""
        return self.referrers(subject)

    # What is no longer needed

    def rely_on(self, digest: Digest) -> None:
        """A client was told that the blob or manifest is here, and may push what names it."""
        if self._is_old(digest, time.time() - _TRUSTED):
            with suppress(OSError):  # who asks must not suffer from a disk that takes nothing
                touch(self.blob_name(digest))

    def manifests(self) -> Iterator[Manifest]:
        """Every manifest that is here, those that another tool put into the layout too.

        Raises :class:`~manyfest.errors.ManyfestError` if one cannot be read.
        """
        pushed = set(digests_in(self.layout.path / "manifests"))
        for digest in pushed:
            with suppress(Refusal):  # it was deleted at this moment
                yield self.manifest(digest)
        for entry in self._listed():
            if entry.is_manifest and entry.digest not in pushed:
                with suppress(FileNotFoundError):
                    yield self._load(entry.digest)

    def old_blobs(self, limit: float) -> Iterator[Digest]:
        """The blobs that were last of use to somebody before ``limit``, in seconds since 1970."""
        for digest in digests_in(self.layout.blobs.root):
            if self._is_old(digest, limit):
                yield digest

    def drop_blobs(self, digests: Sequence[Digest], limit: float) -> None:
        """Remove those that nobody has had a use for since ``limit``. Others must be kept away:
        :meth:`alone`."""
        for digest in digests:
            if self._is_old(digest, limit):
                self.blob(digest).unlink(missing_ok=True)

    def drop_manifest(self, digest: Digest, limit: float) -> bool:
        """Remove one that no tag means, if nobody has had a use for it since ``limit``; whether it
        is gone. Others must be kept away: :meth:`alone`."""
        if not self._is_old(digest, limit):
            return False
        with suppress(Refusal):  # it was deleted at this moment
            self._unlink(digest, self._names_to_remove(digest))
        return True

    def forget(self, digest: Digest, limit: float) -> None:
        """Remove the blob or manifest, with its tags, if nobody has had a use for it since
        ``limit``. Raises as :meth:`alone` and :meth:`remove_manifest`."""
        if not self._is_old(digest, limit):
            return
        if self.is_manifest(digest):
            self.remove_manifest(digest)
            return
        with self.alone():
            self.drop_blobs([digest], limit)

    def dangling_referrers(self, limit: float) -> Iterator[Path]:
        """Places among the referrers whose manifests are not here: their pushes were killed."""
        for path in (self.layout.path / "referrers").glob("*/*/*"):
            algorithm, _, hexadecimal = path.name.partition("-")
            with suppress(FileNotFoundError):
                old = path.stat().st_mtime < limit
                if old and not self._has_manifest(Digest(algorithm, hexadecimal)):
                    yield path
