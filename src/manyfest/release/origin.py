"""What an image was made from: which version, and which commit.

An image says so itself, in its manifest's annotations or in its labels. Where it does not, or says
something else, a record may vouch for it: an artifact that refers to the image and was attached to
it when it was staged (OCI image specification, "Guidelines for Artifact Usage").
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Self

from msgspec import Struct

from manyfest.build.metadata import PREFIX
from manyfest.copy import Item, manifest_content
from manyfest.errors import NotFound
from manyfest.graph import read_graph, read_manifest
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import OCI_EMPTY, OCI_MANIFEST
from manyfest.release.versions.version import Version
from manyfest.stores.base import Content, Refers, Source
from manyfest.stores.memory import MemoryStore

RECORD_TYPE = "application/vnd.manyfest.staged.v1"
"""The artifact type of a record that an image was staged as a version, from a commit."""

_VERSION, _REVISION = f"{PREFIX}version", f"{PREFIX}revision"
_NOTHING = b"{}"


class Origin(Struct, frozen=True):
    """A version, and a commit's full digest; empty is what is not known."""

    version: str
    revision: str

    @classmethod
    def of(cls, version: Version) -> Self:
        """What is made from this version's commit."""
        return cls(version.text, version.revision)


def said_by(image: Manifest, config: ImageConfig) -> Origin:
    """What an image says of itself. Its annotations are its own; labels may be those of its base,
    and are only asked where the annotations are silent."""
    return said_in({**config.config.labels, **image.body.annotations})


def said_in(annotations: Mapping[str, str]) -> Origin:
    """What annotations, or labels, say of what they are on."""
    return Origin(annotations.get(_VERSION, ""), annotations.get(_REVISION, ""))


def record_of(image: Manifest, origin: Origin) -> tuple[MemoryStore, Item]:
    """A record that vouches for ``image``, and what it is copied from. It is the same, byte for
    byte, whenever it is made."""
    named = {_VERSION: origin.version, _REVISION: origin.revision}
    subject, nothing = image.descriptor, Descriptor.of(_NOTHING, OCI_EMPTY)
    manifest = Manifest.of_image(
        Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            artifact_type=RECORD_TYPE,
            config=nothing,
            layers=(nothing,),
            subject=Descriptor(
                media_type=subject.media_type, digest=subject.digest, size=subject.size
            ),
            annotations={key: value for key, value in named.items() if value},
        )
    )
    store = MemoryStore("the staging record")
    store.put(Content(nothing, lambda: io.BytesIO(_NOTHING)))
    store.put(manifest_content(manifest))
    graph = read_graph(store, manifest.descriptor)
    return store, Item(graph=graph, subject=manifest.image.subject, accompanies=True)


def recorded(source: Source, image: Manifest) -> tuple[Origin, ...]:
    """What the records in ``source`` say that ``image`` was staged as."""
    if not isinstance(source, Refers):
        return ()
    found = []
    for entry in source.referrers(image.descriptor.digest):
        if entry.artifact_type != RECORD_TYPE:
            continue
        try:
            record = read_manifest(source, entry).body
        except NotFound:
            continue  # lists of referrers are not always tidied
        if record.subject is not None and record.subject.digest == image.descriptor.digest:
            found.append(said_in(record.annotations))
    return tuple(found)


def revisions_of(
    source: Source, image: Manifest, config: ImageConfig, wanted: Origin
) -> frozenset[str]:
    """The commits that ``image`` is known to be of, in the version that is wanted; none if nothing
    says that it is of that version. A commit is the empty string if the image was staged outside
    git. Records are asked for unless the image itself says what is ``wanted``."""
    said = said_by(image, config)
    if said.revision and said == Origin(wanted.version, wanted.revision or said.revision):
        return frozenset({said.revision})
    records = recorded(source, image)
    return frozenset(each.revision for each in records if each.version == wanted.version)
