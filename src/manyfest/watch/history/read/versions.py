"""The versions of images, newest first, and how many there are of each standing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, func, select

from manyfest.watch.history.tables import tags
from manyfest.watch.values import TagState

_STATE = msgspec.json.Decoder(TagState)

_WHOLE = select(tags.c.state, tags.c.standing, tags.c.rank)
_OF_IMAGE = _WHOLE.where(tags.c.image == bindparam("of"))
_NEWEST = _OF_IMAGE.order_by(tags.c.rank.desc()).limit(bindparam("most"))
_OLDER = _NEWEST.where(tags.c.rank < bindparam("edge"))
_NEWER = (
    _OF_IMAGE.where(tags.c.rank > bindparam("edge")).order_by(tags.c.rank).limit(bindparam("most"))
)
_ONE = _OF_IMAGE.where(tags.c.tag == bindparam("named"))
_COUNTS = select(tags.c.image, tags.c.standing, func.count().label("amount")).group_by(
    tags.c.image, tags.c.standing
)
_COUNTS_OF_IMAGE = _COUNTS.where(tags.c.image == bindparam("of"))
_NAMED = select(tags.c.image, tags.c.tag, tags.c.standing, tags.c.first_seen).order_by(
    tags.c.image, tags.c.tag
)


class Version(Struct, frozen=True):
    """A tag, what is known of it, and its ``standing``: complete, incomplete, late, differ or
    gone. ``rank`` sorts as the versions do."""

    state: TagState
    standing: str
    rank: str


class Found(Struct, frozen=True):
    """A tag that was searched for."""

    image: str
    tag: str
    standing: str
    first_seen: float | None


Counts = dict[str, dict[str, int]]
"""How many versions of each standing each image has."""


def newest(connection: Connection, image: str, most: int) -> list[Version]:
    """At most so many versions of ``image``, the newest first."""
    rows = connection.execute(_NEWEST, {"of": image, "most": most})
    return [_version(row) for row in rows]


def older(connection: Connection, image: str, edge: str, most: int) -> list[Version]:
    """The versions that come after the rank ``edge``."""
    rows = connection.execute(_OLDER, {"of": image, "most": most, "edge": edge})
    return [_version(row) for row in rows]


def newer(connection: Connection, image: str, edge: str, most: int) -> list[Version]:
    """The versions that come right before the rank ``edge``, the newest first."""
    rows = connection.execute(_NEWER, {"of": image, "most": most, "edge": edge})
    return [_version(row) for row in rows][::-1]


def version(connection: Connection, image: str, tag: str) -> Version | None:
    """One version, if it was ever seen."""
    row = connection.execute(_ONE, {"of": image, "named": tag}).first()
    return None if row is None else _version(row)


def counts(connection: Connection) -> Counts:
    """For all images."""
    return _counts(connection.execute(_COUNTS).all())


def counts_of(connection: Connection, image: str) -> dict[str, int]:
    """For one image; empty if nothing was seen of it."""
    return _counts(connection.execute(_COUNTS_OF_IMAGE, {"of": image}).all()).get(image, {})


def search(connection: Connection, image: str, words: str, most: int) -> list[Found]:
    """At most so many tags that have ``words`` in their name, of images that have ``image`` in
    theirs; upper and lower case are the same."""
    found = _NAMED.where(tags.c.tag.icontains(words, autoescape=True))
    if image:
        found = found.where(tags.c.image.icontains(image, autoescape=True))
    return _found(connection.execute(found.limit(most)))


def of_digest(connection: Connection, digest: str, most: int) -> list[Found]:
    """At most so many tags that hold what has this digest."""
    return _found(connection.execute(_NAMED.where(tags.c.digest == digest).limit(most)))


def _found(rows: Iterable[Any]) -> list[Found]:
    return [Found(row.image, row.tag, row.standing, row.first_seen) for row in rows]


def _version(row: Any) -> Version:
    return Version(_STATE.decode(row.state), row.standing, row.rank)


def _counts(rows: Iterable[Any]) -> Counts:
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row.image][row.standing] = row.amount
    return dict(found)
