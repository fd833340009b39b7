"""The tables of the history, in SQLAlchemy Core: the same on SQLite and on PostgreSQL.

Values are kept as JSON, as msgspec writes them; what is looked up or sorted by has a column of its
own. Times are seconds since 1970.

What is changed here is changed in :mod:`~manyfest.watch.history.migrations` too, by a step of its
own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
    types,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

metadata = MetaData()


class Text(types.TypeDecorator[str]):
    """Text that sorts byte by byte, whatever language the database speaks. What registries and
    people wrote may hold characters that PostgreSQL, or UTF-8, has no place for: they are marked.
    """

    impl = types.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[str]:
        """The database's own type."""
        return types.Text(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The text that the database takes."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""A row's number: SQLite counts up only what is called an integer. Where others keep the number,
in a link say, none is used again (``sqlite_autoincrement``)."""


def _some(name: str, column: str, which: str) -> Index:
    """An index that has only some of the rows: databases use no other one for these."""
    return Index(name, column, sqlite_where=text(which), postgresql_where=text(which))


batches = Table(
    "batches",
    metadata,
    Column("key", Text, primary_key=True),  # of what was written, until that is known
)

images = Table(
    "images",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rule", LargeBinary, nullable=False),  # JSON of what the configuration says of it
    Column("origin", Text, nullable=False),  # "file" or "page": who added it
    Column("added_at", Float, nullable=False),
    Column("paused_at", Float),
)

tags = Table(
    "tags",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("image", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),  # JSON of a TagState
    Column("rank", Text, nullable=False),  # sorts as the versions do
    Column("standing", Text, nullable=False),  # complete, incomplete, late, differ or gone
    Column("digest", Text, nullable=False),  # what the version is, or empty
    Column("first_seen", Float),
    Column("changed_at", Float, nullable=False),
    UniqueConstraint("image", "tag"),
    Index("tags_by_rank", "image", "rank"),
    Index("tags_by_standing", "image", "standing"),
    Index("tags_by_digest", "digest"),
)

lists = Table(
    "lists",
    metadata,
    Column("image", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("choice", LargeBinary, nullable=False),  # JSON of which tags were watched
)

facts = Table(
    "facts",
    metadata,
    Column("digest", Text, primary_key=True),  # of an index, or of an image without one
    Column("facts", LargeBinary, nullable=False),  # JSON of a Facts
    Column("read_at", Float, nullable=False),
    Column("is_last", Boolean, nullable=False),
    Index("facts_by_time", "read_at"),
)

observations = Table(
    "observations",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", Float, nullable=False),
    Column("image", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("answer", LargeBinary),  # JSON of a Readiness; none if it could not tell
    Column("silence", Text, nullable=False),
    Index("observations_of_tag", "image", "tag", "at"),
    Index("observations_by_time", "at"),
)

events = Table(
    "events",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("registry", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("was", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("lag", Float),
    Index("events_by_time", "at"),
    Index("events_by_kind", "kind", "at"),
    Index("events_of_image", "image", "at"),
    Index("events_of_tag", "image", "tag", "at"),
    Index("events_of_kind", "image", "kind", "at"),
    Index("events_of_registry", "registry", "at"),
    sqlite_autoincrement=True,
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("registry", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
    Column("acknowledged_at", Float),
    Column("acknowledged_by", Text, nullable=False),
    Index("incidents_by_time", "began"),
    Index("incidents_open", "ended", "began"),
    Index("incidents_of_registry", "registry", "began"),
    Index("incidents_of_tag", "image", "tag", "began"),
    sqlite_autoincrement=True,
)

registries = Table(
    "registries",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", LargeBinary, nullable=False),  # JSON of a RegistryState
    Column("changed_at", Float, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("start", _NUMBER, primary_key=True),  # of the five minutes
    Column("asked", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("latencies", LargeBinary, nullable=False),  # JSON of a histogram
)

days = Table(
    "days",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("day", Integer, primary_key=True),  # since 1970, UTC
    Column("asked", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("down", Float, nullable=False),  # seconds
    Column("latencies", LargeBinary, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("events", LargeBinary, nullable=False),  # JSON of the events that are told
    Column("due", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("trying", Boolean, nullable=False),  # an attempt is under way, or was cut short
    Column("fault", Text, nullable=False),  # of the last attempt
    Column("delivered_at", Float),
    Column("given_up_at", Float),
    _some("notices_waiting", "due", "delivered_at IS NULL AND given_up_at IS NULL"),
    _some("notices_untold", "recipient", "delivered_at IS NULL"),
    _some("notices_delivered", "delivered_at", "delivered_at IS NOT NULL"),
    _some("notices_given_up", "given_up_at", "given_up_at IS NOT NULL"),
    sqlite_autoincrement=True,
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),  # bcrypt
    Column("made_at", Float, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the token
    Column("name", Text, nullable=False),
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    Column("may_write", Boolean, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("used_at", Float),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the cookie
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("ends_at", Float, nullable=False),
)
