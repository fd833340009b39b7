"""What a project's configuration asks a build for: shared by ``build`` and ``release``."""

from __future__ import annotations

from pathlib import Path

from manyfest.build.request import BuildRequest
from manyfest.errors import ReleaseError
from manyfest.release.config import Config
from manyfest.release.metadata import metadata_of
from manyfest.release.template import values
from manyfest.release.version import Version


def project_request(config: Config, version: Version) -> BuildRequest:
    """What the builder is asked for.

    Raises :class:`~manyfest.errors.ConfigError` for what this version does not do, and for a
    template that needs what is not known.
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
    )


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
