"""The patterns of ``${v#p}``, ``${v%p}`` and ``${v/p/r}``: ``*`` and ``?``, no brackets.

A backslash makes ``*``, ``?`` and itself literal, and lets ``/`` and ``}`` stand in a pattern.
As in BuildKit, wildcards do not cross a line's end. Regular expressions are avoided on purpose:
theirs backtrack, and a pattern such as ``*a*a*a*b`` could then take hours.
"""

from __future__ import annotations

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.errors import DockerfileError

_MOST_WORK = 4_000_000
"""Pattern length times text length; about a second of work."""


class _Token(Struct, frozen=True):
    char: str
    wild: bool = False

    def accepts(self, char: str) -> bool:
        return char != "\n" if self.wild else char == self.char


_ANY = _Token("?", wild=True)
_STAR = _Token("*", wild=True)


def trim_prefix(text: str, pattern: str, *, longest: bool) -> str:
    """``text`` without the shortest or longest beginning that matches ``pattern``."""
    end = _match_ends(_tokens(pattern), text, longest=longest)[0]
    return text if end is None else text[end:]


def trim_suffix(text: str, pattern: str, *, longest: bool) -> str:
    """``text`` without the shortest or longest ending that matches ``pattern``."""
    end = _match_ends(_tokens(pattern)[::-1], text[::-1], longest=longest)[0]
    return text if end is None else text[: len(text) - end]


def replace(text: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """``text`` with the first, or every, longest match of ``pattern`` replaced."""
    ends = _match_ends(_tokens(pattern), text, longest=True)
    out: list[str] = []
    position, previous = 0, -1
    while position <= len(text):
        end = ends[position]
        if end is not None and (end > position or position != previous):
            out.append(replacement)
            if not everywhere:
                return "".join(out) + text[end:]
            previous = end
        if end is None or end == position:
            out.append(text[position : position + 1])
            end = position + 1
        position = end
    return "".join(out)


def _tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    chars = iter(pattern)
    for char in chars:
        if char == "\\":
            escaped = next(chars, "")
            if escaped not in {"*", "?", "\\", "/", "}"}:
                raise DockerfileError(
                    f"the pattern {shown(pattern)} escapes {escaped or 'its end'!r}",
                    mend=r"only \* \? \/ \} and \\ can be escaped in a pattern",
                )
            tokens.append(_Token(escaped))
        else:
            tokens.append({"*": _STAR, "?": _ANY}.get(char) or _Token(char))
    return tokens


def _match_ends(tokens: list[_Token], text: str, *, longest: bool) -> list[int | None]:
    """For every position of ``text``, where a match that starts there ends.

    Computed from the last token to the first, in time ``len(tokens) * len(text)``.
    """
    if len(tokens) * len(text) > _MOST_WORK:
        raise DockerfileError(
            f"a pattern of {len(tokens)} characters on a value of {len(text)} is too much work",
            mend="use a shorter pattern",
        )
    ends: list[int | None] = list(range(len(text) + 1))
    for token in reversed(tokens):
        if token is _STAR:
            _let_grow(ends, text, longest=longest)
        else:
            ends = [ends[i + 1] if token.accepts(text[i]) else None for i in range(len(text))]
            ends.append(None)
    return ends


def _let_grow(ends: list[int | None], text: str, *, longest: bool) -> None:
    for i in reversed(range(len(text))):
        here, further = ends[i], ends[i + 1]
        if text[i] != "\n" and further is not None and (longest or here is None):
            ends[i] = further if here is None else max(here, further)
