"""The content goes to every repository, by digest only; no public tag changes yet."""

from __future__ import annotations

import threading

from manyfest.copy import Stopped, copy_graph, missing
from manyfest.errors import ReleaseError
from manyfest.oci.reference import Name
from manyfest.progress import Outcome, Progress
from manyfest.release.steps.moves import moves, refuse_taken
from manyfest.release.steps.step import Release, Step
from manyfest.threads import together, workers


def _check(release: Release) -> str:
    refuse_taken(moves(release))
    graph = release.built.graph
    for name in release.destinations:
        if missing(release.stores.registry(name), graph):
            return ""
        release.sent[name.place] = 0
    return f"all {len(graph.descriptors)} parts are there; 0 bytes uploaded"


def _run(release: Release) -> str:
    ended = threading.Event()
    alone = len(release.destinations) == 1

    def publish(name: Name) -> int:
        progress = _Share(release.progress, "" if alone else f"{name.place} ", ended)
        return _publish(release, name, progress)

    with workers(len(release.destinations), "publish") as pool:
        sent = together(pool, publish, release.destinations, stop=ended.set)
    places = (name.place for name in release.destinations)
    release.sent = dict(zip(places, sent, strict=True))
    return f"{sum(sent):,} bytes uploaded, verified in the registry"


def _publish(release: Release, name: Name, progress: Progress) -> int:
    """Copy, then ask the registry for every part by its digest. Bytes that were sent."""
    image = release.built
    store = release.stores.registry(name)
    copied = copy_graph(image.source, image.graph, store, progress=progress)
    absent = missing(store, image.graph)
    if absent:
        raise ReleaseError(
            f"the registry took {absent[0].digest} and now does not have it",
            where=name.place,
            mend="run the same command again",
        )
    return copied.sent


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
