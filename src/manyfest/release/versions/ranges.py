"""Ranges of versions, as npm writes them: ``>=1.2 <2``, ``^1.4``, ``~1.4.2``, ``1.x``,
``1.2 - 2.3``, and several joined by ``||``.

A range is an either-or of sets, a set holds comparisons, and all comparisons of one set must be
true. A pre-release is in a range only if a comparison of the set that it meets names a
pre-release of the same version: ``>=1.4.0-rc.1`` holds 1.4.0-rc.2, but not 1.5.0-rc.1. What
follows ``+`` is passed over.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from manyfest.errors import UsageError

if TYPE_CHECKING:
    import semver

MAX_LENGTH = 256
"""Characters of a range."""

_NUMBER = r"0|[1-9][0-9]{0,15}"
_PART = rf"{_NUMBER}|[xX*]"
_ID = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_PARTIAL = re.compile(
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART})(?:\.(?P<patch>{_PART})"
    rf"(?:-(?P<pre>{_ID}(?:\.{_ID})*))?(?:\+[0-9A-Za-z.-]+)?)?)?"
)
_SIMPLE = re.compile(r"(?P<operator>>=|<=|[<>=^~]?)(?P<partial>.*)")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_SPACED_OPERATOR = re.compile(r"([<>=^~])\s+")
_FIRST = "0"
"""The lowest pre-release there is: ``<2.0.0-0`` leaves out those of 2.0.0 too."""

_COMPARE: dict[str, Callable[[semver.Version, semver.Version], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}


class Comparison(Struct, frozen=True):
    """``>=1.2.0`` and the like."""

    operator: str
    version: semver.Version

    def holds(self, version: semver.Version) -> bool:
        """Whether it is true of ``version``."""
        return _COMPARE[self.operator](version, self.version)

    def names_prerelease_of(self, version: semver.Version) -> bool:
        """Whether it speaks of pre-releases of the same version."""
        return bool(self.version.prerelease) and _core(self.version) == _core(version)

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"


class Range(Struct, frozen=True):
    """Versions that satisfy one of its ``sets``."""

    text: str
    sets: tuple[tuple[Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The range a person wrote. Raises :class:`~manyfest.errors.UsageError`."""
        if len(text) > MAX_LENGTH:
            raise UsageError(f"a range of {len(text)} characters is too long")
        return cls(text, tuple(_set(part.strip(), text) for part in text.split("||")))

    def __contains__(self, version: semver.Version) -> bool:
        return any(_holds(comparisons, version) for comparisons in self.sets)

    def __str__(self) -> str:
        return " || ".join(" ".join(map(str, each)) for each in self.sets)


def _holds(comparisons: tuple[Comparison, ...], version: semver.Version) -> bool:
    if not all(each.holds(version) for each in comparisons):
        return False
    return not version.prerelease or any(each.names_prerelease_of(version) for each in comparisons)


def _set(part: str, text: str) -> tuple[Comparison, ...]:
    if hyphen := _HYPHEN.fullmatch(part):
        low, high = (_partial(end, text) for end in hyphen.groups())
        return (*_simple(">=", low), *_simple("<=", high))
    found: list[Comparison] = []
    for word in _SPACED_OPERATOR.sub(r"\1", part).split() or ["*"]:
        match = _SIMPLE.fullmatch(word)
        sign, partial = (match["operator"], match["partial"]) if match else ("", word)
        found += _simple(sign or "=", _partial(partial, text))
    return tuple(dict.fromkeys(found))


class _Partial(Struct, frozen=True):
    """A version of which the end may be left open: its numbers, three at most."""

    numbers: tuple[int, ...]
    prerelease: str

    @property
    def lowest(self) -> semver.Version:
        """Where it begins."""
        return _version(self.numbers, self.prerelease)

    def after(self, place: int) -> semver.Version:
        """The first version, pre-releases included, with a higher number at ``place``."""
        return _version((*self.numbers[:place], self.numbers[place] + 1), _FIRST)


def _simple(sign: str, partial: _Partial) -> list[Comparison]:
    """Comparisons for an operator and a version, whole or in part."""
    last = len(partial.numbers) - 1
    if last < 0:  # any version, or none is above or below any
        return [_none() if sign in "<>" else _any()]
    if sign in ("^", "~"):
        until = _caret_place(partial) if sign == "^" else min(last, 1)
        return [Comparison(">=", partial.lowest), Comparison("<", partial.after(until))]
    if last == 2:
        return [Comparison(sign, partial.lowest)]
    beyond = partial.after(last)
    if sign == ">":
        return [Comparison(">=", beyond.replace(prerelease=None))]
    if sign == "<":
        return [Comparison("<", partial.lowest.replace(prerelease=_FIRST))]
    from_, to = Comparison(">=", partial.lowest), Comparison("<", beyond)
    return {"=": [from_, to], ">=": [from_], "<=": [to]}[sign]


def _caret_place(partial: _Partial) -> int:
    """The first number that is not 0, or else the last that is given: it must not change."""
    for place, number in enumerate(partial.numbers):
        if number:
            return place
    return len(partial.numbers) - 1


def _partial(word: str, text: str) -> _Partial:
    match = _PARTIAL.fullmatch(word)
    parts = [part for part in match.group("major", "minor", "patch") if part] if match else []
    numbers = tuple(map(int, takewhile(str.isdecimal, parts)))
    left_open = parts[len(numbers) :]
    if match is None or any(map(str.isdecimal, left_open)):
        raise UsageError(
            f"{word[:80]!r} is no version in the range {text[:80]!r}",
            mend="write ranges as npm does: '>=1.2 <2', '^1.4', '~1.4.2', 1.x, '1.2 - 2.3'",
        )
    return _Partial(numbers, (match["pre"] or "") if len(numbers) == 3 else "")


def _any() -> Comparison:
    return Comparison(">=", _version(()))


def _none() -> Comparison:
    return Comparison("<", _version((), _FIRST))


def _core(version: semver.Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch


def _version(numbers: tuple[int, ...], prerelease: str = "") -> semver.Version:
    """The version with these numbers, and 0 for those that are not given."""
    import semver

    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return semver.Version(major, minor, patch, prerelease or None)
