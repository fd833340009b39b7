"""What the tests of checks share: images made in memory, whole or with one thing wrong."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from manyfest.check.report import Report
from manyfest.layers.compress import LayerWriter
from manyfest.layers.compression import Compression
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.write import TarWriter
from manyfest.oci import json
from manyfest.oci.config import ImageConfig, RootFS, RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"

Item = tuple[Entry, bytes | None]


def elf(machine: int, *, bits: int = 64, type_: int = 2, size: int = 64) -> bytes:
    identity = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    layout = "<HHIQQQIHHHHHH" if bits == 64 else "<HHIIIIIHHHHHH"
    head = identity + struct.pack(layout, type_, machine, 1, *[0] * 10)
    return head.ljust(size, b"\0")


AMD64 = elf(62)
ARM64 = elf(183)


def file(name: str, content: bytes = b"", mode: int = 0o644) -> Item:
    return Entry(name=name, mode=mode, size=len(content)), content


def program(name: str, content: bytes = AMD64) -> Item:
    return file(name, content, 0o755)


def symlink(name: str, target: str) -> Item:
    return Entry(name=name, type=EntryType.SYMLINK, mode=0o777, linkname=target), None


def hardlink(name: str, target: str) -> Item:
    return Entry(name=name, type=EntryType.HARDLINK, linkname=target), None


def directory(name: str) -> Item:
    return Entry(name=name, type=EntryType.DIR, mode=0o755), None


@dataclass(frozen=True)
class Layer:
    descriptor: Descriptor
    diff_id: Digest


@dataclass
class Images(MemoryStore):
    """A store that makes what is put into it, and counts what is read from it."""

    label: str = "memory"
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    names: dict[str, Descriptor] = field(default_factory=dict)
    opened: Counter[Digest] = field(default_factory=Counter)

    def open(self, descriptor: Descriptor) -> Reader:
        self.opened[descriptor.digest] += 1
        return super().open(descriptor)

    def blob(self, data: bytes, media_type: str) -> Descriptor:
        descriptor = Descriptor.of(data, media_type)
        self.blobs[descriptor.digest] = data
        return descriptor

    def layer(self, *items: Item, compression: Compression = Compression.GZIP) -> Layer:
        """A layer with these entries, in this order, whatever they are."""
        blob = io.BytesIO()
        with LayerWriter(blob, compression) as compressed:
            tar = TarWriter(compressed)
            for entry, content in items:
                tar.add(entry, content)
            tar.close()
            digests = compressed.close()
        return Layer(self.blob(blob.getvalue(), compression.media_type), digests.diff_id)

    def image(
        self,
        *layers: Layer,
        platform: str = "linux/amd64",
        listed: str | None = None,
        entrypoint: Sequence[str] = ("/app",),
        run: RunConfig | None = None,
    ) -> Descriptor:
        """An image for ``platform``, and the entry that lists it, as what it is or as another."""
        named = Platform.parse(platform)
        config = ImageConfig(
            os=named.os,
            architecture=named.architecture,
            variant=named.variant,
            config=run or RunConfig(entrypoint=tuple(entrypoint)),
            rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in layers)),
        )
        image = Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=self.blob(json.dumps(config), OCI_CONFIG),
            layers=tuple(layer.descriptor for layer in layers),
        )
        entry = self.blob(json.dumps(image), OCI_MANIFEST)
        return msgspec.structs.replace(entry, platform=Platform.parse(listed or platform))

    def index(self, *entries: Descriptor) -> Descriptor:
        index = Index(schema_version=2, media_type=OCI_INDEX, manifests=entries)
        return self.blob(json.dumps(index), OCI_INDEX)

    def artifact(self, content: bytes) -> Descriptor:
        """BuildKit's attestation or a signature: a manifest whose layer is no file system."""
        return self.blob(
            Manifest.of_image(
                Image(
                    schema_version=2,
                    media_type=OCI_MANIFEST,
                    artifact_type="application/vnd.example.notes",
                    config=self.blob(b"{}", "application/vnd.oci.empty.v1+json"),
                    layers=(self.blob(content, "application/vnd.in-toto+json"),),
                )
            ).raw,
            OCI_MANIFEST,
        )


def reader(content: bytes | None) -> io.BytesIO:
    return io.BytesIO(content or b"")


def lines(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def whole(store: Images) -> Descriptor:
    """An index for two platforms that share a layer, with nothing wrong."""
    shared = store.layer(file("etc/motd", b"hello"))
    return store.index(
        store.image(shared, store.layer(program("app"))),
        store.image(shared, store.layer(program("app", ARM64)), platform="linux/arm64"),
    )


def one(store: Images, *layers: Layer, run: RunConfig | None = None) -> Descriptor:
    """An index with an image for linux/amd64 alone."""
    return store.index(store.image(*layers, run=run or RunConfig()))


def platforms(*names: str) -> list[Platform]:
    return [Platform.parse(name) for name in names]
