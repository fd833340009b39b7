"""The smoke test by Podman."""

from __future__ import annotations

import resource
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from manyfest.errors import StoreError
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.engine import Engine, EngineSession, limits, session_of
from manyfest.release.smoke.tool import Tool
from manyfest.release.smoke.trial import Subject, most_processes
from manyfest.stores.base import Source
from manyfest.stores.runtimes import podman


class Podman:
    """Podman of the user who runs this."""

    name = "podman"

    def __init__(self) -> None:
        self._tool = Tool(self.name, {})

    def why_not(self) -> str:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        if shutil.which(self.name) is None:
            return "it is not installed"
        try:
            return "" if self.here else "it does not say what it runs on"
        except StoreError as error:
            return error.what

    @cached_property
    def here(self) -> Platform | None:
        return Platform(os=self._host.os, architecture=self._host.arch).normalised()

    @property
    def is_local(self) -> bool:
        return sys.platform == "linux" and not self._host.service_is_remote

    @contextmanager
    def session(
        self, source: Source, subjects: Sequence[Subject], room: Path, progress: Progress
    ) -> Iterator[EngineSession]:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        del room  # it has a place of its own
        controllers = self._host.cgroup_controllers or ()
        options = ["--http-proxy=false"]
        options += limits(memory="memory" in controllers, processes="pids" in controllers)
        if self.is_local:
            options += _own_limits()
        engine = Engine(podman.Podman(), self._tool, self.here, options)
        with session_of(engine, source, subjects, progress) as session:
            yield session

    @cached_property
    def _host(self) -> _Host:
        return self._tool.tell(_Facts, "info", "--format=json").host


class _Host(Struct, frozen=True, rename="camel"):
    os: str
    arch: str
    cgroup_controllers: tuple[str, ...] | None = None
    service_is_remote: bool = False


class _Facts(Struct, frozen=True):
    """What ``podman info`` tells, as much of it as matters."""

    host: _Host


def _own_limits() -> list[str]:
    """Limits of files and processes within our own. Podman asks for more by itself, which it does
    not get where it is root without all of root's rights, as in a container of a CI job."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [f"--ulimit=nofile={soft}:{hard}", f"--ulimit=nproc={most_processes()}"]
