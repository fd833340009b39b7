"""The life of a notice: it waits, is attempted, and is delivered, put off or given up."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import RowMapping, func, or_, select, update

from manyfest.watch.history import tables
from manyfest.watch.history.batch import WaitingNotice
from manyfest.watch.history.database import Database
from manyfest.watch.values import Event

_NOTICES = tables.notices
_IS_OPEN = (_NOTICES.c.delivered_at.is_(None), _NOTICES.c.given_up_at.is_(None))

LONGEST_DELAY = 7 * 86400.0
"""Seconds: a notice waits for the end of a night, for a digest, or for a service to recover."""

_events = msgspec.json.Decoder(tuple[Event, ...])


class Notices:
    """Those of one history. Each of these may be done again when nobody knows what came of it.

    All raise :class:`~manyfest.errors.HistoryError`, and
    :class:`~manyfest.errors.HistoryAway` where it may pass.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(
        self, now: float, limit: int = 100, besides: Collection[str] = ()
    ) -> list[WaitingNotice]:
        """Those that are due, the longest first, ``besides`` those of some recipients. What is due
        so late that only a clock that was wrong can have said so is due too."""
        is_due = or_(_NOTICES.c.due <= now, _NOTICES.c.due > now + LONGEST_DELAY)
        query = select(_NOTICES).where(*_IS_OPEN, is_due)
        if besides:
            query = query.where(_NOTICES.c.recipient.not_in(besides))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_NOTICES.c.due, _NOTICES.c.id).limit(limit))
            return [_waiting(row) for row in rows.mappings()]

    def resting(self, now: float) -> dict[str, float]:
        """The recipients that were tried in vain and are left alone for now, and until when."""
        is_later = (_NOTICES.c.due > now) & (_NOTICES.c.due <= now + LONGEST_DELAY)
        query = select(_NOTICES.c.recipient, func.max(_NOTICES.c.due).label("until"))
        query = query.where(*_IS_OPEN, is_later, _NOTICES.c.tries > 0)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_NOTICES.c.recipient)).mappings()
            return {row["recipient"]: row["until"] for row in rows}

    def attempt(self, notice: WaitingNotice) -> None:
        """Before it is sent: from now on it may have been told."""
        self._set(notice.id, trying=True, tries=notice.tries + 1)

    def delivered(self, number: int, at: float) -> None:
        """It was sent, and taken."""
        self._set(number, trying=False, fault="", delivered_at=at)

    def failed(self, number: int, why: str, again_at: float, *, unclear: bool = False) -> None:
        """It was not taken, or that is ``unclear``; it is due again at ``again_at``."""
        self._set(number, trying=unclear, fault=why, due=again_at)

    def give_up(self, number: int, why: str, at: float) -> None:
        """It will not be sent any more."""
        self._set(number, trying=False, fault=why, given_up_at=at)

    def _set(self, number: int, **values: object) -> None:
        with self._database.writing() as connection:
            connection.execute(update(_NOTICES).where(_NOTICES.c.id == number).values(**values))


def _waiting(row: RowMapping) -> WaitingNotice:
    return WaitingNotice(
        id=row["id"],
        recipient=row["recipient"],
        due=row["due"],
        events=_events.decode(row["events"]),
        tries=row["tries"],
        cut_short=row["trying"],
        fault=row["fault"],
    )
