"""What is below a root: images, attestations and artifacts, and the faults of their documents.

:func:`manyfest.graph.read_graph` stops at the first thing that is wrong, as a copy must. Here all
of it is reported, so what cannot be read is noted and the rest is read on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from manyfest.check.reading import Key, Reading, key_of
from manyfest.check.report import Finding
from manyfest.errors import ContentError, InvalidManifest, ManyfestError, NotFound
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.faults import Fault
from manyfest.oci.limits import MAX_GRAPH_NODES, MAX_INDEX_DEPTH
from manyfest.oci.manifest import Manifest
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.parse import parse_config, parse_manifest
from manyfest.oci.platform import Platform
from manyfest.oci.validate import validate_manifest
from manyfest.oci.validate_config import validate_config
from manyfest.stores.base import read_all


class Entry(Struct, frozen=True):
    """A descriptor, and the index that lists it; no index lists the root."""

    descriptor: Descriptor
    parent: Digest | None = None

    @property
    def label(self) -> str:
        """What it is called in findings: its platform, or its kind."""
        if self.descriptor.is_attestation:
            return "attestations"
        if self.descriptor.media_type in INDEXES:
            return "index"
        return _name(self.descriptor.platform) or "image"


class PlatformImage(Struct, frozen=True):
    """An image for a platform; without ``config`` if that could not be read."""

    entry: Entry
    manifest: Manifest
    config: ImageConfig | None

    @property
    def platform(self) -> Platform | None:
        """What it is shipped for: what its index says, and else its configuration."""
        own = self.config.platform if self.config else None
        named = self.entry.descriptor.platform or own
        return named.normalised() if named else None

    @property
    def label(self) -> str:
        return _name(self.platform) or "image"


class Contents(Struct):
    """``lost`` are entries whose manifest could not be read, or was not. ``blobs`` belong to no
    image; each comes with the label of what it belongs to."""

    images: list[PlatformImage] = field(default_factory=list)
    lost: list[Entry] = field(default_factory=list)
    blobs: list[tuple[str, Descriptor]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_contents(reading: Reading, root: Descriptor) -> Contents:
    """Read and validate every manifest below ``root``, and the images' configurations.

    Raises what the store raises if it could not answer, and nothing for content that is wrong.
    """
    contents = Contents()
    images: list[tuple[Entry, Manifest]] = []
    for entry, manifest in _walk(reading, root, contents):
        if manifest.is_runnable and not entry.descriptor.is_attestation:
            images.append((entry, manifest))
            continue
        contents.findings += _faults(entry.label, manifest)
        blobs = (child for child in manifest.children if not child.is_manifest)
        contents.blobs += ((entry.label, blob) for blob in blobs)
    raws = _read_each(reading, (manifest.image.config for _, manifest in images))
    for entry, manifest in images:
        _add_image(contents, entry, manifest, raws[key_of(manifest.image.config)])
    return contents


def content_finding(error: ManyfestError, label: str, part: str, digest: Digest) -> Finding:
    """The finding for content that is missing, or is not what it should be. ``part`` is what it is
    to the image: ``layer 2``."""
    place = error.where if error.where.startswith(str(digest)) else str(digest)
    what = error.what.removeprefix(f"{digest} ")
    return Finding.of(label, f"{part} {place}", what, error.mend)


def _walk(
    reading: Reading, root: Descriptor, contents: Contents
) -> Iterator[tuple[Entry, Manifest]]:
    """All manifests that can be read, level by level, in the order in which indexes list them."""
    level = [Entry(root)]
    opened: set[Digest] = set()
    depth = count = 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > MAX_INDEX_DEPTH + 1 or count > MAX_GRAPH_NODES:
            contents.findings.append(_too_large(root))
            contents.lost += level
            return
        raws = _read_each(reading, (entry.descriptor for entry in level))
        below: list[Entry] = []
        for entry in level:
            manifest = _parse(entry, raws[key_of(entry.descriptor)], contents)
            if manifest is None:
                contents.lost.append(entry)
                continue
            yield entry, manifest
            if manifest.is_index and manifest.descriptor.digest not in opened:
                opened.add(manifest.descriptor.digest)
                below += _listed(manifest)
        level = below


def _listed(index: Manifest) -> Iterator[Entry]:
    parent = index.descriptor.digest
    return (Entry(child, parent) for child in index.index.manifests if child.is_manifest)


def _read_each(
    reading: Reading, descriptors: Iterable[Descriptor]
) -> dict[Key, bytes | ManyfestError]:
    """Each document's bytes, or why there are none, read once however many point at it."""

    def read(descriptor: Descriptor) -> bytes | ManyfestError:
        try:
            return read_all(reading.source, descriptor)
        except (ContentError, NotFound) as error:
            return error

    distinct = {key_of(descriptor): descriptor for descriptor in descriptors}
    return dict(zip(distinct, reading.each(read, distinct.values()), strict=True))


def _parse(entry: Entry, raw: bytes | ManyfestError, contents: Contents) -> Manifest | None:
    descriptor = entry.descriptor
    if isinstance(raw, ManyfestError):
        error = content_finding(raw, entry.label, "manifest", descriptor.digest)
        contents.findings.append(error)
        return None
    try:
        manifest = parse_manifest(
            raw, media_type=descriptor.media_type, algorithm=descriptor.digest.algorithm
        )
    except InvalidManifest as error:
        faults = validate_manifest(raw, descriptor.media_type) or [Fault("$", error.what)]
        contents.findings += _described(entry.label, f"manifest {descriptor.digest}", faults)
        return None
    return replace(manifest, descriptor=descriptor)


def _add_image(
    contents: Contents, entry: Entry, manifest: Manifest, raw: bytes | ManyfestError
) -> None:
    digest = manifest.image.config.digest
    config: ImageConfig | None = None
    faults: list[Fault] = []
    if not isinstance(raw, ManyfestError):
        faults = validate_config(raw, manifest.image)
        try:
            config = parse_config(raw)
        except InvalidManifest as error:
            faults = faults or [Fault("$", error.what)]
    image = PlatformImage(entry, manifest, config)
    contents.images.append(image)
    contents.findings += _faults(image.label, manifest)
    contents.findings += _described(image.label, f"configuration {digest}", faults)
    if isinstance(raw, ManyfestError):
        contents.findings.append(content_finding(raw, image.label, "configuration", digest))


def _faults(label: str, manifest: Manifest) -> Iterator[Finding]:
    kind = "index" if manifest.is_index else "manifest"
    faults = validate_manifest(manifest.raw, manifest.descriptor.media_type)
    return _described(label, f"{kind} {manifest.descriptor.digest}", faults)


def _described(label: str, document: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    """Faults of a document as findings; the document as a whole, ``$``, goes without saying."""
    for fault in faults:
        where = document if fault.path == "$" else f"{document}, {fault.path}"
        yield Finding.of(label, where, fault.what)


def _too_large(root: Descriptor) -> Finding:
    return Finding.of(
        "index",
        str(root.digest),
        f"has over {MAX_GRAPH_NODES} parts, or indexes more than {MAX_INDEX_DEPTH} deep:"
        " not all of it was read",
    )


def _name(platform: Platform | None) -> str:
    return str(platform.normalised()) if platform else ""
