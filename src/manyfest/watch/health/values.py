"""What is known of a registry: how it is now, and how it was. Values only.

Times are seconds since 1970.
"""

from __future__ import annotations

from msgspec import Struct

PERIOD = 300
"""Seconds for which samples are kept together."""

DAY = 86400
"""Seconds of a day, which begins at midnight UTC."""


class RegistryState(Struct, frozen=True, kw_only=True):
    """What is known of one registry, at the moment ``at``. It was asked first when that ``began``.

    ``failing_since`` is when it first gave no answer, of the ``failures`` in a row up to now, and
    ``why`` what the last one was; ``down_since`` equals it once the registry is told to be
    unreachable. ``answers`` counts those in a row since, ``answered_at`` is its last one, and
    ``limited_at`` the last that asked to be left alone.
    """

    registry: str
    at: float = 0.0
    began: float | None = None
    answered_at: float | None = None
    answers: int = 0
    failing_since: float | None = None
    failures: int = 0
    why: str = ""
    down_since: float | None = None
    limited_at: float | None = None


class Histogram(Struct, frozen=True):
    """How often a request took how long: of each step of :mod:`~manyfest.watch.health.latency`, by
    its number, how many took that long."""

    counts: dict[int, int] = {}


class Period(Struct, frozen=True, kw_only=True):
    """How many requests a registry was sent in the :data:`PERIOD` that begins at ``start``, how
    many of them it did not answer, and how long its answers took."""

    registry: str
    start: int
    asked: int
    failed: int
    latencies: Histogram


class Day(Struct, frozen=True, kw_only=True):
    """The same of a whole ``day``, counted from 1970, and for how many seconds the registry was
    ``down``."""

    day: int
    asked: int = 0
    failed: int = 0
    down: float = 0.0
