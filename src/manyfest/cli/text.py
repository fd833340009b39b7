"""Text for people: sizes, times, and bytes from elsewhere made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from manyfest import amounts
from manyfest.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

size = amounts.size


def tell(message: str) -> None:
    """One line on stderr. Nobody may be there to read it any more; work does not end for that."""
    with suppress(OSError):
        click.echo(one_line(message), err=True)


def tell_above(console: Console, message: str) -> None:
    """One line on a terminal, above what is redrawn there."""
    console.print(one_line(message), markup=False, highlight=False, emoji=False, soft_wrap=True)


def escaped(text: str) -> str:
    """``text`` with control characters shown, not obeyed. Line breaks stay."""
    return printable(text, keep="\n")


def one_line(text: str) -> str:
    """``text``, escaped, and line breaks shown too: nothing in it can pass for a line of ours."""
    return printable(text)


def short(digest: str) -> str:
    """A digest as people tell it from others: ``sha256:56bb4cc6dd91``; nothing stays nothing."""
    return digest[: len("sha256:") + 12]


def seconds(value: float) -> str:
    """A duration: ``0.42 s``, ``3 min 5 s``."""
    if value < 59.995:
        return f"{value:.2f} s"
    minutes, rest = divmod(max(int(value), 60), 60)
    return f"{minutes} min {rest} s"


def table(rows: Sequence[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> str:
    """Rows in aligned columns, the first row being the head; columns in ``right`` are numbers.
    Each cell is one line, escaped."""
    shown = [tuple(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
