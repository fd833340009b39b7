"""``.dockerignore``: which files of a context a build does not see.

Semantics are those of moby/patternmatcher as BuildKit uses it when it walks a context: patterns
are tried in order and the last one that matches decides; a pattern that matched a directory
counts for everything below; ``!`` takes back; ``**`` is any number of directories.

A walker hands each directory's :class:`Verdict` to the paths in it, which then cost little::

    verdict = ignore.judge("src/a.c", parent=verdict_of_src)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from manyfest.build.dockerfile.words import SPACES
from manyfest.build.gomatch import match, translate
from manyfest.errors import ConfigError, UsageError


class Verdict(Struct, frozen=True):
    """What is known of one path. ``prune`` is set for an excluded directory below which nothing
    can be taken back, so that it need not be entered. ``hits`` tells which patterns matched."""

    excluded: bool
    prune: bool
    hits: tuple[bool, ...]


class _Pattern(Struct, frozen=True):
    text: str
    negated: bool
    regex: re.Pattern[str]

    def may_match_below(self, directory: str) -> bool:
        """Whether this could match below ``directory``, told from its text alone."""
        stem = self.text.removesuffix("/**").removesuffix("/*")
        return _special(stem, "*?[]\\^") or f"{stem}/".startswith(f"{directory}/")


class Ignore:
    """An ordered list of patterns. Without any, nothing is excluded."""

    def __init__(self, patterns: Iterable[_Pattern] = ()) -> None:
        self._patterns = tuple(patterns)
        self._exceptions = tuple(pattern for pattern in self._patterns if pattern.negated)

    @classmethod
    def parse(cls, text: str, file: str = ".dockerignore") -> Self:
        """Read an ignore file; ``file`` is its name in errors.

        Raises :class:`~manyfest.errors.ConfigError` with the line of a malformed pattern.
        """
        lines = text.removeprefix("\ufeff").split("\n")
        return cls(
            _compile(pattern, f"{file}:{number}")
            for number, line in enumerate(lines, start=1)
            if not line.startswith("#") and (pattern := _rooted(line.strip(SPACES)).strip(SPACES))
        )

    @classmethod
    def of(cls, patterns: Iterable[str], where: str) -> Self:
        """The patterns of ``COPY --exclude``; ``where`` is the instruction's file and line."""
        return cls(_compile(pattern, where) for text in patterns if (pattern := text.strip(SPACES)))

    @property
    def takes_back(self) -> bool:
        """Whether a pattern starts with ``!``."""
        return bool(self._exceptions)

    @property
    def excludes_everything(self) -> bool:
        """Whether a single pattern leaves out all that is in the context, if nothing takes back."""
        return any(pattern.text in {"*", "**", "**/*"} for pattern in self._patterns)

    def excludes(self, path: str) -> bool:
        """Whether ``path``, relative to the context and with slashes, is left out."""
        verdict: Verdict | None = None
        parts = posixpath.normpath(path).split("/")
        for end in range(1, len(parts) + 1):
            verdict = self.judge("/".join(parts[:end]), verdict)
        return verdict is not None and verdict.excluded

    def judge(self, path: str, parent: Verdict | None = None) -> Verdict:
        """The verdict on ``path``, given that on the directory it is in; ``None`` for paths at
        the context's root."""
        excluded = False
        hits: list[bool] = []
        for index, pattern in enumerate(self._patterns):
            hit = parent is not None and parent.hits[index]
            # A pattern that would not change the verdict is not tried. It then counts as no match
            # for what lies below, which is how moby's matcher works and shows in rare cases.
            if not hit and pattern.negated == excluded:
                hit = pattern.regex.fullmatch(path) is not None
            if hit:
                excluded = not pattern.negated
            hits.append(hit)
        return Verdict(excluded, excluded and self._all_lost_below(path), tuple(hits))

    def _all_lost_below(self, directory: str) -> bool:
        return not any(pattern.may_match_below(directory) for pattern in self._exceptions)


def _rooted(line: str) -> str:
    """A line of an ignore file without a leading slash: all patterns start at the context."""
    negation = line[: line.startswith("!")]
    pattern = _clean(line.removeprefix("!").strip(SPACES))
    return negation + (pattern[1:] if pattern.startswith("/") and pattern != "/" else pattern)


def _compile(written: str, where: str) -> _Pattern:
    text = _clean(written)
    negated = text.startswith("!")
    text = text.removeprefix("!")
    if not text:
        raise ConfigError("'!' takes nothing back", where=where, mend="write a pattern after it")
    try:
        match(text, ".")
        regex = re.compile(_translate(text))
    except UsageError as error:
        raise ConfigError(error.what, where=where, mend=error.mend) from None
    return _Pattern(text, negated, regex)


def _clean(path: str) -> str:
    """Go's ``filepath.Clean``, but nothing stays nothing."""
    if path.startswith("/"):
        return posixpath.normpath(f"/{path.lstrip('/')}")
    return posixpath.normpath(path) if path else ""


def _translate(pattern: str) -> str:
    """``pattern`` as a regular expression for a whole path.

    ``**`` and a slash after it are any number of directories, also none; at the end ``**`` is
    everything. ``**name`` without other wildcards matches every path that ends so.
    """
    first, *rest = _double_star_parts(pattern)
    if not rest:
        return translate(first)
    if not first and len(rest) == 1 and rest[0] and not _special(rest[0], "*?[]\\"):
        if pattern.startswith("**/"):
            return f"(?s:.*/)?{translate(rest[0])}"
        return f"(?s:.*){translate(rest[0])}"
    regex = translate(first)
    for part in rest[:-1]:
        group = f"(?s:.*?/)??{translate(part)}"
        # What ends with a slash may be bound to the first place that fits: the next ** reaches
        # from there whatever it could reach from a later one.
        regex += f"(?>{group})" if part.endswith("/") else group
    return regex + (f"(?s:.*/)?{translate(rest[-1])}" if rest[-1] else "(?s:.*)")


def _double_star_parts(pattern: str) -> list[str]:
    """``pattern`` cut at each ``**``, which takes a slash after it along."""
    parts = [""]
    position = 0
    while position < len(pattern):
        step = 2 if pattern[position] == "\\" else 1
        if pattern.startswith("**", position):
            position += 3 if pattern.startswith("/", position + 2) else 2
            if parts[-1] or len(parts) == 1:  # "**/**" is no more than "**"
                parts.append("")
            continue
        parts[-1] += pattern[position : position + step]
        position += step
    return parts


def _special(text: str, characters: str) -> bool:
    return any(char in characters for char in text)
