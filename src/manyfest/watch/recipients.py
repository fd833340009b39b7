"""Who is told, of what, at which times, and in which words. Values, and how they are written; pure.

A time of day is in minutes since midnight, by the clocks of the recipient's time zone.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.notify.address import Address
from manyfest.release.project.template import Template
from manyfest.watch.values import Kind

USUAL: frozenset[Kind] = frozenset(
    {
        "complete",
        "soaked",
        "late",
        "incomplete",
        "moved",
        "vanished",
        "differ",
        "agree",
        "unreachable",
        "recovered",
    }
)
"""What is told to those who do not say what they want to hear: all but each step on the way."""

URGENT: frozenset[Kind] = frozenset({"late", "unreachable"})
"""What cannot wait for the morning, unless a recipient says otherwise: somebody has to act."""

_DAY = 24 * 60


class Quiet(Struct, frozen=True, kw_only=True):
    """The time of each day at which nothing is told: from ``start`` until ``end``, which is on the
    next day if it is not later."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``22:00-07:00``. Raises :class:`~manyfest.errors.UsageError`."""
        start, _, end = text.partition("-")
        quiet = cls(start=_time(start), end=_time(end))
        if quiet.start == quiet.end:
            raise UsageError(f"{text[:80]!r} is a span without length", mend="write 22:00-07:00")
        return quiet


class Digest(Struct, frozen=True, kw_only=True):
    """That what happens is collected, and told together ``every`` hour, or every day ``at`` a time
    of the day."""

    every: Literal["hour", "day"]
    at: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``hourly`` or ``daily 08:00``. Raises :class:`~manyfest.errors.UsageError`."""
        if text.strip() == "hourly":
            return cls(every="hour")
        every, _, at = text.strip().partition(" ")
        if every != "daily":
            raise UsageError(
                f"{text[:80]!r} does not say when to tell", mend="write hourly, or daily 08:00"
            )
        return cls(every="day", at=_time(at))


class Words(Template, frozen=True):
    """What somebody wants to be told instead of our own words, with ``{{image}}`` and the like in
    it. Nothing else in it has a meaning, and nothing in what is filled in has one."""

    known: ClassVar[tuple[str, ...]] = (
        "title",
        "text",
        "kind",
        "image",
        "tag",
        "platforms",
        "places",
        "registry",
        "digest",
        "was",
        "why",
        "lag",
        "time",
        "link",
        "count",
    )


class Recipient(Struct, frozen=True, kw_only=True):
    """Somebody who is told.

    ``address`` is what :func:`manyfest.notify.address.address` makes of the configuration's
    ``url``, and ``where`` its line there. Events of ``kinds`` are told, at once if they are
    ``urgent``; all others not at a ``quiet`` time, and together if there is a ``digest``. ``title``
    and ``words`` are templates, or ``None`` for our own words. ``zone`` is one that
    :func:`check_zone` knows.
    """

    name: str
    address: Address
    where: str = ""
    kinds: frozenset[Kind] = USUAL
    urgent: frozenset[Kind] = URGENT
    quiet: Quiet | None = None
    digest: Digest | None = None
    zone: str = "UTC"
    title: Words | None = None
    words: Words | None = None


def check_zone(name: str) -> str:
    """The name of a time zone, if it is one. Raises :class:`~manyfest.errors.UsageError`."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise UsageError(
            f"no time zone {name[:80]!r} is known here", mend="write one such as Europe/Berlin"
        ) from None
    return name


def _time(text: str) -> int:
    """A time of day; 24:00 is 00:00."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    if found is None or int(found[1]) * 60 + int(found[2]) > _DAY or int(found[2]) > 59:
        raise UsageError(f"{text.strip()[:80]!r} is no time of day", mend="write one such as 07:00")
    return (int(found[1]) * 60 + int(found[2])) % _DAY
