"""Lines of a file as people see them, with a caret under the word that is wrong.

::

      7 | COPY --chwn=1:2 \\
        |      ^^^^^^
      8 |     a b /c

Tabs become blanks, wide characters count twice, control characters are shown and not obeyed, and
of a long line the part around the word is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from manyfest.printable import printable

WIDEST = 100
"""Characters that are shown of one line."""

MOST_LINES = 6
_BEFORE = 2
_TAB = 4
_LONGEST_WORD = 1000


def excerpt(lines: Sequence[str], first: int, word: str = "") -> str:
    """The ``lines`` of one instruction, of which ``first`` is the number of the first, with a
    caret under ``word``; under the keyword, if there is no such word. Lines far from it are left
    out. No lines give an empty text."""
    if not lines:
        return ""
    row, start, end = _find(lines, word)
    begin = max(0, min(row - _BEFORE, len(lines) - MOST_LINES))
    shown = range(begin, min(begin + MOST_LINES, len(lines)))
    gutter = len(str(first + shown[-1]))
    out: list[str] = []
    for index in shown:
        text, carets = _drawn(lines[index], start if index == row else 0, end)
        out.append(f"  {first + index:>{gutter}} | {text}")
        if index == row:
            out.append(f"  {'':>{gutter}} | {carets}")
    return "\n".join(line.rstrip() for line in out)


def _find(lines: Sequence[str], word: str) -> tuple[int, int, int]:
    """The line, start and end of ``word``, or of the keyword."""
    keyword = re.match(r"\s*(\S*)", lines[0])
    assert keyword is not None  # noqa: S101 - it matches the empty text
    if word and len(word) <= _LONGEST_WORD:
        for pattern in _patterns(word):
            for row, line in enumerate(lines):
                found = pattern.search(line, keyword.end() if row == 0 else 0)
                if found and not (row and line.lstrip().startswith("#")):
                    return row, found.start(), found.end()
    return 0, keyword.start(1), keyword.end(1)


def _patterns(word: str) -> list[re.Pattern[str]]:
    """``word`` between blanks; then wherever it is no part of a longer name."""
    literal = re.escape(word)
    left = r"(?<!\w)" if word[0].isalnum() else ""
    right = r"(?!\w)" if word[-1].isalnum() else ""
    return [re.compile(rf"(?<!\S){literal}(?!\S)"), re.compile(left + literal + right)]


def _drawn(line: str, start: int, end: int) -> tuple[str, str]:
    """What is shown of ``line``, and below it the carets from ``start`` to ``end``."""
    begin = max(0, min(start - WIDEST // 3, len(line) - WIDEST))
    text, carets = ("…", " ") if begin else ("", "")
    for index, char in enumerate(line[begin : begin + WIDEST], start=begin):
        drawn = _visible(char, len(carets))
        text += drawn
        carets += ("^" if start <= index < end else " ") * _columns(drawn)
    if begin + WIDEST < len(line):
        text += "…"
    return text, carets.rstrip() or "^"


def _visible(char: str, column: int) -> str:
    if char == "\t":
        return " " * (_TAB - column % _TAB)
    return printable(char)


def _columns(text: str) -> int:
    """How wide a terminal draws ``text``."""
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
