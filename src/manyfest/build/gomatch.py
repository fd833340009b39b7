r"""Go's ``path/filepath.Match``: the wildcards of COPY sources and of ``.dockerignore``.

``*`` is any run of characters but ``/``, ``?`` one of them, ``[a-z]`` and ``[^a-z]`` a character
in or not in a set, and ``\`` makes the next character literal. Reference: Go, package
path/filepath, ``Match``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from manyfest.errors import UsageError

_ANY_NAME_CHARACTER = "[^/]"
_NEVER = "(?!)"
_ALWAYS = r"[\s\S]"


def match(pattern: str, name: str) -> bool:
    """Whether ``pattern`` matches all of ``name``.

    Raises :class:`~manyfest.errors.UsageError`, without a place, for a malformed pattern.
    """
    return _compiled(pattern).fullmatch(name) is not None


def has_wildcards(pattern: str) -> bool:
    """Whether ``pattern`` can match anything but one name."""
    return any(piece.wild for piece in _pieces(pattern))


def translate(pattern: str) -> str:
    """A regular expression for ``pattern``, to be matched against a whole name.

    It matches in time that does not explode: between two ``*`` of one name the first place that
    fits is as good as any other, so nothing before it is tried again.
    """
    parts: list[str] = []
    literal_since_star = False
    star = -1
    for piece in _pieces(pattern):
        if piece.source == "*":
            if star == len(parts) - 1 and parts:  # "**" is no more than "*"
                continue
            if literal_since_star:
                parts[star:] = [f"(?>{''.join(parts[star:])})"]
            star, literal_since_star = len(parts), False
            parts.append(f"{_ANY_NAME_CHARACTER}*?")
            continue
        literal_since_star = star >= 0 and piece.source != "/"
        if piece.source == "/":
            star = -1
        parts.append(piece.regex)
    return "".join(parts)


class _Piece(Struct, frozen=True):
    source: str
    regex: str
    wild: bool = False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _pieces(pattern: str) -> Iterator[_Piece]:
    chars = _Chars(pattern)
    while char := chars.take():
        if char == "*":
            yield _Piece("*", f"{_ANY_NAME_CHARACTER}*", wild=True)
        elif char == "?":
            yield _Piece("?", _ANY_NAME_CHARACTER, wild=True)
        elif char == "[":
            yield _Piece("[]", _character_set(chars), wild=True)
        else:
            literal = chars.escaped() if char == "\\" else char
            yield _Piece(literal if literal == "/" else "literal", re.escape(literal))


class _Chars:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0

    def peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def take(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def escaped(self) -> str:
        return self.take() or self.fail("ends with a backslash")

    def fail(self, why: str) -> str:
        raise UsageError(
            f"the pattern {self.pattern[:80]!r} {why}",
            mend=r"put a backslash before *, ?, [ and \ that mean themselves",
        )


def _character_set(chars: _Chars) -> str:
    negated = chars.peek() == "^"
    chars.position += negated
    ranges: list[str] = []
    empty = True
    while empty or chars.peek() != "]":
        empty = False
        low = high = _set_member(chars)
        if chars.peek() == "-":
            chars.take()
            high = _set_member(chars)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    chars.take()
    if not ranges:
        return _ALWAYS if negated else _NEVER
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _set_member(chars: _Chars) -> str:
    char = chars.take()
    if char == "\\":
        return chars.escaped()
    if char in {"", "-", "]"}:
        chars.fail(
            "has a [ that is never closed" if not char else f"has a stray {char!r} in its []"
        )
    return char
