"""The smoke test by Docker."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ManyfestError
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.engine import Engine, EngineSession, limits, session_of
from manyfest.release.smoke.tool import Tool
from manyfest.release.smoke.trial import Subject
from manyfest.stores.base import Source
from manyfest.stores.runtimes.docker.daemon import Daemon


class Docker:
    """The daemon that ``docker`` would speak to, spoken to by it."""

    name = "docker"

    def __init__(self) -> None:
        self._daemon = Daemon()

    def why_not(self) -> str:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        if shutil.which(self.name) is None:
            return "it is not installed"
        try:
            return "" if self.here else "it does not say what it runs on"
        except ManyfestError as error:
            return error.what

    @cached_property
    def here(self) -> Platform | None:
        return self._daemon.info().platform

    @property
    def is_local(self) -> bool:
        return sys.platform == "linux" and bool(self._daemon.address.path)

    @contextmanager
    def session(
        self, source: Source, subjects: Sequence[Subject], room: Path, progress: Progress
    ) -> Iterator[EngineSession]:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        tool = Tool(self.name, self._environment(room))
        facts = tool.tell(_Facts, "info", "--format={{json .}}")
        options = limits(memory=facts.memory_limit, processes=facts.pids_limit)
        engine = Engine(self._daemon, tool, self.here, options)
        with session_of(engine, source, subjects, progress) as session:
            yield session

    def _environment(self, room: Path) -> Mapping[str, str]:
        """The daemon that was found, and none of the user's settings: these may put the address of
        a proxy, which may have a password, into each container."""
        address = self._daemon.address
        settings = room / "docker"
        settings.mkdir()
        return {
            "DOCKER_CONFIG": str(settings.absolute()),
            "DOCKER_CONTEXT": "",
            "DOCKER_DEFAULT_PLATFORM": "",
            "DOCKER_HOST": str(address),
            "DOCKER_TLS_VERIFY": "1" if address.certificates else "",
            "DOCKER_CERT_PATH": str(address.certificates or ""),
        }


class _Facts(Struct, frozen=True, rename="pascal"):
    """What ``docker info`` tells, as much of it as matters."""

    memory_limit: bool = False
    pids_limit: bool = False
