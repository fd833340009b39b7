"""A store in memory: for tests, and for what is made and sent on at once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Self

import msgspec

from manyfest.errors import NotFound, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index
from manyfest.oci.parse import parse_manifest
from manyfest.stores.base import CHUNK_SIZE, Content, Reader, VerifyingReader, read_all
from manyfest.stores.names import REF_NAME
from manyfest.stores.reachable import reachable
from manyfest.stores.referrers import (
    NamedReferrers,
    fallback_tag,
    holder_of,
    list_manifest,
    with_referrer,
    without_referrer,
)


class MemoryStore:
    """Keeps everything in dictionaries; threads may share it."""

    local = True

    def __init__(self, label: str = "memory") -> None:
        self.label = label
        self.blobs: dict[Digest, bytes] = {}
        self.names: dict[str, Descriptor] = {}
        self._named = NamedReferrers(self._read)
        self._changing = threading.Lock()

    def resolve(self, name: str) -> Descriptor:
        if name in self.names:
            return self.names[name]
        if ":" in name:
            digest = Digest.parse(name)
            if digest in self.blobs:
                return parse_manifest(self.blobs[digest], algorithm=digest.algorithm).descriptor
        raise NotFound(f"{name!r} is not in it", where=self.label)

    def open(self, descriptor: Descriptor) -> Reader:
        try:
            return io.BytesIO(self.blobs[descriptor.digest])
        except KeyError:
            raise NotFound(f"{descriptor.digest} is missing", where=self.label) from None

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.blobs

    def put(self, content: Content) -> None:
        reader = VerifyingReader(content.open(), content.descriptor, where=self.label)
        with closing(reader):
            data = b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))
        self.blobs[content.descriptor.digest] = data

    def tag(self, name: str, manifest: Content) -> None:
        self.put(manifest)
        self.names[name] = manifest.descriptor

    def require_push(self) -> None:
        """See :class:`~manyfest.stores.base.Admits`: whoever has it may write to it."""

    def tags(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """See :class:`~manyfest.stores.base.Refers`."""
        return self._named.of(subject, self._top())

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
        """See :class:`~manyfest.stores.base.Attaches`: it is listed under the fallback tag."""
        with self._changing:
            self._relist(subject.digest, lambda listed: with_referrer(listed, referrer))

    def untag(self, name: str) -> None:
        """See :class:`~manyfest.stores.base.Deletes`. What nothing but the name led to goes too."""
        with self._changing:
            if name not in self.names:
                raise NotFound(f"{name!r} is not in it", where=self.label)
            self._sweep([self.names.pop(name)])

    def delete(self, manifest: Digest) -> None:
        """See :class:`~manyfest.stores.base.Deletes`. What nothing but it led to goes too.

        Raises :class:`~manyfest.errors.StoreError`, and changes nothing, if an index here has the
        manifest among its own.
        """
        with self._changing:
            root = self.resolve(str(manifest))
            holder = holder_of(manifest, self._top(), self._read)
            if holder is not None:
                raise StoreError(f"{manifest} is part of the index {holder}", where=self.label)
            subject = parse_manifest(self.blobs[manifest], media_type=root.media_type).body.subject
            if subject is not None:
                self._relist(subject.digest, lambda listed: without_referrer(listed, manifest))
            for name in [n for n, each in self.names.copy().items() if each.digest == manifest]:
                del self.names[name]
            self._sweep([root])

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, descriptor: Descriptor) -> bytes:
        return read_all(self, descriptor)

    def _top(self) -> Index:
        """The names as a layout's ``index.json`` would have them."""
        named = self.names.copy().items()
        entries = [msgspec.structs.replace(e, annotations={REF_NAME: name}) for name, e in named]
        return Index(schema_version=2, manifests=tuple(entries))

    def _relist(self, subject: Digest, change: Callable[[Index], Index]) -> None:
        """Keep another list of the referrers of ``subject``, or none if that is empty."""
        listed = self._named.listed(subject, self._top())
        changed = change(listed)
        if changed == listed:
            return
        before = self.names.pop(fallback_tag(subject), None)
        if changed.manifests:
            manifest = list_manifest(changed, where=self.label)
            self.blobs[manifest.descriptor.digest] = manifest.raw
            self.names[fallback_tag(subject)] = manifest.descriptor
        if before is not None:
            self._sweep([before])

    def _sweep(self, gone: Iterable[Descriptor]) -> None:
        """Remove what only these led to."""
        for digest in reachable(gone, self._read) - reachable(self.names.values(), self._read):
            self.blobs.pop(digest, None)
