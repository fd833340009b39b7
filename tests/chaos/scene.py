"""What releases are tried on: a small project for four platforms, and real registries."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests import real
from tests.chaos.proxy import Exchange, Fault, Proxy, running_proxy
from tests.integration.conftest import MANYFEST, running_registry
from tests.unit.check_images import elf

PROGRAMS = {
    "linux/amd64": elf(62),
    "linux/arm64": elf(183),
    "linux/riscv64": elf(243),
    "linux/386": elf(3, bits=32),
}
"""Platforms, and how a program for each begins."""

CONFIG = """\
name: app
build:
  platforms: [linux/amd64, linux/arm64, linux/riscv64, linux/386]
tags: ["{{version}}", "{{major}}.{{minor}}", "{{major}}", latest]
arch_tags: true
"""
DOCKERFILE = """\
FROM scratch
ARG TARGETPLATFORM
COPY assets /
COPY bin/$TARGETPLATFORM/ /
ENTRYPOINT ["/app"]
"""
MAY_2026 = 1777593600

MANIFESTS = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


class Project(Struct, frozen=True):
    """A project in a folder of its own. Its ``assets`` make a layer that all platforms and
    versions share, its programs one for each."""

    folder: Path
    layer_bytes: int = 200_000

    def write(self, *, assets: int, programs: int) -> None:
        """Make its files, whose bytes come from these numbers."""
        chance = random.Random(programs)
        for platform, head in PROGRAMS.items():
            program = self.folder / "bin" / platform / "app"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_bytes(head + chance.randbytes(self.layer_bytes))
            program.chmod(0o755)
        (self.folder / "assets").write_bytes(random.Random(assets).randbytes(self.layer_bytes))
        (self.folder / "manyfest.yaml").write_text(CONFIG)
        (self.folder / "Dockerfile").write_text(DOCKERFILE)
        for path in self.folder.rglob("*"):
            os.utime(path, (MAY_2026, MAY_2026))

    def forget(self) -> None:
        """As on another machine: nothing is left of earlier releases."""
        shutil.rmtree(self.folder / "dist", ignore_errors=True)
        shutil.rmtree(self._cache, ignore_errors=True)

    def start(self, version: str, to: Sequence[str]) -> subprocess.Popen[str]:
        """Begin a release, as a process."""
        self._report.unlink(missing_ok=True)
        places = [word for place in to for word in ("--to", place)]
        return subprocess.Popen(
            [MANYFEST, "release", "--version", version, *places, "--report", self._report],
            cwd=self.folder,
            env={
                **os.environ,
                "SOURCE_DATE_EPOCH": str(MAY_2026),
                "XDG_CACHE_HOME": str(self._cache),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str], seconds: float = 300) -> Ended:
        """Wait for the end of a release; one that does not end is killed, and that is an error."""
        try:
            out, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
            raise AssertionError(f"the release did not end in {seconds:.0f} s: {said}") from None
        report = json.loads(self._report.read_bytes()) if self._report.exists() else {}
        return Ended(process.returncode, (out.splitlines() or [""])[-1], report, said)

    def release(self, version: str, to: Sequence[str]) -> Ended:
        """A whole release."""
        return self.end(self.start(version, to))

    @property
    def _report(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-report.json")

    @property
    def _cache(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-cache")


class Ended(Struct, frozen=True):
    """How a release ended: its exit code, the digest that it printed or nothing, the report that
    it wrote, and what it said."""

    code: int
    digest: str
    report: dict[str, Any]
    said: str


class Registry(Struct, frozen=True):
    """A ``docker-registry`` of our own, looked into past everything that is before it."""

    address: str
    folder: Path

    @property
    def data(self) -> Path:
        """Where it keeps its content."""
        return self.folder / "data"

    def reset(self, content: Path | None) -> None:
        """Let it hold what is in this folder, and no more. Nobody may use it meanwhile."""
        shutil.rmtree(self.data, ignore_errors=True)
        if content is not None:
            shutil.copytree(content, self.data)

    def tags(self, repository: str) -> dict[str, str]:
        """Where each public tag points. Those that only stand for a list of referrers
        (``sha256-…``, distribution specification, "Referrers Tag Schema") are none."""
        connection = HTTPConnection(self.address, timeout=30)
        try:
            status, body, _ = get(connection, f"/v2/{repository}/tags/list")
            names = (json.loads(body)["tags"] or []) if status == 200 else []
            public = sorted(name for name in names if not name.startswith("sha256-"))
            return {name: self._digest(connection, repository, name) for name in public}
        finally:
            connection.close()

    def _digest(self, connection: HTTPConnection, repository: str, tag: str) -> str:
        path = f"/v2/{repository}/manifests/{tag}"
        status, _, digest = get(connection, path, method="HEAD")
        assert status == 200, f"{self.address}{path}: {status}"
        return digest


def get(connection: HTTPConnection, path: str, *, method: str = "GET") -> tuple[int, bytes, str]:
    """An answer's status, its body, and the digest that its head names."""
    connection.request(method, path, headers={"Accept": MANIFESTS})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers.get("Docker-Content-Digest", "")


@contextmanager
def running(folder: Path) -> Iterator[Registry]:
    """A registry with its content in ``folder``."""
    with running_registry(folder) as address:
        yield Registry(address, folder)


class Places(Struct, frozen=True):
    """Where is released to: two registries behind proxies, and a calm one that nobody disturbs."""

    registries: tuple[Registry, Registry]
    proxies: tuple[Proxy, Proxy]
    calm: Registry

    def to(self, repository: str) -> list[str]:
        """The repository, behind both proxies."""
        return [f"{proxy.address}/{repository}" for proxy in self.proxies]

    @property
    def log(self) -> list[Exchange]:
        """Every exchange since the proxies' logs were begun."""
        return [exchange for proxy in self.proxies for exchange in proxy.log]

    def begin(self, fault: Fault | None = None) -> None:
        """Begin the logs anew."""
        for proxy in self.proxies:
            proxy.begin(fault)

    def settle(self) -> None:
        """Wait until the registries have done what a killed run asked them for."""
        real.wait_until(lambda: all(proxy.is_idle for proxy in self.proxies), "the proxies")


@contextmanager
def places(folder: Path) -> Iterator[Places]:
    """Three registries, and the proxies before two of them."""
    with ExitStack() as stack:
        one, two, calm = (
            stack.enter_context(running(folder / name)) for name in ("one", "two", "calm")
        )
        proxies = (
            stack.enter_context(running_proxy(one.address)),
            stack.enter_context(running_proxy(two.address)),
        )
        yield Places((one, two), proxies, calm)
