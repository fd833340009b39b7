"""Is an image complete, for the platforms that are asked for? HEAD requests tell.

An empty index, a platform that is missing, and a part that is not in the store all mean: not
ready. Attestations are no platforms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

from manyfest.check.parts import Entry, Memory, Outline, Parts
from manyfest.check.report import Finding, WrongPlatform
from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source

State = Literal["ready", "missing", "partial", "mislabelled", "faulty", "different", "unsigned"]

ANY = "any"
"""What stands for a platform where nobody asked for one and there is none."""


class PlatformState(msgspec.Struct, frozen=True, kw_only=True):
    """One platform: ``why`` names what is missing or wrong, or is empty."""

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


def readiness(
    source: Source,
    name: str,
    wanted: Sequence[Platform],
    reference: str,
    memory: Parts | None = None,
) -> Readiness:
    """Whether ``name`` in ``source`` is complete for the platforms ``wanted``, or, if there are
    none, for all that it has. What is in ``memory`` is not asked for again.

    A tag that is not there is a "no". A registry that does not answer raises: it is neither.
    """
    memory = memory or Memory()
    try:
        root = source.resolve(name)
        outline = memory.outline(source, root)
    except NotFound as error:
        return not_there(reference, wanted, error.what)
    return held(source, root.digest, outline, wanted, reference, memory)


def not_there(reference: str, wanted: Sequence[Platform], why: str) -> Readiness:
    """The answer for a tag that is not there."""
    states = [missing(str(platform), why) for platform in wanted]
    return with_states(reference, "", states or [missing(ANY, why)])


def held(
    source: Source,
    root: Digest,
    outline: Outline,
    wanted: Sequence[Platform],
    reference: str,
    memory: Parts,
) -> Readiness:
    """The same of a root that is known to be there, and of which the ``outline`` is known."""
    asked = wanted or _distinct(platform for platform, _ in outline.entries)
    images = {platform: images_for(platform, outline.entries) for platform in asked}
    memory.look(source, [image for each in images.values() for image in each])
    doubtful = _listed_for_several(outline.entries)
    states = [
        _state(source, memory, platform, each, doubtful)
        if each
        else missing(str(platform), _what_there_is(outline))
        for platform, each in images.items()
    ]
    if not wanted and (outline.gap or not states):
        states.append(missing(ANY, outline.gap or "it holds no image for a platform"))
    return with_states(reference, str(root), states)


def with_states(reference: str, digest: str, states: Iterable[PlatformState]) -> Readiness:
    """The answer that these states make."""
    platforms = tuple(states)
    ready = all(each.state == "ready" for each in platforms)
    return Readiness(reference=reference, digest=digest, ready=ready, platforms=platforms)


def with_findings(answer: Readiness, findings: Iterable[Finding]) -> Readiness:
    """The same answer, after all was read: a platform whose image turned out to be for another one
    is mislabelled, and one of which anything else is wrong is faulty."""
    first: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda each: not isinstance(each, WrongPlatform)):
        first.setdefault(finding.platform, finding)
    states = [_found(state, first.get(state.platform)) for state in answer.platforms]
    return with_states(answer.reference, answer.digest, states)


def _found(state: PlatformState, finding: Finding | None) -> PlatformState:
    if finding is None or state.state != "ready":
        return state
    found: State = "mislabelled" if isinstance(finding, WrongPlatform) else "faulty"
    return msgspec.structs.replace(state, state=found, why=f"{finding.where} {finding.what}")


def missing(platform: str, why: str) -> PlatformState:
    """The state of a platform that is not there."""
    return PlatformState(platform=platform, state="missing", digest="", why=why)


def _distinct(platforms: Iterable[Platform]) -> tuple[Platform, ...]:
    """Each once, whatever version of the system it is for."""
    named: dict[str, Platform] = {}
    for each in platforms:
        named.setdefault(str(each.normalised()), each.normalised())
    return tuple(named.values())


def images_for(platform: Platform, entries: Iterable[Entry]) -> list[Descriptor]:
    """One image, or with Windows one for each version of the system; the first, where there are
    several, as clients take it."""
    images: dict[str, Descriptor] = {}
    for each, image in entries:
        if each.same_as(platform):
            images.setdefault(each.os_version, image)
    return list(images.values())


def _state(
    source: Source,
    memory: Parts,
    platform: Platform,
    images: Sequence[Descriptor],
    doubtful: AbstractSet[Digest],
) -> PlatformState:
    """The state of the platform's images together: of the first that is not ready, if any is."""
    for image in images:
        why = memory.absent(image)
        if why:
            return _is(platform, "partial", image, why)
        stated = memory.stated(source, image) if image.digest in doubtful else None
        if stated and not stated.same_as(platform):
            why = f"its configuration says {stated.normalised()}"
            return _is(platform, "mislabelled", image, why)
    return _is(platform, "ready", images[0])


def _is(platform: Platform, state: State, image: Descriptor, why: str = "") -> PlatformState:
    return PlatformState(platform=str(platform), state=state, digest=str(image.digest), why=why)


def _listed_for_several(entries: Iterable[Entry]) -> set[Digest]:
    """Images that stand for more than one platform: they can be for one of them at most."""
    platforms: defaultdict[Digest, set[str]] = defaultdict(set)
    for platform, image in entries:
        platforms[image.digest].add(str(platform.normalised()))
    return {digest for digest, names in platforms.items() if len(names) > 1}


def _what_there_is(outline: Outline) -> str:
    known = ", ".join(str(each) for each, _ in outline.entries) or "none"
    return f"it has {known}; {outline.gap}" if outline.gap else f"it has {known}"
