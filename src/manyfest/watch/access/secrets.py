"""What lets somebody in without a password: sessions' cookies and API tokens.

Both are long enough that nobody finds one by trying. Only the SHA-256 of one is kept, so a copy of
the history lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from manyfest.stores.registry.auth.secret import Secret

SESSION_SECONDS = 12 * 3600.0
"""For how long a session lasts, however much it is used."""

_PREFIX = "mfw_"
"""By which programs that look for leaked secrets may know a token."""

_BYTES = 32
_TOKEN = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}")
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> Secret:
    """An API token: ``mfw_`` and 43 characters."""
    return Secret(_PREFIX + secrets.token_urlsafe(_BYTES))


def new_cookie() -> Secret:
    """What a browser shows of its session."""
    return Secret(secrets.token_urlsafe(_BYTES))


def is_token(text: str) -> bool:
    """Whether it could be a token of ours."""
    return _TOKEN.fullmatch(text) is not None


def is_cookie(text: str) -> bool:
    """Whether it could be a session's cookie of ours."""
    return _COOKIE.fullmatch(text) is not None


def digest(secret: Secret) -> str:
    """What is kept of a cookie or a token."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def form_token(cookie: Secret) -> str:
    """What a form must hold that is sent with ``cookie`` before anybody has signed in: a page of
    somebody else's can have it sent, and does not know it."""
    return hashlib.sha256(b"form:" + cookie.reveal().encode()).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def bearer(authorization: str) -> Secret | None:
    """The token in an ``Authorization`` field, if it has the form of one."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer" and is_token(text.strip()):
        return Secret(text.strip())
    return None
