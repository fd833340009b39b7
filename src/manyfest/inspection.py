"""What an image is, as values: the contract of ``manyfest inspect --json``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec

from manyfest.errors import NotFound
from manyfest.graph import READERS, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import CONFIGS
from manyfest.oci.parse import parse_config
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source, read_all


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. ``size`` is what a client downloads, in bytes; ``command`` is the
    entrypoint and its default arguments."""

    platform: str
    digest: str
    size: int
    layers: int
    created: str
    command: tuple[str, ...]
    user: str
    labels: dict[str, str]
    artifact_type: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """An image or an index; ``attestations`` counts BuildKit's, which are not platforms."""

    digest: str
    media_type: str
    images: tuple[ImageFacts, ...]
    attestations: int
    annotations: dict[str, str]


def narrow(source: Source, root: Descriptor, wanted: Platform | None) -> Manifest:
    """The manifest at ``root``, or the one for the platform ``wanted`` in it.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are.
    """
    manifest = read_manifest(source, root)
    if wanted is None or not isinstance(manifest.body, Index):
        return manifest
    entries = [entry for entry in manifest.body.images if entry.platform]
    for entry in entries:
        if entry.platform and entry.platform.same_as(wanted):
            return read_manifest(source, entry)
    known = ", ".join(str(entry.platform) for entry in entries) or "none"
    raise NotFound(f"it has no {wanted}", where=f"{source.label}", mend=f"it has {known}")


def inspect(source: Source, manifest: Manifest) -> Inspection:
    """Read what there is to know: manifests and configurations, no layers."""
    if isinstance(manifest.body, Index):
        entries = manifest.body.images
        attestations = len(manifest.body.manifests) - len(entries)
        with ThreadPoolExecutor(READERS, thread_name_prefix="inspect") as pool:
            images = tuple(pool.map(lambda entry: _entry(source, entry), entries))
    else:
        attestations = 0
        images = (_image(source, manifest, None),)
    return Inspection(
        digest=str(manifest.descriptor.digest),
        media_type=manifest.descriptor.media_type,
        images=images,
        attestations=attestations,
        annotations=manifest.body.annotations,
    )


def _entry(source: Source, entry: Descriptor) -> ImageFacts:
    manifest = read_manifest(source, entry)
    if manifest.is_index:
        return _nested(manifest, entry)
    return _image(source, manifest, entry.platform)


def _nested(manifest: Manifest, entry: Descriptor) -> ImageFacts:
    return ImageFacts(
        platform=str(entry.platform or ""),
        digest=str(entry.digest),
        size=entry.size,
        layers=0,
        created="",
        command=(),
        user="",
        labels={},
        artifact_type=f"index of {len(manifest.children)}",
    )


def _image(source: Source, manifest: Manifest, platform: Platform | None) -> ImageFacts:
    image = manifest.image
    size = manifest.descriptor.size + sum(part.size for part in manifest.children)
    if image.config.media_type not in CONFIGS:
        return ImageFacts(
            platform=str(platform or ""),
            digest=str(manifest.descriptor.digest),
            size=size,
            layers=len(image.layers),
            created="",
            command=(),
            user="",
            labels={},
            artifact_type=image.kind or "artifact",
        )
    config = parse_config(read_all(source, image.config))
    return ImageFacts(
        platform=str(platform or config.platform),
        digest=str(manifest.descriptor.digest),
        size=size,
        layers=len(image.layers),
        created=config.created,
        command=(*config.config.entrypoint, *config.config.cmd),
        user=config.config.user,
        labels=config.config.labels,
        artifact_type="",
    )
