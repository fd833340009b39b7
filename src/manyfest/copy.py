"""The one copy over a graph of content, from any store to any store.

Every command that moves content calls :func:`copy_graph`. Blobs go first, all at once; then
manifests, children before parents; a name is set last. So a name in the target never points at
something incomplete, and a copy that was interrupted can be run again: what is there is not sent
again, and what is missing below something that is there is.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from manyfest.errors import (
    AccessDenied,
    ContentError,
    ManyfestError,
    NotFound,
)
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.progress import NoProgress, Outcome, Progress
from manyfest.stores.base import (
    CHUNK_SIZE,
    Content,
    Gathers,
    Local,
    Mounts,
    Place,
    Plans,
    Reader,
    Source,
    Target,
    Verifies,
    VerifyingReader,
)
from manyfest.threads import together, workers

JOBS = 8
"""Transfers at the same time. The registry client has its own limit for each host."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: bytes that were moved, and how many things were not, as they were there
    already or came from a neighbouring repository."""

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
    if isinstance(target, Plans):
        target.plan(graph.descriptors)
    run = _Run(source, target, progress or NoProgress(), graph.labels())
    run.announce(graph)
    with workers(JOBS, "copy") as pool:
        largest_first = sorted(graph.blobs, key=lambda blob: -blob.size)
        together(pool, run.blob, largest_first, stop=run.give_up)
        groups = graph.bottom_up()
        # A registry takes the root under its first tag: one request less.
        for group in groups[:-1] if tags else groups:
            together(pool, run.manifest, group, stop=run.give_up)
    if tags:
        run.name(tags, graph.root)
    return Copied(graph.root.descriptor, run.sent, run.present, run.mounted)


def point(target: Target, tag: str, manifest: Manifest) -> bool:
    """Make ``tag`` in ``target`` name the manifest; ``False`` if it did already.

    What is below the manifest must be there.
    """
    # Some registries deny what is not there (Artifactory), and what is there may be damaged:
    # whether the name may be set, setting it tells.
    with suppress(NotFound, AccessDenied, ContentError):
        if target.resolve(tag).digest == manifest.descriptor.digest:
            return False
    target.tag(tag, manifest_content(manifest))
    return True


def missing(place: Place, graph: Graph) -> list[Descriptor]:
    """The parts of the graph that ``place`` does not have; asked several at a time."""
    with workers(JOBS, "look") as pool:
        held = pool.map(place.has, graph.descriptors)
        return [part for part, here in zip(graph.descriptors, held, strict=True) if not here]


def manifest_content(manifest: Manifest) -> Content:
    """A manifest's own bytes, to be stored."""
    return Content(manifest.descriptor, lambda: io.BytesIO(manifest.raw))


@dataclass
class _Run:
    """One copy under way."""

    source: Source
    target: Target
    progress: Progress
    labels: dict[Digest, str]
    sent: int = 0
    present: int = 0
    mounted: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def announce(self, graph: Graph) -> None:
        """Tell how much there is to do before doing it."""
        for descriptor in graph.descriptors:
            self._begin(descriptor)

    def give_up(self) -> None:
        """Make what is under way end at its next byte."""
        self._stop.set()

    def blob(self, descriptor: Descriptor) -> None:
        """Bring one configuration or layer into the target."""
        if self._stop.is_set():
            raise Stopped("another transfer failed")
        if self.target.has(descriptor):
            self._finished(descriptor, "present")
        elif self._mounted(descriptor):
            self._finished(descriptor, "mounted")
        else:
            self._send(Content(descriptor, lambda: self._open(descriptor)))

    def manifest(self, manifest: Manifest) -> None:
        """Bring one manifest into the target; all below it is there."""
        if self.target.has(manifest.descriptor):
            self._finished(manifest.descriptor, "present")
        else:
            self._send(manifest_content(manifest))

    def name(self, tags: Sequence[str], root: Manifest) -> None:
        """Point names at the root, those that do not yet; the first takes it along."""
        moved = [tag for tag in tags if point(self.target, tag, root)]
        self._finished(root.descriptor, "done" if moved else "present")

    def _mounted(self, descriptor: Descriptor) -> bool:
        """Whether the target could take the content from a neighbour."""
        if not isinstance(self.target, Mounts):
            return False
        origin = self.source
        if isinstance(origin, Gathers):
            origin = origin.origin(descriptor)
        return self.target.mount(descriptor, origin)

    def _send(self, content: Content) -> None:
        try:
            self.target.put(content)
        except ContentError as error:
            # The other side refused it: if it is damaged here, that is the better message.
            if error.where != self.source.label:
                self._check_source(content)
            raise
        self._finished(content.descriptor, "done")

    def _begin(self, descriptor: Descriptor) -> None:
        label = self.labels[descriptor.digest]
        self.progress.begin(str(descriptor.digest), label, descriptor.size)

    def _open(self, descriptor: Descriptor) -> Reader:
        item = str(descriptor.digest)
        self._begin(descriptor)
        reader: Reader = self.source.open(descriptor)
        if isinstance(self.target, Verifies) and not isinstance(self.source, Local):
            reader = VerifyingReader(reader, descriptor, where=self.source.label)
        return ReportedReader(
            reader, self._stop, lambda amount: self.progress.advance(item, amount)
        )

    def _check_source(self, content: Content) -> None:
        reader = VerifyingReader(content.open(), content.descriptor, where=self.source.label)
        try:
            while reader.read(CHUNK_SIZE):
                pass
        finally:
            reader.close()

    def _finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        with self._lock:
            self.sent += descriptor.size if outcome == "done" else 0
            self.present += outcome == "present"
            self.mounted += outcome == "mounted"
        self.progress.finish(str(descriptor.digest), outcome)


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

    def close(self) -> None:
        self._reader.close()
