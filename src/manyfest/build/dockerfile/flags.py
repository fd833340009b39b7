"""The ``--flags`` of instructions: which exist, and what was given."""

from __future__ import annotations

from enum import Enum

from manyfest.build.dockerfile.lex import Statement
from manyfest.build.dockerfile.place import nearest, shown


class _Kind(Enum):
    TEXT = "text"
    LIST = "list"  # may be repeated
    BOOL = "bool"


_COPY_AND_ADD = {
    "chown": _Kind.TEXT,
    "chmod": _Kind.TEXT,
    "link": _Kind.BOOL,
    "exclude": _Kind.LIST,
}
_KNOWN = {
    "FROM": {"platform": _Kind.TEXT},
    "COPY": {**_COPY_AND_ADD, "from": _Kind.TEXT, "parents": _Kind.BOOL},
    "ADD": {
        **_COPY_AND_ADD,
        "checksum": _Kind.TEXT,
        "keep-git-dir": _Kind.BOOL,
        "unpack": _Kind.BOOL,
    },
    "RUN": {
        "mount": _Kind.LIST,
        "network": _Kind.TEXT,
        "security": _Kind.TEXT,
        "device": _Kind.LIST,
    },
    "HEALTHCHECK": dict.fromkeys(
        ("interval", "timeout", "start-period", "start-interval", "retries"), _Kind.TEXT
    ),
}


class Flags:
    """The flags of one statement, checked against those its instruction has.

    Raises :class:`~manyfest.errors.DockerfileError` for a flag that is unknown, repeated, without
    its value, or not a boolean where one is needed.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._known = _KNOWN.get(statement.keyword, {})
        self._given: dict[str, list[str]] = {}
        for flag in statement.flags:
            self._take(flag)

    def text(self, name: str, default: str = "") -> str:
        return self._given.get(name, [default])[0]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(self._given.get(name, ()))

    def boolean(self, name: str) -> bool | None:
        """``None`` when the flag was not given."""
        return self._given[name] == ["true"] if name in self._given else None

    def _take(self, flag: str) -> None:
        name, equals, value = flag.removeprefix("--").partition("=")
        kind = self._known.get(name)
        if kind is None:
            raise self._statement.fault(
                f"unknown flag {shown(f'--{name}')}", self._alternatives(name), f"--{name}"
            )
        if name in self._given and kind is not _Kind.LIST:
            raise self._statement.fault(
                f"flag --{name} is given twice", "keep one of them", f"--{name}"
            )
        if kind is _Kind.BOOL and not equals:
            value = "true"
        elif not equals or (kind is _Kind.BOOL and not value):
            raise self._statement.fault(
                f"flag --{name} has no value", f"write --{name}=VALUE", f"--{name}"
            )
        if kind is _Kind.BOOL:
            value = value.lower()
            if value not in {"true", "false"}:
                raise self._statement.fault(
                    f"flag --{name} is {shown(value)}",
                    f"write --{name} or --{name}=false",
                    f"--{name}",
                )
        self._given.setdefault(name, []).append(value)

    def _alternatives(self, name: str) -> str:
        if not self._known:
            return f"{self._statement.keyword} has no flags"
        return nearest(f"--{name}", [f"--{known}" for known in self._known])
