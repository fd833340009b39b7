"""Where a page ends, as the text that asks for the next one. Programs hand it back as it is."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from manyfest.watch.history.read.events import Mark
from manyfest.watch.web.api.replies import Fault

T = TypeVar("T")

_LONGEST = 400

_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""As databases count."""


def of_rank(rank: str) -> str:
    """The end of a page of versions."""
    return _written([rank])


def rank(cursor: str) -> str | None:
    """The rank that a page of versions ends with. Raises :class:`Fault` 400."""
    return _read(cursor, tuple[str])[0] if cursor else None


def of_mark(mark: Mark) -> str:
    """The end of a page of what happened."""
    return _written([mark.at, mark.number])


def mark(cursor: str) -> Mark | None:
    """The mark that a page of what happened ends with. Raises :class:`Fault` 400."""
    return Mark(*_read(cursor, tuple[float, _Number])) if cursor else None


def _written(value: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def _read(cursor: str, shape: type[T]) -> T:
    try:
        raw = urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=shape)
    except (ValueError, Error, msgspec.DecodeError):
        raise Fault(400, "after: this is not where a page ended") from None
