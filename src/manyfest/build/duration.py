"""A length of time as people write it in options and in ``manyfest.yaml``."""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from manyfest.build.dockerfile.values import parse_duration
from manyfest.errors import DockerfileError, UsageError

_NANOSECONDS = 1_000_000_000


class Duration(Struct, frozen=True):
    """A time of some length, more than none."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``90``, ``90s`` or ``1h30m``. Raises :class:`~manyfest.errors.UsageError`."""
        try:
            amount = parse_duration(f"{text}s" if text.isdecimal() else text)
        except DockerfileError:
            amount = 0
        if amount <= 0:
            raise UsageError(f"{text[:80]!r} is not a time", mend="write seconds, or 30m")
        return cls(amount / _NANOSECONDS)
