"""What must hold of an image before anyone sees it.

Everything is read once, straight from where it lies, and nothing is unpacked to disk. What is
wrong with the content is a finding, and all of them are reported. A store that could not answer is
an error: then nobody can tell, and it is neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyfest.check.contents import Contents, Entry, PlatformImage, content_finding, read_contents
from manyfest.check.platform import check_platform, want_layers
from manyfest.check.reading import Reading
from manyfest.check.report import Finding, Report
from manyfest.errors import ContentError, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.platform import Platform
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import Source


def check_image(
    source: Source,
    root: Descriptor,
    *,
    platforms: Sequence[Platform] = (),
    foreign: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Read all of the image or index ``root``, and report all that is wrong with it.

    ``platforms`` must be there, besides being right. ``foreign`` are patterns of paths where
    programs for other platforms are meant to be: ``usr/bin/qemu-*``; a ``*`` matches slashes too.
    Raises what ``source`` raises when it could not answer.
    """
    with Reading(source, progress or NoProgress()) as reading:
        contents = read_contents(reading, root)
        for image in contents.images:
            want_layers(reading, image)
        for label, blob in contents.blobs:
            reading.want(blob, label)
        reading.start()
        checked = [check_platform(reading, image, foreign) for image in contents.images]
        findings = [*contents.findings, *_set_findings(root, contents, platforms)]
        for each in checked:
            findings += each.findings
        for label, blob in contents.blobs:
            findings += _blob_findings(reading, label, blob)
    return Report(tuple(dict.fromkeys(findings)), tuple(each.summary for each in checked))


def _set_findings(
    root: Descriptor, contents: Contents, platforms: Sequence[Platform]
) -> Iterator[Finding]:
    """What is wrong with the set of platforms as a whole."""
    shipped = _shipped(contents)
    if root.media_type in INDEXES and not contents.images and not contents.lost:
        yield Finding.of("", f"index {root.digest}", "lists no image that can be run")
    yield from _missing(root, shipped, platforms)
    yield from _twice(contents.images)


def _shipped(contents: Contents) -> list[Platform]:
    """The platforms that are there, be it damaged: then another finding says so."""
    lost = (entry.descriptor.platform for entry in contents.lost)
    found = (*(image.platform for image in contents.images), *lost)
    return [platform for platform in found if platform]


def _missing(
    root: Descriptor, shipped: Sequence[Platform], platforms: Sequence[Platform]
) -> Iterator[Finding]:
    there = ", ".join(str(each.normalised()) for each in shipped) or "none"
    for platform in platforms:
        if not any(platform.same_as(each) for each in shipped):
            yield Finding.of(
                str(platform.normalised()),
                str(root.digest),
                f"the platform is missing; there are: {there}",
                "build it, or do not ask for it",
            )


def _twice(images: Sequence[PlatformImage]) -> Iterator[Finding]:
    """Platforms that are there a second time. Within one index the validator has found those that
    it lists; podman's second entry for layers in zstd is meant to be."""
    first: dict[tuple[Platform | None, bool], Entry] = {}
    for image in images:
        key = (image.platform, image.entry.descriptor.is_zstd_copy)
        before = first.setdefault(key, image.entry)
        if before is not image.entry and not _both_listed(before, image.entry):
            yield Finding.of(
                image.label,
                f"manifest {image.manifest.descriptor.digest}",
                f"the platform is there twice, first as {before.descriptor.digest}",
                "leave one of them out: clients take the first, and nobody runs the other",
            )


def _both_listed(one: Entry, other: Entry) -> bool:
    platforms = one.descriptor.platform and other.descriptor.platform
    return platforms is not None and one.parent == other.parent


def _blob_findings(reading: Reading, label: str, blob: Descriptor) -> Iterator[Finding]:
    try:
        reading.take(blob)
    except (ContentError, NotFound) as error:
        yield content_finding(error, label, "blob", blob.digest)
