"""A ``manyfest watch`` that is measured, and the registry that it looks at, which logs requests."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from benchmarks.inputs import MANYFEST
from benchmarks.servers import CACHE, CONFIG, Registry, free_port
from benchmarks.tags import INDEX, MANIFEST, Repository
from benchmarks.tools import find

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/386", "linux/riscv64")

ALL_AGAIN = (
    sys.executable,
    "-c",
    "from manyfest.cli.main import main; from manyfest.watch.poll import poller;"
    " poller.RECHECK = 0.0; main()",
)
"""A watch that asks for all of each tag whenever it looks at it, as it otherwise does every six
hours."""

_REQUEST = re.compile(r'"([A-Z]+) (/v2/[^ ?"]*)')
_CLOCK = os.sysconf("SC_CLK_TCK")


class Requests:
    """What a registry was asked, from its log."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size

    def more(self) -> list[tuple[str, str]]:
        """The method and the path of each request since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._at)
            lines = file.read().rpartition(b"\n")[0]
        self._at += len(lines) + 1 if lines else 0
        return _REQUEST.findall(lines.decode(errors="replace"))


def kinds(requests: Sequence[tuple[str, str]]) -> Counter[str]:
    """How many there are of each method and kind."""
    return Counter(f"{method} {_kind(path)}" for method, path in requests)


def _kind(path: str) -> str:
    if path.endswith("/tags/list"):
        return "tags"
    return "manifest" if "/manifests/" in path else "blob" if "/blobs/" in path else "root"


class Watched:
    """The process of a watch, and what it has used."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.port = free_port()
        self._log = folder / "watch.log"
        arguments = ["watch", "-c", str(folder / "watch.yaml"), "--listen"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *arguments, f"127.0.0.1:{self.port}"], stderr=log
            )

    @classmethod
    @contextmanager
    def running(cls, folder: Path, command: Sequence[str] = (MANYFEST,)) -> Iterator[Self]:
        """A watch by the folder's ``watch.yaml``, until the block is left."""
        watch = cls(folder, command)
        try:
            yield watch
        finally:
            watch._process.send_signal(signal.SIGTERM)
            watch._process.wait()

    def require(self) -> None:
        """Ends the benchmark if it has ended."""
        if self._process.poll() is not None:
            raise SystemExit(self._log.read_text()[-2000:])

    @property
    def processor(self) -> float:
        """Seconds of processors."""
        fields = self._about("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK

    @property
    def most_memory(self) -> float:
        """The most megabytes that it has had in memory."""
        return int(self._about("status").partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    def _about(self, what: str) -> str:
        return Path(f"/proc/{self._process.pid}/{what}").read_text()


@contextmanager
def logging_registry(folder: Path, tags: int) -> Iterator[tuple[Registry, Path]]:
    """A registry with so many tags, and the file that it logs requests to."""
    registry, log = Registry(folder), folder / "requests"
    print(f"writing {tags} tags …", file=sys.stderr)
    repository = Repository(registry.data, "team/app")
    for number in range(tags):
        write(repository, f"1.{number // 100}.{number % 100}")
    config = folder / "logging.yml"
    text = CONFIG.format(data=registry.data, port=registry.port, cache=CACHE)
    config.write_text(text.replace("disabled: true", ""))
    with log.open("wb") as file:
        process = subprocess.Popen(
            [find("docker-registry") or "", "serve", str(config)],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: status_of(registry.port, "/v2/") == 200, 10)
        yield registry, log
    finally:
        process.terminate()
        process.wait()


def write(repository: Repository, tag: str) -> None:
    """A tag with an index for four platforms, all its manifests its own."""
    entries = []
    for platform in PLATFORMS:
        system, architecture = platform.split("/")
        config = repository.blob(
            json.dumps({"os": system, "architecture": architecture, "rootfs": {}}).encode(),
            "application/vnd.oci.image.config.v1+json",
        )
        image = repository.manifest(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config,
                "layers": [],
                "annotations": {"version": tag},
            }
        )
        entries.append({**image, "platform": {"os": system, "architecture": architecture}})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    repository.manifest(index, tag=tag)


def status_of(port: int, path: str) -> int:
    """The status that a server on loopback answers with; 0 if it does not answer."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
    except OSError:
        return 0


def until(is_so: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> None:
    """Wait until it is, with pauses of so many seconds: to look may take much of a processor."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"it did not come to pass within {seconds:.0f} seconds")
        time.sleep(pause)
