"""Is an image complete, for the platforms that are asked for? HEAD requests tell.

An empty index, a platform that is missing, and a part that is not in the store all mean: not
ready. Attestations are no platforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from manyfest.copy import missing
from manyfest.errors import NotFound
from manyfest.graph import read_graph
from manyfest.images.selection import entries_of
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source

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
        there = entries_of(source, root)
    except NotFound as error:
        states = tuple(_missing(str(platform), error.what) for platform in wanted)
        nothing = states or (_missing("any", error.what),)
        return Readiness(reference=reference, digest="", ready=False, platforms=nothing)
    asked = wanted or dict.fromkeys(platform.normalised() for platform, _ in there)
    states = tuple(_state(source, platform, there) for platform in asked)
    if not states:
        states = (_missing("any", "it holds no image for a platform"),)
    ready = all(state.state == "ready" for state in states)
    return Readiness(reference=reference, digest=str(root.digest), ready=ready, platforms=states)


def _state(
    source: Source, platform: Platform, there: list[tuple[Platform, Descriptor]]
) -> PlatformState:
    for candidate, image in there:
        if candidate.same_as(platform):
            why = _incomplete(source, image)
            return PlatformState(
                platform=str(platform),
                state="partial" if why else "ready",
                digest=str(image.digest),
                why=why,
            )
    known = ", ".join(str(candidate) for candidate, _ in there) or "none"
    return _missing(str(platform), f"it has {known}")


def _incomplete(source: Source, image: Descriptor) -> str:
    """Which part of the image is not there, or the empty string."""
    try:
        absent = missing(source, read_graph(source, image))
    except NotFound as error:
        return error.what
    return f"{absent[0].digest} is not there" if absent else ""


def _missing(platform: str, why: str) -> PlatformState:
    return PlatformState(platform=platform, state="missing", digest="", why=why)
