"""What one place's answer changes in what is believed of it.

What a place has more than before is believed at once. What takes something back must last: a tag
that vanished, a digest that was there before, a platform that is not ready any more. Until then it
is a doubt, which the next answer that says otherwise ends.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from manyfest.watch.decide.answers import Platforms, own, told
from manyfest.watch.values import Doubt, Observation, PlaceSeen, PlatformSeen, Rule

Became = Literal["", "came", "filled", "moved", "vanished"]
"""How the digest changed. An index that was not complete is ``filled`` by one that has all images
that were ready, and more; any other change of what is there is a move."""

_EARLIER = 8
"""So many digests that a place held are remembered: a cache is not older than that."""


class Heard(Struct, frozen=True, kw_only=True):
    """What an observation changed: ``ready`` are the platforms that became so. ``quiet`` is what is
    no news: the first answer of a place in which the tag may have been for long, or one to another
    question than before."""

    before: PlaceSeen
    after: PlaceSeen
    became: Became = ""
    ready: tuple[str, ...] = ()
    quiet: bool = False
    changed: bool = True

    @property
    def is_news(self) -> bool:
        """Whether there is something to tell."""
        return not self.quiet and bool(self.became or self.ready or self.was_lost)

    @property
    def was_lost(self) -> bool:
        """Whether the place stopped being complete under the same digest."""
        return self.before.lost_at is None and self.after.lost_at is not None


def hear(rule: Rule, seen: PlaceSeen, observation: Observation, now: float) -> Heard:
    """What follows from one observation of the place. One that is older than its last answer, or
    was made for another question than the rule's, changes nothing."""
    at = min(observation.at, now)
    unheard = Heard(before=seen, after=seen, changed=False)
    if seen.answered_at is not None and at < seen.answered_at:
        return unheard
    if observation.answer is None:
        return _silent(seen, observation, at)
    states = told(rule, observation.answer)
    if states is None:
        return unheard
    listening = replace(
        seen, answered_at=at, silent_since=None, silence="", signed_by=observation.signed_by
    )
    heard = _answered(rule, listening, seen, observation.answer.digest, states)
    return replace(heard, changed=heard.changed or seen.silent_since is not None)


def _answered(rule: Rule, seen: PlaceSeen, was: PlaceSeen, digest: str, states: Platforms) -> Heard:
    """``was`` is what was known of the place; now it answers for the first time if it never did
    before."""
    at = seen.answered_at or 0.0
    if was.answered_at is None:
        return _believed(seen, digest, states, at, quiet=seen.was_there)
    if digest != seen.digest:
        return _other_digest(rule, seen, digest, states, at)
    known = own(rule, seen)
    if known.keys() != states.keys() or seen.signed_by != was.signed_by:
        return _asked_anew(seen, known, states, at)
    return _same_digest(rule, seen, known, states, at)


def _silent(seen: PlaceSeen, observation: Observation, at: float) -> Heard:
    """It leaves what was known as it is. A silence is noted once, whatever its reason is later."""
    if seen.silent_since is not None:
        return Heard(before=seen, after=seen, changed=False)
    return Heard(before=seen, after=replace(seen, silent_since=at, silence=observation.silence))


def _other_digest(rule: Rule, seen: PlaceSeen, digest: str, states: Platforms, at: float) -> Heard:
    if digest and digest not in seen.earlier:
        return _believed(seen, digest, states, at)
    doubt = _doubt(seen, digest, (), at)
    if at - doubt.since < rule.settle:
        return _doubted(seen, doubt)
    return _believed(seen, digest, states, at, since=doubt.since)


