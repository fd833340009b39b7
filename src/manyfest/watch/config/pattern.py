"""Regular expressions that cannot hang, whatever tag a registry shows and whoever wrote them.

Python's own try one way after another, and there may be more of them than time. These follow all
ways at once: a tag of n characters takes n steps (Glushkov, "The abstract theory of automata").
They know what describes tags: literals, ``.``, ``[a-z]``, ``\\d``, ``\\w``, groups, ``|``, ``*``,
``+``, ``?``, ``{2,3}``; no looking around and no going back.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Self

from msgspec import Struct

from manyfest.errors import UsageError

MAX_LENGTH = 200
"""Characters of an expression."""

_MAX_PLACES = 500
"""Characters that it stands for once its repetitions are written out."""

_MAX_DEPTH = 20
"""Groups within one another."""

_LETTERS = frozenset(string.printable)
_CLASSES = {
    "d": frozenset(string.digits),
    "w": frozenset(string.ascii_letters + string.digits + "_"),
    "s": frozenset(string.whitespace),
}
_SPECIAL = frozenset("()[]{}|*+?.\\^$")


class Pattern(Struct, frozen=True):
    """An expression that describes whole tags; see the module.

    Its characters are numbered, and a set of them is a number with those bits. ``chars`` is what
    each may be, ``follow`` which may come next; ``first`` and ``last`` which may begin and end it.
    """

    text: str
    chars: tuple[frozenset[str], ...]
    follow: tuple[int, ...]
    first: int
    last: int
    may_be_empty: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`~manyfest.errors.UsageError`, which says where it is wrong."""
        if len(text) > MAX_LENGTH:
            raise UsageError(f"an expression of more than {MAX_LENGTH} characters is too long")
        parser = _Parser(text)
        whole = parser.whole()
        chars, follow = tuple(parser.chars), tuple(parser.follow)
        return cls(text, chars, follow, whole.first, whole.last, whole.may_be_empty)

    def matches(self, tag: str) -> bool:
        """Whether it describes all of ``tag``."""
        may_come, reached = self.first, 0
        for char in tag:
            reached = may_come & self._where(char)
            may_come = 0
            for place in _bits(reached):
                may_come |= self.follow[place]
        return bool(reached & self.last) if tag else self.may_be_empty

    def _where(self, char: str) -> int:
        """The places that ``char`` may stand at."""
        return sum(1 << place for place, chars in enumerate(self.chars) if char in chars)

    def __str__(self) -> str:
        return self.text


class _Part(Struct, frozen=True):
    """A stretch of an expression: which characters may begin and end it."""

    first: int = 0
    last: int = 0
    may_be_empty: bool = True


_NOTHING = _Part()


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


