"""BuildKit as ``docker build`` and ``docker buildx`` have it.

Where buildx has a builder of its own, that writes the image to a file. BuildKit inside Docker's
daemon can only give it to the daemon: it is read from there under a name of its own, and the name
taken away again.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

from manyfest.build.backends.backend import Given, Job
from manyfest.build.backends.emulation import require_emulation
from manyfest.build.backends.heredocs import first_heredoc
from manyfest.build.backends.running import Runner, output
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.errors import BuildError, InvalidPlatform
from manyfest.oci.platform import Platform
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.runtimes.docker.daemon import Daemon

_INSIDE_DAEMON = "docker"
_LAST_WITH_BUILDKIT = 22
"""Since version 23 the client has BuildKit only by buildx."""


class Docker:
    """``program`` is the client; ``has_buildx`` tells whether it has that plugin."""

    name = "docker"

    def __init__(self, program: str, environ: Mapping[str, str], *, has_buildx: bool) -> None:
        self._program = program
        self._environ = environ
        self._has_buildx = has_buildx

    def reads(self, dockerfile: Dockerfile) -> bool:
        """The older client's daemon needs to be told to fetch a newer front end."""
        told = self._has_buildx or bool(dockerfile.directives.syntax)
        return told or first_heredoc(dockerfile) is None

    def require(self, platforms: Sequence[Platform]) -> None:
        if self._has_buildx:
            require_listed(platforms, self._builder.platforms, "docker buildx")
        elif self._is_here:
            for platform in platforms:
                require_emulation(platform)

    @contextmanager
    def build(self, job: Job, runner: Runner) -> Iterator[Given]:
        if self._has_buildx and self._builder.driver != _INSIDE_DAEMON:
            written = "--output=type=oci,dest=image.tar"
            runner.run([*self._command(job), written, str(job.request.context.absolute())])
            with ArchiveStore(job.folder / "image.tar") as archive:
                yield Given(archive, archive.resolve(""))
            return
        name = f"manyfest-build:{secrets.token_hex(8)}"
        given = [f"--tag={name}", *(["--load"] if self._has_buildx else [])]
        command = [*self._command(job), *given, str(job.request.context.absolute())]
        try:
            runner.run(command, {"DOCKER_BUILDKIT": "1"})
            daemon = Daemon(environ=self._environ)
            with ArchiveStore.streamed(lambda: daemon.export(name), label=daemon.label) as archive:
                yield Given(archive, archive.resolve(name))
        finally:
            if output([self._program, "image", "inspect", name]) is not None:
                runner.tidy([self._program, "image", "rm", name])

    def _command(self, job: Job) -> list[str]:
        request = job.request
        command = [self._program, *(["buildx"] if self._has_buildx else []), "build"]
        command += ["--progress=plain", f"--platform={job.platform}", f"--file={job.dockerfile}"]
        command += [f"--build-arg={key}={value}" for key, value in request.build_args.items()]
        command += job.secret_options
        if self._has_buildx:
            command += ["--provenance=false", "--sbom=false"]
        if request.target:
            command.append(f"--target={request.target}")
        if request.network:
            command.append(f"--network={request.network}")
        if request.no_cache:
            command.append("--no-cache")
        if not job.has_others:  # what registries have now, not what was kept of it
            command.append("--pull")
        return command

    @cached_property
    def _builder(self) -> _Builder:
        told = output([self._program, "buildx", "inspect", "--bootstrap"])
        if told is None:
            raise BuildError(
                "docker buildx has no builder that answers", mend="see: docker buildx inspect"
            )
        return _Builder(told)

    @property
    def _is_here(self) -> bool:
        """Whether the daemon runs on this kernel, as far as that can be told."""
        return sys.platform == "linux" and bool(Daemon(environ=self._environ).address.path)


class _Builder:
    """What ``docker buildx inspect`` prints of a builder."""

    def __init__(self, text: str) -> None:
        lines = [line.strip().partition(":")[::2] for line in text.splitlines()]
        self.driver = next((value.strip() for key, value in lines if key == "Driver"), "")
        self.platforms = [
            name.strip(" *")
            for key, value in lines
            if key == "Platforms"
            for name in value.split(",")
        ]


def find_docker(program: str, environ: Mapping[str, str]) -> Docker | None:
    """The client at ``program`` as a back end; ``None`` if it cannot speak to BuildKit."""
    if output([program, "buildx", "version"]) is not None:
        return Docker(program, environ, has_buildx=True)
    version = output([program, "version", "--format={{.Client.Version}}"]) or ""
    major = version.partition(".")[0]
    if major.isdigit() and int(major) <= _LAST_WITH_BUILDKIT:
        return Docker(program, environ, has_buildx=False)
    return None


def require_listed(wanted: Sequence[Platform], names: Sequence[str], builder: str) -> None:
    """Return if BuildKit says that it can build for all that is ``wanted``.

    Raises :class:`~manyfest.errors.BuildError`.
    """
    listed = [platform for name in names for platform in _parsed(name)]
    for platform in wanted:
        if not any(each.same_as(platform) for each in listed):
            raise BuildError(
                f"{builder} cannot run programs for {platform}: it has"
                f" {', '.join(map(str, listed)) or 'no platform'}",
                mend="run: docker run --privileged --rm tonistiigi/binfmt"
                f" --install {platform.architecture}",
            )


def _parsed(name: str) -> list[Platform]:
    try:
        return [Platform.parse(name)]
    except InvalidPlatform:
        return []  # one that is newer than we are
