"""An OCI image layout: a folder with ``oci-layout``, ``index.json`` and ``blobs``.

OCI image specification, "Image Layout". Several processes may write to one layout at once:
blobs are renamed into place, and ``index.json`` changes under a lock.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from manyfest.errors import InvalidArchive, NotFound, StoreError
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS, MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.stores.base import Content, Reader
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import new_file, read_small, remove_abandoned, write_errors
from manyfest.stores.names import as_digest, described, parse_top, pick, tags_in, with_name

LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY = Index(schema_version=2, media_type=OCI_INDEX, manifests=())


class LayoutStore:
    """A layout at ``path``; it is made by the first write, and reading needs one to be there."""

    local = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = BlobFolder(path / "blobs")
        self._is_swept = False

    @property
    def label(self) -> str:
        return f"oci:{self.path}"

    def resolve(self, name: str) -> Descriptor:
        top = self._top()
        try:
            return pick(top, name, where=self.label)
        except NotFound:
            digest = as_digest(name)
            if digest is None:
                raise
        return self._by_digest(digest)

    def open(self, descriptor: Descriptor) -> Reader:
        if self.blobs.size(descriptor.digest) is None:
            top = self._top()
            if top.descriptor.digest == descriptor.digest:
                return io.BytesIO(top.raw)
        return self.blobs.open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        return self.blobs.has(descriptor)

    def put(self, content: Content) -> None:
        with write_errors(self.label):
            self._prepare()
            self._sweep(self.blobs.path(content.descriptor.digest).parent)
            self.blobs.put(content)

    def tag(self, name: str, manifest: Content) -> None:
        self.put(manifest)
        with write_errors(self.label):
            self.update(lambda index: with_name(index, manifest.descriptor, name))

    def tags(self) -> Iterator[str]:
        return tags_in(self._top())

    def update(self, change: Callable[[Index], Index]) -> None:
        """Replace ``index.json`` by what ``change`` makes of it, with no other writer between.

        Raises ``OSError`` if it cannot be written, and
        :class:`~manyfest.errors.StoreError` rather than write what could not be read again.
        """
        self._prepare()
        with self._locked():
            before = self._top().index
            changed = change(before)
            if len(changed.manifests) > MAX_DESCRIPTORS:
                raise StoreError(
                    f"it has {MAX_DESCRIPTORS} names and can have no more", where=self.label
                )
            if changed != before:
                with new_file(self.path / "index.json") as file:
                    file.write(json.dumps(changed))

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _top(self) -> Manifest:
        path = self.path / "index.json"
        try:
            raw = read_small(path, MAX_MANIFEST_SIZE)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("there is no OCI layout here", where=self.label) from None
        except OSError as error:
            raise InvalidArchive(f"cannot be read: {error.strerror}", where=str(path)) from None
        return parse_top(raw, where=str(path))

    def _by_digest(self, digest: Digest) -> Descriptor:
        """A manifest that no name points at: its type is what its body says."""
        path = self.blobs.path(digest)
        try:
            raw = read_small(path, MAX_MANIFEST_SIZE)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{digest} is not in it", where=self.label) from None
        except OSError as error:
            raise InvalidArchive(f"cannot be read: {error.strerror}", where=str(path)) from None
        return described(raw, digest, where=self.label)

    def _prepare(self) -> None:
        if (self.path / "index.json").exists():
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(
                "there is a file where the layout would be", where=self.label
            ) from None
        with self._locked():
            if not (self.path / "index.json").exists():
                with new_file(self.path / "oci-layout") as file:
                    file.write(LAYOUT_FILE)
                with new_file(self.path / "index.json") as file:
                    file.write(json.dumps(_EMPTY))

    def _sweep(self, folder: Path) -> None:
        """Clear up after runs that were killed, once."""
        if not self._is_swept:
            self._is_swept = True
            remove_abandoned(self.path)
            remove_abandoned(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in this folder. The lock is on the folder itself, so no file is left behind."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
