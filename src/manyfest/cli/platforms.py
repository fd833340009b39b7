"""``--platform``, as verbs that take several have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from manyfest.oci.platform import Platform

F = TypeVar("F", bound=Callable[..., object])


def platforms_option(what: str) -> Callable[[F], F]:
    """``--platform``, whose meaning ``what`` begins to tell; its texts come as ``platforms``."""
    return click.option(
        "--platform",
        "platforms",
        multiple=True,
        metavar="P",
        help=f"{what}, as os/arch[/variant]. Repeat it, or separate several by commas.",
    )


def parse_platforms(texts: Iterable[str]) -> tuple[Platform, ...]:
    """Each platform once, in order. Raises :class:`~manyfest.errors.InvalidPlatform`."""
    from manyfest.oci.platform import Platform

    names = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(map(Platform.parse, names)))
