"""What ``manyfest build`` is asked for: by its options and, in a project, by ``manyfest.yaml``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from manyfest.cli.platforms import parse_platforms

if TYPE_CHECKING:
    from manyfest.build.request import BuildRequest
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.progress import Progress
    from manyfest.release.project.config import Config
    from manyfest.release.versions.version import Version


class Job(Struct, frozen=True, kw_only=True):
    """One build: the request, the version and, in a project, its configuration."""

    request: BuildRequest
    version: Version
    config: Config | None

    @property
    def place(self) -> str:
        """The repository that a tag in an archive belongs to, if that is known."""
        return self.config.place.place if self.config else ""

    def output(self, told: str | None) -> Reference:
        """Where the image goes: where it was ``told`` to, or else into the project's archive.

        Raises :class:`~manyfest.errors.UsageError` if there is neither.
        """
        from manyfest.errors import UsageError
        from manyfest.oci.reference import Reference

        if told is not None:
            return Reference.parse(told)
        if self.config is None:
            raise UsageError("nothing says where the image goes", mend="name a place with --output")
        path = self.config.archive_path(self.version)
        return Reference("oci-archive", path=str(path), name=self.version.text)

    @property
    def has_before(self) -> bool:
        """Whether the project has a command of its own before the build."""
        return self.config is not None and bool(self.config.build.before)

    def require_possible(self) -> None:
        """Look at the Dockerfile before the project's own command runs, which may take long. What
        is not there yet, that may make.

        Raises :class:`~manyfest.errors.UsageError` and :class:`~manyfest.errors.BuildError`.
        """
        if self.has_before:
            from manyfest.build.builder import plan
            from manyfest.build.request import is_there

            if is_there(self.request):
                plan(self.request, has_before=True)

    def run_before(self, progress: Progress) -> None:
        """Run the project's own command, if it has one, for each platform.

        Raises :class:`~manyfest.errors.ReleaseError`.
        """
        if self.config is not None and self.has_before:
            from manyfest.release.project.before import run_before

            run_before(self.config, self.version, self.request.platforms, progress)


def read_job(
    *,
    context: Path | None,
    config_file: Path | None,
    told: str,
    platforms: tuple[str, ...],
    to_archive: bool,
    **options: Any,
) -> Job:
    """Options are stronger than the configuration. That is read if it was named, or if it is in
    this folder and no CONTEXT was named: another folder is another project. ``to_archive``: the
    image goes into the project's archive."""
    from manyfest.cli.project import load_config
    from manyfest.release import FILE_NAME
    from manyfest.release.versions.version import version_if_known

    here = Path(FILE_NAME)
    if config_file is None and context is None and here.is_file():
        config_file = here
    config = load_config(config_file) if config_file else None
    folder = _folder(context or (config.root if config else Path()))
    prefix = config.version_prefix if config else ""
    version = version_if_known(
        config.root if config else folder,
        told,
        prefix=prefix,
        needed=config is not None and config.needs_version(archive=to_archive),
    )
    wanted = parse_platforms(platforms)
    request = _project(config, version) if config else _plain(folder, version, wanted)
    given = _given(context=context, platforms=wanted, **options)
    return Job(request=_changed(request, **given), version=version, config=config)


def _folder(path: Path) -> Path:
    from manyfest.errors import UsageError

    if not path.is_dir():
        raise UsageError("there is no such folder", where=str(path))
    return path


def _project(config: Config, version: Version) -> BuildRequest:
    from manyfest.release.project.building import project_request

    return project_request(config, version)


def _plain(context: Path, version: Version, platforms: tuple[Platform, ...]) -> BuildRequest:
    """A build of a folder that has no ``manyfest.yaml``, as far as options do not change it."""
    from manyfest.build.request import BuildRequest
    from manyfest.release.project.metadata import metadata_of_folder

    return BuildRequest(
        context=context,
        dockerfile=context / "Dockerfile",
        platforms=platforms or (_this_platform(),),
        build_args={},
        epoch=version.commit_time,
        metadata=metadata_of_folder(context, version),
    )


def _changed(
    request: BuildRequest,
    *,
    build_args: dict[str, str],
    labels: dict[str, str],
    annotations: dict[str, str],
    **given: Any,
) -> BuildRequest:
    """The request with what was given by options: maps are added to, the rest is replaced."""
    said = request.metadata
    return replace(
        request,
        build_args={**request.build_args, **build_args},
        metadata=replace(
            said,
            labels={**said.labels, **labels},
            annotations={**said.annotations, **annotations},
        ),
        asked_at={key: at for key, at in request.asked_at.items() if key not in given},
        **given,
    )


def _given(
    *,
    dockerfile: Path | None,
    build_args: tuple[str, ...],
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    compression: str,
    secrets: tuple[str, ...],
    timeout: str | None,
    **options: Any,
) -> dict[str, Any]:
    """What a request is to have instead, by the names of its fields."""
    from manyfest.build.request import read_text
    from manyfest.build.secrets import BuildSecret
    from manyfest.duration import Duration
    from manyfest.layers.compression import Compression

    more = {
        "dockerfile": dockerfile,
        "text": read_text(sys.stdin.buffer, "-") if dockerfile == Path("-") else None,
        "compression": Compression(compression),
        "secrets": tuple(BuildSecret.parse(text, os.environ) for text in secrets),
        "timeout": Duration.parse(timeout).seconds if timeout is not None else None,
        **options,
    }
    return {
        **{name: value for name, value in more.items() if value},
        "build_args": _build_args(build_args),
        "labels": _pairs("--label", labels),
        "annotations": _pairs("--annotation", annotations),
    }


def _this_platform() -> Platform:
    import platform as this

    from manyfest.errors import UsageError
    from manyfest.oci.machine import platform_of_machine

    here = platform_of_machine(this.machine())
    if here is None:
        raise UsageError(f"no platform is known for {this.machine()}", mend="give --platform")
    return here


def _pairs(option: str, arguments: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` each."""
    from manyfest.errors import UsageError

    pairs: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key or not equals:
            raise UsageError(f"{option} {argument!r} is no pair", mend="write KEY=VALUE")
        pairs[key] = value
    return pairs


def _build_args(arguments: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE``, or ``KEY`` for the environment's value; one that has none is not given."""
    from manyfest.errors import UsageError

    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key:
            raise UsageError(f"--build-arg {argument!r} has no name", mend="write KEY=VALUE")
        if equals:
            given[key] = value
        elif key in os.environ:
            given[key] = os.environ[key]
    return given
