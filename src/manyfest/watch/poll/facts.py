"""What a version consists of, read from one repository.

One request follows the other, in the thread that asks: so they are counted, and a registry has no
more of them at a time than it should.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from manyfest.graph import read_config, read_manifest
from manyfest.images.attached import Attachment, attestation, find_attached
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.stores.base import Source
from manyfest.threads import Inline
from manyfest.watch.values import Facts, PlatformFacts

_MOST_ATTESTATIONS = 32
"""Of BuildKit's, which are read to tell what they are. Real indexes have one for each image."""

_LONGEST_TIME = 40
"""RFC 3339 has no longer ones; an image may say anything."""

_MOST_KINDS, _LONGEST_KIND = 16, 120
"""Anyone who may push may attach anything, of any kind."""


def read_facts(
    source: Source, root: str, images: Mapping[str, str], at: float, *, is_last: bool
) -> Facts:
    """What the index or image with the digest ``root`` consists of; ``images`` are the digests of
    its images by platform.

    Raises what ``source`` raises.
    """
    top = read_manifest(source, source.resolve(root))
    manifests = _manifests(source, top, images.values())
    attached = _attached(source, top, list(manifests))
    return Facts(
        digest=root,
        platforms=tuple(
            _platform(source, platform, manifests[Digest.parse(digest)], attached)
            for platform, digest in images.items()
        ),
        read_at=at,
        attached=() if top.descriptor.digest in manifests else attached[top.descriptor.digest],
        is_last=is_last,
    )


def _manifests(source: Source, top: Manifest, images: Iterable[str]) -> dict[Digest, Manifest]:
    """Each image's manifest, read once."""
    entries = {each.digest: each for each in _entries(top)}
    found: dict[Digest, Manifest] = {}
    for digest in map(Digest.parse, images):
        if digest == top.descriptor.digest:
            found[digest] = top
        elif digest not in found:  # one in an index within the index is looked up
            found[digest] = read_manifest(
                source, entries.get(digest) or source.resolve(str(digest))
            )
    return found


def _entries(top: Manifest) -> Sequence[Descriptor]:
    return top.body.manifests if isinstance(top.body, Index) else ()


def _platform(
    source: Source, platform: str, manifest: Manifest, attached: Mapping[Digest, tuple[str, ...]]
) -> PlatformFacts:
    parts = manifest.children
    runs = manifest.is_runnable
    return PlatformFacts(
        platform=platform,
        digest=str(manifest.descriptor.digest),
        size=sum(part.size for part in parts),
        layers=len(manifest.image.layers) if runs else len(parts),
        created=read_config(source, manifest.image).created[:_LONGEST_TIME] if runs else "",
        attached=attached[manifest.descriptor.digest],
    )


def _attached(
    source: Source, top: Manifest, images: Sequence[Digest]
) -> dict[Digest, tuple[str, ...]]:
    """The kinds of what is attached to each image, and to the index."""
    subjects = dict.fromkeys([top.descriptor.digest, *images])
    found: dict[Digest, list[Attachment]] = {subject: [] for subject in subjects}
    named = {str(subject): subject for subject in subjects}
    attesting = (each for each in _entries(top) if each.is_attestation and each.attests_to in named)
    for each in islice(attesting, _MOST_ATTESTATIONS):
        found[named[each.attests_to]].append(attestation(source, each))
    for subject, attachments in find_attached(source, list(subjects), Inline()).items():
        found[subject] += attachments
    return {subject: _kinds(attachments) for subject, attachments in found.items()}


def _kinds(attachments: Iterable[Attachment]) -> tuple[str, ...]:
    """Each kind once."""
    kinds = (
        kind[:_LONGEST_KIND]
        for each in attachments
        for kind in each.kinds or (each.artifact_type or "something of no known kind",)
    )
    return tuple(islice(dict.fromkeys(kinds), _MOST_KINDS))
