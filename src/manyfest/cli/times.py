"""Lengths of time, as options take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def parse_time(_context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Seconds, of ``90``, ``30m`` or ``0``. For an option's ``callback``."""
    from manyfest.duration import Duration
    from manyfest.errors import UsageError

    if value is None:
        return None
    if value in ("0", "0s"):
        return 0.0
    try:
        return Duration.parse(value).seconds
    except UsageError as error:
        raise UsageError(error.what, where=option.opts[0], mend=error.mend) from None
