"""Faults in a JSON document, and a reader that notes them as it goes.

The parsers stop at the first fault, since they must not go on. The validators are there to tell a
person all that is wrong, so they read through a :class:`Node`, which notes a fault with its JSON
path and goes on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from manyfest.errors import InvalidManifest
from manyfest.oci.json import Members, decode

MAX_FAULTS = 1000
"""Faults of one document that are listed: more of them tell nobody more."""

MAX_PATH = 1000
"""Characters of a JSON path: a document that is nested deeper for no reason is not followed."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_NAMES: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    int: "an integer",
    list: "a list",
    str: "a string",
}


class Fault(Struct, frozen=True):
    """One thing that is wrong: where, as a JSON path, and what, in one plain line."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class Node:
    """A value in a document, its JSON path, and the list that its faults are added to."""

    __slots__ = ("_faults", "path", "value")

    def __init__(self, value: object, path: str, faults: list[Fault]) -> None:
        self.value = value
        self.path = path
        self._faults = faults

    def fault(self, what: str) -> None:
        """Note that this value is wrong."""
        if len(self._faults) == MAX_FAULTS:
            raise _TooManyError
        self._faults.append(Fault(self.path, what))

    def expect(self, fine: object, what: str) -> None:
        """Note ``what`` unless ``fine`` is true."""
        if not fine:
            self.fault(what)

    def member(self, key: str) -> Node:
        """The member called ``key``; its value is ``None`` if it is absent."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return self._below(value, f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{shown(key)}]")

    def members(self) -> Iterator[Node]:
        """Everything in this object or list."""
        if isinstance(self.value, dict):
            yield from (self.member(key) for key in self.value)
        elif isinstance(self.value, list):
            for position, value in enumerate(self.value):
                yield self._below(value, f"[{position}]")

    def text(self, key: str) -> str:
        """The string called ``key``, or the empty string; notes nothing."""
        value = self.member(key).value
        return value if isinstance(value, str) else ""

    def find(self, key: str, kind: type, *, required: bool = False) -> Node | None:
        """The member called ``key`` if it is there and of the type ``kind``, else a fault.

        ``null`` counts as absent ("Image Configuration", "Properties"), as Go writes it.
        """
        node = self.member(key)
        if node.value is not None:
            return node if node.is_a(kind) else None
        if required:
            present = isinstance(self.value, dict) and key in self.value
            node.fault(f"is {'null' if present else 'missing'}; expected {_NAMES[kind]}")
        return None

    def items(self, key: str, kind: type, *, required: bool = False) -> Iterator[Node]:
        """Those items of the list called ``key`` that are of the type ``kind``."""
        node = self.find(key, list, required=required)
        if node is not None:
            yield from (item for item in node.members() if item.is_a(kind))

    def entries(self, key: str, kind: type) -> Iterator[tuple[str, Node]]:
        """Those members of the object called ``key`` that are of the type ``kind``."""
        node = self.find(key, dict)
        if node is not None and isinstance(node.value, dict):
            pairs = zip(node.value, node.members(), strict=True)
            yield from ((name, item) for name, item in pairs if item.is_a(kind))

    def spell(self, keys: Iterable[str]) -> None:
        """Note members that Go's decoder would take for one of ``keys``, and others would not."""
        spelling = {key.casefold(): key for key in keys}
        if isinstance(self.value, dict):
            for key in self.value:
                meant = spelling.get(key.casefold(), key)
                if meant != key:
                    self.member(key).fault(f"some programs read this as {meant!r}; write it so")

    def is_a(self, kind: type) -> bool:
        """Whether the value is of the type; a boolean is no integer here."""
        fine = isinstance(self.value, kind) and isinstance(self.value, bool) == (kind is bool)
        self.expect(fine, f"is {_name(self.value)}; expected {_NAMES[kind]}")
        return fine

    def _below(self, value: object, step: str) -> Node:
        path = self.path + step if len(self.path) < MAX_PATH else self.path
        return Node(value, path, self._faults)


def collect(raw: bytes, check: Callable[[Node], None]) -> list[Fault]:
    """The faults that ``check`` notes in the JSON object in ``raw``, after its duplicate keys.

    What is no JSON object has that one fault. After :data:`MAX_FAULTS` no more are looked for,
    and one more says so.
    """
    faults: list[Fault] = []
    repeats: list[_Repeats] = []
    try:
        value = decode(raw, "the document", lambda members: _make(members, repeats))
    except InvalidManifest as error:
        return [Fault("$", error.what)]
    root = Node(value, "$", faults)
    try:
        if root.is_a(dict):
            _note_repeats(root, len(repeats))
            check(root)
    except _TooManyError:
        faults.append(Fault("$", f"there are more than {MAX_FAULTS} faults"))
    return faults


def shown(text: str) -> str:
    """``text`` in quotes on one line, cut short, with nothing in it that moves a cursor."""
    return json.dumps(text if len(text) <= 100 else f"{text[:100]}...")


class _TooManyError(Exception):
    """Enough faults were noted; never leaves this module."""


class _Repeats(dict[str, Any]):
    """A JSON object some of whose keys came twice."""

    __slots__ = ("keys_twice",)

    keys_twice: tuple[str, ...]


def _make(members: Members, repeats: list[_Repeats]) -> dict[str, Any]:
    made = dict(members)
    if len(made) == len(members):
        return made
    count = Counter(key for key, _ in members)
    repeating = _Repeats(made)
    repeating.keys_twice = tuple(key for key, times in count.items() if times > 1)
    repeats.append(repeating)
    return repeating


def _note_repeats(root: Node, left: int) -> None:
    pending = [root]
    while pending and left:
        node = pending.pop()
        if isinstance(node.value, _Repeats):
            left -= 1
            for key in node.value.keys_twice:
                node.member(key).fault("appears twice, and programs differ in which one they take")
        pending.extend(below for below in node.members() if isinstance(below.value, dict | list))


def _name(value: object) -> str:
    if value is None:
        return "null"
    return _NAMES.get(type(value), "an object" if isinstance(value, dict) else "a fraction")
