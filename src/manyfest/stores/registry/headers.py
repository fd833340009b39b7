"""The header fields of a request or an answer: immutable, case-insensitive, multi-valued."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "location"})


def is_field(name: str, value: str) -> bool:
    """Whether the field may stand in a message: RFC 9110, section 5. No line break gets in."""
    # What is usual is told more quickly than by the rule.
    usual = name.isascii() and name.replace("-", "").isalnum()
    printable = value.isascii() and value.isprintable()
    return bool((usual or _NAME.fullmatch(name)) and (printable or _VALUE.fullmatch(value)))


class Headers:
    """Header fields in their order. ``repr`` hides the values that carry secrets.

    ``Location`` counts as one: storage services sign the addresses that they redirect to.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Raises ``ValueError`` for a field that could smuggle in another one."""
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self._fields: tuple[tuple[str, str], ...] = tuple(pairs)
        for name, value in self._fields:
            if not is_field(name, value):
                raise ValueError(f"{name!r} is not a usable header field")

    @classmethod
    def checked(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Of fields that are known to pass :func:`is_field`."""
        headers = cls.__new__(cls)
        headers._fields = tuple(fields)
        return headers

    def get(self, name: str, default: str = "") -> str:
        """The first value of the field."""
        wanted = name.lower()
        return next((value for key, value in self._fields if key.lower() == wanted), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of the field, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self._fields if key.lower() == wanted)

    @property
    def media_type(self) -> str:
        """``Content-Type`` without parameters: a registry may add ``charset=utf-8``."""
        return self.get("Content-Type").partition(";")[0].strip()

    def replaced(self, name: str, value: str) -> Headers:
        """The same fields with this one set to one value."""
        return Headers((*self.without(name), (name, value)))

    def without(self, *names: str) -> Headers:
        """The same fields, less the named ones."""
        dropped = {name.lower() for name in names}
        return Headers(pair for pair in self._fields if pair[0].lower() not in dropped)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._folded() == other._folded()

    def __hash__(self) -> int:
        return hash(self._folded())

    def __repr__(self) -> str:
        shown = {name: "***" if name.lower() in _SECRET else value for name, value in self._fields}
        return f"Headers({shown})"

    def _folded(self) -> tuple[tuple[str, str], ...]:
        return tuple((name.lower(), value) for name, value in self._fields)
