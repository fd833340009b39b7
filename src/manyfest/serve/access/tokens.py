"""Tokens that the registry gives out itself: who was asked for what, signed and short-lived.

They have the form of a JSON Web Token (RFC 7519), signed with HMAC-SHA256 by a key that only this
process has and that it makes at its start. Nothing else is ever taken: the header is compared as a
whole, so no token can choose how it is looked at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

LIFETIME = 300
"""Seconds."""

_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
_LONGEST = 8192


class Grant(Struct, frozen=True):
    """What may be done with one resource: ``pull``, ``push`` and ``delete`` with a repository,
    ``*`` with the catalogue."""

    type: str
    name: str
    actions: tuple[str, ...]


class Claims(Struct, frozen=True):
    """What a token says: whose it is (nobody's, if ``sub`` is empty), which password that user had
    (``stamp``), and until when it counts, in seconds since 1970."""

    sub: str
    stamp: str
    iat: int
    exp: int
    access: tuple[Grant, ...] = ()

    def grants(self, kind: str, name: str, action: str) -> bool:
        """Whether the token is for this too."""
        return any(
            grant.type == kind and grant.name == name and action in grant.actions
            for grant in self.access
        )


_CLAIMS = msgspec.json.Decoder(Claims)


class Tokens:
    """Gives out tokens, and knows its own again."""

    def __init__(self, *, key: bytes = b"", clock: Callable[[], float] = time.time) -> None:
        """``key`` signs them, by default one that nobody else has."""
        self._key = key or os.urandom(32)
        self._clock = clock

    def issue(self, name: str, stamp: str, access: tuple[Grant, ...]) -> tuple[str, Claims]:
        """A token for so much, and what it says."""
        now = int(self._clock())
        claims = Claims(name, stamp, now, now + LIFETIME, access)
        signed = f"{_HEADER}.{_encoded(msgspec.json.encode(claims))}"
        return f"{signed}.{_encoded(self._signature(signed))}", claims

    def read(self, token: str) -> Claims | None:
        """What a token says; ``None`` if it is not one of ours, or is too old."""
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        if len(token) > _LONGEST or header != _HEADER or not token.isascii():
            return None
        if not hmac.compare_digest(_encoded(self._signature(signed)), signature):
            return None
        try:
            claims = _CLAIMS.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (binascii.Error, msgspec.DecodeError):
            return None
        return claims if claims.iat - LIFETIME <= self._clock() < claims.exp else None

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode(), hashlib.sha256)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
