"""Secrets of a build: files that RUN may see while it runs, and that no image holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from msgspec import Struct

from manyfest.errors import UsageError

_LARGEST = 500 * 1024
"""Bytes that BuildKit takes of a secret, too."""

_SHORTEST_HIDDEN = 4
"""Bytes that a line of a secret needs to be hidden in output: less would hide everything."""


class BuildSecret(Struct, frozen=True, kw_only=True):
    """What a RUN that mounts the secret ``id`` reads. ``value`` is in no ``repr``."""

    id: str
    value: bytes

    def __repr__(self) -> str:
        return f"BuildSecret(id={self.id!r})"

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str], *, folder: Path = Path()) -> Self:
        """Read what ``id=ID,src=FILE``, ``id=ID,env=NAME`` or, for the variable of its own name,
        ``id=ID`` names; the file may be relative to ``folder``.

        Raises :class:`~manyfest.errors.UsageError` for what does not parse or is not there.
        """
        fields = dict(part.partition("=")[::2] for part in text.split(","))
        fields.pop("type", None)
        name, file, variable = (_taken(fields, *keys) for keys in _KEYS)
        if not name or "/" in name or fields or (file and variable):
            raise UsageError(
                f"the secret {text!r} is not understood",
                mend="write id=ID,src=FILE or id=ID,env=NAME",
            )
        return cls(id=name, value=_read(folder / file) if file else _get(variable or name, environ))

    @property
    def hidden(self) -> tuple[bytes, ...]:
        """The parts of it that no output may show."""
        lines = map(bytes.strip, self.value.splitlines())
        return tuple(line for line in lines if len(line) >= _SHORTEST_HIDDEN)


_KEYS = (("id",), ("src", "source"), ("env",))


def _taken(fields: dict[str, str], *keys: str) -> str:
    return "".join(fields.pop(key, "") for key in keys)


def _get(name: str, environ: Mapping[str, str]) -> bytes:
    if name not in environ:
        raise UsageError(f"the secret's variable {name} is not set", mend="set it, or name a file")
    return environ[name].encode(errors="surrogateescape")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            value = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"the secret cannot be read: {error.strerror}", where=str(path)) from None
    if len(value) > _LARGEST:
        raise UsageError("the secret is larger than 500 KiB", where=str(path))
    return value
