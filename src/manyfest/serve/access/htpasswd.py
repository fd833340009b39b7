"""Files of users and bcrypt hashes of their passwords, as Apache's ``htpasswd -B`` writes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ConfigError
from manyfest.serve.access.rights import ANYONE, USERS

MAX_SIZE = 4 * 1024 * 1024
"""Bytes of such a file."""

MAX_COST = 15
"""The highest cost of a hash: each step doubles the time, and this takes some seconds."""

_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_OTHERS = {
    "$apr1$": "MD5",
    "$1$": "MD5",
    "{SHA}": "SHA-1",
    "$5$": "SHA-256",
    "$6$": "SHA-512",
    "$argon2": "argon2",
    "$y$": "yescrypt",
}
_MEND = "write it with: htpasswd -B FILE NAME"


class User(Struct, frozen=True):
    """A user and the hash of the password. ``stamp`` changes when the hash does, and tells nothing
    of it."""

    name: str
    hash: bytes

    @property
    def cost(self) -> int:
        """How much work the hash is."""
        return int(self.hash[4:6])

    @property
    def stamp(self) -> str:
        """What tells this password from the one before."""
        return hashlib.sha256(self.hash).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"User({self.name!r})"


def load(path: Path) -> dict[str, User]:
    """The users in the file, by name. Raises :class:`~manyfest.errors.ConfigError`, with the
    line."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(raw) > MAX_SIZE:
        raise ConfigError(f"is larger than {MAX_SIZE >> 20} MiB", where=str(path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8 text", where=f"{path}:{line}") from None
    users = _parse(text, path)
    if not users:
        raise ConfigError("there is no user in it", where=str(path), mend=_MEND)
    return users


def highest_cost(users: Mapping[str, User]) -> int:
    """How much work it is at most to look at a password."""
    return max(user.cost for user in users.values())


def _parse(text: str, path: Path) -> dict[str, User]:
    """Nothing of a line but the user's name is ever shown: the rest may be a password."""
    users: dict[str, User] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line, where = raw.strip("\r\t "), f"{path}:{number}"
        if not line or line.startswith("#"):
            continue
        name, colon, hashed = line.partition(":")
        if not colon or not name or not name.isprintable():
            raise ConfigError("this is not NAME:HASH", where=where, mend=_MEND)
        if name in (ANYONE, USERS):
            raise ConfigError(f"{name!r} stands for everybody, and is no user's name", where=where)
        if name in users:
            raise ConfigError(f"{name!r} is there twice", where=where, mend="take one out")
        users[name] = User(name, _checked(hashed, name, where))
    return users


def _checked(hashed: str, name: str, where: str) -> bytes:
    match = _BCRYPT.fullmatch(hashed)
    if match is None:
        kinds = (kind for start, kind in _OTHERS.items() if hashed.startswith(start))
        kind = next(kinds, "")
        found = f"a hash of {kind}" if kind else "no hash of bcrypt"
        what = f"the password of {name!r} is {found}, and only bcrypt's are taken"
        raise ConfigError(what, where=where, mend=_MEND)
    if not 4 <= int(match["cost"]) <= MAX_COST:
        raise ConfigError(
            f"the password of {name!r} has the cost {match['cost']}",
            where=where,
            mend=f"use one from 4 to {MAX_COST}: htpasswd -B -C 10 FILE NAME",
        )
    return hashed.encode("ascii")
