"""BuildKit's own client, for a ``buildkitd`` at ``BUILDKIT_HOST``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from manyfest.build.backends.backend import Given, Job
from manyfest.build.backends.docker import require_listed
from manyfest.build.backends.running import Runner, output
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.errors import BuildError
from manyfest.oci.platform import Platform
from manyfest.stores.archives.store import ArchiveStore


class Buildctl:
    """``program`` is where it is; ``host`` is where it finds BuildKit, for messages."""

    name = "buildctl"

    def __init__(self, program: str, host: str) -> None:
        self._program = program
        self._host = host

    def reads(self, dockerfile: Dockerfile) -> bool:  # noqa: ARG002
        return True

    def require(self, platforms: Sequence[Platform]) -> None:
        told = output([self._program, "debug", "workers", "--format={{json .}}"])
        try:
            workers = msgspec.json.decode(told or "", type=list[_Worker])
        except msgspec.DecodeError:
            raise BuildError(
                "BuildKit does not answer", where=self._host, mend="see: buildctl debug workers"
            ) from None
        names = [str(platform) for worker in workers for platform in worker.platforms]
        require_listed(platforms, names, f"BuildKit at {self._host}")

    @contextmanager
    def build(self, job: Job, runner: Runner) -> Iterator[Given]:
        runner.run([*self._command(job), "--output=type=oci,dest=image.tar"])
        with ArchiveStore(job.folder / "image.tar") as archive:
            yield Given(archive, archive.resolve(""))

    def _command(self, job: Job) -> list[str]:
        request = job.request
        command = [self._program, "build", "--progress=plain", "--frontend=dockerfile.v0"]
        command += [f"--local=context={request.context.absolute()}"]
        command += [f"--local=dockerfile={job.dockerfile.parent}"]
        options = {"filename": job.dockerfile.name, "platform": str(job.platform)}
        options |= {f"build-arg:{key}": value for key, value in request.build_args.items()}
        if request.target:
            options["target"] = request.target
        if request.network:
            options["force-network-mode"] = request.network
        command += [f"--opt={key}={value}" for key, value in options.items()]
        command += job.secret_options
        if request.no_cache:
            command.append("--no-cache")
        return command


class _Worker(msgspec.Struct):
    platforms: list[Platform] = []
