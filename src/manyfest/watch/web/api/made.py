"""From what is known to what programs are answered."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.rank import Standing
from manyfest.watch.history.read.events import Recorded
from manyfest.watch.history.read.incidents import Known
from manyfest.watch.history.read.versions import Version
from manyfest.watch.values import Facts, PlaceSeen, PlatformFacts, PlatformSeen
from manyfest.watch.web.api.moments import moment
from manyfest.watch.web.api.values import (
    Counts,
    Happened,
    Image,
    PlatformThere,
    There,
    VersionInShort,
    VersionWhole,
    Where,
    Wrong,
)


def image(watched: WatchedImage, counts: Mapping[str, int], newest: Version | None) -> Image:
    """An image with its versions, counted."""
    rule = watched.rule
    return Image(
        name=watched.name,
        origin=watched.origin,
        paused_since=moment(watched.paused_at),
        platforms=rule.platforms,
        places=tuple(
            Where(repository=each.repository, mirror=each.mirror, late_after=each.late or rule.late)
            for each in rule.places
        ),
        late_after=rule.late,
        soak=rule.soak,
        settle=rule.settle,
        versions=msgspec.convert(dict(counts), Counts),
        newest=None if newest is None else version_in_short(newest),
    )


def version_in_short(version: Version) -> VersionInShort:
    """A version as a whole."""
    state = version.state
    return VersionInShort(
        image=state.image,
        tag=state.tag,
        digest=state.digest,
        standing=msgspec.convert(version.standing, Standing),
        first_seen=moment(state.first_seen),
        complete_since=moment(state.complete_at),
        soaked_since=moment(state.soaked_at),
        late_since=moment(state.late_at),
        differs_since=moment(state.differ_at),
    )


def version_whole(
    version: Version, image: WatchedImage, facts: Mapping[str, Facts]
) -> VersionWhole:
    """A version in each place; the ones that ``image`` names come first, in its order. ``facts``
    are what is known of what they hold, by digest."""
    mirrors = {each.repository: each.mirror for each in image.rule.places}
    order = list(mirrors)
    places = sorted(
        version.state.places,
        key=lambda each: order.index(each.place) if each.place in mirrors else len(order),
    )
    return VersionWhole(
        **msgspec.structs.asdict(version_in_short(version)),
        was_there=version.state.was_there,
        watched_since=moment(version.state.began),
        places=tuple(
            _there(each, image, facts.get(each.digest), mirror=mirrors.get(each.place, False))
            for each in places
        ),
    )


def happened(recorded: Recorded) -> Happened:
    """An event."""
    values = msgspec.structs.asdict(recorded.event) | {"at": moment(recorded.event.at)}
    return Happened(id=recorded.mark.number, **values)


def wrong(known: Known) -> Wrong:
    """An incident; who took note of it is not for everybody."""
    incident = known.incident
    return Wrong(
        id=known.number,
        kind=incident.kind,
        cause=incident.cause,
        registry=incident.registry,
        image=incident.image,
        tag=incident.tag,
        place=incident.place,
        began=moment(incident.began),
        ended=moment(incident.ended),
        acknowledged_at=moment(incident.acknowledged_at),
    )


def _there(seen: PlaceSeen, image: WatchedImage, facts: Facts | None, *, mirror: bool) -> There:
    parts = {each.digest: each for each in facts.platforms} if facts else {}
    return There(
        repository=seen.place,
        mirror=mirror,
        digest=seen.digest,
        since=moment(seen.since) if seen.since else None,
        first_seen=moment(seen.first_seen),
        complete_since=moment(seen.complete_at),
        silent_since=moment(seen.silent_since),
        silence=seen.silence,
        signed_by=image.signer_of(seen),
        attached=facts.attached if facts else (),
        platforms=tuple(
            _platform(platform, there, parts.get(there.digest))
            for platform, there in seen.platforms.items()
        ),
    )


def _platform(platform: str, there: PlatformSeen, facts: PlatformFacts | None) -> PlatformThere:
    return PlatformThere(
        platform=platform,
        state=there.state,
        digest=there.digest,
        why=there.why,
        ready_since=moment(there.ready_at),
        size=facts.size if facts else None,
        layers=facts.layers if facts else None,
        created=facts.created if facts else "",
        attached=facts.attached if facts else (),
    )
