"""The one copy over a graph of content, from any store to any store.

Every command that moves content calls :func:`copy_graphs`, most of them by way of
:func:`copy_graph`. Blobs go first, all at once; then manifests, children before parents; a name
is set last. So a name in the target never points at something incomplete, and a copy that was
interrupted can be run again: what is there is not sent again, and what is missing below something
that is there is.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TypeVar

from msgspec import Struct

from manyfest.errors import (
    AccessDenied,
    ContentError,
    ManyfestError,
    NotFound,
    PartsMissing,
    Unsupported,
)
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.progress import NoProgress, Outcome, Progress
from manyfest.stores.base import (
    CHUNK_SIZE,
    Attaches,
    Compares,
    Content,
    Gathers,
    Local,
    Mounts,
    Ordered,
    Place,
    Plans,
    Reader,
    Settles,
    Source,
    Target,
    Verifies,
    VerifyingReader,
    pass_over,
)
from manyfest.stores.referrers import as_referrer
from manyfest.threads import together, workers

T = TypeVar("T")

JOBS = 8
"""Transfers at the same time. The registry client has its own limit for each host."""


class Item(Struct, frozen=True, kw_only=True):
    """A graph to copy and the names that it gets.

    With a ``subject`` it is something that refers to that manifest, to be found from there. Items
    that ``accompany`` others, as signatures do, are in place before the others get their names.
    """

    graph: Graph
    tags: tuple[str, ...] = ()
    subject: Descriptor | None = None
    accompanies: bool = False


class Copied(Struct, frozen=True):
    """What a copy did: bytes that were moved, and how many things were not, as they were there
    already or came from a neighbouring repository. ``root`` is what was copied; of several, the
    last."""

    root: Descriptor
    sent: int
    present: int
    mounted: int


class Stopped(ManyfestError):
    """A transfer was given up because another one failed, or the user interrupted."""


def copy(
    source: Source,
    name: str,
    target: Target,
    tags: Sequence[str] = (),
    *,
    progress: Progress | None = None,
) -> Copied:
    """Copy what ``name`` means in ``source``, whole, to ``target``, and set ``tags`` there.

    Raises what the stores raise; the target then has no new name.
    """
    graph = read_graph(source, source.resolve(name))
    return copy_graph(source, graph, target, tags, progress=progress)


def copy_graph(
    source: Source,
    graph: Graph,
    target: Target,
    tags: Sequence[str] = (),
    *,
    progress: Progress | None = None,
) -> Copied:
    """Copy a graph that was read from ``source``; see :func:`copy`."""
    return copy_graphs(source, [Item(graph=graph, tags=tuple(tags))], target, progress=progress)


def copy_graphs(
    source: Source,
    items: Sequence[Item],
    target: Target,
    *,
    progress: Progress | None = None,
) -> Copied:
    """Copy several graphs that were read from ``source``; what they share is moved once."""
    run = _Run(source, target, progress or NoProgress(), items)
    run.announce()
    jobs = 1 if _is_ordered(target) else JOBS
    with workers(jobs, "copy") as pool:
        together(pool, run.blob, run.blobs(), stop=run.give_up)
        for group in _groups(items):
            together(pool, run.manifest, group, stop=run.give_up)
        for turn in _turns(items):
            together(pool, run.place, turn, stop=run.give_up)
    return Copied(items[-1].graph.root.descriptor, run.sent, run.present, run.mounted)


def point(target: Target, tag: str, manifest: Manifest) -> bool:
    """Make ``tag`` in ``target`` name the manifest, and see that it does; ``False`` if it did
    already. What is below the manifest must be there.
    """
    is_named = means(target, tag, manifest.descriptor.digest)
    # In a folder somebody may have lost what its index still names.
    if is_named and (not isinstance(target, Local) or target.has(manifest.descriptor)):
        return False
    target.tag(tag, manifest_content(manifest))
    if isinstance(target, Settles):
        target.settle(tag, manifest.descriptor.digest)
    return True


def meaning(place: Place, tag: str) -> Digest | None:
    """What ``tag`` means now; ``None`` if it means nothing that can be seen. Whether it may be set,
    setting it tells."""
    # Some registries deny a tag that is not there (Artifactory), and what is there may be damaged.
    with suppress(NotFound, AccessDenied, ContentError):
        return place.resolve(tag).digest
    return None


def means(place: Place, tag: str, digest: Digest) -> bool:
    """Whether ``tag`` means ``digest`` now, as far as can be seen: see :func:`meaning`."""
    if not isinstance(place, Compares):
        return meaning(place, tag) == digest
    with suppress(NotFound, AccessDenied, ContentError):
        return place.means(tag, digest)
    return False


def missing(place: Place, graph: Graph) -> list[Descriptor]:
    """The parts of the graph that ``place`` does not have; asked several at a time."""
    with workers(JOBS, "look") as pool:
        held = pool.map(place.has, graph.descriptors)
        return [part for part, here in zip(graph.descriptors, held, strict=True) if not here]


def manifest_content(manifest: Manifest) -> Content:
    """A manifest's own bytes, to be stored."""
    return Content(manifest.descriptor, lambda: io.BytesIO(manifest.raw))


