"""An OCI view of an archive that lists images and has no manifests: they are made in memory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import DigestMismatch, InvalidArchive, InvalidManifest
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.streams import Reader
from manyfest.layers.unwrap import SNIFF_SIZE, Wrapping
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from manyfest.oci.parse import parse_config
from manyfest.stores.archives.allowance import MAX_UNPACKED, Allowance
from manyfest.stores.archives.docker_archive import LIST, DockerImage
from manyfest.stores.archives.tar_files import Stretch, TarFiles
from manyfest.stores.base import CHUNK_SIZE
from manyfest.stores.names import CONTAINERD_NAME, REF_NAME
from manyfest.threads import together, workers

_DIGEST_NAME = re.compile(r"(?:.*/)?(?:sha256:)?([0-9a-f]{64})(?:\.json)?")

HASHERS = 4
"""Compressed layers that are read at the same time."""


class View(Struct, frozen=True):
    """``top`` is an index of all images with their names; ``members`` has the file in which each
    configuration and each layer lies."""

    top: Manifest
    manifests: tuple[Manifest, ...]
    members: dict[Digest, str]


def oci_view(files: TarFiles, images: Sequence[DockerImage]) -> View:
    """What the images are as an OCI layout.

    A plain layer's digest is what the configuration says, so that it is told when the layer is
    read if that is wrong. Compressed layers are read here, once: for their digest, and to compare
    what they unpack to with the configuration. Raises
    :class:`~manyfest.errors.InvalidArchive` and :class:`~manyfest.errors.DigestMismatch`.
    """
    making = _Making(files)
    making.read_layers(layer for image in images for layer in image.layers)
    manifests = tuple(making.manifest(image) for image in images)
    entries = [
        entry
        for image, manifest in zip(images, manifests, strict=True)
        for entry in _entries(image, manifest.descriptor)
    ]
    top = Index(schema_version=2, media_type=OCI_INDEX, manifests=tuple(entries))
    return View(Manifest.of_index(top), manifests, making.members)


def _entries(image: DockerImage, manifest: Descriptor) -> list[Descriptor]:
    """How the index names an image: as Docker 25 does, once for each name."""
    return [
        msgspec.structs.replace(
            manifest, annotations={CONTAINERD_NAME: str(name), REF_NAME: name.tag}
        )
        for name in image.names
    ] or [manifest]


class _Layer(Struct, frozen=True):
    """A layer's file. What is plain has no ``digest`` of its own yet."""

    name: str
    stretch: Stretch
    compression: Compression
    digest: Digest | None = None
    diff_id: Digest | None = None


class _Making:
    """The work on one archive. Files that are named twice are read once."""

    def __init__(self, files: TarFiles) -> None:
        self._files = files
        self._allowance = Allowance(files.where)
        self._layers: dict[Stretch, _Layer] = {}
        self._configs: dict[Stretch, tuple[Descriptor, tuple[Digest, ...]]] = {}
        self.members: dict[Digest, str] = {}

    def read_layers(self, names: Iterable[str]) -> None:
        """Look at every layer, several at a time."""
        by_stretch = {self._stretch(name): name for name in names}
        found = [self._look(name, stretch) for stretch, name in by_stretch.items()]
        packed = [layer for layer in found if layer.compression is not Compression.NONE]
        self._layers = {layer.stretch: layer for layer in found}
        if packed:
            with workers(HASHERS, "layers") as pool:
                for layer in together(pool, self._hashed, packed):
                    self._layers[layer.stretch] = layer

    def manifest(self, image: DockerImage) -> Manifest:
        config, diff_ids = self._config(image.config)
        if len(diff_ids) != len(image.layers):
            raise InvalidArchive(
                f"{image.config} has {len(diff_ids)} layers, {LIST} names {len(image.layers)}",
                where=self._files.where,
            )
        layers = map(self._descriptor, image.layers, diff_ids)
        body = Image(schema_version=2, media_type=OCI_MANIFEST, config=config, layers=tuple(layers))
        return Manifest.of_image(body)

    def _descriptor(self, name: str, diff_id: Digest) -> Descriptor:
        """What points at a layer that the configuration knows as ``diff_id``."""
        layer = self._layers[self._stretch(name)]
        if layer.diff_id not in (None, diff_id):
            raise DigestMismatch(
                f"{name} unpacks to {layer.diff_id}, but the configuration says {diff_id}",
                where=self._files.where,
            )
        digest = layer.digest or diff_id
        self._keep(digest, name, layer.stretch)
        return Descriptor(
            media_type=layer.compression.media_type, digest=digest, size=layer.stretch[1]
        )

    def _config(self, name: str) -> tuple[Descriptor, tuple[Digest, ...]]:
        stretch = self._stretch(name)
        if stretch not in self._configs:
            raw = self._files.small(name)
            try:
                diff_ids = parse_config(raw).rootfs.diff_ids
            except InvalidManifest as error:
                raise InvalidArchive(error.what, where=f"{self._files.where}, {name}") from None
            if len(diff_ids) > MAX_DESCRIPTORS:
                raise InvalidArchive(
                    f"{name} has {len(diff_ids)} layers, more than the {MAX_DESCRIPTORS} allowed",
                    where=self._files.where,
                )
            config = Descriptor.of(raw, OCI_CONFIG)
            _check_name(name, config.digest, self._files.where)
            self._keep(config.digest, name, stretch)
            self._configs[stretch] = (config, diff_ids)
        return self._configs[stretch]

    def _keep(self, digest: Digest, name: str, stretch: Stretch) -> None:
        """Remember what is read for a digest, which cannot be of two sizes."""
        other = self._stretch(self.members.setdefault(digest, name))
        if other[1] != stretch[1]:
            raise DigestMismatch(
                f"{name} and {self.members[digest]} differ in size, but both should be {digest}",
                where=self._files.where,
            )

    def _stretch(self, name: str) -> Stretch:
        stretch = self._files.stretch(name)
        if stretch is None:
            raise InvalidArchive(
                f"{LIST} names {name[:300]!r}, which is not in it", where=self._files.where
            )
        return stretch

    def _look(self, name: str, stretch: Stretch) -> _Layer:
        """How a layer is compressed, by its first bytes."""
        head = os.pread(self._files.file.fileno(), min(SNIFF_SIZE, stretch[1]), stretch[0])
        wrapping = Wrapping.sniff(head)
        if wrapping in (Wrapping.BZIP2, Wrapping.XZ):
            raise InvalidArchive(
                f"the layer {name} is compressed with {wrapping}, which no registry takes",
                where=self._files.where,
            )
        return _Layer(name, stretch, Compression(wrapping))

    def _hashed(self, layer: _Layer) -> _Layer:
        """A compressed layer, read: its digest, and that of what it unpacks to."""
        where = f"{self._files.where}, {layer.name}"
        packed = _Hashed(self._files.open(layer.name))
        unpacked = _Hashed(
            self._allowance.unpacked(
                packed,
                lambda raw: decompress(raw, layer.compression, limit=MAX_UNPACKED, where=where),
            )
        )
        while unpacked.read(CHUNK_SIZE):
            pass
        return replace(layer, digest=packed.digest, diff_id=unpacked.digest)


def _check_name(name: str, digest: Digest, where: str) -> None:
    """A configuration's name is its digest, as nearly everybody writes it, or says nothing."""
    named = _DIGEST_NAME.fullmatch(name)
    if named and named[1] != digest.hex:
        raise DigestMismatch(
            f"{name} has the digest {digest}, not the one in its name", where=where
        )


class _Hashed:
    """A stream, and the digest of what was read of it."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self._hash.hexdigest())
