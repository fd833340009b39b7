"""By which choice of tags the list of a repository was read last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from manyfest.errors import UsageError
from manyfest.release.versions.ranges import Range
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.values import TagChoice
from manyfest.watch.history import tables
from manyfest.watch.history.batch import WasListed
from manyfest.watch.history.database import Database
from manyfest.watch.history.upsert import upsert


class _Kept(Struct, frozen=True, omit_defaults=True):
    """A choice as people write it."""

    names: tuple[str, ...] = ()
    versions: str = ""
    match: str = ""
    newest: int = 10


_kept = msgspec.json.Decoder(_Kept)


def write(connection: Connection, lists: Iterable[WasListed]) -> None:
    """Keep these, in the place of what was known of the same lists."""
    rows = {(each.image, each.repository): _row(each) for each in lists}
    upsert(connection, tables.lists, ("image", "repository"), list(rows.values()))


def was_listed(database: Database) -> list[WasListed]:
    """Of all lists that were read."""
    with database.reading() as connection:
        rows = connection.execute(select(tables.lists)).all()
    return [
        WasListed(image, repository, choice)
        for image, repository, kept in rows
        for choice in _choice(_kept.decode(kept))
    ]


def _row(each: WasListed) -> dict[str, Any]:
    choice = each.choice
    match = choice.match.text if choice.match else ""
    kept = _Kept(choice.names, choice.versions, match, choice.newest)
    return {
        "image": each.image,
        "repository": each.repository,
        "choice": msgspec.json.encode(kept),
    }


def _choice(kept: _Kept) -> Iterator[TagChoice]:
    """The choice, unless this manyfest does not understand what another one wrote."""
    try:
        match = Pattern.parse(kept.match) if kept.match else None
        if kept.versions:
            Range.parse(kept.versions)
    except UsageError:
        return
    yield TagChoice(names=kept.names, versions=kept.versions, match=match, newest=kept.newest)
