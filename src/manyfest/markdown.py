"""Markdown out of text that anybody may have written: a commit's subject, a registry's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from manyfest.printable import printable

_BAR = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"(`[^`]+`)")
_MARKS = re.compile(r"[\\`*<>\[\]~&|]|(?<![^\W_])_|_(?![^\W_])|^(?:[#+=-]|[0-9]+(?=[.)](?: |$)))")
"""What may be markup where it stands; inside a word, ``_`` is not, and a dot ends a number at the
beginning only."""


def escaped(text: str) -> str:
    """``text`` on one line, in which nothing is markup. No more is escaped than that takes: some
    people see it as it is."""
    return _MARKS.sub(_escape, plain(text))


def plain(text: str) -> str:
    """``text`` on one line for where there is no markup, with control characters shown."""
    return printable(" ".join(text.split()))


def escaped_but_code(text: str) -> str:
    """The same, in which code between backticks stays code."""
    parts = _CODE.split(plain(text))  # every second one is code
    return "".join(part if at % 2 else _MARKS.sub(_escape, part) for at, part in enumerate(parts))


def _escape(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def code(text: str) -> str:
    """``text`` on one line as code, whatever it is."""
    shown = plain(text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are Markdown already. A bar that is not escaped would end its cell, even
    in code."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([_BAR.sub(r"\|", cell) for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
