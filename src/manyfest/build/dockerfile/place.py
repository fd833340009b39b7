"""Where an instruction stands, and the errors that point there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from msgspec import Struct

from manyfest.build.dockerfile.excerpt import excerpt
from manyfest.errors import DockerfileError

_SHOWN = 60


class Place(Struct, frozen=True, kw_only=True):
    """A range of lines in a Dockerfile; lines count from 1 and ``end_line`` is included.

    ``lines`` are those of the instruction, as written, without heredocs.
    """

    file: str
    line: int
    end_line: int
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def fault(self, keyword: str, what: str, mend: str = "", word: str = "") -> DockerfileError:
        """The error to raise for the instruction ``keyword`` that stands here, or for the one
        ``word`` of it."""
        return DockerfileError(
            f"{keyword}: {what}",
            where=str(self),
            mend=mend,
            excerpt=self.excerpt(word),
            word=word,
        )

    def excerpt(self, word: str = "") -> str:
        """The lines as people see them, with a caret under ``word`` or under the keyword."""
        return excerpt(self.lines, self.line, word)


@contextmanager
def blamed_on(place: Place, keyword: str) -> Iterator[None]:
    """Give errors that know no place (a word did not expand, a number is wrong) this one."""
    try:
        yield
    except DockerfileError as error:
        if error.where:
            raise
        raise place.fault(keyword, error.what, error.mend, error.word) from None


@contextmanager
def found_in(word: str) -> Iterator[None]:
    """Errors that know no place are about ``word``, which is how the file has it: not about what
    it expands to."""
    try:
        yield
    except DockerfileError as error:
        if not error.where:
            error.word = word
        raise


def shown(text: str) -> str:
    """``text`` as an error shows it: quoted, on one line, without control characters, short."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def nearest(word: str, names: Iterable[str]) -> str:
    """How to mend a misspelt ``word``: the closest of ``names``, or all of them."""
    names = sorted(names)
    if close := get_close_matches(word, names, n=1):
        return f"did you mean {close[0]}?"
    return f"use one of {', '.join(names)}" if names else ""
