"""Passwords and tokens, wrapped so that nothing prints them by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

from msgspec import Struct


class Secret:
    """A text that shows itself only to :meth:`reveal`: not in ``repr``, ``str``, formatting,
    tracebacks with local variables, or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for the one request or file that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


NO_SECRET = Secret("")


class Credential(Struct, frozen=True, kw_only=True):
    """Who we are to one registry: a name with a password, an identity token to trade for access
    tokens, or an access token itself.

    ``source`` is the file or the helper that it came from, for messages.
    """

    username: str = ""
    password: Secret = NO_SECRET
    identity_token: Secret = NO_SECRET
    registry_token: Secret = NO_SECRET
    source: str = ""
