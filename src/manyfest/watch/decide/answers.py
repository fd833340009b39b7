"""What an answer says of the platforms that the rule asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from msgspec.structs import replace

from manyfest.check.readiness import ANY, PlatformState, Readiness, with_states
from manyfest.oci.platform import Platform
from manyfest.watch.values import PlaceSeen, PlatformSeen, Rule

Platforms = Mapping[str, PlatformSeen]


@lru_cache(maxsize=1024)
def usual_name(platform: str) -> str:
    """The usual name of a platform: that of ``linux/arm64/v8`` is ``linux/arm64``."""
    return platform if platform == ANY else str(Platform.parse(platform))


def told(rule: Rule, answer: Readiness) -> Platforms | None:
    """The states of the platforms that the rule asks for, by their usual names: of all that the
    answer has if it asks for none. ``None`` if the answer is not about all of them: then it was
    given to another question."""
    states: dict[str, PlatformSeen] = {}
    for each in answer.platforms:
        seen = PlatformSeen(state=each.state, digest=each.digest, why=each.why)
        states.setdefault(usual_name(each.platform), seen)
    if not rule.platforms:
        return states
    names = dict.fromkeys(map(usual_name, rule.platforms))
    if any(name not in states for name in names):
        return None
    return {name: states[name] for name in names}


def own(rule: Rule, seen: PlaceSeen) -> Platforms:
    """What a place itself says, without what only the comparison with others added."""
    states = {
        name: replace(each, state="ready", why="") if each.state == "different" else each
        for name, each in seen.platforms.items()
        if rule.platforms or each.digest or name == ANY
    }
    if states or not seen.platforms:
        return states
    why = next(iter(seen.platforms.values())).why
    return {ANY: PlatformSeen(state="missing", why=why)}


def as_readiness(rule: Rule, tag: str, seen: PlaceSeen) -> Readiness:
    """What a place itself says, as it says it."""
    states = (
        PlatformState(platform=name, state=each.state, digest=each.digest, why=each.why)
        for name, each in own(rule, seen).items()
    )
    return with_states(f"{seen.place}:{tag}", seen.digest, states)


def is_the_same(seen: PlaceSeen, answer: Readiness) -> bool:
    """Whether the answer says what is believed already, and nothing was doubted. Quick, for nearly
    every answer does."""
    if answer.digest != seen.digest or seen.doubt or seen.silent_since is not None:
        return False
    if seen.answered_at is None or len(answer.platforms) != len(seen.platforms):
        return False
    for each in answer.platforms:
        known = seen.platforms.get(usual_name(each.platform))
        if known is None or known.digest != each.digest:
            return False
        if known.state != each.state and (known.state, each.state) != ("different", "ready"):
            return False
        if known.why != each.why and each.state != "ready":
            return False
    return True
