"""What is wrong with a manifest or an index, all of it, each fault with its JSON path.

The measure is the OCI image specification 1.1 and Docker's schema 2, and in four places what
runs the images: an index says which platform each image is for, and by Go's names; Docker unpacks
125 layers at most; digests have an algorithm that can be checked. Where the specification says
SHOULD for portability's sake only (``mediaType`` in the body, at least one layer), leaving it out
is no fault.

The families mix as the specification lets them: an OCI manifest or index may hold Docker's types,
a document of Docker's may not hold OCI's.
"""

from __future__ import annotations

from manyfest.oci.descriptor import ATTESTATION_SUBJECT, ATTESTATION_TYPE, ZSTD_COPY
from manyfest.oci.digest import Digest
from manyfest.oci.faults import Fault, Node, collect, shown
from manyfest.oci.mediatypes import (
    CONFIGS,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    IMAGES,
    INDEXES,
    MANIFESTS,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    is_file_system,
)
from manyfest.oci.platform import Platform
from manyfest.oci.validate_fields import (
    check_descriptor,
    check_descriptors,
    check_media_type,
    check_platform,
    check_strings,
    parse_digest,
)

MAX_LAYERS = 125
"""Layers of one image: Docker's layer store takes no more ("max depth exceeded")."""

_KEYS = "annotations artifactType config layers manifests mediaType schemaVersion subject".split()
_RESERVED = ("application/vnd.oci.image.", "application/vnd.docker.")


def validate_manifest(raw: bytes, media_type: str = "") -> list[Fault]:
    """Every fault of the manifest or index in ``raw``; empty if there is none.

    ``media_type`` is what its descriptor or its Content-Type said of it. At most
    :data:`~manyfest.oci.faults.MAX_FAULTS` faults are listed, and one that says so.
    """
    return collect(raw, lambda root: _check_document(root, media_type))


def _check_document(root: Node, declared: str) -> None:
    root.spell(_KEYS)
    version = root.find("schemaVersion", int, required=True)
    if version is not None:
        version.expect(version.value == 2, f"is {version.value}; expected 2")
    is_index = root.member("manifests").value is not None
    is_image = any(root.member(key).value is not None for key in ("config", "layers"))
    if is_index and is_image:
        root.fault('has "manifests" beside "config" or "layers"; expected an index or an image')
    if not is_image:
        is_index = is_index or (root.text("mediaType") or declared) in INDEXES
    media_type = _check_type(root, declared, is_index=is_index)
    check_media_type(root, "artifactType")
    check_strings(root, "annotations")
    _check_subject(root, media_type)
    if is_index:
        _check_index(root, media_type)
    if is_image or not is_index:
        _check_image(root, media_type)


def _check_type(root: Node, declared: str, *, is_index: bool) -> str:
    """What the document is, by what it says, by what was said of it, or by its form."""
    root.find("mediaType", str)
    inside, node = root.text("mediaType"), root.member("mediaType")
    media_type = inside or declared or (OCI_INDEX if is_index else OCI_MANIFEST)
    expected = INDEXES if is_index else IMAGES
    if declared and declared not in MANIFESTS:
        root.fault(f"came as {shown(declared)}, which is no manifest's type")
    elif inside and declared:
        node.expect(inside == declared, f"is {shown(inside)}, but it came as {shown(declared)}")
    if media_type in {DOCKER_LIST, DOCKER_MANIFEST} and node.value is None:
        node.fault(f"is missing, which Docker's schema 2 does not allow; expected {media_type!r}")
    if inside or declared in MANIFESTS:
        form = "an index" if is_index else "an image manifest"
        node.expect(
            media_type in expected,
            f"is {shown(media_type)}, but the document has the form of {form};"
            f" expected {' or '.join(repr(name) for name in sorted(expected))}",
        )
    return media_type


def _check_subject(root: Node, media_type: str) -> None:
    if media_type in {DOCKER_LIST, DOCKER_MANIFEST}:
        for key in ("artifactType", "subject"):
            root.member(key).expect(
                root.member(key).value is None,
                "is not part of Docker's schema 2; expected an OCI media type with it",
            )
    subject = root.find("subject", dict)
    if subject is not None:
        check_descriptor(subject)
        _check_is_manifest(subject)


def _check_is_manifest(node: Node) -> None:
    """The specification lets unknown types pass here, but a blob's type is not unknown."""
    media_type = node.text("mediaType")
    is_blob = media_type in CONFIGS | {OCI_EMPTY} or is_file_system(media_type)
    node.member("mediaType").expect(not is_blob, f"is {media_type}; expected a manifest's type")


