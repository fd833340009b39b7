"""A length of time as people write it: in options, in files of settings and in Dockerfiles."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Self

from msgspec import Struct

from manyfest.errors import UsageError

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = (1 << 63) - 1


class Duration(Struct, frozen=True):
    """A time of some length, more than none."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``90``, ``90s`` or ``1h30m``. Raises :class:`~manyfest.errors.UsageError`."""
        try:
            amount = nanoseconds(f"{text}s" if text.isdecimal() else text)
        except UsageError:
            amount = 0
        if amount <= 0:
            raise UsageError(f"{text[:80]!r} is not a time", mend="write seconds, or 30m")
        return cls(amount / _NANOSECONDS["s"])


def nanoseconds(text: str) -> int:
    """Read one of Go's durations, which have units: ``1m30s``, ``1.5h``, or ``0``. Raises
    :class:`~manyfest.errors.UsageError`."""
    unsigned = text.removeprefix("+")
    if unsigned == "0":
        return 0
    amounts = _AMOUNT.findall(unsigned)
    if not amounts or "".join(number + unit for number, unit in amounts) != unsigned:
        raise UsageError(f"{text[:80]!r} is not a duration", mend="write it as 30s or 1m30s")
    total = sum(int(Decimal(number) * _NANOSECONDS[unit]) for number, unit in amounts)
    if total > _LONGEST:
        raise UsageError(f"the duration {text[:80]!r} is too long", mend="use a shorter one")
    return total
