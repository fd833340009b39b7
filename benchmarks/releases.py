"""The jobs of releasing: a commit that was released before, and to two registries at once."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.contexts import PROGRAM, programs_and_assets
from benchmarks.inputs import MANYFEST
from benchmarks.job import Job, Peer
from benchmarks.measure import Failed
from benchmarks.servers import CONFIG, Registry, Server
from benchmarks.tools import find

AT_MOST = 1.0
"""Seconds that a release may take of which all is done."""
TWO_AT_MOST = 1.2
"""The time for two registries by that for one of them."""
MOST_MEMORY = 150_000_000

MACHINES = {"amd64": 62, "arm64": 183, "riscv64": 243}
MANYFEST_YAML = """\
name: app
build:
  platforms: [linux/amd64, linux/arm64, linux/riscv64]
tags: ["{{version}}", "{{major}}.{{minor}}", "{{major}}", latest]
arch_tags: true
archive: out/app-{{version}}.tar
check: {foreign: ["/srv/assets/*"]}  # cut out of a program, as it happens
"""
GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")

_REQUEST = re.compile(r'"([A-Z]+) (/v2/[^ ?"]*)')
_LOOKS = re.compile(r"HEAD .*|GET /v2/|GET .*/tags/list")
"""What a release of which all is done may ask."""


def unchanged(bench: Bench) -> Job:
    """The second release of a commit asks what is there, and uploads and downloads nothing."""
    project = _project(bench)
    registries = [bench.source, bench.target]
    logs = [bench.scratch.kept / f"requests-{number}" for number, _ in enumerate(registries)]
    for registry, log in zip(registries, logs, strict=True):
        registry.empty()
        _start_with_log(registry, log)
    command = _release(project, *registries)
    _run(command, bench)
    asked = _asked_again(command, bench, logs)
    return Job(
        name="release-unchanged",
        title="Release of an unchanged commit to two registries:"
        f" {', '.join(f'{number} {method}' for method, number in sorted(asked.items()))}",
        command=command,
        peers=[],
        at_most=AT_MOST,
        prepare=partial(_forget, logs),
        verify=partial(only_looked, logs),
        rounds=bench.rounds,
        most_memory=MOST_MEMORY,
        most_disk=None,
    )


class InMemory(Server):
    """crane's registry, which writes nothing and needs a small part of what docker-registry needs:
    as one that has processors of its own."""

    def restart_empty(self) -> None:
        """Start it with nothing."""
        crane = find("crane") or "crane"
        self.run([crane, "registry", "serve", "--address", self.address])


def to_two(bench: Bench, *, far: bool = False, light: bool = False) -> Job:
    """An archive to two empty registries, against the same to the slower of them alone. Both are as
    fast, unless the second is a ``light`` one."""
    project = _project(bench)
    archive = _archive(project, bench)
    second = InMemory() if light else bench.target
    if isinstance(second, InMemory):
        bench.join(second)
    registries = (bench.source, second)
    places = bench.slow_lines() if far else registries
    addresses = [f"{place.address}/app" for place in places]
    size = f"{archive.stat().st_size / 1e6:,.0f} MB"
    where = f", {bench.scale.milliseconds} ms a round trip" if far else ""
    where += ", the second of which is crane's" if light else ""

    def prepare() -> None:
        shutil.rmtree(project / "out", ignore_errors=True)
        for registry in registries:
            registry.restart_empty()

    def command(*to: str) -> list[str]:
        named = [word for address in to for word in ("--to", address)]
        return [MANYFEST, "release", "--quiet", "-c", str(project), "--from", str(archive), *named]

    return Job(
        name=f"release-to-two{'-far' if far else ''}{'-light' if light else ''}",
        title=f"Release of an archive of {size} to two registries{where}",
        command=command(*addresses),
        peers=[
            Peer(
                tool="manyfest",
                command=command(addresses[0]),
                at_most=TWO_AT_MOST,
                remark="to the first alone" if light else "to one of them alone",
            )
        ],
        prepare=prepare,
        rounds=bench.rounds,
        most_memory=MOST_MEMORY,
        most_disk=None,
    )


def jobs() -> Mapping[str, Callable[[Bench], Job]]:
    """The jobs by name, as :func:`benchmarks.images.jobs`."""
    found: dict[str, Callable[[Bench], Job]] = {
        "release-unchanged": unchanged,
        "release-to-two": to_two,
        "release-to-two-far": partial(to_two, far=True),
    }
    if find("crane"):
        found["release-to-two-light"] = partial(to_two, light=True)
    return found


def _project(bench: Bench) -> Path:
    """A commit with a version, its programs for the platforms that it names."""
    project = bench.scratch.kept / "project"
    programs_and_assets(project, program=bench.scale.program, assets=bench.scale.assets)
    for architecture, machine in MACHINES.items():
        with (project / f"{PROGRAM}-{architecture}").open("r+b") as file:
            file.write(_elf(machine))
    (project / "manyfest.yaml").write_text(MANYFEST_YAML)
    (project / ".gitignore").write_text("out\n")
    for command in ("init -q", "add .", "commit -q -m first", "tag v1.0.0"):
        subprocess.run([*GIT, *command.split()], cwd=project, check=True, capture_output=True)
    return project


def _elf(machine: int) -> bytes:
    """How a program for this processor begins (System V ABI, "ELF Header")."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return identity + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, *[0] * 10)


def _archive(project: Path, bench: Bench) -> Path:
    archive = bench.scratch.kept / "app.tar"
    platforms = [f"--platform=linux/{architecture}" for architecture in MACHINES]
    place = f"oci-archive:{archive}:1.0.0"
    _run([MANYFEST, "build", "--quiet", str(project), *platforms, "-o", place], bench)
    return archive


def _release(project: Path, *registries: Registry) -> list[str]:
    to = [word for registry in registries for word in ("--to", f"{registry.address}/app")]
    return [MANYFEST, "release", "--quiet", "-c", str(project), *to]


def _run(command: list[str], bench: Bench) -> None:
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL,
        cwd=bench.scratch.work, env=bench.scratch.environment(),
    )  # fmt: skip


def _start_with_log(registry: Registry, log: Path) -> None:
    """Start it so that it writes down every request."""
    registry.data.mkdir(parents=True)
    config = registry.data.with_name("logging.yml")
    settings = CONFIG.format(data=registry.data, port=registry.port, cache="")
    config.write_text(settings.replace("disabled: true", "disabled: false"))
    program = find("docker-registry") or "docker-registry"
    line = 'exec "$0" serve "$1" >>"$2"'
    registry.run(["sh", "-c", line, program, str(config), str(log)])


def _asked_again(command: list[str], bench: Bench, logs: list[Path]) -> Counter[str]:
    """The methods of what a second release asks."""
    _forget(logs)
    _run(command, bench)
    return Counter(request.split()[0] for request in _requests(logs))


def _forget(logs: list[Path]) -> None:
    for log in logs:
        log.write_bytes(b"")


def _requests(logs: list[Path]) -> list[str]:
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [f"{found[1]} {found[2]}" for line in lines if (found := _REQUEST.search(line))]


def only_looked(logs: list[Path]) -> None:
    """Raises :class:`~benchmarks.measure.Failed` if a registry's log of requests has more than
    questions about what there is."""
    asked = _requests(logs)
    other = [request for request in asked if not _LOOKS.fullmatch(request)]
    if other or not asked:
        raise Failed(f"it asked more than what is there: {', '.join(other) or 'nothing'}")
