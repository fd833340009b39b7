"""Whether somebody may go on with a version: pure.

It says yes or no of what is known. Where that is not enough for either it says so, with a status
that ``curl --fail`` fails at: no answer is not a no, and what was true before a registry fell
silent is not a yes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from manyfest.errors import InvalidPlatform
from manyfest.oci.platform import Platform
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.values import Doubt, PlaceSeen, Rule, TagState
from manyfest.watch.web.api.moments import moment, written
from manyfest.watch.web.api.replies import Fault
from manyfest.watch.web.api.values import Gate

RETRY_SECONDS = 30
"""After which it is worth asking again."""


class Asked(Struct, frozen=True, kw_only=True):
    """Which platforms and places have to be ready, and whether for the soak time too. None means
    all: of platforms those that are watched, of places those that are no mirrors."""

    platforms: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    soaked: bool = False


class _Findings(Struct):
    """What was found: reasons for a no, what could not be told, and when platforms were ready."""

    lacking: list[str]
    unknown: list[str]
    ready_at: list[float]


def judged(
    image: WatchedImage,
    tag: str,
    state: TagState | None,
    asked: Asked,
    now: float,
    *,
    is_watched: bool = True,
    unlisted: Collection[str] = (),
) -> Gate:
    """The answer for ``tag``, of which ``state`` is known, at the time ``now``. Unless it
    ``is_watched`` still, nobody knows whether that holds; and ``unlisted`` places may have tags
    that were never seen.

    Raises :class:`~manyfest.watch.web.api.replies.Fault`: 422 for a platform or place that is not
    watched, 503 if it cannot be told.
    """
    platforms = _platforms(image.rule, asked.platforms)
    places = _places(image.rule, asked.places)
    if image.paused_at is not None:
        raise _cannot_tell([f"{image.name} is paused since {written(image.paused_at)}"])
    if state is not None and state.digest and not is_watched:
        reason = f"{tag} is not watched any more; 'names' under 'tags' has it watched"
        raise _cannot_tell([reason])
    if state is None and (unknown := [each for each in places if each in unlisted]):
        raise _cannot_tell([f"the tags of {each} are not known" for each in unknown])
    found = _looked_at(tag, state, platforms, places)
    found.unknown += _asked_otherwise(image, state, places)
    if not found.lacking and found.unknown:
        raise _cannot_tell(found.unknown)
    since = _since(state, asked, found)
    soaked_at = None if since is None else since + image.rule.soak
    soaked = soaked_at is not None and soaked_at <= now
    why = [*found.lacking, *found.unknown]
    if not why and since is None:
        why.append("it is not confirmed yet that it is complete everywhere")
    if not why and asked.soaked and not soaked and soaked_at is not None:
        why.append(f"it soaks until {written(soaked_at)}")
    return Gate(
        ready=not why,
        image=image.name,
        tag=tag,
        digest=state.digest if state else "",
        platforms=platforms,
        places=places,
        since=moment(since),
        soaked=soaked,
        soaked_at=moment(soaked_at),
        why=tuple(why),
    )


def _platforms(rule: Rule, asked: Sequence[str]) -> tuple[str, ...]:
    """Those asked for, by their usual names; all, if there are none."""
    watched = {str(Platform.parse(each)): each for each in rule.platforms}
    found = []
    for each in asked:
        try:
            name = str(Platform.parse(each))
        except InvalidPlatform as error:
            raise Fault(422, str(error)) from None
        if name not in watched:
            known = ", ".join(watched) or "none"
            raise Fault(422, f"{name} of {rule.image} is not watched, but {known}")
        found.append(watched[name])
    return tuple(dict.fromkeys(found)) or rule.platforms


def _places(rule: Rule, asked: Sequence[str]) -> tuple[str, ...]:
    watched = [each.repository for each in rule.places]
    for each in asked:
        if each not in watched:
            raise Fault(422, f"{each[:200]} is no place of {rule.image}; {', '.join(watched)} are")
    originals = [each.repository for each in rule.places if not each.mirror]
    return tuple(dict.fromkeys(asked)) or tuple(originals or watched)


def _asked_otherwise(
    image: WatchedImage, state: TagState | None, places: Sequence[str]
) -> list[str]:
    """Those that answered last before this key was asked for."""
    if image.signed_by is None or state is None:
        return []
    key = image.signed_by.fingerprint
    return [
        f"{each.place} was not asked yet whether it is signed"
        for each in state.places
        if each.place in places and each.digest and each.signed_by != key
    ]


def _looked_at(
    tag: str, state: TagState | None, platforms: Sequence[str], places: Sequence[str]
) -> _Findings:
    found = _Findings([], [], [])
    if state is None:
        found.lacking.append(f"no place had {tag} so far, or it is not among the tags watched")
        return found
    seen = {each.place: each for each in state.places}
    for place in places:
        _look(found, tag, place, seen.get(place), platforms)
    digests = {each.digest for place in places if (each := seen.get(place)) and each.digest}
    if len(digests) > 1:
        found.lacking.append(f"{' and '.join(places)} hold different images")
    return found


def _look(
    found: _Findings, tag: str, place: str, seen: PlaceSeen | None, platforms: Sequence[str]
) -> None:
    """Add what is found in one place."""
    if seen is None or _is_unheard(seen):
        found.unknown.append(f"{place} was not looked at yet")
        return
    if seen.silent_since is not None:
        since = written(seen.silent_since)
        found.unknown.append(f"{place} gives no answer since {since}: {seen.silence}")
        return
    if seen.doubt is not None and _takes_back(seen.doubt, seen.digest, platforms):
        since = written(seen.doubt.since)
        found.unknown.append(f"{place} says otherwise since {since}, which is not believed yet")
    if not seen.digest:
        found.lacking.append(f"{place} does not have {tag}")
        return
    for platform in platforms:
        there = seen.platforms.get(platform)
        if there is None:
            found.unknown.append(f"{platform} was not looked for in {place} yet")
        elif there.state != "ready":
            why = f": {there.why}" if there.why else ""
            found.lacking.append(f"{platform} is {there.state} in {place}{why}")
        elif there.ready_at is not None:
            found.ready_at.append(there.ready_at)


def _is_unheard(seen: PlaceSeen) -> bool:
    return not seen.digest and seen.answered_at is None and seen.silent_since is None


def _takes_back(doubt: Doubt, digest: str, platforms: Sequence[str]) -> bool:
    """Whether it is about what is asked for."""
    return doubt.digest != digest or not {*doubt.lost}.isdisjoint(platforms)


def _since(state: TagState | None, asked: Asked, found: _Findings) -> float | None:
    """Since when what was asked for is ready; of a part of it, since its last platform is."""
    if state is None or found.lacking or found.unknown:
        return None
    if asked.platforms or asked.places:
        return max(found.ready_at, default=state.complete_at)
    return state.complete_at


def _cannot_tell(reasons: Sequence[str]) -> Fault:
    return Fault(
        503, f"could not tell: {'; '.join(reasons)}", headers={"Retry-After": str(RETRY_SECONDS)}
    )
