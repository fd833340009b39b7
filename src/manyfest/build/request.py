"""What a build is asked for, and the Dockerfile and context that it names, read."""

from __future__ import annotations

import platform as this
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field

from manyfest.build.context import Context
from manyfest.build.dockerfile.parse import Dockerfile, parse_dockerfile
from manyfest.build.dockerfile.plan import Plan, plan_build
from manyfest.build.dockerignore import Ignore
from manyfest.build.metadata import Metadata
from manyfest.build.secrets import BuildSecret
from manyfest.errors import ConfigError, DockerfileError, UsageError
from manyfest.layers.compression import Compression
from manyfest.oci.machine import platform_of_machine
from manyfest.oci.platform import Platform

AUTO, NATIVE = "auto", "native"
BACKENDS = (AUTO, NATIVE, "buildah", "docker", "buildctl")

LARGEST = 16 * 1024 * 1024
"""Bytes of a Dockerfile, or of an ignore file."""


class BuildRequest(Struct, frozen=True, kw_only=True):
    """What to build, from what, for which platforms.

    ``epoch``, in seconds since 1970, is the time of everything that is made (SOURCE_DATE_EPOCH).
    ``target`` is a stage's name; empty for the last. ``text`` is what the Dockerfile holds, if
    that was not read from a file. ``asked_at`` tells where some of these fields were asked for, as
    errors name it: ``{"target": "manyfest.yaml:5"}``.

    ``backend`` is one of :data:`BACKENDS`. What follows matters only to those that run programs:
    ``timeout``, in seconds, is how long one platform may take; ``network`` is ``none``, ``host``
    or empty; with ``no_cache`` nothing is used that they kept; ``secrets`` are what RUN may mount;
    ``ca_file`` has certificates of registries.
    """

    context: Path
    dockerfile: Path
    platforms: tuple[Platform, ...]
    build_args: Mapping[str, str]
    target: str = ""
    epoch: int
    metadata: Metadata = field(default_factory=Metadata)
    compression: Compression = Compression.GZIP
    text: str | None = None
    backend: str = AUTO
    timeout: float | None = None
    network: str = ""
    no_cache: bool = False
    secrets: tuple[BuildSecret, ...] = ()
    ca_file: Path | None = None
    asked_at: Mapping[str, str] = field(default_factory=dict)


def is_there(request: BuildRequest) -> bool:
    """Whether there is a Dockerfile, and a context."""
    has_dockerfile = request.text is not None or request.dockerfile.exists()
    return has_dockerfile and request.context.is_dir()


def read_dockerfile(request: BuildRequest) -> Dockerfile:
    """Parse the Dockerfile. Raises :class:`~manyfest.errors.DockerfileError`."""
    return parse_dockerfile(dockerfile_text(request), str(request.dockerfile))


def dockerfile_text(request: BuildRequest) -> str:
    """What the Dockerfile holds. Raises :class:`~manyfest.errors.DockerfileError`."""
    if request.text is not None:
        return request.text
    path, asked_at = request.dockerfile, request.asked_at.get("dockerfile")
    try:
        with path.open("rb") as file:
            return read_text(file, str(path))
    except OSError as failure:
        what = f"cannot be read: {failure.strerror}"
        if asked_at is None:
            raise DockerfileError(what, where=str(path)) from None
        mend = "let 'build.dockerfile' name the Dockerfile"
        raise DockerfileError(f"{path} {what}", where=asked_at, mend=mend) from None


def plan_platforms(request: BuildRequest, dockerfile: Dockerfile) -> list[Plan]:
    """A plan for each platform, once each, in the order in which they were asked for.

    Raises :class:`~manyfest.errors.DockerfileError`, and
    :class:`~manyfest.errors.UsageError` if no platform was asked for.
    """
    wanted = dict.fromkeys(platform.normalised() for platform in request.platforms)
    if not wanted:
        raise UsageError("no platform to build for", mend="name one: linux/amd64")
    here = platform_of_machine(this.machine())
    return [
        plan_build(
            dockerfile,
            platform=platform,
            build_platform=here or platform,
            build_args=request.build_args,
            target=request.target,
            target_at=request.asked_at.get("target", ""),
        )
        for platform in wanted
    ]


def open_context(request: BuildRequest) -> Context:
    """The context, less what its ignore file leaves out: the Dockerfile's own if it has one.

    Raises :class:`~manyfest.errors.UsageError` for a context that is no folder and
    :class:`~manyfest.errors.ConfigError` for a pattern that is malformed.
    """
    if not request.context.is_dir():
        raise _no_context(request.context, request.asked_at.get("context"))
    path = ignore_file(request)
    return Context(
        request.context,
        read_ignore(request),
        mtime=request.epoch,
        ignored_by=path.name if path else "",
    )


def read_ignore(request: BuildRequest) -> Ignore:
    """What the context leaves out. Raises :class:`~manyfest.errors.ConfigError`."""
    path = ignore_file(request)
    return Ignore.parse(_ignore_text(path), str(path)) if path else Ignore()


def ignore_file(request: BuildRequest) -> Path | None:
    """The ignore file that counts: the Dockerfile's own, or the context's."""
    own = request.dockerfile.with_name(f"{request.dockerfile.name}.dockerignore")
    its = [own] if request.text is None else []
    found = (path for path in (*its, request.context / ".dockerignore") if path.is_file())
    return next(found, None)


def read_text(file: BinaryIO, where: str, error: type[UsageError] = DockerfileError) -> str:
    """What a file holds. Raises ``error`` for one that is too large, or is not UTF-8."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise error(f"is larger than {LARGEST >> 20} MiB", where=where)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as failure:
        line = raw.count(b"\n", 0, failure.start) + 1
        raise error("is not UTF-8", where=f"{where}:{line}") from None


def _ignore_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return read_text(file, str(path), ConfigError)
    except OSError as failure:
        raise ConfigError(f"cannot be read: {failure.strerror}", where=str(path)) from None


def _no_context(path: Path, asked_at: str | None) -> UsageError:
    mend = "name the folder that COPY copies from"
    if asked_at is None:
        return UsageError("the build context is not a folder", where=str(path), mend=mend)
    return UsageError(
        f"the build context {path} is not a folder",
        where=asked_at,
        mend=f"{mend} in 'build.context'",
    )
