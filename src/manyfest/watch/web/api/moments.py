"""Times as people and programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def moment(seconds: float) -> datetime: ...
@overload
def moment(seconds: None) -> None: ...
def moment(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a time in UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def written(seconds: float) -> str:
    """The same as RFC 3339 has it: ``2026-11-26T20:30:00Z``."""
    return moment(seconds).isoformat().replace("+00:00", "Z")
