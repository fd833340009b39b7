"""From a YAML tree to values of declared types, every fault with its file, line and key.

The types say it all: a key that is added to a ``msgspec.Struct`` is read, checked and listed
among the valid keys from then on. A struct with a ``short_form`` may be written as text alone,
which then is the key of that name. Nothing is guessed: ``1.10`` is a number, and so an error where
a ``str`` is declared; a type that is written as text (:data:`Readers`) gets it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from manyfest.errors import ConfigError, ManyfestError
from manyfest.settings.document import kind_of, line_of

if TYPE_CHECKING:
    from pathlib import Path

    from msgspec import inspect
    from ruamel.yaml.nodes import Node

T = TypeVar("T", bound=msgspec.Struct)

Readers = Mapping[type, Callable[[str], object]]
"""Types that are one piece of text in the file, and what makes them of it.

Any scalar will do, as it is written. The function raises a
:class:`~manyfest.errors.ManyfestError` for text it does not take.
"""

_WORDS = {
    "bool": "true or false",
    "float": "a number",
    "int": "a number",
    "map": "keys and values",
    "null": "nothing",
    "seq": "a list",
    "str": "text",
    "timestamp": "a date",
}
"""YAML's types, by the last word of their tags, as a person would call them."""

_PLAIN = frozenset({"bool", "float", "int", "str", "timestamp"})
"""Those that are one piece of text in the file."""

_DECIMAL = re.compile("-?[0-9]{1,9}")

_QUOTE = 'put a value that starts with "{" in quotes'

_MAX_KEY = 100
"""Characters of a key."""

