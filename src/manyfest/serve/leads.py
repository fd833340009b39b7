"""Which manifest of a repository leads to which others: an index to its entries, and each to what
refers to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from graphlib import CycleError, TopologicalSorter

from msgspec import Struct

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest


class Leads(Struct, frozen=True):
    """The manifests of a repository, each with all ``parts`` that it names, and the ``referrers``
    of each."""

    parts: dict[Digest, tuple[Digest, ...]]
    referrers: dict[Digest, list[Digest]]

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> Leads:
        """What these say."""
        parts: dict[Digest, tuple[Digest, ...]] = {}
        referrers: defaultdict[Digest, list[Digest]] = defaultdict(list)
        once: dict[Digest, Digest] = {}  # thousands of images may have one layer
        for manifest in manifests:
            digest, subject = manifest.descriptor.digest, manifest.body.subject
            parts[digest] = tuple(once.setdefault(part, part) for part in _parts(manifest))
            if subject is not None:
                referrers[subject.digest].append(digest)
        return cls(parts, referrers)

    def reached(self, roots: Iterable[Digest], known: Set[Digest] = frozenset()) -> set[Digest]:
        """These, and all that they lead to, blobs as well; without what is ``known``."""
        found: set[Digest] = set()
        pending = list(roots)
        while pending:
            digest = pending.pop()
            if digest not in known and digest not in found:
                found.add(digest)
                pending += self.parts.get(digest, ())
                pending += self.referrers.get(digest, ())
        return found

    def named(self, manifests: Iterable[Digest]) -> set[Digest]:
        """These manifests, and all that they name."""
        return {each for digest in manifests for each in (digest, *self.parts.get(digest, ()))}

    def in_order(self, manifests: set[Digest]) -> Iterator[Digest]:
        """Each of them before what it points at and, unless that leads round in a circle, before
        what refers to it."""
        before: defaultdict[Digest, set[Digest]] = defaultdict(set)
        for digest in manifests:
            for part in manifests.intersection(self.parts[digest]):
                before[part].add(digest)
        both = {digest: before[digest].copy() for digest in manifests}
        for subject in manifests:
            for referrer in manifests.intersection(self.referrers.get(subject, ())):
                both[referrer].add(subject)
        try:
            yield from tuple(TopologicalSorter(both).static_order())
        except CycleError:  # an index that refers to one of its entries
            yield from TopologicalSorter({each: before[each] for each in manifests}).static_order()


def _parts(manifest: Manifest) -> Iterator[Digest]:
    """Foreign layers too: some clients push them all the same."""
    if isinstance(manifest.body, Image):
        yield manifest.body.config.digest
        yield from (layer.digest for layer in manifest.body.layers)
    else:
        yield from (entry.digest for entry in manifest.body.manifests)
