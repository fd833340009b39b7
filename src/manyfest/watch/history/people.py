"""Who may sign in, and what they and their programs are signed in with. What is secret is kept as
a digest, which others make."""

from __future__ import annotations

from msgspec.structs import asdict
from sqlalchemy import delete, select, update

from manyfest.watch.history import tables
from manyfest.watch.history.batch import Session, Token, User
from manyfest.watch.history.database import Database
from manyfest.watch.history.upsert import upsert

_USERS, _TOKENS, _SESSIONS = tables.users, tables.tokens, tables.sessions


class People:
    """Those of one history. All raise :class:`~manyfest.errors.HistoryError`, and
    :class:`~manyfest.errors.HistoryAway` where it may pass."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self) -> list[User]:
        """By name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_USERS).order_by(_USERS.c.name)).mappings()
            return [User(**row) for row in rows]

    def user(self, name: str) -> User | None:
        """The one with this name."""
        with self._database.reading() as connection:
            row = connection.execute(select(_USERS).where(_USERS.c.name == name)).mappings().first()
            return User(**row) if row else None

    def keep_user(self, user: User) -> None:
        """Add the user; one with this name gets the new password, and is signed out everywhere."""
        with self._database.writing() as connection:
            upsert(connection, _USERS, ("name",), [asdict(user)], kept=("made_at",))
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.user == user.name))

    def remove_user(self, name: str) -> bool:
        """Remove the user, and all sessions and tokens of it; says whether there was one."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(_USERS).where(_USERS.c.name == name))
            return gone.rowcount > 0

    def tokens(self, user: str) -> list[Token]:
        """A user's, the oldest first."""
        query = select(_TOKENS).where(_TOKENS.c.user == user).order_by(_TOKENS.c.id)
        with self._database.reading() as connection:
            return [Token(**row) for row in connection.execute(query).mappings()]

    def token(self, digest: str) -> Token | None:
        """The token whose secret has this digest."""
        query = select(_TOKENS).where(_TOKENS.c.digest == digest)
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
            return Token(**row) if row else None

    def add_token(self, token: Token) -> None:
        """Add it. One with its digest is changed: the same that was added before, and nobody knew
        what came of it."""
        row = {name: value for name, value in asdict(token).items() if name != "id"}
        with self._database.writing() as connection:
            upsert(connection, _TOKENS, ("digest",), [row])

    def use_token(self, digest: str, at: float) -> None:
        """Note when it was last used."""
        query = update(_TOKENS).where(_TOKENS.c.digest == digest).values(used_at=at)
        with self._database.writing() as connection:
            connection.execute(query)

    def remove_token(self, number: int, user: str) -> bool:
        """Remove a user's token; says whether there was one."""
        query = delete(_TOKENS).where(_TOKENS.c.id == number, _TOKENS.c.user == user)
        with self._database.writing() as connection:
            return connection.execute(query).rowcount > 0

    def session(self, digest: str, now: float) -> Session | None:
        """The session whose cookie has this digest, unless it has ended."""
        query = select(_SESSIONS).where(_SESSIONS.c.digest == digest, _SESSIONS.c.ends_at > now)
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
            return Session(**row) if row else None

    def keep_session(self, session: Session, now: float) -> None:
        """Add a session, or change the one with its digest, to end later. Those that have ended
        go."""
        with self._database.writing() as connection:
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.ends_at <= now))
            upsert(connection, _SESSIONS, ("digest",), [asdict(session)])

    def end_session(self, digest: str) -> None:
        """Sign out."""
        with self._database.writing() as connection:
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.digest == digest))
