"""What verbs that work on a project share: where its ``manyfest.yaml`` is, and its version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from manyfest.release import FILE_NAME

if TYPE_CHECKING:
    from manyfest.release.config import Config

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
    from manyfest.release.load import load

    return load(path / FILE_NAME if path.is_dir() else path)
