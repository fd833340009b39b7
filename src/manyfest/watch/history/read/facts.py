"""What versions consist of."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select

from manyfest.watch.history.tables import facts
from manyfest.watch.values import Facts, TagState

_FACTS = msgspec.json.Decoder(Facts)


def facts_of(connection: Connection, state: TagState) -> dict[str, Facts]:
    """What is known of what the places of a version hold, by the digests of their indexes."""
    return _facts(connection, {each.digest for each in state.places if each.digest})


def _facts(connection: Connection, digests: Collection[str]) -> dict[str, Facts]:
    found = select(facts.c.facts).where(facts.c.digest.in_(digests))
    known = [_FACTS.decode(raw) for raw in connection.scalars(found)]
    return {each.digest: each for each in known}
