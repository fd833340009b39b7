"""What it costs to watch many tags, and how soon a push is seen.

``python -m benchmarks.watching`` puts many tags of four platforms each into a ``docker-registry``
on loopback, and has ``manyfest watch`` look at all of them, with a real history. It prints what
rounds cost, each tag looked at once: the first, in which everything is read; one in which nothing
changed, at full speed; one in which all of each tag is asked for again, as every six hours. Then
what a minute costs when each tag is looked at once a minute, while it is read what versions consist
of, and when that is known. Last, tags are pushed, each with a webhook, and the time is taken until
the page shows them and until Gotify's stand-in is told.

Exit code 1: the first round took too long or too much, or something was read though nothing had
changed. With ``--short`` there are few tags, and times do not count.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from msgspec import Struct

from benchmarks.servers import Registry
from benchmarks.tags import Repository
from benchmarks.tools import find
from benchmarks.watched import (
    ALL_AGAIN,
    PLATFORMS,
    Requests,
    Watched,
    kinds,
    logging_registry,
    status_of,
    until,
    write,
)

MOST_SECONDS, MOST_CORES, MOST_MEMORY = 60.0, 1.0, 200.0
"""For the first round of ten thousand tags. Memory, in megabytes, is for all of it."""
PATIENCE = 1800.0
SECRET = "a-secret-of-the-benchmark"


class Scale(Struct, frozen=True):
    """How many ``tags`` and ``pushes``, and how many seconds a calm round has."""

    tags: int = 10_000
    pushes: int = 20
    every: int = 60


SHORT = Scale(tags=300, pushes=2, every=5)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__)
    parser.add_argument("--short", action="store_true", help="few tags, in seconds")
    parser.add_argument("--first", action="store_true", help="the first round alone")
    options = parser.parse_args()
    if find("docker-registry") is None:
        print("nothing measured: docker-registry is not installed (Debian has it)")
        return 0
    scale = SHORT if options.short else Scale()
    folder = Path(tempfile.mkdtemp(prefix="watching-"))
    try:
        faults = _measured(folder, scale, first_alone=options.first)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.short:
        faults = [each for each in faults if not each.timed]
    for fault in faults:
        print(f"not reached: {fault.what}")
    return int(bool(faults))


class Fault(Struct, frozen=True):
    """What was to be, and is not; ``timed`` if that is about how much was used."""

    what: str
    timed: bool = False


def _measured(folder: Path, scale: Scale, *, first_alone: bool) -> list[Fault]:
    faults: list[Fault] = []
    with _told() as (gotify, told), logging_registry(folder, scale.tags) as (registry, log):

        def every(seconds: int) -> None:
            _write_config(folder, registry, gotify, seconds)

        every(scale.every)
        begun = Requests(log)
        with Watched.running(folder) as watch:
            faults += _first_round(folder, watch, begun, scale)
            if first_alone:
                return faults
            _minute(f"{scale.every} s in which versions are read", watch, log, scale.every)
        _know_all(folder)
        every(1)
        faults += _round("a round, unchanged", folder, log, scale.tags)
        _round("a round, all asked for again", folder, log, 5 * scale.tags, ALL_AGAIN)
        every(scale.every)
        begun = Requests(log)
        with Watched.running(folder) as watch:
            _until_asked(begun, scale.tags, watch)
            time.sleep(scale.every / 2)  # all are asked at once; the next time lies in what follows
            what = f"{scale.every} s in which nothing changes"
            faults += _unread(_minute(what, watch, log, scale.every), what)
            _pushes(Pushing(folder, registry, watch.port, told), scale.pushes)
            memory = watch.most_memory
            print(f"memory, at most: {memory:.0f} MB")
    return faults + _over("memory, in MB", memory, MOST_MEMORY)


def _first_round(folder: Path, watch: Watched, requests: Requests, scale: Scale) -> Iterator[Fault]:
    """From the start of the process until the history has each tag complete."""
    start = time.monotonic()
    database = folder / "watch.db"

    def is_over() -> bool:
        watch.require()
        return database.exists() and _complete(database) >= scale.tags

    until(is_over, PATIENCE, pause=0.5)
    seconds, processor = time.monotonic() - start, watch.processor
    _print("the first round", seconds, processor, watch, requests.more())
    yield from _over("seconds of the first round", seconds, MOST_SECONDS)
    yield from _over("cores in the first round", processor / seconds, MOST_CORES)
    yield from _over("memory in the first round, in MB", watch.most_memory, MOST_MEMORY)


def _round(
    what: str, folder: Path, log: Path, paths: int, command: Sequence[str] = ()
) -> list[Fault]:
    """From the first request for a manifest until so many were asked for, by a watch that begins
    with what the history knows, and to which all tags are due."""
    requests = Requests(log)
    with Watched.running(folder, *((command,) if command else ())) as watch:
        first = _until_asked(requests, 1, watch)
        start, used = time.monotonic(), watch.processor
        asked = first + _until_asked(requests, paths, watch, first)
        seconds = time.monotonic() - start
        _print(what, seconds, watch.processor - used, watch, asked)
    return _unread(asked, what)


def _until_asked(
    requests: Requests,
    paths: int,
    watch: Watched,
    before: Sequence[tuple[str, str]] = (),
) -> list[tuple[str, str]]:
    """Wait until so many manifests were asked for, each by its own path; the requests."""
    asked: list[tuple[str, str]] = []
    seen = {path for _, path in before if "/manifests/" in path}

    def is_over() -> bool:
        watch.require()
        more = requests.more()
        asked.extend(more)
        seen.update(path for _, path in more if "/manifests/" in path)
        return len(seen) >= paths

    until(is_over, PATIENCE)
    return asked


def _minute(what: str, watch: Watched, log: Path, seconds: int) -> list[tuple[str, str]]:
    requests, used, start = Requests(log), watch.processor, time.monotonic()
    time.sleep(seconds)
    asked = requests.more()
    _print(what, time.monotonic() - start, watch.processor - used, watch, asked)
    return asked


def _print(
    what: str,
    seconds: float,
    processor: float,
    watch: Watched,
    asked: Sequence[tuple[str, str]],
) -> None:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds(asked).items()))
    print(
        f"{what}: {seconds:.1f} s, {processor:.1f} s of a processor ({processor / seconds:.2f}"
        f" cores), at most {watch.most_memory:.0f} MB; {counts}",
        flush=True,
    )


def _over(what: str, measured: float, most: float) -> list[Fault]:
    reached = measured <= most
    return [] if reached else [Fault(f"{what}: {measured:.1f}, at most {most:.0f}", timed=True)]


def _unread(asked: Sequence[tuple[str, str]], what: str) -> list[Fault]:
    """HEAD requests must do when nothing changed."""
    read = kinds(asked)["GET manifest"]
    return [Fault(f"{what}: {read} manifests were read")] if read else []


def _write_config(folder: Path, registry: Registry, gotify: str, every: int) -> None:
    (folder / "watch.yaml").write_text(
        f"""\
every: {every}s
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


def _complete(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(*) FROM tags WHERE standing = 'complete'"
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


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
        until(lambda: self._is_shown(tag), 60)
        shown = time.monotonic() - start
        until(lambda: tag in self._told, 60)
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
        return status_of(self._port, f"/api/v1/images/team/app/versions/{tag}") == 200


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


if __name__ == "__main__":
    sys.exit(main())
