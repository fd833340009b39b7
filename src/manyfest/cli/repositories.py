"""Which repositories a verb is about that looks at what was published."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from manyfest.oci.reference import Name
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

    names = tuple(dict.fromkeys(map(_repository, repositories))) or config.publish
    if not names:
        raise UsageError(
            "'publish' names no repository",
            where=config.where("publish"),
            mend="name one there or with --repo",
        )
    return destinations(config, names)


def _repository(text: str) -> Name:
    from manyfest.errors import InvalidReference
    from manyfest.oci.reference import Name

    name = Name.parse(text.removeprefix("docker://"))
    if not name.is_repository:
        raise InvalidReference(f"--repo {text[:300]!r} names one image", mend=f"write {name.place}")
    return name
