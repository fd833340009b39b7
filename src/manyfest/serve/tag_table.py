"""``index.json`` of thousands of tags, changed without parsing and writing anew what stays.

That takes longer than everything else in the push of a manifest. So its entries are kept as they
are written, and a tag that is set replaces one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from manyfest.oci import json
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_LAYOUT_ENTRIES
from manyfest.oci.manifest import Index
from manyfest.oci.reference import is_tag
from manyfest.serve.tag_change import TagChange
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

    def changed(self, changes: Sequence[TagChange]) -> TagTable:
        """The table after all changes, one after the other."""
        entries, digests = dict(self.entries), dict(self.digests)
        for change in changes:
            if change.removes is not None:
                gone = [tag for tag, digest in digests.items() if change.removes(tag, digest)]
                for tag in gone:
                    del entries[tag], digests[tag]
                continue
            new = sum(tag not in entries for tag in change.tags)
            change.refused = len(entries) + new > MAX_LAYOUT_ENTRIES
            if change.refused:
                continue
            for tag, entry in change.tags.items():
                entries[tag] = json.dumps(replace(entry, annotations={REF_NAME: tag}))
                digests[tag] = entry.digest
        return replace(self, entries=entries, digests=digests)

    def written(self) -> bytes:
        """``index.json``, copied together once: it may have many megabytes."""
        parts = list(self.entries.values()) or [b""]
        parts[0] = self.head + parts[0]
        parts[-1] += self.tail
        return b",".join(parts)
