"""What a rule is, what it gives, and what several rules need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from functools import lru_cache

from msgspec import Struct

from manyfest.build.dockerfile.instructions import Instruction
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.place import Place


class DockerfileWarning(Struct, frozen=True, kw_only=True):
    """``rule`` is BuildKit's name of it, ``what`` and ``mend`` are as in an error, ``word`` is the
    one that is meant, as the file has it, or empty."""

    rule: str
    place: Place
    what: str
    mend: str = ""
    word: str = ""

    def __str__(self) -> str:
        line = f"{self.place}: {self.rule}: {self.what}"
        return f"{line}; {self.mend}" if self.mend else line

    @property
    def excerpt(self) -> str:
        """The lines of the instruction, with a caret under what is meant."""
        return self.place.excerpt(self.word)


_MOST_NAMES = 100

Rule = Callable[[Dockerfile], Iterator[DockerfileWarning]]


def all_instructions(dockerfile: Dockerfile) -> Iterator[Instruction]:
    """Every instruction, FROM and the ARG before the first FROM included, in order."""
    yield from dockerfile.global_args
    for stage in dockerfile.stages:
        yield stage.base
        yield from stage.instructions


def written_keyword(instruction: Instruction) -> str:
    """The keyword as the file has it."""
    return instruction.original.split(maxsplit=1)[0]


def comments_above(dockerfile: Dockerfile, line: int) -> list[str]:
    """The comments that stand directly above a line, from top to bottom, without ``#``."""
    lines = _lines(dockerfile.text)
    first = line - 1
    while first and lines[first - 1].strip().startswith("#"):
        first -= 1
    return [text.strip()[1:].strip() for text in lines[first : line - 1]]


@lru_cache(maxsize=1)
def _lines(text: str) -> list[str]:
    return text.split("\n")


def similar(name: str, names: Collection[str], otherwise: str) -> str:
    """How to mend an unknown ``name``: the one of ``names`` that is most like it, if these are
    not so many that to compare them takes long."""
    close = get_close_matches(name, sorted(names), n=1) if len(names) <= _MOST_NAMES else []
    return f"did you mean {close[0]}?" if close else otherwise
