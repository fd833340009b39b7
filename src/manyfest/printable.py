"""Text from elsewhere, made harmless: a registry's words, an image's names, a file's lines."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """``text`` with control characters shown, not obeyed, also those that turn the direction of
    writing: nothing in it moves a cursor or recolours a terminal. Those in ``keep`` stay."""
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )
