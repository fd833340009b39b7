"""What it costs to watch many tags, and how soon a push is seen.

``python -m benchmarks.watching`` puts many tags of four platforms each into a ``docker-registry``
on loopback, and has ``manyfest watch`` look at all of them, with a real history. It prints what the
first round took, in which everything is looked at, what a round takes while it is read what
versions consist of, and what one takes in which nothing changed and all is known: requests by kind,
processor time, memory. Then tags are pushed, each with a webhook, and the time is taken until the
page shows them and until Gotify's stand-in is told.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.inputs import MANYFEST
from benchmarks.servers import CONFIG, Registry, free_port
from benchmarks.tags import INDEX, MANIFEST, Repository
from benchmarks.tools import find
from benchmarks.watch import resident

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/386", "linux/riscv64")
EVERY = 60
"""Seconds of a round."""
SECRET = "a-secret-of-the-benchmark"

_REQUEST = re.compile(r'"([A-Z]+) (/v2/[^ ?"]*)')
_CLOCK = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__)
    parser.add_argument("--tags", type=int, default=10_000)
    parser.add_argument("--pushes", type=int, default=20)
    options = parser.parse_args()
    if find("docker-registry") is None:
        print("nothing measured: docker-registry is not installed (Debian has it)")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="watching-"))
    try:
        with _told() as (address, told), _registry(folder, options.tags) as (registry, log):
            _write_config(folder, registry, address)
            with _watch(folder) as (process, port):
                _first_round(folder, process, log, options.tags)
                _round("a round in which versions are read", process, log)
            _know_all(folder)
            with _watch(folder) as (process, port):
                _round("a round, unchanged", process, log)
                _pushes(Pushing(folder, registry, port, told), options.pushes)
                print(f"memory at the end: {resident(process.pid) / 1e6:.0f} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def write(repository: Repository, tag: str, *, text: str = "") -> None:
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
                "annotations": {"version": tag, "text": text},
            }
        )
        entries.append({**image, "platform": {"os": system, "architecture": architecture}})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    repository.manifest(index, tag=tag)


@contextmanager
def _registry(folder: Path, tags: int) -> Iterator[tuple[Registry, Path]]:
    """A registry with so many tags, and the file that it logs requests to."""
    registry, log = Registry(folder), folder / "requests"
    print(f"writing {tags} tags …", file=sys.stderr)
    repository = Repository(registry.data, "team/app")
    for number in range(tags):
        write(repository, f"1.{number // 100}.{number % 100}")
    config = folder / "logging.yml"
    config.write_text(
        CONFIG.format(data=registry.data, port=registry.port).replace("disabled: true", "")
    )
    with log.open("wb") as file:
        process = subprocess.Popen(
            [find("docker-registry") or "", "serve", str(config)],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _until(lambda: _asked(registry.port, "/v2/") == 200, 10)
        yield registry, log
    finally:
        process.terminate()
        process.wait()


def _write_config(folder: Path, registry: Registry, gotify: str) -> None:
    (folder / "watch.yaml").write_text(
        f"""\
every: {EVERY}s
images:
  - in: ["{registry.address}/team/app"]
    platforms: [{", ".join(PLATFORMS)}]
    tags: {{match: ".*", newest: 100000}}
notify:
  us: {{url: "gotify://{gotify}/a-token", events: [appeared, complete]}}
webhooks:
  registry: {{from: distribution, secret: {SECRET}}}
"""
    )


@contextmanager
def _watch(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    arguments = ["watch", "-c", str(folder / "watch.yaml"), "--listen", f"127.0.0.1:{port}"]
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen([MANYFEST, *arguments], stderr=log)
    try:
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _first_round(folder: Path, process: subprocess.Popen[bytes], log: Path, tags: int) -> None:
    start = time.monotonic()
    database = folder / "watch.db"

    def is_over() -> bool:
        if process.poll() is not None:
            raise SystemExit((folder / "watch.log").read_text()[-2000:])
        return database.exists() and _complete(database) >= tags

    _until(is_over, 1800)
    seconds = time.monotonic() - start
    _print("first round", seconds, _processor(process.pid), process.pid, _requests(log, 0)[0])


def _know_all(folder: Path) -> None:
    """Leave the history as it is once all versions were read, which takes hours."""
    facts = """json_object(
        'digest', digest, 'platforms', json('[]'), 'read_at', 0, 'is_last', json('true')
    )"""
    with closing(sqlite3.connect(folder / "watch.db")) as database, database:
        database.execute(
            "INSERT OR REPLACE INTO facts (digest, facts, read_at, is_last)"
            f" SELECT DISTINCT digest, CAST({facts} AS BLOB), 0, 1 FROM tags WHERE digest <> ''"
        )


def _round(what: str, process: subprocess.Popen[bytes], log: Path) -> None:
    time.sleep(EVERY)  # until all of it has come round once
    _, before = _requests(log, 0)
    used = _processor(process.pid)
    start = time.monotonic()
    time.sleep(EVERY)
    counts, _ = _requests(log, before)
    seconds = time.monotonic() - start
    _print(what, seconds, _processor(process.pid) - used, process.pid, counts)


class Pushing:
    """Pushes tags, and sees when they are known."""

    def __init__(self, folder: Path, registry: Registry, port: int, told: dict[str, float]) -> None:
        self._repository = Repository(registry.data, "team/app")
        self._registry = registry
        self._port = port
        self._told = told
        self._folder = folder

    def push(self, tag: str) -> tuple[float, float]:
        """Seconds until the page shows that a new tag is complete, and until somebody is told."""
        write(self._repository, tag)
        start = time.monotonic()
        self._hook(tag)
        _until(lambda: self._is_shown(tag), 60)
        shown = time.monotonic() - start
        _until(lambda: tag in self._told, 60)
        return shown, self._told[tag] - start

    def _hook(self, tag: str) -> None:
        event = {
            "action": "push",
            "target": {"repository": "team/app", "tag": tag},
            "request": {"host": self._registry.address},
        }
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.request(
                "POST",
                "/hooks/registry",
                json.dumps({"events": [event]}),
                {"Authorization": f"Bearer {SECRET}"},
            )
            answer = connection.getresponse()
            if answer.status != 202:
                raise SystemExit(f"the webhook was answered with {answer.status}")

    def _is_shown(self, tag: str) -> bool:
        return _asked(self._port, f"/api/v1/images/team/app/versions/{tag}") == 200


def _pushes(pushing: Pushing, count: int) -> None:
    times = [pushing.push(f"2.0.{number}") for number in range(count)]
    for name, each in zip(("page", "notification"), zip(*times, strict=True), strict=True):
        print(
            f"from a push with a webhook to the {name}: median {statistics.median(each):.2f} s,"
            f" longest {max(each):.2f} s, of {count}"
        )


@contextmanager
def _told() -> Iterator[tuple[str, dict[str, float]]]:
    """A stand-in for Gotify: its address, and when it was told that which version is complete."""
    told: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for tag in re.findall(r"2\.0\.[0-9]+", body["title"] + body["message"]):
                if "complete" in body["title"] + body["message"]:
                    told.setdefault(tag, time.monotonic())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"id": len(told) + 1}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()


def _print(what: str, seconds: float, processor: float, pid: int, counts: Counter[str]) -> None:
    asked = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(
        f"{what}: {seconds:.1f} s, {processor:.1f} s of a processor,"
        f" {resident(pid) / 1e6:.0f} MB; {asked}",
        flush=True,
    )


def _requests(log: Path, after: int) -> tuple[Counter[str], int]:
    """Requests by method and kind in the log, from a place on; and its end."""
    with log.open("rb") as file:
        file.seek(after)
        lines = file.read()
    found = _REQUEST.findall(lines.decode(errors="replace"))
    kinds = Counter(f"{method} {_kind(path)}" for method, path in found)
    return kinds, after + len(lines)


def _kind(path: str) -> str:
    if path.endswith("/tags/list"):
        return "tags"
    return "manifest" if "/manifests/" in path else "blob" if "/blobs/" in path else "root"


def _processor(pid: int) -> float:
    """Seconds of processors that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK


def _complete(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(*) FROM tags WHERE standing = 'complete'"
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def _asked(port: int, path: str) -> int:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
    except OSError:
        return 0


def _until(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"it did not come to pass within {seconds:.0f} seconds")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
