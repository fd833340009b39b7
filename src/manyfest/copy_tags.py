"""Many tags of one repository at once: what differs is copied, what does not is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from manyfest.companions import companions
from manyfest.copy import Item, copy_graphs
from manyfest.errors import AccessDenied, ContentError, ManyfestError, NotFound
from manyfest.graph import READERS, Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import Place, Source, Target
from manyfest.threads import workers

LOOKS = 16
"""Tags looked up at the same time, at both sides together. The registry client has its own limit
for each host."""

BATCH = 32
"""Images whose manifests are in memory together."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Which tags mean something else at the target, or nothing, and which are the same.

    ``unreadable`` could not be looked up at the source.
    """

    moved: dict[str, Descriptor] = field(default_factory=dict)
    same: dict[str, Descriptor] = field(default_factory=dict)
    unreadable: dict[str, ManyfestError] = field(default_factory=dict)


@dataclass(slots=True)
class CopiedTags:
    """What came of it: the tags that were set, and why others could not be; bytes sent."""

    copied: list[str] = field(default_factory=list)
    failed: dict[str, ManyfestError] = field(default_factory=dict)
    sent: int = 0


def differences(source: Source, target: Place, tags: Iterable[str]) -> Differences:
    """Compare the tags by one HEAD request at each side."""
    found = Differences()
    with workers(LOOKS, "look") as pool:
        asked = [
            (tag, pool.submit(source.resolve, tag), _looked_up(pool, target, tag)) for tag in tags
        ]
        for tag, here, there in asked:
            try:
                root = here.result()
            except (NotFound, ContentError) as error:
                found.unreadable[tag] = error
                continue
            side = found.same if there.result() == root.digest else found.moved
            side[tag] = root
    return found


def _looked_up(pool: Executor, target: Place, tag: str) -> Future[Digest | None]:
    def look() -> Digest | None:
        # What cannot be seen there now, setting it will tell.
        with suppress(NotFound, AccessDenied, ContentError):
            return target.resolve(tag).digest
        return None

    return pool.submit(look)


def copy_tags(
    source: Source,
    tags: dict[str, Descriptor],
    target: Target,
    *,
    referrers: bool = True,
    progress: Progress | None = None,
) -> CopiedTags:
    """Copy what ``tags`` mean in ``source``, and set them.

    An image that cannot be read does not keep the others from being copied; a target that fails
    does, and its error is raised.
    """
    result = CopiedTags()
    named: dict[Digest, list[str]] = {}
    for tag, root in tags.items():
        named.setdefault(root.digest, []).append(tag)
    roots = {root.digest: root for root in tags.values()}
    for batch in _batches(roots.values()):
        items: list[Item] = []
        for root, graph in _read(source, batch):
            if isinstance(graph, Graph):
                items.append(Item(graph=graph, tags=tuple(named[root.digest])))
            else:
                result.failed |= dict.fromkeys(named[root.digest], graph)
        if items:
            along = companions(source, [item.graph for item in items]) if referrers else []
            copied = copy_graphs(
                source, [*along, *items], target, progress=progress or NoProgress()
            )
            result.copied += (tag for item in items for tag in item.tags)
            result.sent += copied.sent
    return result


def _batches(roots: Iterable[Descriptor]) -> Iterator[list[Descriptor]]:
    each = iter(roots)
    while batch := list(islice(each, BATCH)):
        yield batch


def _read(
    source: Source, roots: Sequence[Descriptor]
) -> Iterator[tuple[Descriptor, Graph | ManyfestError]]:
    def read(root: Descriptor) -> Graph | ManyfestError:
        try:
            return read_graph(source, root)
        except (NotFound, ContentError) as error:
            return error

    with workers(READERS, "read") as pool:
        yield from zip(roots, pool.map(read, roots), strict=True)
