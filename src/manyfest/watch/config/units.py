"""What is written as one piece of text in ``watch.yaml``."""

from __future__ import annotations

import re
from typing import Self

from msgspec import Struct

from manyfest.duration import Duration
from manyfest.errors import UsageError
from manyfest.watch.config.values import Budget

_DAYS = re.compile(r"([0-9]{1,5})d")
_BUDGET = re.compile(r"([0-9]{1,7})/([0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(Struct, frozen=True):
    """A time of some length, or none."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``0``, ``90``, ``30m``, ``1h30m`` or ``400d``. Raises
        :class:`~manyfest.errors.UsageError`."""
        if text.strip() in ("0", "0s"):
            return cls(0.0)
        days = _DAYS.fullmatch(text.strip())
        if days is not None:
            return cls(float(days[1]) * _SECONDS["d"])
        return cls(Duration.parse(text.strip()).seconds)


class Rate(Struct, frozen=True):
    """How many requests in which time."""

    budget: Budget

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``100/h`` or ``100/6h``. Raises :class:`~manyfest.errors.UsageError`."""
        found = _BUDGET.fullmatch(text.strip())
        if found is None or not int(found[1]) or found[2].strip("0") == "" != found[2]:
            raise UsageError(
                f"{text[:80]!r} is no number of requests in a time", mend="write 100/h, or 100/6h"
            )
        seconds = float(found[2] or 1) * _SECONDS[found[3]]
        return cls(Budget(requests=int(found[1]), seconds=seconds))


class Repository(Struct, frozen=True):
    """A repository in a registry, ``host/name``."""

    place: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``docker.io/gotify/server``. Raises :class:`~manyfest.errors.UsageError`."""
        from manyfest.oci.reference import parse_repository

        return cls(parse_repository(text).place)
