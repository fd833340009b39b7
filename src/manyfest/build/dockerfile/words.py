"""How one logical line of a Dockerfile falls into keyword, flags, words and JSON.

Nothing is expanded here: the words of ENV, LABEL and ARG keep their quotes and escapes.
"""

from __future__ import annotations

import json
import re

from manyfest.errors import DockerfileError

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""Unicode's White_Space, which is narrower than ``str.isspace``."""

_GAP = re.compile(r"[\t\v\f\r ]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def split_keyword(line: str) -> tuple[str, str]:
    """The keyword in upper case, and what follows it."""
    keyword, *rest = _GAP.split(line.strip(SPACES), maxsplit=1)
    return keyword.upper(), rest[0] if rest else ""


def split_plain(text: str) -> list[str]:
    """Words between blanks; quotes mean nothing (COPY, ADD, FROM, EXPOSE, VOLUME)."""
    return _GAP.split(text) if text else []


def split_words(text: str, escape: str) -> list[str]:
    """Words between blanks that are neither quoted nor escaped; quotes and escapes stay."""
    words: list[str] = []
    position = _skip_spaces(text, 0)
    while position < len(text):
        end = _word_end(text, position, escape)
        words.append(_without_dangling_escape(text[position:end], escape))
        position = _skip_spaces(text, end)
    return [word for word in words if word]


def split_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The leading ``--flags``, unquoted, and the rest; a bare ``--`` ends the flags."""
    flags: list[str] = []
    position = _skip_spaces(text, 0)
    while text.startswith("--", position):
        end = _word_end(text, position, escape)
        flag = _unquoted(text[position:end], escape)
        position = _skip_spaces(text, end)
        if flag == "--":
            break
        flags.append(flag)
    return tuple(flags), text[position:].strip(SPACES)


def json_list(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON list, or ``None`` when ``text`` is not one: then it is shell form.

    Raises :class:`~manyfest.errors.DockerfileError` (without a place) for a list of something
    else, which is a mistake in either form.
    """
    if not text.lstrip(SPACES).startswith("["):
        return None
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return None
    except RecursionError:
        values = [None]
    if not all(isinstance(value, str) for value in values):
        raise DockerfileError(
            "the JSON list holds something that is not a string",
            mend='write every part as a string: ["a", "b"]',
        )
    # Half a surrogate pair has no UTF-8 form; Go's decoder replaces it as well.
    return tuple(_LONE_SURROGATE.sub("\ufffd", value) for value in values)


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's additions to JSON."""
    raise ValueError(name)


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] in SPACES:
        position += 1
    return position


def _word_end(text: str, start: int, escape: str) -> int:
    quote = ""
    position = start
    while position < len(text):
        char = text[position]
        if char == escape and quote != "'":
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in SPACES:
            break
        position += 1
    return min(position, len(text))


def _without_dangling_escape(word: str, escape: str) -> str:
    """A last escape character with nothing to escape is dropped."""
    trailing = len(word) - len(word.rstrip(escape))
    return word[:-1] if trailing % 2 else word


def _unquoted(word: str, escape: str) -> str:
    out: list[str] = []
    quote = ""
    chars = iter(word)
    for char in chars:
        if char == escape:
            out.append(next(chars, ""))
        elif quote:
            out.append("" if char == quote else char)
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        else:
            out.append(char)
    return "".join(out)
