"""What an image is, as values: the contract of ``manyfest inspect --json``."""

from __future__ import annotations

import msgspec

from manyfest.errors import NotFound
from manyfest.graph import READERS, read_config, read_graph, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import CONFIGS, INDEXES
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source
from manyfest.threads import workers


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


def platforms_of(source: Source, root: Descriptor) -> list[tuple[Platform, Descriptor]]:
    """Each platform and its image, those in indexes within the index too.

    What an index does not say, the image's configuration does. Artifacts have no platform.
    """
    graph = read_graph(source, root, select=_is_unclear)
    found: list[tuple[Platform, Descriptor]] = []
    for manifest in graph.manifests:
        if isinstance(manifest.body, Index):
            entries = (entry for entry in manifest.body.images if not _is_unclear(entry))
            found += [(entry.platform, entry) for entry in entries if entry.platform]
        elif manifest.body.config.media_type in CONFIGS:
            found.append((read_config(source, manifest.body).platform, manifest.descriptor))
    return found


def _is_unclear(entry: Descriptor) -> bool:
    """Whether an entry of an index must be read to know its platforms."""
    return not entry.is_attestation and (entry.platform is None or entry.media_type in INDEXES)


def narrow(source: Source, root: Descriptor, wanted: Platform | None) -> Manifest:
    """The manifest at ``root``, or the one for the platform ``wanted`` in it.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are.
    """
    if wanted is None:
        return read_manifest(source, root)
    there = platforms_of(source, root)
    for platform, entry in there:
        if platform.same_as(wanted):
            return read_manifest(source, entry)
    known = ", ".join(str(platform) for platform, _ in there) or "none"
    raise NotFound(f"it has no {wanted}", where=source.label, mend=f"it has {known}")


def inspect(source: Source, manifest: Manifest) -> Inspection:
    """Read what there is to know: manifests and configurations, no layers."""
    if isinstance(manifest.body, Index):
        entries = manifest.body.images
        attestations = len(manifest.body.manifests) - len(entries)
        with workers(READERS, "inspect") as pool:
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
    config = read_config(source, image)
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
