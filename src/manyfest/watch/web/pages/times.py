"""Moments as people read them, in UTC.

How long ago something was changes by itself. So in what is rendered and kept there is a mark in its
place, and :func:`fill_in` puts the words there when the page is sent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))
_MARK = re.compile("\ue000(-?[0-9]{1,12})\ue001")


def iso(at: float) -> str:
    """``2026-11-26T20:31:38Z``: what ``<time datetime>`` takes."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(at: float) -> str:
    """``26 Nov 2026, 20:31 UTC``."""
    return f"{_day_of_month(at)}{datetime.fromtimestamp(at, UTC): %b %Y, %H:%M} UTC"


def exact(at: float) -> str:
    """``26 Nov 2026, 20:31:38 UTC``."""
    return f"{_day_of_month(at)}{datetime.fromtimestamp(at, UTC): %b %Y, %H:%M:%S} UTC"


def day(number: int) -> str:
    """``26 November 2026``, of the days since 1970."""
    at = number * 86400
    return f"{_day_of_month(at)}{datetime.fromtimestamp(at, UTC): %B %Y}"


def _day_of_month(at: float) -> int:
    return datetime.fromtimestamp(at, UTC).day


def ago(seconds: float) -> str:
    """``3 minutes ago``, or ``in 3 minutes`` for what is to come."""
    distance = abs(seconds)
    if distance < 45:
        return "just now" if seconds >= 0 else "in a moment"
    # From two of a unit on: "90 minutes" says more than an hour or two.
    unit, size = next((each for each in _UNITS if distance >= 2 * each[1]), _UNITS[-1])
    amount = max(round(distance / size), 1)
    words = f"{amount} {unit}{'' if amount == 1 else 's'}"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def ago_mark(at: float) -> str:
    """What stands for :func:`ago` in something rendered, until it is sent."""
    return f"\ue000{round(at)}\ue001"


def fill_in(text: str, now: float) -> str:
    """``text`` with words in the place of each mark."""
    return _MARK.sub(lambda mark: ago(now - int(mark[1])), text)
