"""An OCI image layout: a folder with ``oci-layout``, ``index.json`` and ``blobs``.

OCI image specification, "Image Layout". Several processes may write to one layout at once: blobs
are renamed into place, ``index.json`` changes under a lock on the folder, and whoever writes
shares a lock on ``blobs``, so that what is there and not named yet is not taken away meanwhile.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from manyfest.errors import (
    DigestMismatch,
    InvalidArchive,
    InvalidManifest,
    NotFound,
    StoreError,
)
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_LAYOUT_ENTRIES, MAX_LAYOUT_INDEX_SIZE, MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.parse import parse_manifest
from manyfest.stores.archives.docker_names import names_of
from manyfest.stores.base import Content, Reader, read_all
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import (
    FolderLock,
    new_file,
    read_small,
    remove_abandoned,
    remove_unfinished,
    unnamed_file,
    write_errors,
)
from manyfest.stores.names import (
    as_digest,
    described,
    pick,
    tags_in,
    with_name,
    without_manifest,
    without_name,
)
from manyfest.stores.reachable import reachable
from manyfest.stores.referrers import (
    NamedReferrers,
    fallback_tag,
    holder_of,
    list_manifest,
    with_referrer,
    without_referrer,
)
from manyfest.stores.top_file import NewTop, TopFile

LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY = Index(schema_version=2, media_type=OCI_INDEX, manifests=())


class LayoutStore:
    """A layout at ``path``; it is made by the first write, and reading needs one to be there. One
    that is not ``lasting`` need not survive a crash of the machine: nothing waits for the disk."""

    local = True

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        self.path = path
        self._lasting = lasting
        self.blobs = BlobFolder(path / "blobs", lasting=lasting)
        self.top = TopFile(path / "index.json", where=self.label)
        self._named = NamedReferrers(self._read)
        self._guard = threading.Lock()
        self._presence: FolderLock | None = None
        self._is_swept = False

    @property
    def label(self) -> str:
        return f"oci:{self.path}"

    def resolve(self, name: str) -> Descriptor:
        top = self.top.read()
        try:
            return pick(top, name, where=self.label)
        except NotFound:
            digest = as_digest(name)
            if digest is None:
                raise
        return self._by_digest(digest)

    def open(self, descriptor: Descriptor) -> Reader:
        if self.blobs.size(descriptor.digest) is None:
            top = self.top.read()
            if top.descriptor.digest == descriptor.digest:
                return io.BytesIO(top.raw)
        return self.blobs.open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        """What is here is not deleted until this store is closed."""
        self._stay()
        return self.blobs.has(descriptor)

    def put(self, content: Content) -> None:
        with write_errors(self.label):
            self._prepare()
            self._put(content)

    def tag(self, name: str, manifest: Content) -> None:
        self.put(manifest)
        with write_errors(self.label):
            self.update(lambda index: with_name(index, manifest.descriptor, name))

    def tags(self) -> Iterator[str]:
        return tags_in(self.top.read())

    def names_of(self, root: Digest) -> tuple[str, ...]:
        return names_of(self.top.read(), root)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """See :class:`~manyfest.stores.base.Refers`."""
        return self._named.of(subject, self.top.read().index)

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
        """See :class:`~manyfest.stores.base.Attaches`: it is listed under the fallback tag. The old
        list stays, without a name, as it does in a registry: somebody may be reading it."""
        with write_errors(self.label):
            self.update(
                lambda index: self._relisted(
                    index, subject.digest, lambda listed: with_referrer(listed, referrer)
                )
            )

    def untag(self, name: str) -> None:
        """See :class:`~manyfest.stores.base.Deletes`. What nothing but the name led to goes too.

        Raises :class:`~manyfest.errors.StoreError`, and changes nothing, if somebody is writing to
        the layout.
        """
        self.resolve(name)
        with self._alone():
            self._shrink(lambda index: without_name(index, name, where=self.label))

    def delete(self, manifest: Digest) -> None:
        """See :class:`~manyfest.stores.base.Deletes`. What nothing but it led to goes too.

        Raises :class:`~manyfest.errors.StoreError`, and changes nothing, if an index here has the
        manifest among its own, or if somebody is writing to the layout.
        """
        root = self.resolve(str(manifest))
        with self._alone():
            self._shrink(lambda index: self._without(index, root), root)

    def update(self, change: Callable[[Index], Index]) -> None:
        """Replace ``index.json`` by what ``change`` makes of it, with no other writer between.

        Raises ``OSError`` if it cannot be written, and
        :class:`~manyfest.errors.StoreError` rather than write what could not be read again.
        """
        with self.changing():
            before = self.top.read().index
            changed = change(before)
            if len(changed.manifests) > MAX_LAYOUT_ENTRIES:
                raise StoreError(
                    f"it has {MAX_LAYOUT_ENTRIES} names and can have no more", where=self.label
                )
            if changed != before:
                top = Manifest.of_index(changed)
                with self.replacing(top.raw) as new:
                    new.sync()
                    new.put_in_place()
                self.top.remember(new.identity, top)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """No other writer changes ``index.json`` meanwhile."""
        self._prepare()
        with self._locked():
            yield

    @contextmanager
    def replacing(self, raw: bytes) -> Iterator[NewTop]:
        """What is to take the place of ``index.json``; it vanishes if it does not. Raises
        :class:`~manyfest.errors.StoreError` rather than write what could not be read again."""
        if len(raw) > MAX_LAYOUT_INDEX_SIZE:
            raise StoreError(
                f"its index.json would have {len(raw)} bytes,"
                f" more than the {MAX_LAYOUT_INDEX_SIZE} that are read",
                where=self.label,
            )
        with unnamed_file(self.path) as unnamed:
            unnamed.file.write(raw)
            yield NewTop(unnamed, self.path / "index.json", lasting=self._lasting)

    def close(self) -> None:
        """Let others delete again."""
        with self._guard:
            if self._presence is not None:
                self._presence.close()
                self._presence = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object = None, _trace: object = None
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            remove_unfinished(self.path)  # Ctrl-C waits for no thread
        self.close()

    def _read(self, descriptor: Descriptor) -> bytes:
        return read_all(self, descriptor)

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

    def _put(self, content: Content) -> None:
        folder = self.blobs.path(content.descriptor.digest).parent
        folder.mkdir(parents=True, exist_ok=True)
        self._stay()
        self._sweep(folder)
        self.blobs.put(content)

    def _relisted(self, index: Index, subject: Digest, change: Callable[[Index], Index]) -> Index:
        """``index`` with another list of referrers of ``subject``, or none if that is empty."""
        listed = self._named.listed(subject, index)
        changed = change(listed)
        if changed == listed:
            return index
        if not changed.manifests:
            return without_name(index, fallback_tag(subject), where=self.label)
        manifest = list_manifest(changed, where=self.label)
        self._put(Content(manifest.descriptor, lambda: io.BytesIO(manifest.raw)))
        return with_name(index, manifest.descriptor, fallback_tag(subject))

    def _shrink(self, change: Callable[[Index], Index], *roots: Descriptor) -> None:
        """Change ``index.json``, and remove what only ``roots``, or names that are gone then, led
        to. Nobody else may be writing."""
        before = self.top.read_anew().index.manifests
        self.update(change)
        after = self.top.read_anew().index.manifests
        named = {entry.digest for entry in after}
        gone = [entry for entry in (*before, *roots) if entry.digest not in named]
        surplus = reachable(gone, self._read) - reachable(after, self._read)
        # What others are found from goes last: if this is interrupted, it can be done again.
        last = {entry.digest for entry in gone}
        for digest in sorted(surplus, key=lambda digest: digest in last):
            self.blobs.path(digest).unlink(missing_ok=True)

    def _without(self, index: Index, root: Descriptor) -> Index:
        """``index`` with neither names for the manifest nor a place among the referrers."""
        holder = holder_of(root.digest, index, self._read)
        if holder is not None:
            raise StoreError(
                f"{root.digest} is part of the index {holder}",
                where=self.label,
                mend="delete that first",
            )
        index = without_manifest(index, root.digest)
        subject = self._subject(root)
        if subject is None:
            return index
        return self._relisted(
            index, subject.digest, lambda listed: without_referrer(listed, root.digest)
        )

    def _subject(self, root: Descriptor) -> Descriptor | None:
        try:
            return parse_manifest(self._read(root), media_type=root.media_type).body.subject
        except (NotFound, DigestMismatch, InvalidManifest):
            return None  # it is missing or damaged, and may go all the same

    def _prepare(self) -> None:
        if self.top.identity() is not None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(
                "there is a file where the layout would be", where=self.label
            ) from None
        with self._locked():
            if not (self.path / "index.json").exists():
                with self._new_file("oci-layout") as file:
                    file.write(LAYOUT_FILE)
                with self._new_file("index.json") as file:
                    file.write(json.dumps(_EMPTY))

    def _new_file(self, name: str) -> AbstractContextManager[BinaryIO]:
        return new_file(self.path / name, lasting=self._lasting)

    def _sweep(self, folder: Path) -> None:
        """Clear up after runs that were killed, once."""
        if not self._is_swept:
            self._is_swept = True
            remove_abandoned(self.path)
            remove_abandoned(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in this folder."""
        with FolderLock(self.path) as lock:
            lock.alone()
            yield

    def _stay(self) -> FolderLock | None:
        """From now on nobody else deletes anything here. There may be no place to be in yet."""
        with self._guard:
            if self._presence is None:
                with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    self._presence = FolderLock(self.blobs.root)
                    self._presence.share()
            return self._presence

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else is about to name what is here."""
        with write_errors(self.label):
            self.blobs.root.mkdir(exist_ok=True)
            presence = self._stay() or FolderLock(self.blobs.root)
            try:
                if not presence.try_alone():
                    raise StoreError(
                        "somebody is writing to it", where=self.label, mend="try again later"
                    )
                yield
            finally:
                presence.share()
