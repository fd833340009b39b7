"""What kind of program a file is, told by its first bytes: what a kernel would make of it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from manyfest.check.elf import MAGIC, Elf, read_elf
from manyfest.errors import ContentError
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.streams import Reader, Rejoined

_HEAD_SIZE = 256
"""What Linux reads of a file to know how to run it (BINPRM_BUF_SIZE)."""


class Script(Struct, frozen=True):
    """A file that begins with ``#!``, and the program that runs it; empty if none is named."""

    interpreter: str


class Damaged(Struct, frozen=True):
    """A file that begins as an ELF file and is none; ``what`` says why."""

    what: str


Program: TypeAlias = Elf | Script | Damaged


def read_program(entry: Entry, content: Reader) -> Program | None:
    """What program this entry of a layer is, or ``None``; scripts only if they are executable.

    Reads as little of ``content`` as tells, and keeps none of it.
    """
    if entry.type is not EntryType.FILE or entry.size < 2:
        return None
    head = content.read(_HEAD_SIZE)
    if head.startswith(b"#!") and entry.mode & 0o111:
        return Script(_interpreter(head, whole=entry.size <= _HEAD_SIZE))
    if not head.startswith(MAGIC):
        return None
    try:
        return read_elf(Rejoined(head, content))
    except ContentError as error:
        return Damaged(error.what)


def _interpreter(head: bytes, *, whole: bool) -> str:
    """The first word of the first line (Linux, fs/binfmt_script.c). A name that may go on behind
    the head is none: Linux refuses to run a shortened one."""
    line, newline, _ = head.removeprefix(b"#!").partition(b"\n")
    line = line.lstrip(b" \t")
    words = line.replace(b"\t", b" ").split(b" ", 1)
    if len(words) == 1 and not newline and not whole:
        return ""
    return words[0].partition(b"\0")[0].decode("utf-8", "surrogateescape")
