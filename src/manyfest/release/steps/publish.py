"""The content goes to every repository, by digest only; no public tag changes yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from manyfest.copy import copy_graph, missing
from manyfest.errors import ReleaseError
from manyfest.oci.reference import Name
from manyfest.release.steps.step import Release, Step
from manyfest.release.steps.tags import refuse_changed_tags


def _check(release: Release) -> str:
    refuse_changed_tags(release)
    graph = release.built.graph
    for name in release.destinations:
        if missing(release.stores.registry(name), graph):
            return ""
        release.sent[name.place] = 0
    return f"all {len(graph.descriptors)} parts are there; 0 bytes uploaded"


def _run(release: Release) -> str:
    with ThreadPoolExecutor(len(release.destinations), thread_name_prefix="publish") as pool:
        for name, sent in zip(
            release.destinations,
            pool.map(lambda name: _publish(release, name), release.destinations),
            strict=True,
        ):
            release.sent[name.place] = sent
    return f"{sum(release.sent.values())} bytes uploaded, verified in the registry"


def _publish(release: Release, name: Name) -> int:
    """Copy, then ask the registry for every part by its digest. Bytes that were sent."""
    image = release.built
    store = release.stores.registry(name)
    copied = copy_graph(image.source, image.graph, store, progress=release.progress)
    absent = missing(store, image.graph)
    if absent:
        raise ReleaseError(
            f"the registry took {absent[0].digest} and now does not have it",
            where=name.place,
            mend="run the same command again",
        )
    return copied.sent


PUBLISH = Step("publish", _check, _run)
