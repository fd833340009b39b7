"""``index.json`` of thousands of tags, changed without going through all of them.

To parse and to write it anew takes longer than everything else in the push of a manifest. So its
entries are kept as they are written, and a tag that is set replaces one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index
from manyfest.oci.reference import is_tag
from manyfest.stores.names import REF_NAME

_LIST = b'"manifests":['


class TagTable(Struct, frozen=True):
    """An index in which every entry has a tag of its own: what comes before and after its entries,
    each entry, and its digest."""

    head: bytes
    tail: bytes
    entries: Mapping[str, bytes]
    digests: Mapping[str, Digest]

    @classmethod
    def of(cls, index: Index) -> Self | None:
        """The table of an index; ``None`` if other entries are in it than those of our own."""
        entries: dict[str, bytes] = {}
        digests: dict[str, Digest] = {}
        for entry in index.manifests:
            tag = entry.annotations.get(REF_NAME, "")
            if tag in entries or not is_tag(tag):
                return None
            entries[tag], digests[tag] = json.dumps(entry), entry.digest
        head, found, tail = json.dumps(replace(index, manifests=())).partition(_LIST)
        return cls(head + found, tail, entries, digests)

    def with_tags(self, tags: Mapping[str, Descriptor]) -> TagTable:
        """The table with these tags set."""
        added = {tag: json.dumps(_named(entry, tag)) for tag, entry in tags.items()}
        digests = {tag: entry.digest for tag, entry in tags.items()}
        return replace(self, entries={**self.entries, **added}, digests={**self.digests, **digests})

    def written(self) -> bytes:
        """``index.json``."""
        return self.head + b",".join(self.entries.values()) + self.tail

    def __len__(self) -> int:
        return len(self.entries)


def _named(entry: Descriptor, tag: str) -> Descriptor:
    return replace(entry, annotations={REF_NAME: tag})
