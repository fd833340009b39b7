"""Which variables a text asks for that nothing sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from manyfest.build.dockerfile.expand import expand_content, expand_word
from manyfest.errors import DockerfileError

_SET = "x"


def undefined_names(texts: Iterable[str], known: Collection[str], escape: str) -> list[str]:
    """The names that ``texts`` use and that are not ``known``, each once, in order.

    A variable with a default counts too: ``${NAME:-value}`` uses NAME.
    """
    names = _Names(known)
    for text in texts:
        with suppress(DockerfileError):  # told when it is built
            expand_word(text, names, escape=escape)
    return names.missing


def undefined_names_in_content(text: str, known: Collection[str]) -> list[str]:
    """As :func:`undefined_names`, for a heredoc's content."""
    names = _Names(known)
    with suppress(DockerfileError):
        expand_content(text, names)
    return names.missing


class _Names(Mapping[str, str]):
    """Every known variable is set to something; the others that are asked for are noted."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._missing: dict[str, None] = {}

    @property
    def missing(self) -> list[str]:
        return list(self._missing)

    def __getitem__(self, name: str) -> str:
        if name in self._known:
            return _SET
        self._missing[name] = None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
