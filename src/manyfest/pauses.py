"""The pauses of those who ask again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def growing_pauses(first: float, longest: float, jitter: Callable[[], float]) -> Iterator[float]:
    """Seconds, without end: ``first``, then half as long again each time up to ``longest``.

    Each is between half of what it grew to and all of it, as ``jitter`` says, a number from 0 to 1:
    so many who wait do not come as one.
    """
    grown = first
    while True:
        yield grown * (1 + jitter()) / 2
        grown = min(grown * 1.5, longest)
