"""Where a history is kept: a file of SQLite's, or a database of PostgreSQL's."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from manyfest.errors import UsageError

_MEND = "write sqlite:///FILE or postgresql://USER@HOST/DATABASE"

_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    # The server, too, lets go of a connection, and with it of our lock, once we are gone.
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""What PostgreSQL's client is told, unless the URL says otherwise: to notice within half a minute
that the other side is gone."""


class Address(Struct, frozen=True):
    """``name`` is what people are shown, without a password. ``path`` is the file of SQLite's, or
    ``None``; a history in memory has none either."""

    url: URL
    name: str
    path: Path | None

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite's, in a file or in memory."""
        return self.url.get_backend_name() == "sqlite"

    def __repr__(self) -> str:
        return f"<Address {self.name}>"


def parse(text: str) -> Address:
    """Read SQLAlchemy's URL, or the path of a file. ``sqlite://`` alone is a history in memory, for
    one thread at a time.

    Raises :class:`~manyfest.errors.UsageError`, which does not show the text: it may hold a
    password.
    """
    if "://" not in text:
        return _file(URL.create("sqlite", database=text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError("the history's database is no URL", mend=_MEND) from None
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite":
        return _file(url.set(drivername="sqlite"))
    if backend in ("postgresql", "postgres"):
        return _server(url)
    raise UsageError(f"a history cannot be kept in {backend[:40]!r}", mend=_MEND)


def _file(url: URL) -> Address:
    if url.query or url.host:
        raise UsageError(
            "SQLite's URL has only the path of a file",
            mend="write sqlite:///FILE, or sqlite:////FILE if it begins with a slash",
        )
    if url.database in (None, "", ":memory:"):
        return Address(url.set(database=":memory:"), "the history in memory", None)
    path = Path(str(url.database)).absolute()
    return Address(url.set(database=str(path)), str(path), path)


def _server(url: URL) -> Address:
    query = {key: value for key, value in _PATIENCE.items() if key not in url.query}
    full = url.set(drivername="postgresql+psycopg").update_query_dict(query)
    host = url.host or url.query.get("host") or "local"
    port = f":{url.port}" if url.port else ""
    return Address(full, f"postgresql://{host}{port}/{url.database or ''}", None)
