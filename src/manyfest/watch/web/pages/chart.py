"""The time that a registry took to answer, as lines over 24 hours. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from msgspec import Struct

from manyfest.watch.history.read.registries import Latency
from manyfest.watch.wording import span

WIDTH, HEIGHT = 760, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, WIDTH - 12, 12, HEIGHT - 26
_DAY = 86400.0
_GAP = 900.0
"""Seconds without an answer after which a line breaks off."""

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class Chart(Struct, frozen=True):
    """The picture: lines as SVG paths, where there were failures, and both scales with words."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    words: str
    p50: tuple[str, ...]
    p95: tuple[str, ...]
    failures: tuple[float, ...]
    levels: tuple[tuple[float, str], ...]
    hours: tuple[tuple[float, str], ...]


def chart(taken: Sequence[Latency], now: float) -> Chart | None:
    """The chart of what was measured in the 24 hours before ``now``, in order; ``None`` if nothing
    was."""
    if not taken:
        return None
    highest = max((each.p95 or 0.0 for each in taken), default=0.0)
    step = next((each for each in _STEPS if each * 4 >= highest), _STEPS[-1])

    def x(at: float) -> float:
        return round(_LEFT + (at - (now - _DAY)) / _DAY * (_RIGHT - _LEFT), 1)

    def y(seconds: float) -> float:
        return round(_BOTTOM - min(seconds / (step * 4), 1.0) * (_BOTTOM - _TOP), 1)

    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        words=_in_words(taken),
        p50=tuple(_paths([(each.at, each.p50) for each in taken], x, y)),
        p95=tuple(_paths([(each.at, each.p95) for each in taken], x, y)),
        failures=tuple(x(each.at) for each in taken if each.failed),
        levels=tuple((y(each * step), _milliseconds(each * step)) for each in range(5)),
        hours=tuple((x(at), f"{datetime.fromtimestamp(at, UTC):%H:%M}") for at in _hours(now)),
    )


def _paths(
    points: Sequence[tuple[float, float | None]],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> Iterator[str]:
    """A path for each stretch without a gap."""
    known = [(at, value) for at, value in points if value is not None]
    if not known:
        return
    stretch = [known[0]]
    for (before, _), point in pairwise(known):
        if point[0] - before > _GAP:
            yield _path(stretch, x, y)
            stretch = []
        stretch.append(point)
    yield _path(stretch, x, y)


def _path(
    points: Sequence[tuple[float, float]],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    first, *rest = [f"{x(at)} {y(value)}" for at, value in points]
    # A single point is drawn too: a line of no length has round ends.
    return f"M{first}L{' '.join(rest or [first])}"


def _hours(now: float) -> list[float]:
    """Every fourth full hour, not too near to the edges."""
    first = (now - _DAY) // 14400 * 14400 + 14400
    hours = [first + each * 14400 for each in range(6)]
    return [at for at in hours if now - _DAY + 1800 < at < now - 1800]


def _milliseconds(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _in_words(taken: Sequence[Latency]) -> str:
    values = [each.p50 for each in taken if each.p50 is not None]
    failed = sum(each.failed for each in taken)
    missing = f"; {failed} answers were missing" if failed else ""
    if not values:
        return f"No answer came{missing}"
    lowest, highest = _milliseconds(round(min(values), 3)), _milliseconds(round(max(values), 3))
    over = span(taken[-1].at - taken[0].at)
    return f"Over {over}, half of the answers took at most {lowest} to {highest}{missing}"