def _same_digest(
    rule: Rule, seen: PlaceSeen, known: Platforms, states: Platforms, at: float
) -> Heard:
    lost = tuple(
        name
        for name, each in states.items()
        if each.state != "ready" and name in known and known[name].state == "ready"
    )
    doubt = _doubt(seen, seen.digest, lost, at) if lost else None
    is_over = doubt is None or at - doubt.since >= rule.settle
    if not is_over:
        states = {name: known[name] if name in lost else each for name, each in states.items()}
    merged = _with_times(known, states, at)
    after = replace(seen, platforms=merged, doubt=None if is_over else doubt)
    if doubt and is_over and seen.complete_at is not None:
        after = replace(after, complete_at=None, lost_at=doubt.since)
    changed = merged != known or after.doubt != seen.doubt
    ready = _newly_ready(known, merged)
    return Heard(before=seen, after=after, ready=ready, changed=changed)


def _asked_anew(seen: PlaceSeen, known: Platforms, states: Platforms, at: float) -> Heard:
    """The answer to a question about other platforms, or another key, than before."""
    after = replace(seen, platforms=_with_times(known, states, at), doubt=None)
    return Heard(before=seen, after=after, quiet=True)


def _believed(
    seen: PlaceSeen,
    digest: str,
    states: Platforms,
    at: float,
    *,
    since: float | None = None,
    quiet: bool = False,
) -> Heard:
    """The place holds another digest than before, or none."""
    became = _became(seen, digest, states)
    platforms = _with_times(seen.platforms if became == "filled" else {}, states, at)
    is_new = became == "moved" or (became == "came" and seen.first_seen is None)
    left = [each for each in (seen.digest, *seen.earlier) if each not in ("", digest)]
    after = replace(
        seen,
        digest=digest,
        since=at if since is None else since,
        first_seen=at if is_new else seen.first_seen,
        platforms=platforms,
        complete_at=None,
        lost_at=None,
        earlier=tuple(dict.fromkeys(left))[:_EARLIER],
        doubt=None,
    )
    ready = _newly_ready(seen.platforms if became == "filled" else {}, platforms)
    return Heard(before=seen, after=after, became=became, ready=ready, quiet=quiet)


def _became(seen: PlaceSeen, digest: str, states: Platforms) -> Became:
    if not seen.digest:
        return "came" if digest else ""
    if not digest:
        return "vanished"
    was_complete = seen.complete_at is not None or seen.lost_at is not None
    return "filled" if not was_complete and _has_all_of(seen, states) else "moved"


def _has_all_of(seen: PlaceSeen, states: Platforms) -> bool:
    """Whether every image that was ready is there still."""
    return all(
        name in states and states[name].digest == each.digest
        for name, each in seen.platforms.items()
        if is_ready(each)
    )


def is_ready(seen: PlatformSeen) -> bool:
    """Whether the platform can be pulled from that place, whatever the others hold."""
    return seen.state in ("ready", "different")


def _with_times(known: Platforms, states: Platforms, at: float) -> dict[str, PlatformSeen]:
    """The states, each ready one with the time since when that image is so."""
    return {
        name: replace(each, ready_at=_ready_at(known.get(name), each, at))
        for name, each in states.items()
    }


def _ready_at(known: PlatformSeen | None, now: PlatformSeen, at: float) -> float | None:
    if not is_ready(now):
        return None
    if known and is_ready(known) and known.digest == now.digest and known.ready_at is not None:
        return known.ready_at
    return at


def _newly_ready(known: Platforms, platforms: Platforms) -> tuple[str, ...]:
    return tuple(
        name
        for name, each in platforms.items()
        if is_ready(each)
        and not (name in known and is_ready(known[name]) and known[name].digest == each.digest)
    )


def _doubt(seen: PlaceSeen, digest: str, lost: tuple[str, ...], at: float) -> Doubt:
    """The doubt that stands already, if it is the same."""
    was = seen.doubt
    if was and (was.digest, was.lost) == (digest, lost):
        return was
    return Doubt(digest=digest, since=at, lost=lost)


def _doubted(seen: PlaceSeen, doubt: Doubt) -> Heard:
    return Heard(before=seen, after=replace(seen, doubt=doubt), changed=doubt != seen.doubt)
