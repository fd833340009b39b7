"""Did a form come from a page of ours? What a browser says of where a request came from tells."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct


class Came(Struct, frozen=True, kw_only=True):
    """What a request says of itself: the fields of these names, empty if they are not there."""

    host: str = ""
    origin: str = ""
    referer: str = ""
    fetch_site: str = ""


def is_own(came: Came, url: str) -> bool:
    """Whether it came from a page of ours: of the host that was asked, or of ``url``, under which
    people reach it. What says nothing at all of where it came from did not come from a browser's
    form, and does not pass.

    The scheme is not compared with a host's: TLS may end before it gets here.
    """
    if came.fetch_site and came.fetch_site not in {"same-origin", "none"}:
        return False
    told = came.origin or came.referer
    if not told:
        return bool(came.fetch_site)
    host = _host(told)
    return bool(host) and host in {came.host.lower(), _host(url)}


def _host(url: str) -> str:
    """The host of a URL with its port, if it is not the scheme's own; empty if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own = {"http": 80, "https": 443}[parts.scheme]
    return name if port in {None, own} else f"{name}:{port}"


def after_sign_in(asked: str) -> str:
    """Where to go after signing in: ``asked``, if it is a path of ours, else the front page of
    those who signed in. Two slashes at its start, either way round, lead browsers elsewhere."""
    plain = asked.isascii() and asked.isprintable() and "\\" not in asked
    if plain and asked.startswith("/") and not asked.startswith("//") and len(asked) <= 2000:
        return asked
    return "/admin"
