"""A batch as rows, written within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.json import encode
from msgspec.structs import asdict
from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, select, update

from manyfest.watch.history import facts, lists, tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.rank import rank, standing
from manyfest.watch.history.tallies import add_downtime, add_samples
from manyfest.watch.history.upsert import upsert
from manyfest.watch.values import Change, Incident, Notice, Observation, TagState

Row = dict[str, Any]

_TAG = ("image", "tag")
_ONE_INCIDENT = ("kind", "registry", "image", "tag", "place")
"""What is wrong is told apart by; it is open once at most."""


def write(connection: Connection, batch: Batch) -> bool:
    """Write the batch, unless it was written before; says whether it was not."""
    key = tables.batches.c.key
    if connection.scalar(select(key).where(key == batch.key)) is not None:
        return False
    connection.execute(insert(tables.batches), {"key": batch.key})
    _write_changes(connection, batch.changes)
    _add(connection, tables.events, (asdict(event) for event in batch.events))
    _add(connection, tables.notices, map(_notice, batch.notices))
    _add(connection, tables.incidents, map(asdict, batch.opened))
    _close(connection, batch.closed)
    facts.write(connection, batch.facts)
    lists.write(connection, batch.lists)
    add_downtime(connection, (*batch.opened, *batch.closed))
    add_samples(connection, batch.samples)
    registries = [
        {"name": state.registry, "state": encode(state), "changed_at": state.at}
        for state in batch.registries
    ]
    upsert(connection, tables.registries, ("name",), registries)
    return True


def drop_key(connection: Connection, key: str) -> None:
    """Nobody asks any more what came of the batch with this key."""
    connection.execute(delete(tables.batches).where(tables.batches.c.key == key))


def _write_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """A tag's later state stands for its earlier ones. One of which only the state changed, say
    when it was last looked at, did not change for people."""
    latest: dict[tuple[str, str], Row] = {}
    changed: dict[tuple[str, str], float] = {}
    for change in changes:
        state = change.state
        tag = (state.image, state.tag)
        times = [seen.at for seen in change.observations]
        if times := times + [happened.at for happened in change.events]:
            changed[tag] = max(times)
        latest[tag] = _tag(state, changed.get(tag, state.began))
    with_news = [row for tag, row in latest.items() if tag in changed]
    without = [row for tag, row in latest.items() if tag not in changed]
    upsert(connection, tables.tags, _TAG, with_news)
    upsert(connection, tables.tags, _TAG, without, kept=("changed_at",))
    observations = (each for change in changes for each in change.observations)
    _add(connection, tables.observations, map(_observation, observations))
    _add(connection, tables.events, (asdict(each) for change in changes for each in change.events))


def _close(connection: Connection, incidents: Sequence[Incident]) -> None:
    """Note when they ended, and of what."""
    if not incidents:
        return
    table = tables.incidents.c
    is_it = and_(*(table[name] == bindparam(f"its_{name}") for name in _ONE_INCIDENT))
    rows = [
        {"ended": each.ended, "cause": each.cause}
        | {f"its_{name}": getattr(each, name) for name in _ONE_INCIDENT}
        for each in incidents
    ]
    connection.execute(update(tables.incidents).where(is_it, table.ended.is_(None)), rows)


def _add(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    if listed := list(rows):
        connection.execute(insert(table), listed)


def _tag(state: TagState, changed_at: float) -> Row:
    return {
        "image": state.image,
        "tag": state.tag,
        "state": encode(state),
        "rank": rank(state.tag),
        "standing": standing(state),
        "digest": state.digest,
        "first_seen": state.first_seen,
        "changed_at": changed_at,
    }


def _observation(each: Observation) -> Row:
    return {
        "at": each.at,
        "image": each.image,
        "tag": each.tag,
        "place": each.place,
        "digest": each.answer.digest if each.answer else "",
        "answer": encode(each.answer) if each.answer else None,
        "silence": each.silence,
    }


def _notice(notice: Notice) -> Row:
    return {
        "recipient": notice.recipient,
        "events": encode(notice.events),
        "due": notice.due,
        "tries": 0,
        "trying": False,
        "fault": "",
    }
