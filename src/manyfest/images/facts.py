"""What is told of an image, as values: the contract of ``manyfest inspect --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from manyfest.images.attached import Attachment
from manyfest.images.kinds import kinds_of
from manyfest.images.unpacked import known_size
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import CONFIGS, OCI_EMPTY
from manyfest.oci.platform import Platform


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One layer; sizes in bytes. ``unpacked`` is ``None`` where it is not known, ``created_by``
    empty where the history does not tell."""

    digest: str
    media_type: str
    size: int
    unpacked: int | None
    created_by: str


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. ``size`` is what a client downloads and ``unpacked`` what the layers
    unpack to, in bytes, ``None`` where that is not known; ``command`` is the entrypoint and its
    default arguments, which are in ``entrypoint`` and ``arguments`` too. ``annotations`` are those
    that the index gives it. ``missing``: the index names it, and it is not there. What is no image
    has an ``artifact_type``, and ``kinds`` says what it is, as far as that is known."""

    platform: str
    digest: str
    size: int
    layers: int
    created: str
    command: tuple[str, ...]
    user: str
    labels: dict[str, str]
    artifact_type: str
    os_version: str
    media_type: str
    missing: bool
    unpacked: int | None
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    kinds: tuple[str, ...]
    annotations: dict[str, str]
    contents: tuple[LayerFacts, ...]
    attached: tuple[Attachment, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """An image or an index; ``attestations`` counts BuildKit's, which are not platforms.
    ``attached`` is what is attached to the index itself, and what lies in it for no image that it
    has; ``subject`` the digest of the manifest that it refers to itself, as signatures do."""

    digest: str
    media_type: str
    images: tuple[ImageFacts, ...]
    attestations: int
    annotations: dict[str, str]
    subject: str
    attached: tuple[Attachment, ...]


class FoundImage(Struct, frozen=True):
    """An image as its index names it; its manifest if it is there, and its configuration if it
    can be run."""

    entry: Descriptor
    manifest: Manifest | None
    config: ImageConfig | None

    @property
    def platform(self) -> Platform | None:
        """As the index says, or else the configuration; ``None`` if there is none."""
        platform = self.entry.platform or (self.config.platform if self.config else None)
        return platform if platform is not None and platform.is_known else None


def image_facts(
    found: FoundImage, counted: Mapping[Digest, int], attached: Sequence[Attachment]
) -> ImageFacts:
    """The facts of one image; ``counted`` says what those layers unpack to that were read."""
    entry, manifest, config = found.entry, found.manifest, found.config
    image = manifest.body if manifest and isinstance(manifest.body, Image) else None
    missing = manifest is None and entry.is_manifest
    parts = manifest.children if manifest else ()
    contents = _contents(image, config, counted) if image and config else ()
    run = config.config if config else None
    return ImageFacts(
        platform=str(found.platform or ""),
        digest=str(entry.digest),
        size=0 if missing else entry.size + sum(part.size for part in parts),
        layers=len(image.layers) if image else 0,
        created=config.created if config else "",
        command=(*run.entrypoint, *run.cmd) if run else (),
        user=run.user if run else "",
        labels=run.labels if run else {},
        artifact_type="" if config else _artifact_type(entry, image),
        os_version=found.platform.os_version if found.platform else "",
        media_type=entry.media_type,
        missing=missing,
        unpacked=_sum(contents) if config else None,
        entrypoint=run.entrypoint if run else (),
        arguments=run.cmd if run else (),
        kinds=kinds_of(manifest) if manifest and not config else (),
        annotations=entry.annotations,
        contents=contents,
        attached=tuple(attached),
    )


def _artifact_type(entry: Descriptor, image: Image | None) -> str:
    """Of what is no image: its type, or failing that the one of what it consists of."""
    if image is None:
        return entry.artifact_type or ("" if entry.is_manifest else entry.media_type)
    if image.artifact_type or image.config.media_type not in CONFIGS | {OCI_EMPTY}:
        return image.kind
    return image.layers[0].media_type if image.layers else image.config.media_type


def _sum(contents: Sequence[LayerFacts]) -> int | None:
    """Of all layers together, if it is known of each."""
    sizes = [layer.unpacked for layer in contents if layer.unpacked is not None]
    return sum(sizes) if len(sizes) == len(contents) else None


def _contents(
    image: Image, config: ImageConfig, counted: Mapping[Digest, int]
) -> tuple[LayerFacts, ...]:
    steps = [step.created_by for step in config.history if not step.empty_layer]
    told = steps if len(steps) == len(image.layers) else [""] * len(image.layers)
    return tuple(
        LayerFacts(
            digest=str(layer.digest),
            media_type=layer.media_type,
            size=layer.size,
            unpacked=counted.get(layer.digest, known_size(layer)),
            created_by=created_by,
        )
        for layer, created_by in zip(image.layers, told, strict=True)
    )
