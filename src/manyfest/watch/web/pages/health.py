"""Registries in words: how each is, and each of its days."""

from __future__ import annotations

from msgspec import Struct

from manyfest.watch.health.uptime import Bar
from manyfest.watch.history.read.registries import DayTaken, Standing
from manyfest.watch.web.pages.page import Level
from manyfest.watch.web.pages.times import day
from manyfest.watch.wording import span

_LOOKS = {"up": "good", "degraded": "some", "down": "bad", "no data": "none"}


class ShownDay(Struct, frozen=True):
    """A day as a bar: its ``look`` is good, some, bad or none; ``words`` tell all of it."""

    number: int
    name: str
    look: str
    words: str
    down: float
    asked: int
    failed: int
    p50: float | None
    p95: float | None


class Health(Struct, frozen=True):
    """A registry: how it is in a word or two, since when, and how it was."""

    host: str
    word: str
    level: Level
    since: float | None
    why: str
    uptime_day: float | None
    uptime_week: float | None
    uptime_quarter: float | None
    p50: float | None
    p95: float | None
    days: tuple[ShownDay, ...]


def health(standing: Standing) -> Health:
    """What is shown of a registry."""
    word, level, since, why = _now(standing)
    uptime_day, uptime_week, uptime_quarter = standing.uptimes
    return Health(
        host=standing.host,
        word=word,
        level=level,
        since=since,
        why=why,
        uptime_day=uptime_day,
        uptime_week=uptime_week,
        uptime_quarter=uptime_quarter,
        p50=standing.p50,
        p95=standing.p95,
        days=tuple(_shown(each) for each in standing.days),
    )


def _now(standing: Standing) -> tuple[str, Level, float | None, str]:
    state = standing.state
    if state is None:
        return "not asked yet", "unknown", None, ""
    if state.down_since is not None:
        return "unreachable", "bad", state.down_since, state.why
    if state.failing_since is not None:
        return "some answers missing", "busy", state.failing_since, state.why
    if state.answered_at is None:
        return "not asked yet", "unknown", None, ""
    return "answers", "good", None, ""


def _shown(taken: DayTaken) -> ShownDay:
    bar = taken.bar
    return ShownDay(
        number=bar.day,
        name=day(bar.day),
        look=_LOOKS[bar.status],
        words=f"{day(bar.day)}: {_words(bar)}",
        down=bar.down,
        asked=bar.asked,
        failed=bar.failed,
        p50=taken.p50,
        p95=taken.p95,
    )


def _words(bar: Bar) -> str:
    if bar.status == "no data":
        return "not asked"
    told = [f"out of reach for {span(bar.down)}"] if bar.down else []
    told += [f"{bar.failed:,} of {bar.asked:,} answers missing"] if bar.failed else []
    return ", ".join(told) or "all answers came"
