"""What one repository has: an OCI layout, and beside it which of its blobs are manifests.

::

    _oci/oci-layout, index.json        the tags
    _oci/blobs/sha256/HEX              what was pushed or mounted
    _oci/manifests/sha256/HEX          those that were pushed as manifests
    _oci/referrers/sha256/SUBJECT/…    those whose subject is SUBJECT

All but the first two are hard links to the shared blobs: what is in a file never differs from what
its name says, and pushing a manifest without a tag rewrites nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfest.errors import DigestMismatch, ManyfestError, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES, MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.parse import parse_manifest
from manyfest.serve.errors import Refusal
from manyfest.serve.memory import ManifestMemory
from manyfest.serve.pool import name_anew
from manyfest.serve.tags import Tags
from manyfest.stores.files import FolderLock
from manyfest.stores.layout import LayoutStore

LAYOUT = "_oci"
"""The folder of a repository's layout; no part of a repository's name begins with ``_``."""

_TRIES = 400
_PAUSE = 0.025
"""Seconds between two attempts to have a repository alone."""


class Holdings:
    """The content of one repository, found and added to. Threads and processes may share it."""

    def __init__(self, name: str, folder: Path, memory: ManifestMemory) -> None:
        self.name = name
        self.layout = LayoutStore(folder / LAYOUT)
        self.tags = Tags(self.layout)
        self._memory = memory
        self._index = f"{self.layout.path}/index.json"
        self._blobs = f"{self.layout.path}/blobs"
        self._manifests = f"{self.layout.path}/manifests"

    def exists(self) -> bool:
        """Whether anything was ever pushed to it."""
        return os.path.exists(self._index)

    def create(self) -> None:
        """Make an empty layout, if there is none."""
        if not self.exists():
            self.layout.update(lambda index: index)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Nothing is removed as garbage meanwhile."""
        self.create()
        if not os.path.isdir(self._blobs):
            self.layout.blobs.root.mkdir(exist_ok=True)
        with FolderLock(self.layout.blobs.root) as lock:
            lock.share()
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing is added meanwhile. Raises :class:`StoreError` if it is added to without a pause
        for some seconds."""
        with FolderLock(self.layout.blobs.root) as lock:
            for _ in range(_TRIES):
                if lock.try_alone():
                    yield
                    return
                time.sleep(_PAUSE)
        raise StoreError(
            "something is pushed to it without a pause", where=self.name, mend="try again later"
        )

    # Blobs

    def blob(self, digest: Digest) -> Path:
        """Where the blob lies, or would."""
        return self.layout.blobs.path(digest)

    def blob_name(self, digest: Digest) -> str:
        """The same as a string: a path costs more to put together than the file that it names."""
        return f"{self._blobs}/{digest.algorithm}/{digest.hex}"

    def _size(self, digest: Digest) -> int | None:
        """Bytes of the blob; ``None`` if it is not here."""
        try:
            return os.stat(self.blob_name(digest)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _is_old(self, digest: Digest, limit: float) -> bool:
        try:
            return os.stat(self.blob_name(digest)).st_mtime < limit
        except FileNotFoundError:
            return False

    # Manifests

    def is_manifest(self, digest: Digest) -> bool:
        """Whether it was stored here as a manifest, and not as a blob alone."""
        return os.path.exists(self._marker(digest))

    def check_children(self, manifest: Manifest) -> None:
        """Whole or not at all: a manifest comes after everything it points at. Raises
        :class:`Refusal`."""
        for child in manifest.children:
            if child.is_manifest and not self._has_manifest(child.digest):
                raise Refusal(
                    "MANIFEST_BLOB_UNKNOWN",
                    f"manifest {child.digest} is not in {self.name}: push it before the index",
                )
            size = self._size(child.digest)
            if size is None:
                raise Refusal(
                    "MANIFEST_BLOB_UNKNOWN",
                    f"blob {child.digest} is not in {self.name}: push it before the manifest",
                )
            if size != child.size:
                raise Refusal(
                    "MANIFEST_INVALID",
                    f"{child.digest} has {size} bytes, but the manifest says {child.size}",
                )

    def remember(self, manifest: Manifest) -> None:
        """It was just stored, and will be asked for."""
        self._memory.put(self.name, manifest)

    def mark(self, manifest: Manifest) -> Iterator[str]:
        """Note of a blob that it is this manifest; the folders that are to be synced then."""
        blob = self.blob_name(manifest.descriptor.digest)
        for name in self.names(manifest):
            if name_anew(blob, name):
                yield os.path.dirname(name)

    def names(self, manifest: Manifest) -> list[str]:
        """Where it is noted that this is a manifest. The last one decides."""
        digest, subject = manifest.descriptor.digest, manifest.body.subject
        names = [self._marker(digest)]
        if subject is not None:
            names.insert(0, f"{self._referrers(subject.digest)}/{file_name_of(digest)}")
        return names

    def _has_manifest(self, digest: Digest) -> bool:
        return self.is_manifest(digest) or self._is_listed(digest)

    def _is_listed(self, digest: Digest) -> bool:
        """Whether another tool put it into the layout: ``index.json`` leads to it."""
        if not self.blob(digest).exists():
            return False
        entry = next((each for each in self._listed() if each.digest == digest), None)
        return entry is not None and entry.is_manifest

    def _listed(self) -> Iterator[Descriptor]:
        """Everything that ``index.json`` and the indexes in it lead to. Raises
        :class:`StoreError` if there is no end to it."""
        pending = list(self.tags.read().entries) if self.exists() else []
        seen: set[Digest] = set()
        while pending:
            if len(seen) > MAX_GRAPH_NODES:
                raise StoreError(f"leads to more than {MAX_GRAPH_NODES} indexes", where=self._index)
            entry = pending.pop()
            yield entry
            if entry.media_type in INDEXES and entry.digest not in seen:
                seen.add(entry.digest)
                pending.extend(self._entries_of(entry.digest))

    def _entries_of(self, index: Digest) -> tuple[Descriptor, ...]:
        try:
            return self._load(index).index.manifests
        except (ManyfestError, OSError):
            return ()

    def _load(self, digest: Digest) -> Manifest:
        """Read and check a manifest; its type is what its bytes say."""
        path = self.blob(digest)
        if path.stat().st_size > MAX_MANIFEST_SIZE:
            raise DigestMismatch("it is too large for a manifest", where=str(digest))
        raw = path.read_bytes()
        found = Digest.of(raw, digest.algorithm)
        if found != digest:
            raise DigestMismatch(f"it has the digest {found}", where=str(digest))
        return parse_manifest(raw, algorithm=digest.algorithm)

    def _marker(self, digest: Digest) -> str:
        return f"{self._manifests}/{digest.algorithm}/{digest.hex}"

    def _referrers(self, subject: Digest) -> Path:
        return self.layout.path / "referrers" / subject.algorithm / subject.hex


def file_name_of(digest: Digest) -> str:
    """Of a manifest among the referrers."""
    return f"{digest.algorithm}-{digest.hex}"
