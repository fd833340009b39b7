"""The content goes to every repository, by digest only; no public tag changes yet.

What several repositories of one registry get is sent to the first of them; the others take it from
there. So each registry gets each blob once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from manyfest.copy import JOBS, Stopped, copy_graph, missing
from manyfest.errors import ReleaseError
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.progress import Outcome, Progress
from manyfest.release.destinations import Destination
from manyfest.release.steps.moves import fixed_moves, manifest_for, refuse_taken
from manyfest.release.steps.step import Release, Step
from manyfest.stores.base import Mounts, Source, Store
from manyfest.stores.registry.settling import PAUSES
from manyfest.threads import together, workers


def _check(release: Release) -> str:
    if not release.settled:
        # Each is looked at once more just before it is set.
        is_known = release.looked == release.built.digest
        refuse_taken(release.planned if is_known else fixed_moves(release))
    places = release.destinations
    graphs = [_graph(release, place) for place in places]

    def lacks(place: Destination, graph: Graph) -> bool:
        store = release.stores.registry(place, writing=True)
        # Where the root is missing, the rest is looked for when it is sent.
        has_root = release.settled or store.has(graph.root.descriptor)
        return not has_root or bool(missing(store, graph))

    with workers(len(places), "look") as pool:
        if any(pool.map(lacks, places, graphs)):
            return ""
    release.sent = {place.place: 0 for place in places}
    return f"all {len(release.built.graph.descriptors)} parts are there; 0 bytes uploaded"


def _run(release: Release) -> str:
    registries: dict[str, list[Destination]] = {}
    for place in release.destinations:
        registries.setdefault(place.registry, []).append(place)
    ended = threading.Event()

    def publish(places: Sequence[Destination]) -> list[int]:
        return _publish_to_registry(release, places, ended)

    with workers(len(registries), "publish") as pool:
        sent = together(pool, publish, registries.values(), stop=ended.set)
    for places, amounts in zip(registries.values(), sent, strict=True):
        release.sent |= {place.place: amount for place, amount in zip(places, amounts, strict=True)}
    return f"{sum(map(sum, sent)):,} bytes uploaded, verified in the registry"


def _publish_to_registry(
    release: Release, places: Sequence[Destination], ended: threading.Event
) -> list[int]:
    """Publish to repositories of one registry. Bytes that were sent to each."""
    first, *others = places
    sent = [_publish(release, first, None, ended)]
    if others:
        neighbour = release.stores.registry(first, writing=True)

        def publish(place: Destination) -> int:
            return _publish(release, place, neighbour, ended)

        with workers(len(others), "publish") as pool:
            sent += together(pool, publish, others, stop=ended.set)
    return sent


def _publish(
    release: Release, place: Destination, neighbour: Source | None, ended: threading.Event
) -> int:
    """Copy, then ask the registry for every part by its digest. Bytes that were sent.

    ``neighbour`` is a repository of the same registry that has all of it.
    """
    prefix = "" if len(release.destinations) == 1 else f"{place.place} "
    progress = _Share(release.progress, prefix, ended)
    store = release.stores.registry(place, writing=True)
    graph = _graph(release, place)
    if neighbour is not None:
        _mount(store, graph, neighbour)
    copied = copy_graph(release.built.source, graph, store, progress=progress)
    absent = _absent(store, graph, release.sleep)
    if absent:
        raise ReleaseError(
            f"the registry took {absent[0].digest} and now does not have it",
            where=place.place,
            mend="run the same command again",
        )
    return copied.sent


def _absent(store: Store, graph: Graph, sleep: Callable[[float], None]) -> list[Descriptor]:
    """What the registry lacks, even after it had time: some show a little later what they took."""
    absent = missing(store, graph)
    for pause in PAUSES:
        if not absent:
            break
        sleep(pause)
        absent = [part for part in absent if not store.has(part)]
    return absent


def _graph(release: Release, place: Destination) -> Graph:
    """What the repository gets."""
    whole = release.built.graph
    root = manifest_for(release, place.platform)
    if root == whole.root:
        return whole
    return read_graph(release.built.source, root.descriptor, known=whole.manifests)


def _mount(store: Store, graph: Graph, neighbour: Source) -> None:
    """Take over the blobs that ``store`` lacks. One that it does not take is sent after all."""
    if not isinstance(store, Mounts):
        return
    mount = store.mount

    def take(blob: Descriptor) -> None:
        if not store.has(blob):
            mount(blob, neighbour)

    with workers(JOBS, "mount") as pool:
        together(pool, take, graph.blobs)


class _Share:
    """The progress of one upload among several: its items are its own, and once ``ended`` is set
    it goes no further."""

    def __init__(self, whole: Progress, prefix: str, ended: threading.Event) -> None:
        self._whole = whole
        self._prefix = prefix
        self._ended = ended

    def begin(self, item: str, label: str, total: int) -> None:
        self._end_here()
        self._whole.begin(self._prefix + item, self._prefix + label, total)

    def advance(self, item: str, amount: int) -> None:
        self._end_here()
        self._whole.advance(self._prefix + item, amount)

    def finish(self, item: str, outcome: Outcome) -> None:
        self._whole.finish(self._prefix + item, outcome)

    def say(self, message: str) -> None:
        self._whole.say(message)

    def _end_here(self) -> None:
        if self._ended.is_set():
            raise Stopped("another upload failed")


PUBLISH = Step("publish", _check, _run)
