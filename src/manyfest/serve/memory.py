"""Manifests that were asked for lately, so that most answers need no disk."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest

_LARGEST = 8 * 1024 * 1024
"""Bytes of manifests that are kept; parsed, they take several times as much."""


class ManifestMemory:
    """The manifests used last, by repository and digest: never by digest alone, or one repository
    would answer with what another holds."""

    def __init__(self, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._size = 0
        self._manifests: OrderedDict[tuple[str, Digest], Manifest] = OrderedDict()
        self._guard = Lock()

    def get(self, repository: str, digest: Digest) -> Manifest | None:
        """The manifest, if it is remembered; whether it is still there is for the caller to see."""
        key = (repository, digest)
        with self._guard:
            manifest = self._manifests.get(key)
            if manifest is not None:
                self._manifests.move_to_end(key)
            return manifest

    def put(self, repository: str, manifest: Manifest) -> None:
        """Remember the manifest, and forget those used longest ago if there are too many."""
        key = (repository, manifest.descriptor.digest)
        with self._guard:
            self._drop(key)
            self._manifests[key] = manifest
            self._size += len(manifest.raw)
            while self._size > self._largest:
                self._drop(next(iter(self._manifests)))

    def forget(self, repository: str, digest: Digest) -> None:
        """The manifest is gone."""
        with self._guard:
            self._drop((repository, digest))

    def _drop(self, key: tuple[str, Digest]) -> None:
        manifest = self._manifests.pop(key, None)
        if manifest is not None:
            self._size -= len(manifest.raw)
