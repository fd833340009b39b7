"""Samples, added up for as long as they are kept together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from manyfest.watch.health.latency import histogram
from manyfest.watch.health.values import PERIOD, Period
from manyfest.watch.values import Sample


def periods(samples: Iterable[Sample]) -> tuple[Period, ...]:
    """The samples, added up by registry and period, sorted by these. How long a request took that
    was not answered counts for nothing."""
    groups: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for each in samples:
        groups[each.registry, int(each.at // PERIOD) * PERIOD].append(each)
    return tuple(
        _period(registry, start, group) for (registry, start), group in sorted(groups.items())
    )


def _period(registry: str, start: int, samples: Sequence[Sample]) -> Period:
    answered = [each.seconds for each in samples if not each.why]
    return Period(
        registry=registry,
        start=start,
        asked=len(samples),
        failed=len(samples) - len(answered),
        latencies=histogram(answered),
    )
