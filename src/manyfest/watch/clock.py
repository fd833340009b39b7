"""What to do about a clock that was put back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

S = TypeVar("S", bound=Struct)


def not_after(value: S, now: float, names: Sequence[str]) -> S:
    """The same value, with those of its times that lie in the future taken for now: what is counted
    from them begins anew, instead of waiting until the clock has caught up."""
    late: dict[str, Any] = {
        name: now for name in names if (time := getattr(value, name)) is not None and time > now
    }
    return replace(value, **late) if late else value
