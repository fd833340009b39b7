"""What happened, in words: the same on the pages, in the feed and in messages. Plain text, in which
names and reasons are as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from manyfest.watch.values import Event, Kind

_CLAIMS: Final[Mapping[Kind, str]] = {
    "appeared": "was seen for the first time",
    "platform ready": "has {platform} ready",
    "complete": "is complete everywhere",
    "soaked": "has been complete for the whole soak time",
    "late": "is late",
    "incomplete": "is no longer complete",
    "moved": "was moved",
    "vanished": "is gone",
    "differ": "is not the same in all registries",
    "agree": "is the same in all registries again",
    "unreachable": "gives no answers",
    "recovered": "answers again",
}

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def subject(event: Event) -> str:
    """What it happened to: ``gotify/server 2.6.1``, or a registry."""
    return f"{event.image} {event.tag}".strip() or event.registry


def claim(event: Event) -> str:
    """What happened to its subject, and no more: ``is late``."""
    if event.kind == "complete" and event.place:  # a mirror's
        return "is complete"
    if _is_last(event):
        return "is gone everywhere"
    return _CLAIMS[event.kind].replace("{platform}", event.platform)


def told(event: Event) -> str:
    """What happened to its subject, where, how long after the version was first seen, and why."""
    return f"{claim(event)}{circumstances(event)}"


def circumstances(event: Event) -> str:
    """Where it happened, when, and why, as far as that is known."""
    why = f": {event.why}" if event.why else ""
    return f"{where(event)}{_lag(event)}{why}"


def where(event: Event) -> str:
    """``in ghcr.io/gotify/server`` with a space before it, or nothing."""
    if not event.place or _is_last(event):
        return ""
    return f" {'from' if event.kind == 'vanished' else 'in'} {event.place}"


def _is_last(event: Event) -> bool:
    """Whether a tag is gone from everywhere by this."""
    return event.kind == "vanished" and event.what == "gone"


def _lag(event: Event) -> str:
    """For how long a registry gives no answers, or how long after its first sighting a version
    came to this."""
    if event.lag is None:
        return ""
    if event.kind == "unreachable":
        return f", for {span(event.lag)} now"
    if event.kind == "recovered":
        return f", after {span(event.lag)}"
    return f", {span(event.lag)} after it was first seen"


def span(seconds: float) -> str:
    """``18 min 5 s``: the two largest units, or ``0 s``."""
    left, parts = round(seconds), list[str]()
    for unit, size in _UNITS:
        amount, rest = divmod(left, size)
        if amount and len(parts) < 2:
            parts.append(f"{amount} {unit}")
            left = rest
        elif parts:
            break
    return " ".join(parts) or "0 s"
