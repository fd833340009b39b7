"""An archive that is being written, wherever its bytes go.

It is an OCI layout in a tar file and at the same time what ``docker load`` takes: the list in
``manifest.json`` points at the layout's blobs. The order is that of the plan, whatever comes
first: ``oci-layout``, configurations and layers, then manifests, then the two lists. Manifests
come last because they do so in a copy, and a stream cannot wait for them; they are small and kept
in memory until then, since the lists are made from them. Why it is so:
docs/decisions/0006-one-archive-for-everything.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from itertools import starmap
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from manyfest.errors import DigestMismatch, InvalidArchive, InvalidManifest, NotFound, StoreError
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS, MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import CONFIGS, OCI_INDEX
from manyfest.oci.parse import parse_manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import is_companion_tag
from manyfest.stores.archives.docker_archive import LIST
from manyfest.stores.archives.docker_list import Configured, blob_name, docker_list
from manyfest.stores.archives.media import Medium
from manyfest.stores.archives.names import ArchiveName
from manyfest.stores.base import CHUNK_SIZE, Content, VerifyingReader
from manyfest.stores.files import write_errors
from manyfest.stores.layout import LAYOUT_FILE
from manyfest.stores.referrers import as_referrer


class ArchiveTarget:
    """An archive that is whole once it was closed after success.

    ``open_medium`` is called when the first thing comes; if an error comes out of the ``with``
    block, it comes out of the medium's as well. A bare tag becomes one of the repository
    ``place`` in Docker, if that is not empty; ``platform`` says which of an index's images gets the
    plain name there. An ``ordered`` archive is written in the order in which things come.
    """

    def __init__(
        self,
        open_medium: Callable[[], AbstractContextManager[Medium]],
        *,
        label: str,
        place: str,
        platform: Platform | None,
        ordered: bool,
    ) -> None:
        self.label = label
        self.ordered = ordered
        self._open_medium = open_medium
        self._place = place
        self._platform = platform
        self._medium: Medium | None = None
        self._open = ExitStack()
        self._lock = threading.Lock()
        self._sizes: dict[Digest, int] = {}
        self._here: set[Digest] = set()
        self._manifests: dict[Digest, Manifest] = {}
        self._configs: dict[Digest, Configured] = {}
        self._names: dict[ArchiveName, Descriptor] = {}
        self._nameless: dict[Digest, Descriptor] = {}
        self._referrers: set[Digest] = set()
        self._is_closed = False

    def plan(self, descriptors: Sequence[Descriptor]) -> None:
        """Give each descriptor its place, in this order, after what was planned before."""
        for descriptor in descriptors:
            self._reserve(descriptor)

    def resolve(self, name: str) -> Descriptor:
        raise NotFound(f"{name!r} is not in it: it is being written", where=self.label)

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._here

    def put(self, content: Content) -> None:
        descriptor = content.descriptor
        medium = self._reserve(descriptor)
        if self.has(descriptor):
            return
        if _is_kept(descriptor):
            self._manifests[descriptor.digest] = self._manifest(content)
        else:
            with medium.file(blob_name(descriptor.digest), descriptor.size) as write:
                for portion in self._portions(content):
                    write(portion)
        self._here.add(descriptor.digest)

    def tag(self, name: str, manifest: Content) -> None:
        self.put(manifest)
        descriptor = manifest.descriptor
        if name:
            self._names[ArchiveName.parse(name, self._place)] = descriptor
        else:
            self._nameless[descriptor.digest] = descriptor
        self._require_room()

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:  # noqa: ARG002
        """Let ``referrer`` stand in ``index.json``: it says itself what its subject is."""
        self._referrers.add(referrer.digest)
        self._require_room()

    def close(self) -> None:
        """Write what is left, and end the archive. Harmless when repeated.

        Raises :class:`~manyfest.errors.InvalidArchive` if something planned never came; then, as
        after any error, the archive is given up.
        """
        if self._is_closed:
            return
        self._is_closed = True
        with write_errors(self.label), self._open:
            missing = self._sizes.keys() - self._here
            if missing:
                raise InvalidArchive(f"{min(missing)} never came", where=self.label)
            self._write_rest(self._opened())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._is_closed = True
            self._open.__exit__(kind, error, trace)

    def _opened(self) -> Medium:
        if self._medium is None:
            with write_errors(self.label):
                self._medium = self._open.enter_context(self._open_medium())
            _write_file(self._medium, "oci-layout", LAYOUT_FILE)
        return self._medium

    def _reserve(self, descriptor: Descriptor) -> Medium:
        """Note that this will come.

        Raises :class:`~manyfest.errors.DigestMismatch` if its size was said to be another one:
        there is no room for it then.
        """
        digest = descriptor.digest
        with self._lock:
            medium = self._opened()
            is_new = digest not in self._sizes
            size = self._sizes.setdefault(digest, descriptor.size)
            if size != descriptor.size:
                raise DigestMismatch(
                    f"{digest} has {size} bytes in one place and {descriptor.size} in another",
                    where=self.label,
                )
            if is_new and not _is_kept(descriptor):
                medium.reserve(blob_name(digest), size)
        return medium

    def _portions(self, content: Content) -> Iterator[bytes]:
        """The content, verified. Of a configuration is remembered what the list depends on."""
        reader = VerifyingReader(content.open(), content.descriptor, where=self.label)
        with closing(reader):
            if not _is_config(content.descriptor):
                yield from iter(lambda: reader.read(CHUNK_SIZE), b"")
                return
            raw = b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))
        configured = Configured.read(raw)
        if configured is not None:
            self._configs[content.descriptor.digest] = configured
        yield raw

    def _manifest(self, content: Content) -> Manifest:
        """The manifest, as what its descriptor says it is."""
        descriptor = content.descriptor
        raw = b"".join(self._portions(content))
        try:
            manifest = parse_manifest(
                raw, media_type=descriptor.media_type, algorithm=descriptor.digest.algorithm
            )
        except InvalidManifest as error:
            raise InvalidManifest(error.what, where=self.label, mend=error.mend) from None
        return replace(manifest, descriptor=descriptor)

    def _write_rest(self, medium: Medium) -> None:
        """The manifests, in the order in which they were planned, and the two lists of them."""
        for digest in self._sizes:
            if digest in self._manifests:
                _write_file(medium, blob_name(digest), self._manifests[digest].raw)
        named = self._named()
        _write_file(medium, "index.json", self._index(named))
        roots = [(n.docker, root.digest) for n, root in named if not is_companion_tag(n.tag)]
        listed = docker_list(roots, self._manifests, self._configs, self._platform)
        if listed:
            _write_file(medium, LIST, json.dumps(listed))
        medium.end()

    def _require_room(self) -> None:
        """As many entries as can be read again, and no more."""
        if len(self._names) + len(self._nameless) + len(self._referrers) > MAX_DESCRIPTORS:
            raise StoreError(
                f"its index has {MAX_DESCRIPTORS} entries and can have no more", where=self.label
            )

    def _index(self, named: Iterable[tuple[ArchiveName, Descriptor]]) -> bytes:
        entries = (*starmap(_entry, named), *self._standing())
        index = Index(schema_version=2, media_type=OCI_INDEX, manifests=entries)
        raw = json.dumps(index)
        if len(raw) > MAX_MANIFEST_SIZE:
            raise StoreError(
                f"its index has {len(raw)} bytes, more than the {MAX_MANIFEST_SIZE} that are read",
                where=self.label,
            )
        return raw

    def _named(self) -> list[tuple[ArchiveName, Descriptor]]:
        """What has a name, and what is in the archive without one: in the order of the plan, and
        by name; tags that keep what refers to an image come last."""
        named = {descriptor.digest for descriptor in self._names.values()}
        nameless = [
            (ArchiveName(""), root) for root in self._nameless.values() if root.digest not in named
        ]
        order = {digest: place for place, digest in enumerate(self._sizes)}
        return sorted(
            (*self._names.items(), *nameless),
            key=lambda each: (is_companion_tag(each[0].tag), order[each[1].digest], str(each[0])),
        )

    def _standing(self) -> list[Descriptor]:
        """Entries for what refers to something and has no name by which to be found."""
        named = {descriptor.digest for descriptor in self._names.values()}
        return [as_referrer(self._manifests[digest]) for digest in sorted(self._referrers - named)]


def _is_kept(descriptor: Descriptor) -> bool:
    """Whether it stays in memory until the end: a manifest that is no larger than one may be."""
    return descriptor.is_manifest and descriptor.size <= MAX_MANIFEST_SIZE


def _is_config(descriptor: Descriptor) -> bool:
    return descriptor.media_type in CONFIGS and descriptor.size <= MAX_MANIFEST_SIZE


def _entry(name: ArchiveName, root: Descriptor) -> Descriptor:
    """How ``index.json`` points at an image: its annotations there are its name."""
    return Descriptor(
        media_type=root.media_type,
        digest=root.digest,
        size=root.size,
        annotations=name.annotations,
        artifact_type=root.artifact_type,
        platform=root.platform,
    )


def _write_file(medium: Medium, name: str, data: bytes) -> None:
    with medium.file(name, len(data)) as write:
        write(data)
