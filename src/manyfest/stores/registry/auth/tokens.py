"""Access tokens: what they allow, how long, and keeping them for the next request.

Docker Registry v2 authentication, "Token Authentication Specification" and "Token Scope".
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from manyfest.errors import RegistryError
from manyfest.stores.registry.auth.secret import Secret
from manyfest.stores.registry.http import Origin

DEFAULT_LIFETIME = 60.0
"""Seconds a token is good for when nothing is said of it (specification, ``expires_in``)."""

MOST_RESOURCES = 8192
"""Of which tokens are kept: clients of a registry that asks another one choose their names."""

_LONGEST_MARGIN = 30.0
_USABLE = r"[\x21-\x7e]+"

Grant = tuple[str, str]
"""A resource, such as ``repository:library/alpine``, and one action on it."""


class _Answer(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: float | None = None


_ANSWERS = msgspec.json.Decoder(_Answer)
"""Made here and not by the first of several threads: see :func:`manyfest.oci.json.prepare`."""


class Token(Struct, frozen=True):
    """``grants`` is what was asked for; whether the registry agrees shows when it is used.
    ``expires`` is on the clock of whoever keeps it."""

    value: Secret
    grants: frozenset[Grant]
    expires: float


def parse_token(body: bytes, scopes: Iterable[str], *, now: float, where: str) -> Token:
    """The token in a token service's answer, asked for at ``now`` seconds.

    It counts as expired a tenth of its life early, at most 30 seconds, so that it does not
    expire on its way. Raises :class:`RegistryError` if there is none that can be used.
    """
    try:
        answer = _ANSWERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The reason is left out: it might quote the token.
        raise RegistryError(
            "the token service's answer is not what it should be", where=where
        ) from None
    value = answer.token or answer.access_token
    if not re.fullmatch(_USABLE, value):
        raise RegistryError("the token service answered without a usable token", where=where)
    lifetime = answer.expires_in if (answer.expires_in or 0) > 0 else DEFAULT_LIFETIME
    lifetime = lifetime or DEFAULT_LIFETIME
    expires = now + lifetime - min(lifetime / 10, _LONGEST_MARGIN)
    return Token(Secret(value), grants_of(scopes), expires)


def merge_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The same scopes, one for each resource, sorted, their actions too."""
    actions: defaultdict[str, set[str]] = defaultdict(set)
    for resource, action in grants_of(scopes):
        actions[resource].add(action)
    return tuple(
        f"{resource}:{','.join(sorted(actions[resource]))}" for resource in sorted(actions)
    )


def grants_of(scopes: Iterable[str]) -> frozenset[Grant]:
    """Each resource with each of its actions. A name may have colons in it."""
    return frozenset(
        (resource, action)
        for resource, _, actions in (scope.rpartition(":") for scope in scopes)
        for action in actions.split(",")
        if resource and action
    )


class TokenCache:
    """Tokens by registry and resource, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: defaultdict[tuple[Origin, str], list[Token]] = defaultdict(list)

    def find(self, registry: Origin, scopes: Iterable[str], *, now: float) -> Token | None:
        """A token that allows all of ``scopes``; without any, one that was got for nothing.

        Of several the one that was asked for the least: registries that give a token for one
        repository only, as gcr.io does, may have left out the rest of the others.
        """
        if not self._tokens:
            return None
        wanted = grants_of(scopes)
        with self._lock:
            fitting = [
                token
                for token in self._tokens.get((registry, _shelf(wanted)), ())
                if token.expires > now and (wanted <= token.grants if wanted else not token.grants)
            ]
        return min(fitting, key=lambda token: len(token.grants), default=None)

    def add(self, registry: Origin, token: Token, *, now: float) -> None:
        """Keep a token, and drop those beside it that have expired."""
        with self._lock:
            if len(self._tokens) >= MOST_RESOURCES:
                self._make_room(now)
            for resource in {resource for resource, _ in token.grants} or {""}:
                shelf = self._tokens[registry, resource]
                shelf[:] = [token, *(other for other in shelf if other.expires > now)]

    def drop(self, registry: Origin, value: Secret) -> None:
        """Forget a token that was refused."""
        with self._lock:
            for (origin, _), shelf in self._tokens.items():
                if origin == registry:
                    shelf[:] = [token for token in shelf if token.value != value]

    def _make_room(self, now: float) -> None:
        """Drop what has expired, and all if that is not enough: it can be had again."""
        for key, shelf in list(self._tokens.items()):
            if all(token.expires <= now for token in shelf):
                del self._tokens[key]
        if len(self._tokens) >= MOST_RESOURCES:
            self._tokens.clear()


def _shelf(grants: frozenset[Grant]) -> str:
    """A token for several resources lies under each of them."""
    return min((resource for resource, _ in grants), default="")
