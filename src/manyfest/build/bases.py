"""Base images: from the reference after FROM to a platform's manifest and configuration.

Each reference is resolved once, so that all platforms start from one and the same image even if
its tag moves meanwhile. Layers are not read here.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from manyfest.build.dockerfile.instructions import FromImage
from manyfest.build.once import Once
from manyfest.errors import BuildError, InvalidManifest, InvalidReference
from manyfest.graph import read_manifest
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import (
    DOCKER_FOREIGN_LAYER,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    LAYERS,
    OCI_FOREIGN_PREFIX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    is_foreign,
)
from manyfest.oci.parse import parse_config
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.stores.base import Source, read_all

_OCI_TYPES = {
    DOCKER_LAYER: OCI_LAYER,
    DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
    DOCKER_FOREIGN_LAYER: f"{OCI_FOREIGN_PREFIX}+gzip",
}
_OLDER: dict[str, tuple[str, ...]] = {
    "arm": ("v8", "v7", "v6", "v5"),
    "amd64": ("v4", "v3", "v2", ""),
}
"""Variants, each of which runs what is built for those after it."""


class BaseImage(Struct, frozen=True, kw_only=True):
    """An image for one platform, to start from. ``layers`` have OCI's media types.

    ``name`` is as the Dockerfile has it, ``full_name`` with its registry and tag. ``digest`` is
    what that stands for, which is the same for all platforms of an index.
    """

    name: str
    full_name: str
    digest: Digest
    source: Source
    config: ImageConfig
    layers: tuple[Descriptor, ...]


class _Opened(Struct, frozen=True):
    name: Name
    source: Source
    top: Manifest


class Bases:
    """The base images of one build. Threads may share it."""

    def __init__(self, open_image: Callable[[Name], Source]) -> None:
        self._open_image = open_image
        self._opened: Once[str, _Opened] = Once()
        self._images: Once[tuple[str, Platform], BaseImage] = Once()
        self._sources: dict[str, Source] = {}

    def get(self, wanted: FromImage) -> BaseImage:
        """The base for a platform.

        Raises :class:`~manyfest.errors.BuildError` if the image has none for it, and what the
        store raises.
        """
        key = (wanted.reference, wanted.platform.normalised())
        return self._images.get(key, lambda: self._read(*key))

    def found(self, wanted: FromImage) -> BaseImage | None:
        """The base, if it was read already."""
        return self._images.found((wanted.reference, wanted.platform.normalised()))

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the bases that were used lie."""
        return tuple(self._sources[name] for name in sorted(self._sources))

    def _read(self, reference: str, platform: Platform) -> BaseImage:
        opened = self._opened.get(reference, lambda: self._open(reference))
        manifest = _for_platform(opened, reference, platform)
        config = parse_config(read_all(opened.source, manifest.image.config))
        _check(config, manifest, reference, platform)
        return BaseImage(
            name=reference,
            full_name=str(opened.name),
            digest=opened.top.descriptor.digest,
            source=opened.source,
            config=config,
            layers=tuple(_as_oci(layer) for layer in manifest.image.layers),
        )

    def _open(self, reference: str) -> _Opened:
        try:
            name = Name.parse(reference)
        except InvalidReference as error:
            raise BuildError(f"cannot start from {reference!r}: {error}") from None
        source = self._open_image(name)
        self._sources[reference] = source
        return _Opened(name, source, read_manifest(source, source.resolve(name.target)))


def _for_platform(opened: _Opened, reference: str, platform: Platform) -> Manifest:
    manifest = opened.top
    while isinstance(manifest.body, Index):
        entry = _pick(manifest.body, reference, platform)
        manifest = read_manifest(opened.source, entry)
    return manifest


def _pick(index: Index, reference: str, platform: Platform) -> Descriptor:
    entries = [(entry, entry.platform) for entry in index.images if entry.platform]
    for acceptable in _acceptable(platform):
        for entry, its in entries:
            if its.same_as(acceptable):
                return entry
    raise _has_no(reference, platform, [str(its.normalised()) for _, its in entries])


def _acceptable(platform: Platform) -> list[Platform]:
    """The platform, then older variants of the same processor, the newest first."""
    platform = platform.normalised()
    older = _OLDER.get(platform.architecture, ())
    if platform.variant in older:
        older = older[older.index(platform.variant) :]
        return [
            Platform(os=platform.os, architecture=platform.architecture, variant=variant)
            for variant in older
        ]
    return [platform]


def _has_no(reference: str, platform: Platform, there: list[str]) -> BuildError:
    known = f"it has {', '.join(dict.fromkeys(there))}" if there else "it names no platform"
    return BuildError(f"{reference} has no image for {platform}", mend=known)


def _check(config: ImageConfig, manifest: Manifest, reference: str, platform: Platform) -> None:
    """Refuse an image that is for another processor, or cannot be built upon. The variant is not
    compared: older configurations leave it out."""
    its, wanted = config.platform.normalised(), platform.normalised()
    if (its.os, its.architecture) != (wanted.os, wanted.architecture):
        raise _has_no(reference, platform, [str(its)])
    layers, diff_ids = manifest.image.layers, config.rootfs.diff_ids
    if len(layers) != len(diff_ids):
        raise InvalidManifest(
            f"its configuration has {len(diff_ids)} layers, its manifest {len(layers)}",
            where=f"{reference}@{manifest.descriptor.digest}",
        )
    for layer in layers:
        if layer.media_type not in LAYERS and not is_foreign(layer.media_type):
            raise BuildError(
                f"{reference} cannot be built upon: it has a layer of type {layer.media_type!r}"
            )


def _as_oci(layer: Descriptor) -> Descriptor:
    """The same blob under OCI's name for what it is."""
    return Descriptor(
        media_type=_OCI_TYPES.get(layer.media_type, layer.media_type),
        digest=layer.digest,
        size=layer.size,
        urls=layer.urls,
        annotations=layer.annotations,
    )
