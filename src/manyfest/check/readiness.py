"""Is an image complete, for the platforms that are asked for? HEAD requests tell.

An empty index, a platform that is missing, and a part that is not in the store all mean: not
ready. Attestations are no platforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from manyfest.errors import NotFound
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.parse import parse_config
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source, read_all

State = Literal["ready", "missing", "partial"]


class PlatformState(msgspec.Struct, frozen=True, kw_only=True):
    """One platform: ``why`` names what is missing, or is empty."""

    platform: str
    state: State
    digest: str
    why: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of ``manyfest check --json``: the answer, and each platform's part in it."""

    reference: str
    digest: str
    ready: bool
    platforms: tuple[PlatformState, ...]


def readiness(source: Source, name: str, wanted: Sequence[Platform], reference: str) -> Readiness:
    """Whether ``name`` in ``source`` is complete for the platforms ``wanted``, or, if there are
    none, for all that it has.

    A tag that is not there is a "no". A registry that does not answer raises: it is neither.
    """
    try:
        root = source.resolve(name)
        graph = read_graph(source, root)
    except NotFound as error:
        states = tuple(_missing(str(platform), error.what) for platform in wanted)
        nothing = states or (_missing("any", error.what),)
        return Readiness(reference=reference, digest="", ready=False, platforms=nothing)
    states = tuple(_states(source, graph, wanted))
    ready = bool(states) and all(state.state == "ready" for state in states)
    if not states:
        states = (_missing("any", "the index is empty"),)
    return Readiness(reference=reference, digest=str(root.digest), ready=ready, platforms=states)


def _states(source: Source, graph: Graph, wanted: Sequence[Platform]) -> list[PlatformState]:
    there = _images(source, graph)
    asked = wanted or [platform for platform, _ in there]
    return [_state(source, platform, there) for platform in asked]


def _state(
    source: Source, platform: Platform, there: list[tuple[Platform, Manifest]]
) -> PlatformState:
    for candidate, manifest in there:
        if candidate.same_as(platform):
            absent = [part for part in manifest.children if not source.has(part)]
            return PlatformState(
                platform=str(platform),
                state="partial" if absent else "ready",
                digest=str(manifest.descriptor.digest),
                why=f"{absent[0].digest} is not there" if absent else "",
            )
    known = ", ".join(str(candidate) for candidate, _ in there) or "none"
    return _missing(str(platform), f"it has {known}")


def _images(source: Source, graph: Graph) -> list[tuple[Platform, Manifest]]:
    """Each platform and its image; of a single image, what its configuration says."""
    manifests: dict[Digest, Manifest] = {each.descriptor.digest: each for each in graph.manifests}
    if not isinstance(graph.root.body, Index):
        config = parse_config(read_all(source, graph.root.image.config))
        return [(config.platform, graph.root)]
    entries: tuple[Descriptor, ...] = graph.root.body.images
    return [(entry.platform, manifests[entry.digest]) for entry in entries if entry.platform]


def _missing(platform: str, why: str) -> PlatformState:
    return PlatformState(platform=platform, state="missing", digest="", why=why)
