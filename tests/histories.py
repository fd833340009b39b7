"""What a watch may have seen, for tests of what keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy import event as listening

from manyfest.check.readiness import PlatformState, Readiness
from manyfest.watch.history import tables
from manyfest.watch.history.history import History
from manyfest.watch.values import (
    Change,
    Event,
    Incident,
    Notice,
    Observation,
    PlaceSeen,
    PlatformSeen,
    TagState,
)

IMAGE = "gotify/server"
HUB = "docker.io/gotify/server"
DIGEST = "sha256:" + "a" * 64
CHILD = "sha256:" + "c" * 64


def observation(tag: str, at: float, silence: str = "") -> Observation:
    """One place has it, ready for one platform; or gives no answer."""
    platform = PlatformState(platform="linux/amd64", state="ready", digest=CHILD, why="")
    answer = Readiness(
        reference=f"{HUB}:{tag}", digest=DIGEST, ready=True, platforms=(platform,)
    )  # fmt: skip
    return Observation(
        image=IMAGE,
        tag=tag,
        place=HUB,
        at=at,
        answer=None if silence else answer,
        silence=silence,
    )


def state(tag: str, at: float) -> TagState:
    """Complete since ``at``."""
    ready = PlatformSeen(state="ready", digest=CHILD, ready_at=at)
    place = PlaceSeen(
        place=HUB,
        digest=DIGEST,
        since=at,
        first_seen=at,
        complete_at=at,
        platforms={"linux/amd64": ready},
        answered_at=at,
    )
    return TagState(
        image=IMAGE,
        tag=tag,
        began=at,
        digest=DIGEST,
        first_seen=at,
        complete_at=at,
        places=(place,),
    )


def event(tag: str, at: float) -> Event:
    """It is complete."""
    return Event(kind="complete", at=at, image=IMAGE, tag=tag, what=DIGEST, lag=0.0)


def change(tag: str, at: float) -> Change:
    """It was seen complete, and that is told."""
    return Change(
        state=state(tag, at), observations=(observation(tag, at),), events=(event(tag, at),)
    )


def notice(tag: str, due: float) -> Notice:
    """Somebody is to be told."""
    return Notice(recipient="phone", due=due, events=(event(tag, due),))


def outage(registry: str, began: float, ended: float | None = None) -> Incident:
    """A registry gives no answers."""
    return Incident(
        kind="unreachable", began=began, cause="no answer", registry=registry, ended=ended
    )


def amount(history: History, table: str) -> int:
    """How many rows a table has."""
    with history.reading() as connection:
        return (
            connection.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0
        )


@contextmanager
def asked_of(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements, with their parameters, that read or delete while the block runs."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            asked.append((statement, parameters))

    listening.listen(engine, "before_cursor_execute", note)
    yield asked
    listening.remove(engine, "before_cursor_execute", note)
