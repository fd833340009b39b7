"""What must hold of one platform's image: its layers, its programs, its entrypoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from manyfest.check.contents import PlatformImage, content_finding
from manyfest.check.elf import Elf, runs_on
from manyfest.check.entrypoint import command, entrypoint_fault
from manyfest.check.programs import Damaged, Program
from manyfest.check.reading import Layer, Reading
from manyfest.check.report import Finding, PlatformSummary, WrongPlatform
from manyfest.errors import ContentError, NotFound
from manyfest.layers.entry import EntryType
from manyfest.layers.tree import Leaf, Tree
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.mediatypes import LAYERS, is_foreign
from manyfest.oci.platform import Platform

_BUILT_ELSEWHERE = (
    "ship the build for this platform, or list the path in 'check.foreign' if it is there on"
    " purpose"
)


class Checked(Struct, frozen=True):
    """What was found, and what the image is."""

    findings: tuple[Finding, ...]
    summary: PlatformSummary


class _Place(Struct, frozen=True):
    """A layer's place in an image: its number from the bottom, and the digest that the
    configuration promises of its tar."""

    number: int
    descriptor: Descriptor
    diff_id: Digest | None

    @property
    def digest_of_tar(self) -> Digest | None:
        """What unpacking it can be held to; ``None`` if it cannot be unpacked."""
        return self.diff_id if self.descriptor.media_type in LAYERS else None


def want_layers(reading: Reading, image: PlatformImage) -> None:
    """Announce the layers that :func:`check_platform` will take."""
    for place in _places(image):
        if not is_foreign(place.descriptor.media_type):
            reading.want(place.descriptor, image.label, place.digest_of_tar)


def check_platform(reading: Reading, image: PlatformImage, foreign: Sequence[str]) -> Checked:
    """Check one image whose layers were announced; see :func:`manyfest.check.image.check_image`.

    Files are judged as a container sees them. A layer that could not be read may have removed any
    file below it: then only files above it are judged, and the entrypoint is not.
    """
    findings = list(_platform_findings(image))
    layers = [_take(reading, image.label, place, findings) for place in _places(image)]
    gaps = [number for number, layer in enumerate(layers, start=1) if layer is None]
    above = layers[gaps[-1] :] if gaps else layers
    tree = Tree.stack(layer.tree for layer in above if layer)
    findings += _program_findings(tree, image, foreign)
    if not gaps and image.config and _has_known_rules(image):
        findings += _entrypoint_findings(tree, image)
    return Checked(tuple(findings), _summary(image, layers, tree))


def _places(image: PlatformImage) -> Iterator[_Place]:
    diff_ids = image.config.rootfs.diff_ids if image.config else ()
    for number, descriptor in enumerate(image.manifest.image.layers, start=1):
        yield _Place(number, descriptor, diff_ids[number - 1] if number <= len(diff_ids) else None)


def _platform_findings(image: PlatformImage) -> Iterator[Finding]:
    listed = image.entry.descriptor.platform
    if listed and image.config and not listed.same_as(image.config.platform):
        yield WrongPlatform.of(
            image.label,
            f"configuration {image.manifest.image.config.digest}",
            f"says it is for {image.config.platform.normalised()},"
            f" but the index lists it as {listed.normalised()}",
            "build it for the platform it is listed as, or list it as what it is",
        )


def _take(reading: Reading, label: str, place: _Place, findings: list[Finding]) -> Layer | None:
    """The layer, or ``None`` if nobody can say what is in it; adds what is wrong with it."""
    descriptor, part = place.descriptor, f"layer {place.number}"
    where = f"{part} {descriptor.digest}"
    if is_foreign(descriptor.media_type):
        what = "was not checked: it is a foreign layer, which lies elsewhere"
        findings.append(Finding.of(label, where, what, "store it in the registry as others are"))
        return None
    try:
        layer = reading.take(descriptor)
    except (ContentError, NotFound) as error:
        findings.append(content_finding(error, label, part, descriptor.digest))
        return None
    if layer is None or place.digest_of_tar is None:
        findings.append(Finding.of(label, where, _why_unread(place)))
        return None
    if place.digest_of_tar not in layer.diff_ids:
        findings.append(_wrong_diff_id(label, where, place.digest_of_tar, layer))
    return layer


def _why_unread(place: _Place) -> str:
    if place.descriptor.media_type not in LAYERS:
        return f"was not unpacked: it has the type {place.descriptor.media_type!r}"
    return "was not unpacked: no configuration could be read that has a diff_id for it"


def _wrong_diff_id(label: str, where: str, expected: Digest, layer: Layer) -> Finding:
    found = next(each for each in layer.diff_ids if each.algorithm == expected.algorithm)
    return Finding.of(
        label,
        where,
        f"unpacks to {found}, but the configuration's diff_id is {expected}",
        "build the image again: its configuration and its layers are not of one build",
    )


def _program_findings(
    tree: Tree[Program], image: PlatformImage, foreign: Sequence[str]
) -> Iterator[Finding]:
    """Programs for another platform, each file once, however many hard links it has."""
    platform = image.platform
    if platform is None:
        return
    patterns = [pattern.lstrip("/") for pattern in foreign]
    seen: set[int] = set()
    for path, node in tree.walk():
        if not isinstance(node, Leaf) or node.note is None or id(node) in seen:
            continue
        what = _program_fault(node.note, platform)
        if what and not any(fnmatchcase(path.lstrip("/"), pattern) for pattern in patterns):
            seen.add(id(node))
            kind = Finding if isinstance(node.note, Damaged) else WrongPlatform
            yield kind.of(image.label, path, what, _BUILT_ELSEWHERE)


def _program_fault(program: Program, platform: Platform) -> str:
    if isinstance(program, Damaged):
        return program.what
    if not isinstance(program, Elf) or not program.is_program:
        return ""
    if runs_on(program, platform.os, platform.architecture, platform.variant):
        return ""
    return f"is built for {program.built_for}, not for {platform}"


def _has_known_rules(image: PlatformImage) -> bool:
    return image.platform is not None and image.platform.os == "linux"


def _entrypoint_findings(tree: Tree[Program], image: PlatformImage) -> Iterator[Finding]:
    fault = entrypoint_fault(tree, image.config.config) if image.config else None
    if fault:
        yield Finding.of(image.label, fault.path, fault.what, fault.mend)


def _summary(
    image: PlatformImage, layers: Sequence[Layer | None], tree: Tree[Program]
) -> PlatformSummary:
    manifest = image.manifest.image
    parts = (image.manifest.descriptor, manifest.config, *manifest.layers)
    files = (node for _, node in tree.walk() if isinstance(node, Leaf))
    return PlatformSummary(
        platform=image.label,
        descriptor=image.manifest.descriptor,
        size=sum(part.size for part in parts),
        unpacked=sum(layer.unpacked for layer in layers if layer),
        layers=len(manifest.layers),
        files=sum(file.type is EntryType.FILE for file in files),
        command=command(image.config.config) if image.config else (),
        unchecked=() if _has_known_rules(image) else ("entrypoint",),
    )