class _Parser:
    """Recursive descent: alternatives of sequences of repetitions of atoms."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._read = 0
        self.chars: list[frozenset[str]] = []
        self.follow: list[int] = []

    def whole(self) -> _Part:
        """The expression; one that is anchored says what holds anyway."""
        if self._peek() == "^":
            self._at += 1
        part = self._either()
        if self._text[self._at :] == "$":
            self._at += 1
        if self._at < len(self._text):
            raise self._wrong(f"{self._peek()!r} does not fit here")
        return part

    def _either(self) -> _Part:
        part = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            part = _Part(
                part.first | other.first,
                part.last | other.last,
                part.may_be_empty or other.may_be_empty,
            )
        return part

    def _sequence(self) -> _Part:
        part = _NOTHING
        while self._peek() not in ("", "|", ")", "$"):
            part = self._then(part, self._repeated())
        return part

    def _then(self, one: _Part, other: _Part) -> _Part:
        """One after the other."""
        for place in _bits(one.last):
            self.follow[place] |= other.first
        return _Part(
            one.first | (other.first if one.may_be_empty else 0),
            other.last | (one.last if other.may_be_empty else 0),
            one.may_be_empty and other.may_be_empty,
        )

    def _again(self, part: _Part) -> _Part:
        """Once, or more often."""
        self._then(part, part)
        return part

    def _repeated(self) -> _Part:
        start = self._at
        part = self._atom()
        char = self._peek()
        if char == "{":
            part = self._counted(start, part)
        elif char and char in "*+?":
            self._at += 1
            part = part if char == "?" else self._again(part)
            part = part if char == "+" else _maybe(part)
        else:
            return part
        if self._peek() and self._peek() in "*+?{":
            raise self._wrong("two repetitions follow one another")
        return part

    def _counted(self, start: int, part: _Part) -> _Part:
        """``{2}``, ``{2,}`` or ``{2,3}``: what was read from ``start`` on is read again and again,
        so that each time has characters of its own."""
        least, most = self._bounds()
        end = self._at
        if most == 0:
            return _NOTHING
        copies = max(least, most or 1)
        whole = _NOTHING
        for number in range(1, copies + 1):
            if number > 1:
                self._at = start
                part = self._atom()
            if most is None and number == copies:
                part = self._again(part)
            whole = self._then(whole, part if number <= least else _maybe(part))
        self._at = end
        return whole

    def _bounds(self) -> tuple[int, int | None]:
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _is_count(low) or not (_is_count(high) or not high):
            raise self._wrong("a '{' that begins no {2} or {2,3}")
        least = int(low)
        most = int(high) if high else None if comma else least
        if most is not None and most < least:
            raise self._wrong("a repetition that ends before it begins")
        self._at = end + 1
        return least, most

    def _atom(self) -> _Part:
        self._read += 1
        if self._read > 10 * _MAX_PLACES:
            raise self._wrong("its repetitions make it too long")
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._one_of(self._set())
        if char == ".":
            return self._one_of(_LETTERS)
        if char == "\\":
            return self._one_of(self._escaped())
        if char in _SPECIAL:
            self._at -= 1
            raise self._wrong(f"{char!r} does not fit here")
        return self._one_of(frozenset(char))

    def _one_of(self, chars: frozenset[str]) -> _Part:
        place = len(self.chars)
        if place == _MAX_PLACES:
            raise self._wrong("its repetitions make it too long")
        self.chars.append(chars)
        self.follow.append(0)
        return _Part(1 << place, 1 << place, may_be_empty=False)

    def _group(self) -> _Part:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._wrong("too many groups within one another")
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._wrong("a group that looks around or has a name is not understood")
            self._at += 2
        part = self._either()
        if self._peek() != ")":
            raise self._wrong("a '(' has no ')'")
        self._at += 1
        self._depth -= 1
        return part

    def _set(self) -> frozenset[str]:
        """What stands between brackets."""
        negated = self._peek() == "^"
        self._at += negated
        chars: set[str] = set()
        first = True
        while first or self._peek() != "]":
            first = False
            chars |= self._span()
        self._at += 1
        return _LETTERS - chars if negated else frozenset(chars)

    def _span(self) -> frozenset[str]:
        """A character in brackets, or two with a hyphen between."""
        start = self._member()
        after = self._text[self._at + 1 : self._at + 2]
        if self._peek() != "-" or after in ("]", ""):
            return start
        self._at += 1
        end = self._member()
        if len(start) > 1 or len(end) > 1 or min(start) > min(end):
            raise self._wrong("a range in brackets is upside down")
        return frozenset(map(chr, range(ord(min(start)), ord(min(end)) + 1)))

    def _member(self) -> frozenset[str]:
        char = self._next(missing="a '[' has no ']'")
        return self._escaped() if char == "\\" else frozenset(char)

    def _escaped(self) -> frozenset[str]:
        char = self._next(missing="a '\\' at the end")
        if char.lower() in _CLASSES:
            chars = _CLASSES[char.lower()]
            return chars if char.islower() else _LETTERS - chars
        if char.isalnum():
            raise self._wrong(f"'\\{char}' is not understood")
        return frozenset(char)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self, missing: str = "it ends too early") -> str:
        char = self._peek()
        if not char:
            raise self._wrong(missing)
        if char not in _LETTERS:
            raise self._wrong("tags are made of ASCII characters")
        self._at += 1
        return char

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"{self._text[:80]!r} is no expression: {what} (at {self._at + 1})")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 3


def _maybe(part: _Part) -> _Part:
    return _Part(part.first, part.last, may_be_empty=True)
