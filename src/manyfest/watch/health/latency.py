"""How long requests take, in a form that is small and can be added up.

A histogram's steps grow by a quarter of an octave, from 1 ms to about a minute: what it says of a
time is right within 9 %, and what is longer or shorter counts as the last or the first step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from manyfest.watch.health.values import Histogram

_SHORTEST = 0.001  # seconds
_PER_OCTAVE = 4
_LAST = 64
_LONGEST = _SHORTEST * 2 ** (_LAST / _PER_OCTAVE)


def histogram(times: Iterable[float]) -> Histogram:
    """The histogram of times in seconds."""
    return Histogram(dict(sorted(Counter(map(_step, times)).items())))


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """One that counts what all of them count."""
    counts: Counter[int] = Counter()
    for each in histograms:
        counts.update(each.counts)
    return Histogram(dict(sorted(counts.items())))


def quantile(times: Histogram, share: float) -> float | None:
    """The time in seconds within which this ``share`` of the requests was answered: 0.5 for the
    median, 0.95 for p95. ``None`` if there were none."""
    rank = max(1, math.ceil(share * sum(times.counts.values())))
    for step, count in sorted(times.counts.items()):
        rank -= count
        if rank <= 0:
            return _middle(step)
    return None


def _step(seconds: float) -> int:
    """The number of the first step that is as long; the first one for what is no time at all."""
    if seconds >= _LONGEST:
        return _LAST
    if not seconds > _SHORTEST:
        return 0
    return math.ceil(math.log2(seconds / _SHORTEST) * _PER_OCTAVE)


def _middle(step: int) -> float:
    return float(_SHORTEST * 2 ** ((step - 0.5) / _PER_OCTAVE)) if step else _SHORTEST
