"""Rights: what a user may do in a repository. Pure.

Rules are looked at in order, and the first that fits a repository's name is the only one that
counts for it: so whoever asks what holds for a repository has one rule to read, and a narrow rule
before a wide one makes an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, Self, TypeVar

from msgspec import Struct

from manyfest.errors import ConfigError

Right = Literal["read", "write", "delete"]
"""``write`` is to push, and to read too, which every push does. ``delete`` is of tags, manifests
and blobs; it includes nothing else."""

ANYONE = "anyone"
"""Everybody, also who is not logged in."""

USERS = "users"
"""Whoever is logged in."""

GROUP = "group:"
"""How the name of a group begins. A user's name has no colon."""

NOBODY = ""
"""The name of who is not logged in."""

_PATTERN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/*")
_LONGEST = 255
_REMEMBERED = 4096

A = TypeVar("A")
B = TypeVar("B")


class Pattern(Struct, frozen=True):
    """Names of repositories: ``*`` is anything within one part of a name, ``**`` any number of
    parts. ``team/**`` is ``team`` and all below it."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`~manyfest.errors.ConfigError` for what no name could fit."""
        if not text or len(text) > _LONGEST or not set(text) <= _PATTERN:
            raise ConfigError(
                f"{text[:80]!r} is not a pattern of repositories",
                mend="write for example team/app, team/* or team/**",
            )
        parts = text.split("/")
        if "" in parts or any("**" in part and part != "**" for part in parts):
            raise ConfigError(
                f"{text[:80]!r} is not a pattern of repositories",
                mend="** stands alone between slashes, and no part is empty",
            )
        return cls(text)

    def fits(self, name: str) -> bool:
        """Whether a repository of this name is meant."""
        return _fits(self.text.split("/"), name.split("/"), "**", _part_fits)


class Who(Struct, frozen=True):
    """A user, a group (``group:NAME``), :data:`USERS` or :data:`ANYONE`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`~manyfest.errors.ConfigError`."""
        name = text.removeprefix(GROUP)
        if not name or ":" in name or not name.isprintable():
            raise ConfigError(
                f"{text[:80]!r} is not a user", mend=f"write a name, {GROUP}NAME, users or anyone"
            )
        return cls(text)

    @property
    def group(self) -> str:
        """The group's name; empty for all others."""
        return self.text.removeprefix(GROUP) if self.text.startswith(GROUP) else ""

    @property
    def user(self) -> str:
        """The user's name; empty for all others."""
        return "" if self.group or self.text in (ANYONE, USERS) else self.text


class Rule(Struct, frozen=True, kw_only=True):
    """Who may do what in the repositories that one of the patterns fits."""

    repositories: tuple[Pattern, ...]
    read: tuple[Who, ...] = ()
    write: tuple[Who, ...] = ()
    delete: tuple[Who, ...] = ()


class Access:
    """All rules."""

    def __init__(
        self, rules: Sequence[Rule], groups: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._rules = tuple(rules)
        self._groups = {name: frozenset(users) for name, users in (groups or {}).items()}
        self.rights = lru_cache(_REMEMBERED)(self._rights)
        """What the user, or :data:`NOBODY`, may do in the repository of this name."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything that anyone may read."""
        words = (who.text for rule in self._rules for who in (*rule.read, *rule.write))
        return ANYONE in words

    def users(self) -> frozenset[str]:
        """All users that are named, in rules and in groups."""
        named = {
            who.user for rule in self._rules for who in (*rule.read, *rule.write, *rule.delete)
        }
        return frozenset(named.union(*self._groups.values()) - {""})

    def _rights(self, user: str, repository: str) -> frozenset[Right]:
        for rule in self._rules:
            if any(pattern.fits(repository) for pattern in rule.repositories):
                return self._given(rule, user)
        return frozenset()

    def _given(self, rule: Rule, user: str) -> frozenset[Right]:
        rights: set[Right] = set()
        if self._is_meant(rule.read, user):
            rights.add("read")
        if self._is_meant(rule.write, user):
            rights |= {"read", "write"}
        if self._is_meant(rule.delete, user):
            rights.add("delete")
        return frozenset(rights)

    def _is_meant(self, named: Sequence[Who], user: str) -> bool:
        for who in named:
            if who.text == ANYONE:
                return True
            if user == NOBODY:
                continue
            if who.text in (USERS, user) or user in self._groups.get(who.group, ()):
                return True
        return False


def everything_for_users(*, anonymous_read: bool = False) -> Access:
    """What holds where no rules are written: whoever is logged in may do all, and anyone may read
    if that is told."""
    users = (Who(USERS),)
    read = (Who(ANYONE),) if anonymous_read else users
    return Access([Rule(repositories=(Pattern("**"),), read=read, write=users, delete=users)])


def _part_fits(pattern: str, part: str) -> bool:
    return _fits(pattern, part, "*", str.__eq__)


def _fits(pattern: Sequence[A], items: Sequence[B], star: A, same: Callable[[A, B], bool]) -> bool:
    """Whether ``items`` are what the pattern says, in which ``star`` is any number of them. It
    goes back to the last star only, so that no name takes long, whoever chose it."""
    at = item = 0
    behind_star, resumed = -1, 0
    while item < len(items):
        if at < len(pattern) and pattern[at] == star:
            at += 1
            behind_star, resumed = at, item
        elif at < len(pattern) and same(pattern[at], items[item]):
            at, item = at + 1, item + 1
        elif behind_star >= 0:
            resumed += 1
            at, item = behind_star, resumed
        else:
            return False
    return all(rest == star for rest in pattern[at:])
