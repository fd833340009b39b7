"""How long versions took, of many of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from msgspec import Struct


class Lags(Struct, frozen=True, kw_only=True):
    """Over ``count`` versions, the seconds from the first sighting: the median, and what 95 of 100
    kept within."""

    count: int
    median: float
    p95: float


def lags(seconds: Iterable[float]) -> Lags | None:
    """Their statistics; ``None`` if there are none."""
    values = sorted(seconds)
    if not values:
        return None
    p95 = values[math.ceil(0.95 * len(values)) - 1]
    return Lags(count=len(values), median=median(values), p95=p95)