def _is_ordered(target: Target) -> bool:
    return isinstance(target, Ordered) and target.ordered


def _groups(items: Sequence[Item]) -> list[list[Manifest]]:
    """All manifests, each once; what one points at is in the groups before its own.

    A root that gets a name is not among them: a registry takes it under its first tag, which is
    one request less.
    """
    groups: list[dict[Digest, Manifest]] = []
    for item in items:
        own = item.graph.bottom_up()
        own = own[:-1] if item.tags else own
        groups.extend({} for _ in range(len(own) - len(groups)))
        for group, manifests in zip(groups, own, strict=False):
            group.update({manifest.descriptor.digest: manifest for manifest in manifests})
    seen: set[Digest] = set()
    found: list[list[Manifest]] = []
    for group in groups:
        found.append([manifest for digest, manifest in group.items() if digest not in seen])
        seen.update(group)
    return found


def _turns(items: Sequence[Item]) -> list[list[Item]]:
    """What is placed at the same time. What accompanies others comes before them, and an image
    before an index that has it: docker-registry may find it torn while its name is being set, and
    refuse the index (400 DIGEST_INVALID)."""
    turns: dict[tuple[bool, int], list[Item]] = {}
    for item in items:
        height = len(item.graph.bottom_up())
        turns.setdefault((not item.accompanies, height), []).append(item)
    return [turns[turn] for turn in sorted(turns)]


