"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _some(name: str, table: str, column: str, which: str) -> None:
    where = sa.text(which)
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Make them."""
    _batches()
    _days()
    _events()
    _facts()
    _images()
    _incidents()
    _notices()
    _observations()
    _registries()
    _samples()
    _tags()
    _users()
    _sessions()
    _tokens()


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("key", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _days() -> None:
    op.create_table(
        "days",
        sa.Column("registry", _TEXT, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("down", sa.Float(), nullable=False),
        sa.Column("latencies", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("registry", "day"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("image", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("registry", _TEXT, nullable=False),
        sa.Column("platform", _TEXT, nullable=False),
        sa.Column("what", _TEXT, nullable=False),
        sa.Column("was", _TEXT, nullable=False),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("lag", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_kind", "events", ["kind", "at"])
    op.create_index("events_by_time", "events", ["at"])
    op.create_index("events_of_image", "events", ["image", "at"])
    op.create_index("events_of_kind", "events", ["image", "kind", "at"])
    op.create_index("events_of_registry", "events", ["registry", "at"])
    op.create_index("events_of_tag", "events", ["image", "tag", "at"])


def _facts() -> None:
    op.create_table(
        "facts",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("facts_by_time", "facts", ["read_at"])


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("rule", sa.LargeBinary(), nullable=False),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("paused_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("registry", _TEXT, nullable=False),
        sa.Column("image", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("cause", _TEXT, nullable=False),
        sa.Column("began", sa.Float(), nullable=False),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.Column("acknowledged_at", sa.Float(), nullable=True),
        sa.Column("acknowledged_by", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("incidents_by_time", "incidents", ["began"])
    op.create_index("incidents_of_registry", "incidents", ["registry", "began"])
    op.create_index("incidents_of_tag", "incidents", ["image", "tag", "began"])
    op.create_index("incidents_open", "incidents", ["ended", "began"])


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("recipient", _TEXT, nullable=False),
        sa.Column("events", sa.LargeBinary(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trying", sa.Boolean(), nullable=False),
        sa.Column("fault", _TEXT, nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=True),
        sa.Column("given_up_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    _some("notices_delivered", "notices", "delivered_at", "delivered_at IS NOT NULL")
    _some("notices_given_up", "notices", "given_up_at", "given_up_at IS NOT NULL")
    _some("notices_untold", "notices", "recipient", "delivered_at IS NULL")
    _some("notices_waiting", "notices", "due", "delivered_at IS NULL AND given_up_at IS NULL")


def _observations() -> None:
    op.create_table(
        "observations",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("image", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("place", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("silence", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("observations_by_time", "observations", ["at"])
    op.create_index("observations_of_tag", "observations", ["image", "tag", "at"])


def _registries() -> None:
    op.create_table(
        "registries",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _samples() -> None:
    op.create_table(
        "samples",
        sa.Column("registry", _TEXT, nullable=False),
        sa.Column("start", _NUMBER, nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("latencies", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("registry", "start"),
    )


def _tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("image", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("rank", _TEXT, nullable=False),
        sa.Column("standing", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("first_seen", sa.Float(), nullable=True),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("image", "tag"),
    )
    op.create_index("tags_by_digest", "tags", ["digest"])
    op.create_index("tags_by_rank", "tags", ["image", "rank"])
    op.create_index("tags_by_standing", "tags", ["image", "standing"])


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("password", _TEXT, nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("user", _TEXT, nullable=False),
        sa.Column("csrf", _TEXT, nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("user", _TEXT, nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sqlite_autoincrement=True,
    )
