"""What a project's configuration asks a build for: shared by ``build`` and ``release``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from manyfest.build.request import BuildRequest
from manyfest.build.secrets import BuildSecret
from manyfest.errors import ConfigError, ReleaseError, UsageError
from manyfest.release.project.config import Config
from manyfest.release.project.metadata import metadata_of
from manyfest.release.project.template import values
from manyfest.release.versions.version import Version


def project_request(config: Config, version: Version) -> BuildRequest:
    """What the builder is asked for.

    Raises :class:`~manyfest.errors.ConfigError` for what this version does not do, for a template
    that needs what is not known, and for a secret that is not there.
    """
    config.require_supported("layers.")
    known = values(config.name, version)
    return BuildRequest(
        context=config.context,
        dockerfile=config.dockerfile,
        platforms=config.build.platforms,
        build_args={key: value.render(known) for key, value in config.build.args.items()},
        target=config.build.target,
        epoch=version.commit_time,
        metadata=metadata_of(config, version),
        backend=config.build.backend,
        timeout=config.build.timeout.seconds if config.build.timeout else None,
        secrets=tuple(_secrets(config)),
        asked_at={key: config.where(f"build.{key}") for key in ("context", "dockerfile", "target")},
    )


def _secrets(config: Config) -> Iterator[BuildSecret]:
    for position, text in enumerate(config.build.secrets):
        try:
            yield BuildSecret.parse(text, os.environ, folder=config.root)
        except UsageError as error:
            where = error.where or config.where(f"build.secrets[{position}]")
            raise ConfigError(error.what, where=where, mend=error.mend) from None


def make_output_folder(folder: Path) -> None:
    """The archive's folder. One that was not there, or was empty, keeps itself out of git, so
    that a build does not make the work tree differ from the commit."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise ReleaseError(
            f"the archive's folder cannot be used: {error.strerror}", where=str(folder)
        ) from None