class _Run:
    """One copy under way."""

    def __init__(
        self, source: Source, target: Target, progress: Progress, items: Sequence[Item]
    ) -> None:
        self.sent = 0
        self.present = 0
        self.mounted = 0
        self._source = source
        self._target = target
        self._progress = progress
        self._parts: dict[Digest, Descriptor] = {}
        self._labels: dict[Digest, str] = {}
        self._new: set[Digest] = set()
        self._manifests: dict[Digest, Manifest] = {}
        for item in items:
            self._labels = item.graph.labels() | self._labels
            for part in item.graph.descriptors:
                self._parts.setdefault(part.digest, part)
            for manifest in item.graph.manifests:
                self._manifests[manifest.descriptor.digest] = manifest
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def announce(self) -> None:
        """Tell how much there is to do before doing it."""
        if isinstance(self._target, Plans):
            self._target.plan(tuple(self._parts.values()))
        for descriptor in self._parts.values():
            self._begin(descriptor)

    def blobs(self) -> list[Descriptor]:
        """Each blob once, the largest first: the others fit in beside them."""
        found = [part for part in self._parts.values() if part.digest not in self._manifests]
        if _is_ordered(self._target):
            return found
        return sorted(found, key=lambda blob: -blob.size)

    def give_up(self) -> None:
        """Make what is under way end at its next byte."""
        self._stop.set()

    def blob(self, descriptor: Descriptor) -> None:
        """Bring one configuration or layer into the target."""
        if self._stop.is_set():
            raise Stopped("another transfer failed")
        if self._target.has(descriptor):
            self._finished(descriptor, "present")
        elif self._mounted(descriptor):
            self._finished(descriptor, "mounted")
        else:
            self._send(self._content(descriptor))
            self._finished(descriptor, "done")

    def manifest(self, manifest: Manifest) -> None:
        """Bring one manifest into the target; all below it is there. Where some of that was not
        there before, nobody has to ask for the manifest."""
        is_below_new = any(child.digest in self._new for child in manifest.children)
        if not is_below_new and self._target.has(manifest.descriptor):
            self._finished(manifest.descriptor, "present")
        else:
            self._mended(manifest, lambda: self._send(manifest_content(manifest)))
            self._finished(manifest.descriptor, "done")

    def place(self, item: Item) -> None:
        """Let a graph, all of which is there but perhaps its root, be found."""
        root = item.graph.root
        moved = [tag for tag in item.tags if self._mended(root, partial(self._point, tag, root))]
        if item.tags:
            self._finished(root.descriptor, "done" if moved else "present")
        if item.subject is not None and isinstance(self._target, Attaches):
            self._target.attach(item.subject, as_referrer(root))

    def _point(self, tag: str, root: Manifest) -> bool:
        return point(self._target, tag, root)

    def _mended(self, manifest: Manifest, store: Callable[[], T]) -> T:
        """Store the manifest; if the target says then that parts are missing which it said it
        had, they are sent again, and it is stored once more."""
        try:
            return store()
        except PartsMissing:
            self._send_below(manifest)
            return store()

    def _send_below(self, manifest: Manifest) -> None:
        """Send everything below the manifest, asking nothing."""
        for child in manifest.children:
            if not child.is_manifest:
                self._send(self._content(child))
                continue
            if child.digest not in self._manifests:
                raise Unsupported(
                    f"it takes no index with a gap, and {child.digest} is left out",
                    where=self._target.label,
                    mend="leave out --sparse: the platforms then get an index of their own",
                )
            below = self._manifests[child.digest]
            self._send_below(below)
            self._send(manifest_content(below))

    def _mounted(self, descriptor: Descriptor) -> bool:
        """Whether the target could take the content from a neighbour."""
        if not isinstance(self._target, Mounts):
            return False
        return self._target.mount(descriptor, self._origin(descriptor))

    def _origin(self, descriptor: Descriptor) -> Source:
        """The store that the content comes from."""
        if isinstance(self._source, Gathers):
            return self._source.origin(descriptor)
        return self._source

    def _content(self, descriptor: Descriptor) -> Content:
        return Content(descriptor, lambda: self._open(descriptor))

    def _send(self, content: Content) -> None:
        try:
            self._target.put(content)
        except ContentError as error:
            # The other side refused it: if it is damaged here, that is the better message.
            origin = self._origin(content.descriptor)
            if error.where != origin.label:
                _check(content, origin)
            raise

    def _begin(self, descriptor: Descriptor) -> None:
        label = self._labels[descriptor.digest]
        self._progress.begin(str(descriptor.digest), label, descriptor.size)

    def _open(self, descriptor: Descriptor) -> Reader:
        item = str(descriptor.digest)
        self._begin(descriptor)
        origin = self._origin(descriptor)
        reader: Reader = origin.open(descriptor)
        if isinstance(self._target, Verifies) and not isinstance(origin, Local):
            reader = VerifyingReader(reader, descriptor, where=origin.label)
        return ReportedReader(
            reader, self._stop, lambda amount: self._progress.advance(item, amount)
        )

    def _finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        with self._lock:
            self.sent += descriptor.size if outcome == "done" else 0
            self.present += outcome == "present"
            self.mounted += outcome == "mounted"
            if outcome != "present":
                self._new.add(descriptor.digest)
        self._progress.finish(str(descriptor.digest), outcome)


def _check(content: Content, origin: Source) -> None:
    """Read all of it. Raises :class:`~manyfest.errors.DigestMismatch` if it is damaged there."""
    reader = VerifyingReader(content.open(), content.descriptor, where=origin.label)
    with closing(reader):
        while reader.read(CHUNK_SIZE):
            pass


class ReportedReader:
    """A reader that tells how much went through it, and ends once ``stop`` is set."""

    def __init__(
        self, reader: Reader, stop: threading.Event, advance: Callable[[int], None]
    ) -> None:
        self._reader = reader
        self._stop = stop
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        if self._stop.is_set():
            raise Stopped("it was given up")
        chunk = self._reader.read(size)
        self._advance(len(chunk))
        return chunk

    def skip(self, count: int, /) -> None:
        """See :class:`~manyfest.stores.base.Skips`. What is skipped counts: it was sent before."""
        pass_over(self._reader, count)
        self._advance(count)

    def close(self) -> None:
        self._reader.close()