def _check_image(root: Node, media_type: str) -> None:
    config = root.find("config", dict, required=True)
    kind = "" if config is None else config.text("mediaType")
    if config is not None:
        check_descriptor(config)
        _check_family(config, media_type)
        is_blob = kind not in MANIFESTS and not is_file_system(kind)
        config.member("mediaType").expect(is_blob, f"is {kind}; expected a configuration's type")
    if kind == OCI_EMPTY and not root.text("artifactType"):
        root.member("artifactType").fault("is missing; expected one, since the config is empty")
    layers = list(check_descriptors(root, "layers"))
    for layer in layers:
        _check_family(layer, media_type)
    if kind in CONFIGS:
        _check_layers(root, layers)


def _check_layers(root: Node, layers: list[Node]) -> None:
    """The layers of an image.

    Attestations and signatures are stored as images too, with layers of which none is part of a
    file system; those pass. A layer that is none among others that are, or whose type only looks
    like a file system's, cannot be unpacked.
    """
    root.member("layers").expect(
        len(layers) <= MAX_LAYERS, f"has {len(layers)} layers; expected {MAX_LAYERS} at most"
    )
    runs = any(is_file_system(layer.text("mediaType")) for layer in layers)
    for layer in layers:
        media_type = layer.text("mediaType")
        if media_type and (runs or media_type.startswith(_RESERVED)):
            layer.member("mediaType").expect(
                is_file_system(media_type), f"is {shown(media_type)}; expected a layer's type"
            )


def _check_family(node: Node, parent: str) -> None:
    """Docker's schema 2 is closed to OCI's types, not the other way round."""
    media_type = node.text("mediaType")
    mixed = parent in {DOCKER_LIST, DOCKER_MANIFEST} and media_type.startswith(
        "application/vnd.oci."
    )
    node.member("mediaType").expect(
        not mixed, f"is {shown(media_type)}, in a document of Docker's; expected Docker's type"
    )


def _check_index(root: Node, media_type: str) -> None:
    entries = list(check_descriptors(root, "manifests"))
    images = {
        _digest(entry): entry
        for entry in entries
        if not _is_attestation(entry) and _digest(entry) is not None
    }
    seen: dict[tuple[object, ...], str] = {}
    for entry in entries:
        _check_family(entry, media_type)
        _check_is_manifest(entry)
        if _is_attestation(entry):
            _check_attestation(entry, images)
        else:
            _check_entry(root, entry, media_type, seen)


def _check_entry(
    root: Node, entry: Node, media_type: str, seen: dict[tuple[object, ...], str]
) -> None:
    is_image = media_type == DOCKER_LIST or _is_image(root, entry)
    platform = entry.find("platform", dict, required=is_image)
    if platform is not None:
        named = check_platform(platform)
        if entry.text("mediaType") in IMAGES:
            _check_once(entry, named, seen)
    if media_type == DOCKER_LIST and entry.text("mediaType") in INDEXES:
        entry.member("mediaType").fault(f"is a list in a list; expected {DOCKER_MANIFEST!r}")


def _check_once(entry: Node, platform: Platform, seen: dict[tuple[object, ...], str]) -> None:
    """A platform is listed once: clients take the first that fits, and the rest is never run."""
    key = (
        platform.normalised(),
        entry.member("annotations").member(ZSTD_COPY).value == "true",
    )
    first = seen.setdefault(key, entry.path)
    entry.member("platform").expect(
        first == entry.path,
        f"is {shown(str(platform.normalised()))}, as in {first}; expected each platform once",
    )


def _is_image(root: Node, entry: Node) -> bool:
    """Whether an entry is to be run: not an artifact, nor in an index that is one."""
    kind = entry.text("artifactType")
    is_artifact = bool(root.text("artifactType")) or root.member("subject").value is not None
    return entry.text("mediaType") in IMAGES and not is_artifact and (not kind or kind in CONFIGS)


def _is_attestation(entry: Node) -> bool:
    return entry.member("annotations").member(ATTESTATION_TYPE).value == "attestation-manifest"


def _check_attestation(entry: Node, images: dict[Digest | None, Node]) -> None:
    """BuildKit's attestations: for an image of this index, and never run themselves."""
    subject = entry.member("annotations").member(ATTESTATION_SUBJECT)
    if not isinstance(subject.value, str):
        subject.fault("is missing; expected the digest of the image that is attested")
    elif (digest := parse_digest(subject)) is not None:
        subject.expect(digest in images, f"is {digest}, which is no image of this index")
    platform = entry.find("platform", dict, required=True)
    if platform is not None:
        name = f"{platform.text('os')}/{platform.text('architecture')}"
        platform.expect(
            name == "unknown/unknown",
            f"is {shown(name)}; expected unknown/unknown, so that nobody runs an attestation",
        )


def _digest(entry: Node) -> Digest | None:
    """The entry's digest, whose faults are noted already."""
    return parse_digest(Node(entry.member("digest").value, "", []))
