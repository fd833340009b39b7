"""What goes along with an image: its signatures, bills of materials and attestations.

They are found in three ways: by the list of referrers (OCI distribution specification 1.1,
"Listing Referrers"), which a store answers from its own index or from the fallback tag; by
cosign's tags, ``sha256-<hex>.sig``, ``.att`` and ``.sbom``; and inside an index, where they are
among its manifests and copied with them anyway.

Asking costs, for images that have none too: one request for the referrers of each manifest, and
one for the list of tags, which tells what cosign has put there for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from itertools import islice

from msgspec.structs import replace

from manyfest.copy import Item
from manyfest.errors import AccessDenied, InvalidManifest, NotFound, RegistryError
from manyfest.graph import MAX_MANIFEST_BYTES, READERS, Graph, read_graph, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES
from manyfest.oci.reference import is_tag
from manyfest.stores.base import Lists, Refers, Source
from manyfest.threads import batches, workers

COSIGN_SUFFIXES = ("sig", "att", "sbom")

FEW_TAGS = 1000
"""As many tags as a registry puts on one page. If there are fewer, the list tells which of cosign's
there are; otherwise those are asked for one by one."""

MAX_DEPTH = 4
"""Signatures of bills of materials of images, and so on."""

_LEAVE = "leave what refers to it behind with --no-referrers"


def companions(
    source: Source, graphs: Iterable[Graph], *, tags: Collection[str] | None = None
) -> list[Item]:
    """Everything that refers to a manifest in ``graphs``, and what refers to that, to be copied
    with them. ``tags`` are all that ``source`` has, if they are known already.

    Raises :class:`~manyfest.errors.InvalidManifest` if there is no end to it, or for something
    that cannot be copied.
    """
    found = _Found(source)
    subjects = found.new_subjects(graphs)
    with workers(READERS, "companions") as pool:
        if tags is None:
            tags = few_tags(source)
        for _ in range(MAX_DEPTH + 1):
            items = [found.add(item) for item in _referring(source, pool, subjects, tags)]
            subjects = found.new_subjects(item.graph for item in items)
            if not subjects:
                return list(found.items.values())
    raise found.endless()


def listed_companions(source: Source, root: Descriptor) -> list[Item]:
    """What a list of referrers names and is there, to be attached to what it refers to.

    Raises as :func:`companions` does.
    """
    found = _Found(source)
    listed = read_manifest(source, root).index.manifests
    with workers(READERS, "companions") as pool:
        for batch in batches(listed, READERS):
            for item in pool.map(lambda entry: _item(source, entry, None, ""), batch):
                subject = item.graph.root.body.subject if item is not None else None
                if item is not None and subject is not None:
                    found.add(replace(item, subject=subject))
    return list(found.items.values())


def few_tags(source: Source) -> frozenset[str] | None:
    """All tags; ``None`` if there are too many, or if they are not to be had."""
    if isinstance(source, Lists):
        with suppress(NotFound, RegistryError):
            tags = frozenset(islice(source.tags(), FEW_TAGS))
            return tags if len(tags) < FEW_TAGS else None
    return None


def cosign_tags(subject: Digest) -> tuple[str, ...]:
    """Under which tags cosign puts what it says of an image."""
    tags = (f"{subject.algorithm}-{subject.hex}.{suffix}" for suffix in COSIGN_SUFFIXES)
    return tuple(filter(is_tag, tags))  # those of sha512 would be too long


def find_tagged(
    source: Source, pool: Executor, subjects: Iterable[Digest], tags: Collection[str] | None
) -> Iterator[tuple[Digest, str, Descriptor]]:
    """What cosign has put under tags of its own: the subject, the tag, and what it means.

    ``tags`` are all that ``source`` has; ``None`` if that is not known.
    """
    # Some registries deny a tag that is not there (Artifactory).
    absent = (NotFound, AccessDenied) if tags is None else (NotFound,)

    def resolve(tag: str) -> Descriptor | None:
        with suppress(*absent):
            return source.resolve(tag)
        return None

    wanted = [
        (subject, tag)
        for subject in subjects
        for tag in cosign_tags(subject)
        if tags is None or tag in tags
    ]
    found = pool.map(resolve, [tag for _, tag in wanted])
    for (subject, tag), root in zip(wanted, found, strict=True):
        if root is not None:
            yield subject, tag, root


class _Found:
    """What was found so far, each once, and kept within bounds."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[Digest] = set()
        self._parts = 0
        self._bytes = 0
        self.items: dict[tuple[Digest, str, Digest | None], Item] = {}

    def new_subjects(self, graphs: Iterable[Graph]) -> list[Descriptor]:
        """The manifests in these graphs that were in none before."""
        each = {m.descriptor.digest: m.descriptor for graph in graphs for m in graph.manifests}
        new = [descriptor for digest, descriptor in each.items() if digest not in self._seen]
        self._seen.update(each)
        return new

    def add(self, item: Item) -> Item:
        """Keep it. A manifest may refer to one and be tagged for another."""
        subject = item.subject.digest if item.subject else None
        self.items[item.graph.root.descriptor.digest, "".join(item.tags), subject] = item
        self._parts += len(item.graph.descriptors)
        self._bytes += sum(len(manifest.raw) for manifest in item.graph.manifests)
        if self._parts > MAX_GRAPH_NODES or self._bytes > MAX_MANIFEST_BYTES:
            raise self.endless()
        return item

    def endless(self) -> InvalidManifest:
        """There is no end to it, or none that is worth waiting for."""
        return InvalidManifest(
            f"what refers to it goes more than {MAX_DEPTH} deep, or has no end",
            where=self._source.label,
            mend=_LEAVE,
        )


def _referring(
    source: Source, pool: Executor, subjects: Sequence[Descriptor], tags: Collection[str] | None
) -> Iterator[Item]:
    """What refers to these manifests."""
    listed = pool.map(lambda subject: referrers_of(source, subject.digest), subjects)
    wanted: list[tuple[Descriptor, Descriptor | None, str]] = [
        (referrer, subject, "")
        for subject, referrers in zip(subjects, listed, strict=True)
        for referrer in referrers
    ]
    tagged = find_tagged(source, pool, [subject.digest for subject in subjects], tags)
    wanted += ((root, None, tag) for _, tag, root in tagged)
    # A few at a time: whoever asks may have had enough.
    for batch in batches(wanted, READERS):
        items = pool.map(lambda each: _item(source, *each), batch)
        yield from (item for item in items if item is not None)


def referrers_of(source: Source, subject: Digest) -> Sequence[Descriptor]:
    """What the source lists as referring to a manifest; nothing if it keeps no such lists."""
    return source.referrers(subject) if isinstance(source, Refers) else ()


def _item(source: Source, root: Descriptor, subject: Descriptor | None, tag: str) -> Item | None:
    """Something that refers to ``subject``, or is what ``tag`` means; ``None`` if it is not here
    any more or refers to something else."""
    try:
        graph = read_graph(source, root)
    except NotFound:
        if source.has(root):
            raise  # something below it is missing
        return None  # lists of referrers are not always tidied
    except InvalidManifest as error:
        raise InvalidManifest(error.what, where=error.where, mend=_LEAVE) from None
    refers_to = graph.root.body.subject
    if subject is not None and (refers_to is None or refers_to.digest != subject.digest):
        return None
    return Item(graph=graph, tags=(tag,) if tag else (), subject=subject, accompanies=True)
