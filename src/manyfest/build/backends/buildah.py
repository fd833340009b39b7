"""buildah: in a store of the build's own, without a daemon, as root or as anybody."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from manyfest.build.backends.backend import Given, Job
from manyfest.build.backends.emulation import require_emulation
from manyfest.build.backends.heredocs import first_heredoc
from manyfest.build.backends.registries import write_access
from manyfest.build.backends.running import Runner, dying_with_us, output
from manyfest.build.dockerfile.instructions import FromImage
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.plan import Plan
from manyfest.oci.platform import Platform
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.registry.auth.credentials import default_credential_store

_ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Mounts and processes of its own: when it ends, nothing that it mounted or started is left, even
what left its process group."""

_HEREDOCS = (1, 35)
"""The version that reads here-documents."""

_VERSION = re.compile(r"buildah version ([0-9]+)\.([0-9]+)")

_FROM = re.compile(r"^(\s*FROM\s+)", re.IGNORECASE)
_PLATFORM = re.compile(r"(?<!\S)--platform=\S+\s*")


class Buildah:
    """``program`` is where it is."""

    name = "buildah"

    def __init__(self, program: str, environ: Mapping[str, str]) -> None:
        self._program = program
        self._environ = environ

    def reads(self, dockerfile: Dockerfile) -> bool:
        return first_heredoc(dockerfile) is None or self._version >= _HEREDOCS

    def require(self, platforms: Sequence[Platform]) -> None:
        for platform in platforms:
            require_emulation(platform)

    @contextmanager
    def build(self, job: Job, runner: Runner) -> Iterator[Given]:
        store = job.folder / "store"
        access = write_access(
            job.folder,
            job.images,
            credentials=default_credential_store(self._environ, Path.home()),
            ca_file=job.request.ca_file,
            environ=self._environ,
        )
        environment = {**access.environment, "TMPDIR": str(job.folder)}
        buildah = [*self._prefix, self._program, *self._storage(store)]
        build = [*buildah, *self._arguments(job), *access.options]
        # Docker's form keeps HEALTHCHECK, SHELL and ONBUILD, and its archive is not compressed.
        push = [*buildah, "push", "--quiet"]
        try:
            runner.run([*build, str(job.request.context.absolute())], environment)
            image = (job.folder / "id").read_text().strip()
            runner.run([*push, image, "docker-archive:image.tar"], environment)
            with ArchiveStore(job.folder / "image.tar") as archive:
                yield Given(archive, archive.resolve(""))
        finally:
            if os.geteuid() != 0:  # files there belong to users that only buildah can become
                runner.tidy([self._program, "unshare", "rm", "-rf", str(store)])

    def _arguments(self, job: Job) -> list[str]:
        request = job.request
        arguments = ["build", "--format=docker", "--layers=false", "--identity-label=false"]
        arguments += [f"--platform={job.platform}", f"--timestamp={request.epoch}"]
        arguments += [f"--file={_explicit(job)}", f"--ignorefile={job.ignore}"]
        arguments += [f"--iidfile={job.folder / 'id'}"]
        if "BUILDAH_ISOLATION" not in self._environ and request.network != "none":
            arguments.append("--isolation=chroot")  # which has no network of its own to cut off
        given = {**_of_this_machine(job.plan), **request.build_args}
        arguments += [f"--build-arg={key}={value}" for key, value in given.items()]
        arguments += job.secret_options
        if request.network:
            arguments.append(f"--network={request.network}")
        if request.target:
            arguments.append(f"--target={request.target}")
        return arguments

    def _storage(self, store: Path) -> list[str]:
        """Its own store; with overlays if the kernel and the file system can, else by copies."""
        places = [f"--root={store / 'root'}", f"--runroot={store / 'run'}"]
        named = self._environ.get("STORAGE_DRIVER", "")
        if named:
            return [*places, f"--storage-driver={named}"]
        overlay = [*places, "--storage-driver=overlay"]
        can = output([*self._prefix, self._program, *overlay, "info"]) is not None
        return overlay if can else [*places, "--storage-driver=vfs"]

    @property
    def _version(self) -> tuple[int, int]:
        found = _VERSION.match(output([self._program, "--version"]) or "")
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @cached_property
    def _prefix(self) -> list[str]:
        """What it is run by. As another user than root we must be one in a namespace to have
        namespaces; some containers have none at all."""
        inside = [] if os.geteuid() == 0 else [self._program, "unshare", *dying_with_us()]
        alone = [*inside, *_ALONE]
        return alone if output([*alone, "true"]) is not None else []


def _explicit(job: Job) -> Path:
    """A Dockerfile that names the platform of every image that a stage starts from: older versions
    do not know BUILDPLATFORM there, and take a stage's platform for those after it too."""
    lines = job.plan.dockerfile.text.split("\n")
    for planned in job.plan.stages:
        if isinstance(planned.base, FromImage):
            place = planned.stage.base.place
            first, end = place.line - 1, place.end_line
            lines[first:end] = [_PLATFORM.sub("", line) for line in lines[first:end]]
            lines[first] = _FROM.sub(rf"\1--platform={planned.platform} ", lines[first])
    path = job.folder / "Dockerfile"
    path.write_text("\n".join(lines))
    return path


def _of_this_machine(plan: Plan) -> dict[str, str]:
    """BUILDPLATFORM and its parts, as far as the Dockerfile asks for them: they are not known of
    themselves either."""
    values = plan.global_values.items()
    return {
        key: value
        for key, value in values
        if key.startswith("BUILD") and key in plan.dockerfile.text
    }
