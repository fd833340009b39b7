"""Images that the page added or paused."""

from __future__ import annotations

from msgspec.structs import asdict
from sqlalchemy import delete, select

from manyfest.watch.history import tables
from manyfest.watch.history.batch import KeptImage
from manyfest.watch.history.database import Database
from manyfest.watch.history.upsert import upsert

_IMAGES = tables.images


class Images:
    """Those of one history. All raise :class:`~manyfest.errors.HistoryError`, and
    :class:`~manyfest.errors.HistoryAway` where it may pass; then they may be done again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[KeptImage]:
        """In the order in which they were added."""
        query = select(_IMAGES).order_by(_IMAGES.c.added_at, _IMAGES.c.name)
        with self._database.reading() as connection:
            return [KeptImage(**row) for row in connection.execute(query).mappings()]

    def keep(self, image: KeptImage) -> None:
        """Add it, or put it in the place of the one with its name."""
        with self._database.writing() as connection:
            upsert(connection, _IMAGES, ("name",), [asdict(image)])

    def remove(self, name: str) -> None:
        """Forget that it was added or paused. What was seen of it stays."""
        with self._database.writing() as connection:
            connection.execute(delete(_IMAGES).where(_IMAGES.c.name == name))