_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""All but true and false are YAML 1.1, which a file can ask for."""


def decode(node: Node, type_: type[T], path: Path, readers: Readers) -> tuple[T, dict[str, int]]:
    """The ``type_`` that the document holds, and the line of each key, from 1.

    Keys are written ``build.platforms[0]``. Raises :class:`~manyfest.errors.ConfigError`.
    """
    from msgspec import inspect

    decoder = _Decoder(path, readers)
    value = decoder.value(node, inspect.type_info(type_), "", line_of(node))
    return cast("T", value), decoder.lines


class _Decoder:
    def __init__(self, path: Path, readers: Readers) -> None:
        self._path = path
        self._readers = readers
        self.lines: dict[str, int] = {}

    def value(self, node: Node, kind: inspect.Type, key: str, line: int) -> object:
        """What ``node`` holds; ``line`` is the one that names it, also when it is an alias."""
        from msgspec import inspect

        self.lines[key] = line
        if kind_of(node) == "null" and _may_be_null(kind):
            return None
        kind = _bare(kind)
        reader = self._readers.get(getattr(kind, "cls", type(None)))
        if reader is not None:
            return self._read(node, reader, key)
        match kind:
            case inspect.StructType():
                return self._struct(node, kind, key)
            case inspect.VarTupleType():
                return self._list(node, kind, key)
            case inspect.DictType():
                pairs = self._pairs(node, key)
                return {name: self._member(pairs, name, kind.value_type, key) for name in pairs}
        return self._scalar(node, kind, key)

    def _scalar(self, node: Node, kind: inspect.Type, key: str) -> object:
        from msgspec import inspect

        match kind:
            case inspect.BoolType():
                return self._bool(node, key)
            case inspect.IntType():
                return self._number(node, kind, key)
            case inspect.StrType():
                return self._text(node, key)
            case inspect.LiteralType():
                return self._choice(node, kind, key)
        raise TypeError(f"{key} is declared as {kind!r}, which no rule here reads")

    def _struct(self, node: Node, kind: inspect.StructType, key: str) -> object:
        fields = {field.encode_name: field for field in kind.fields}
        if short_form(kind.cls) and kind_of(node) in _PLAIN:
            field = fields[short_form(kind.cls)]
            value = self.value(node, field.type, key, self.lines[key])
            return kind.cls(**{field.name: value})
        pairs = self._pairs(node, key, kind.cls)
        for name, (line, _) in pairs.items():
            if name not in fields:
                raise self._unknown(name, list(fields), key, line)
        for name, field in fields.items():
            if field.required and name not in pairs:
                raise self._missing(field, key)
        values = {
            fields[name].name: self._member(pairs, name, fields[name].type, key) for name in pairs
        }
        return kind.cls(**values)

    def _member(
        self, pairs: dict[str, tuple[int, Node]], name: str, kind: inspect.Type, key: str
    ) -> object:
        line, node = pairs[name]
        return self.value(node, kind, f"{key}.{name}" if key else name, line)

    def _list(self, node: Node, kind: inspect.VarTupleType, key: str) -> tuple[object, ...]:
        if kind_of(node) != "seq":
            raise self._wrong(node, "a list", key, "put it in brackets: [ ]")
        if len(node.value) < (kind.min_length or 0):
            raise self._error(f"{key!r} is empty", self.lines[key], "name at least one")
        return tuple(
            self.value(child, kind.item_type, f"{key}[{position}]", line_of(child))
            for position, child in enumerate(node.value)
        )

    def _pairs(self, node: Node, key: str, type_: type = dict) -> dict[str, tuple[int, Node]]:
        """The mapping's keys, each with its line and its value."""
        if kind_of(node) != "map":
            or_text = "text, or " if short_form(type_) else ""
            raise self._wrong(node, f"{or_text}keys and values", key)
        pairs: dict[str, tuple[int, Node]] = {}
        for name, child in node.value:
            line = line_of(name)
            if kind_of(name) == "merge":
                raise self._error("merge keys (<<) are not read", line, "write the keys out")
            if kind_of(name) not in _PLAIN or len(name.value) > _MAX_KEY:
                mend = _QUOTE if kind_of(name) == "map" else ""
                raise self._error(f"a key is not short, plain text{_under(key)}", line, mend)
            if name.value in pairs:
                raise self._error(f"key {name.value!r} appears twice{_under(key)}", line)
            pairs[name.value] = (line, child)
        return pairs

    def _read(self, node: Node, reader: Callable[[str], object], key: str) -> object:
        if kind_of(node) not in _PLAIN:
            raise self._wrong(node, "text", key)
        try:
            return reader(node.value)
        except ManyfestError as error:
            raise self._error(f"{key!r}: {error.what}", self.lines[key], error.mend) from None

    def _text(self, node: Node, key: str) -> str:
        if kind_of(node) != "str":
            raise self._wrong(node, "text", key, f'write "{_shown(node)}"')
        return str(node.value)

    def _number(self, node: Node, kind: inspect.IntType, key: str) -> int:
        if kind_of(node) not in {"int", "float"}:
            raise self._wrong(node, "a number", key)
        if not _DECIMAL.fullmatch(node.value):
            what = f"{key!r} cannot be {_shown(node)}"
            raise self._error(what, self.lines[key], "write a whole number, such as 3")
        number = int(node.value)
        least, most = kind.ge, kind.le
        if (least is not None and number < least) or (most is not None and number > most):
            what = f"{key!r} cannot be {number}"
            raise self._error(what, self.lines[key], f"use one from {least} to {most}")
        return number

    def _choice(self, node: Node, kind: inspect.LiteralType, key: str) -> str:
        text = self._text(node, key)
        if text not in kind.values:
            what = f"{key!r} cannot be {text[:80]!r}"
            raise self._error(
                what, self.lines[key], f"use one of {', '.join(map(str, kind.values))}"
            )
        return text

    def _bool(self, node: Node, key: str) -> bool:
        if kind_of(node) != "bool":
            raise self._wrong(node, "true or false", key)
        value = _BOOLS.get(node.value.lower())
        if value is None:  # an explicit tag: !!bool maybe
            what = f"{key!r} must be true or false, not {node.value[:80]!r}"
            raise self._error(what, self.lines[key])
        return value

    def _wrong(self, node: Node, expected: str, key: str, mend: str = "") -> ConfigError:
        if kind_of(node) not in _PLAIN:
            mend = ""
        if kind_of(node) == "map" and getattr(node, "flow_style", False):
            mend = _QUOTE
        name = repr(key) if key else "the file"
        found = _WORDS.get(kind_of(node), f"the tag {kind_of(node)[:40]!r}")
        what = f"{name} must be {expected}, not {found}"
        return self._error(what, self.lines[key], mend)

    def _unknown(self, name: str, valid: list[str], key: str, line: int) -> ConfigError:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), valid, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(valid)}"
        return self._error(f"unknown key {name!r}{_under(key)}", line, mend)

    def _missing(self, field: inspect.Field, key: str) -> ConfigError:
        examples = (getattr(field.type, "extra_json_schema", None) or {}).get("examples")
        name = field.encode_name
        mend = f"add it, for example {name}: {_flow(examples[0])}" if examples else ""
        return self._error(f"no key {name!r}{_under(key)}", self.lines[key], mend)

    def _error(self, what: str, line: int, mend: str = "") -> ConfigError:
        return ConfigError(what, where=f"{self._path}:{line}", mend=mend)


def short_form(type_: type) -> str:
    """The key that text alone stands for, where a struct of this type is declared, or empty."""
    return str(getattr(type_, "short_form", ""))


def _may_be_null(kind: inspect.Type) -> bool:
    from msgspec import inspect

    return isinstance(kind, inspect.UnionType) and kind.includes_none


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type without its description, and without the ``None`` of a key that may be left out."""
    from msgspec import inspect

    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
    return kind


def _under(key: str) -> str:
    return f" under {key!r}" if key else ""


def _shown(node: Node) -> str:
    return repr(str(node.value)[:80])[1:-1]


def _flow(example: Any) -> str:
    """An example on one line of YAML."""
    if isinstance(example, dict):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in example.items()) + "}"
    return f"[{', '.join(example)}]" if isinstance(example, list) else str(example)
