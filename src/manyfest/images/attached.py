"""What is attached to an image: signatures, bills of materials, attestations, by their kinds.

They are found and named here, never verified: anyone who may push may attach anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from typing import Literal

import msgspec

from manyfest.errors import NotFound
from manyfest.graph import READERS, read_manifest
from manyfest.images.companions import few_tags, find_tagged, referrers_of
from manyfest.images.kinds import kind_of, kinds_of
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import Source
from manyfest.threads import workers

_BY_SUFFIX = {
    "sig": "signature (cosign)",
    "att": "attestation (cosign)",
    "sbom": "SBOM (cosign)",
}


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is attached to an image. ``kinds`` says what it is, for people, and is empty
    if that is not known; ``found_by`` where it was found: in the ``index``, among the
    ``referrers``, under a ``tag``."""

    kinds: tuple[str, ...]
    digest: str
    artifact_type: str
    found_by: Literal["index", "referrers", "tag"]


def find_attached(
    source: Source, subjects: Sequence[Digest], executor: Executor | None = None
) -> dict[Digest, tuple[Attachment, ...]]:
    """What refers to each of these manifests: one request for the referrers of each, and one for
    all of cosign's tags unless the repository has very many. They are made by ``executor``, or
    several at a time."""
    if not subjects:
        return {}
    with nullcontext(executor) if executor else workers(READERS, "attached") as pool:
        referring = pool.map(lambda subject: _referrers(source, subject), subjects)
        tagged: dict[Digest, list[Attachment]] = {subject: [] for subject in subjects}
        for subject, attachment in _tagged(source, pool, subjects):
            tagged[subject].append(attachment)
        return {
            subject: _once([*referrers, *tagged[subject]])
            for subject, referrers in zip(subjects, referring, strict=True)
        }


def attestation(source: Source, entry: Descriptor) -> Attachment:
    """What one of BuildKit's attestations holds."""
    try:
        kinds = kinds_of(read_manifest(source, entry)) or ("attestation (BuildKit)",)
    except NotFound:
        kinds = ("attestation (missing)",)
    return Attachment(
        kinds=kinds, digest=str(entry.digest), artifact_type=entry.artifact_type, found_by="index"
    )


def _referrers(source: Source, subject: Digest) -> list[Attachment]:
    return [
        Attachment(
            kinds=tuple(filter(None, [kind_of(each.artifact_type, each.annotations)])),
            digest=str(each.digest),
            artifact_type=each.artifact_type,
            found_by="referrers",
        )
        for each in referrers_of(source, subject)
    ]


def _tagged(
    source: Source, pool: Executor, subjects: Sequence[Digest]
) -> Iterator[tuple[Digest, Attachment]]:
    """What cosign has put under tags of its own."""
    tagged = list(find_tagged(source, pool, subjects, few_tags(source)))
    found = pool.map(lambda each: _cosign(source, each[1], each[2]), tagged)
    for (subject, _, _), attachment in zip(tagged, found, strict=True):
        if attachment is not None:
            yield subject, attachment


def _cosign(source: Source, tag: str, root: Descriptor) -> Attachment | None:
    with suppress(NotFound):  # it may be gone by now
        manifest = read_manifest(source, root)
        return Attachment(
            kinds=kinds_of(manifest) or (_BY_SUFFIX[tag.rpartition(".")[2]],),
            digest=str(manifest.descriptor.digest),
            artifact_type=manifest.body.artifact_type,
            found_by="tag",
        )
    return None


def _once(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """An artifact may be found in two ways."""
    found: dict[str, Attachment] = {}
    for each in attachments:
        found.setdefault(each.digest, each)
    return tuple(found.values())
