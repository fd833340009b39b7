"""Which repositories a verb is about that looks at what was published."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from manyfest.cli.project import parse_repository

if TYPE_CHECKING:
    from manyfest.release.destinations import Destination
    from manyfest.release.project.config import Config

F = TypeVar("F", bound=Callable[..., object])


def repositories_option(function: F) -> F:
    """``--repo``: other repositories than those that 'publish' names."""
    return click.option(
        "--repo",
        "repositories",
        metavar="REPO",
        multiple=True,
        help="Look there, not where 'publish' says.",
    )(function)


def destinations_of(config: Config, repositories: tuple[str, ...]) -> tuple[Destination, ...]:
    """The repositories that were named, or else those of the configuration, and those of one
    platform that belong to them.

    Raises :class:`~manyfest.errors.UsageError` if there is none.
    """
    from manyfest.errors import UsageError
    from manyfest.release.destinations import destinations

    named = (parse_repository(text, "--repo") for text in repositories)
    names = tuple(dict.fromkeys(named)) or config.publish
    if not names:
        raise UsageError(
            "'publish' names no repository",
            where=config.where("publish"),
            mend="name one there or with --repo",
        )
    return destinations(config, names)
