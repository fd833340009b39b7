"""What a recipient reads: of one thing that happened, and of many. Pure.

Tags, and the reasons that registries give, are anybody's text. They are one line each, control
characters are shown, and where Markdown is asked for they are no markup. Gotify is sent plain text
unless the recipient's URL says ``format=markdown``: Markdown could name pictures, and whoever loads
them tells where and when he reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from msgspec import Struct

from manyfest.markdown import escaped, plain
from manyfest.notify.message import HIGH, LOW, NORMAL, Message, Tone
from manyfest.watch import addresses
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Event, Kind
from manyfest.watch.wording import circumstances, claim, span, subject, told, where

MOST_LINES = 50
"""Of what happened, in one message; what is more is counted."""

REPEATED = "This may have been told before."

_FRESH = 600.0
"""Seconds for which something has just happened."""

_LONGEST_LINE = 500


class _Weight(Struct, frozen=True):
    """How much a kind of event matters: Gotify's priority, and a colour."""

    priority: int
    tone: Tone


_WEIGHTS: Mapping[Kind, _Weight] = {
    "unreachable": _Weight(HIGH, "failure"),
    "late": _Weight(HIGH, "failure"),
    "vanished": _Weight(HIGH, "failure"),
    "differ": _Weight(7, "warning"),
    "incomplete": _Weight(7, "warning"),
    "soaked": _Weight(NORMAL, "success"),
    "complete": _Weight(NORMAL, "success"),
    "moved": _Weight(NORMAL, "info"),
    "agree": _Weight(NORMAL, "success"),
    "recovered": _Weight(NORMAL, "success"),
    "platform ready": _Weight(LOW, "info"),
    "appeared": _Weight(LOW, "info"),
}
"""The kind that a message is named after comes first."""

_RANKS = {kind: rank for rank, kind in enumerate(_WEIGHTS)}


def compose(
    recipient: Recipient,
    events: Sequence[Event],
    page: str = "",
    *,
    now: float,
    repeated: bool = False,
) -> Message:
    """The message that tells the recipient ``now`` of ``events``, at least one, in their order.
    What is not fresh any more says when it was.

    ``page`` is the URL of the watch's pages, or empty; ``repeated`` says that an earlier attempt to
    tell of them may have come through.
    """
    first = min(events, key=lambda event: _RANKS[event.kind])
    about = {subject(event) for event in events}
    alone = len(about) == 1
    zone = ZoneInfo(recipient.zone)
    title = _title(first, events) if alone else _count(events)
    is_fresh = now - events[0].at < _FRESH
    lines = _cut(list(_lines(events, zone, named=alone, timed=not (alone and is_fresh))), events)
    telling = _Telling(
        title=title,
        lines=lines,
        fields=_fields(events, first if alone else None, zone),
        link=_link(page, events, alone=alone),
    )
    weight = _WEIGHTS[first.kind]
    return Message(
        title=_one_line(
            recipient.title.filled(telling.values(plain)) if recipient.title else title
        ),
        text=telling.body(recipient, plain, "\n", repeated=repeated),
        markdown=telling.body(recipient, escaped, "  \n", repeated=repeated),
        link=telling.link,
        tone=weight.tone,
        priority=weight.priority,
    )


class _Telling(Struct, frozen=True, kw_only=True):
    """All that may be said. The text in it is as it came."""

    title: str
    lines: tuple[str, ...]
    fields: Mapping[str, str]
    link: str

    def body(
        self, recipient: Recipient, safe: Callable[[str], str], end: str, *, repeated: bool
    ) -> str:
        """The text, in which ``safe`` makes words of others harmless and ``end`` ends a line."""
        if recipient.words:
            words = recipient.words.filled(self.values(safe, end))
        else:
            link = [f"<{self.link}>" if safe is escaped else self.link] if self.link else []
            words = end.join([*map(safe, self.lines), *link])
        return f"{REPEATED}{end}{words}" if repeated else words

    def values(self, safe: Callable[[str], str], end: str = "; ") -> dict[str, str]:
        """What stands for each name in a template."""
        found = {name: safe(_one_line(text)) for name, text in self.fields.items()}
        found["title"] = safe(self.title)
        found["text"] = end.join(map(safe, self.lines))
        found["link"] = self.link
        return found


