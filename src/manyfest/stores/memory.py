"""A store in memory: for tests, and for what is made and sent on at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Self

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.parse import parse_manifest
from manyfest.stores.base import CHUNK_SIZE, Content, Reader, VerifyingReader


class MemoryStore:
    """Keeps everything in dictionaries; each change is one assignment, so threads may share it."""

    local = True

    def __init__(self, label: str = "memory") -> None:
        self.label = label
        self.blobs: dict[Digest, bytes] = {}
        self.names: dict[str, Descriptor] = {}

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

    def tags(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
