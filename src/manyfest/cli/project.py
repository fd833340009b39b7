"""What verbs that work on a project share: where its ``manyfest.yaml`` is, its version, and how
images, repositories and what was done are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from manyfest.cli.text import seconds
from manyfest.release import FILE_NAME

if TYPE_CHECKING:
    from manyfest.oci.reference import Name, Reference
    from manyfest.release.project.config import Config
    from manyfest.release.steps.step import Outcome
    from manyfest.release.versions.occasion import Occasion
    from manyfest.release.versions.version import Version

F = TypeVar("F", bound=Callable[..., object])


def config_option(function: F) -> F:
    """``--config``: the project's file, by default the one in this folder."""
    return click.option(
        "-c",
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        default=Path(FILE_NAME),
        show_default=True,
        help="The project's configuration.",
    )(function)


def version_option(function: F) -> F:
    """``--version``: what is released, instead of what git says."""
    return click.option(
        "--version", "told", metavar="V", default="", help="The version, instead of git's."
    )(function)


def load_config(path: Path) -> Config:
    """Read ``manyfest.yaml``; a folder stands for the file in it."""
    from manyfest.release.project.load import load

    in_folder = path.is_dir() and path.name != FILE_NAME  # what is called so should be the file
    return load(path / FILE_NAME if in_folder else path)


def ask_git(config: Config, told: str) -> tuple[Version, Occasion]:
    """Which version the project is, and what it is built for."""
    from manyfest.release.versions.occasion import find_occasion
    from manyfest.release.versions.version import find_version
    from manyfest.threads import workers

    with workers(2, "git") as pool:
        version = pool.submit(find_version, config.root, told, prefix=config.version_prefix)
        occasion = pool.submit(find_occasion, config.root)
        return version.result(), occasion.result()


def parse_repository(text: str, option: str = "--to") -> Name:
    """What an option names. Raises :class:`~manyfest.errors.InvalidReference` for anything else
    than a repository."""
    from manyfest.oci import reference

    return reference.parse_repository(text, option)


def parse_image(text: str) -> Reference:
    """A reference, or simply an archive's path."""
    from manyfest.oci.reference import Reference

    path = text.partition(":")[0]
    if path.startswith((".", "/")) or path.endswith(".tar") or Path(path).is_file():
        return Reference.parse(f"oci-archive:{text}")
    return Reference.parse(text)


def outcome_line(outcome: Outcome) -> str:
    """How a step ended, for people."""
    if outcome.skipped:
        return f"{outcome.step}: skipped, because {outcome.what}"
    return f"{outcome.step}: {outcome.what} ({seconds(outcome.seconds)})"
