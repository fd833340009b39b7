"""Sizes, as options take them."""

from __future__ import annotations

import re

import click

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
"""As sizes are shown."""


def parse_size(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """A number of bytes: ``500MB``. For an option's ``callback``."""
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})(\w*)", value)
    units = {unit.casefold(): factor for unit, factor in _UNITS.items()}
    if match is None or match[2].casefold() not in units:
        raise click.BadParameter(f"{value!r} is not a size: write for example 500MB or 20GB")
    return int(match[1]) * units[match[2].casefold()]
