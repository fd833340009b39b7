"""A release's journal in the registries: an artifact that refers to the released image (OCI image
specification 1.1, ``subject``), so that another machine can go on with a release, or take it back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manyfest.copy import Item, copy_graphs, manifest_content
from manyfest.errors import ContentError, NotFound
from manyfest.graph import read_graph, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import OCI_EMPTY, OCI_MANIFEST
from manyfest.release.resume.journal import Journal, parse_journal
from manyfest.stores.base import Refers, Source, Target, read_all
from manyfest.stores.memory import MemoryStore

ARTIFACT_TYPE = "application/vnd.manyfest.journal.v1+jsonl"

_EMPTY = b"{}"

_MOST_COPIES = 64
"""Of one release. Each attempt that learnt more leaves one, and others may put any number there."""

_LARGEST_COPY = 1024 * 1024
"""Bytes. A copy has a line for each moving tag, of some two hundred."""


def attach_copy(store: Target, subject: Descriptor, journal: Journal) -> None:
    """Put a copy of the journal into the repository that has ``subject``, to be found from there.
    One that is there already is not sent again.

    Raises what ``store`` raises.
    """
    # What an index says of the subject besides, its platform for one, is not the artifact's to say.
    subject = Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
    memory = MemoryStore("the journal")
    config, layer = (Descriptor.of(_EMPTY, OCI_EMPTY), Descriptor.of(journal.copy, ARTIFACT_TYPE))
    memory.blobs.update({config.digest: _EMPTY, layer.digest: journal.copy})
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=ARTIFACT_TYPE,
        config=config,
        layers=(layer,),
        subject=subject,
    )
    manifest = Manifest.of_image(body)
    memory.put(manifest_content(manifest))
    graph = read_graph(memory, manifest.descriptor)
    copy_graphs(memory, [Item(graph=graph, subject=subject)], store)


def read_copy(
    store: Source, subject: Digest, version: str, path: Path, say: Callable[[str], None]
) -> Journal | None:
    """The journal of the release of ``version`` that ``subject`` is, to be kept at ``path``;
    ``None`` if there is none. The same image may be another version's as well.

    Of several it is the longest: each holds what the one before it held. One that is damaged is
    left out, and that is said. Raises what ``store`` raises when it cannot answer.
    """
    referrers = store.referrers(subject) if isinstance(store, Refers) else ()
    copies = [each for each in referrers if each.artifact_type == ARTIFACT_TYPE]
    if len(copies) > _MOST_COPIES:
        say(f"{store.label}@{subject}: of {len(copies)} journals {_MOST_COPIES} are looked at")
    journals = (_read(store, each, path, say) for each in copies[:_MOST_COPIES])
    known = (each for each in journals if each is not None and each.began.version == version)
    return max(known, key=lambda journal: len(journal.copy), default=None)


def _read(
    store: Source, referrer: Descriptor, path: Path, say: Callable[[str], None]
) -> Journal | None:
    where = f"{store.label}@{referrer.digest}"
    try:
        (layer,) = read_manifest(store, referrer).image.layers
        raw = read_all(store, layer, limit=_LARGEST_COPY)
    except (ContentError, NotFound, ValueError) as error:
        say(f"{where}: a copy of the journal is damaged and left out: {error}")
        return None
    return parse_journal(raw, path, say, where=where)