def _title(first: Event, events: Iterable[Event]) -> str:
    """``gotify/server 2.6.1 is complete everywhere``."""
    platforms = {event.platform for event in events if event.kind == "platform ready"}
    if first.kind == "platform ready" and len(platforms) > 1:
        return _one_line(f"{subject(first)} has {len(platforms)} platforms ready")
    return _one_line(f"{subject(first)} {claim(first)}{where(first)}")


def _count(events: Iterable[Event]) -> str:
    """``5 events: 2 late, 3 complete``."""
    counts = Counter(event.kind for event in events)
    each = ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts, key=_RANKS.__getitem__))
    return f"{counts.total()} events: {each}"


def _lines(events: Iterable[Event], zone: ZoneInfo, *, named: bool, timed: bool) -> Iterator[str]:
    """What happened. ``named``: the title names what it happened to; ``timed``: each line says when
    it was."""
    for together in _together(events):
        first = together[0]
        line = _told(together) if named else f"{subject(first)} {_told(together)}"
        if timed:
            yield f"{_clock(first.at, zone)} {line}"
        else:
            yield f"{line[:1].upper()}{line[1:]}"


def _together(events: Iterable[Event]) -> Iterator[list[Event]]:
    """What is told in one line: platforms that became ready at one moment in one place."""

    def which(numbered: tuple[int, Event]) -> object:
        number, event = numbered
        of_many = event.kind == "platform ready"
        return (event.image, event.tag, event.place, event.at) if of_many else number

    for _, each in groupby(enumerate(events), which):
        yield [event for _, event in each]


def _told(together: Sequence[Event]) -> str:
    event = together[0]
    if event.kind == "platform ready":
        platforms = ", ".join(each.platform for each in together)
        return f"has {platforms} ready{circumstances(event)}"
    if event.kind == "moved" and event.what:
        return f"{told(event)} (from {_short(event.was)} to {_short(event.what)})"
    return told(event)


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12] or "nothing"


def _cut(lines: list[str], events: Sequence[Event]) -> tuple[str, ...]:
    """At most :data:`MOST_LINES` of them."""
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"and more; {_count(events)} in all"]
    return tuple(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines
    )


def _fields(events: Sequence[Event], first: Event | None, zone: ZoneInfo) -> dict[str, str]:
    """What a template may name; ``first`` is the event that the message is named after, if it is
    about one thing."""
    if first is None:
        return {"count": str(len(events)), "time": _clock(events[0].at, zone)}
    return {
        "count": str(len(events)),
        "time": _clock(first.at, zone),
        "kind": first.kind,
        "image": first.image,
        "tag": first.tag,
        "registry": first.registry,
        "platforms": ", ".join(_distinct(event.platform for event in events)),
        "places": ", ".join(_distinct(event.place for event in events)),
        "digest": first.what,
        "was": first.was,
        "why": first.why,
        "lag": "" if first.lag is None else span(first.lag),
    }


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))


def _link(page: str, events: Sequence[Event], *, alone: bool) -> str:
    """The page with more about it, or empty."""
    if not page:
        return ""
    first = events[0]
    if not alone:
        path = "/"
    elif first.image:
        path = (
            addresses.version(first.image, first.tag) if first.tag else addresses.image(first.image)
        )
    else:
        path = addresses.registry(first.registry)
    return f"{page.rstrip('/')}{path}"


def _clock(at: float, zone: ZoneInfo) -> str:
    """``26 Nov 20:31 UTC``."""
    here = datetime.fromtimestamp(at, zone)
    return f"{here.day} {here:%b %H:%M %Z}"


def _one_line(text: str) -> str:
    return plain(text)[:_LONGEST_LINE]
