"""Whom a program runs as: the image's ``User``, looked up in the image's own files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from manyfest.errors import CheckFailed
from manyfest.layers.entry import EntryType
from manyfest.layers.tree import Leaf, Tree
from manyfest.release.smoke.layers import Unpacked

_LARGEST = 1024 * 1024
"""Bytes that are read of a file of accounts."""

_MOST = 2**32 - 2


class Account(Struct, frozen=True):
    """The numbers of a user, of its groups, and its home."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def account_of(tree: Tree[Unpacked], user: str) -> Account:
    """The account for ``user``, written ``NAME``, ``UID`` or either with ``:GROUP``; root if it is
    empty. Resolved as Docker does it: numbers need no entry, names do.

    Raises :class:`~manyfest.errors.CheckFailed` for a name that is not there.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    entry = next((each for each in _lines(tree, "/etc/passwd", 7) if _is(each, name)), None)
    if entry is None and _number(name) is None:
        raise CheckFailed(f"the image's user {name!r} is not in its /etc/passwd")
    uid = _number(entry[2]) if entry else _number(name)
    gid = (_number(entry[3]) if entry else None) or 0
    groups = list(_lines(tree, "/etc/group", 4))
    home = (entry[5] if entry else "") or "/"
    if group:
        return Account(uid or 0, _group(groups, group), home=home)
    more = _memberships(groups, entry[0], gid) if entry else ()
    return Account(uid or 0, gid, tuple(more), home)


def _group(groups: Sequence[Sequence[str]], name: str) -> int:
    found = next((each for each in groups if _is(each, name)), None)
    number = _number(found[2]) if found else _number(name)
    if number is None:
        raise CheckFailed(f"the image's group {name!r} is not in its /etc/group")
    return number


def _memberships(groups: Sequence[Sequence[str]], user: str, gid: int) -> Iterator[int]:
    for each in groups:
        number = _number(each[2])
        if number is not None and number != gid and user in each[3].split(","):
            yield number


def _is(line: Sequence[str], name: str) -> bool:
    """Whether a line is for what ``name`` names; a number may be a name, too."""
    return name in (line[0], line[2]) and _number(line[2]) is not None


def _lines(tree: Tree[Unpacked], path: str, fields: int) -> Iterator[list[str]]:
    """The lines of a file that have as many fields as they should; none if it is not there."""
    node = tree.find(path)
    is_file = isinstance(node, Leaf) and node.type is EntryType.FILE
    if not (is_file and isinstance(node, Leaf) and node.note and node.note.content):
        return
    with node.note.content.open("rb") as file:
        text = file.read(_LARGEST).decode(errors="replace")
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) >= fields:
            yield parts


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10:
        return None
    return int(text) if int(text) <= _MOST else None
