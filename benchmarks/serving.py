"""The jobs of serving: blobs and manifests pushed to a registry and pulled from it, beside Debian's
``docker-registry`` on the same disk, by the same client (``load/main.go``, which needs Go).

Both have synced what they acknowledge. ``docker-registry`` 2.8 syncs each file that it writes, four
for a manifest, and no folder; we sync folders too, and together what comes together. It has the
cache that Debian's configuration gives it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import file_digest
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.job import Goal, Job, Peer
from benchmarks.measure import Failed
from benchmarks.servers import Registry, Server
from benchmarks.tools import HERE, find

CONNECTIONS = (1, 16)
REPOSITORIES = 4
"""Which the manifests are spread over: thousands of tags in each."""

PUSHED_AT_MOST, PULLED_AT_MOST = 0.67, 1.25
MANIFESTS_PUSHED_AT_MOST, MANIFESTS_READ_AT_MOST = 0.33, 0.2
"""Our time by that of ``docker-registry``."""
HEAD_AT_MOST = 0.3
"""The slowest hundredth of our HEADs by theirs."""
MOST_MEMORY = 150_000_000

_PEER = "docker-registry"


class Manyfest(Server):
    """``manyfest serve``, on a folder that can be thrown away."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.data = folder

    def start(self) -> None:
        """Start it with the content that there is."""
        self.run(
            [find("manyfest") or "manyfest", "serve", str(self.data), "--listen", self.address]
        )

    def restart_empty(self) -> None:
        """Start it with nothing."""
        self.stop()
        subprocess.run(["rm", "-rf", str(self.data)], check=True)
        self.start()


@dataclass(slots=True)
class Seen:
    """What the client told of each run, and the most memory that our registry used; in seconds and
    bytes."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The two registries, and where the inputs are."""

    bench: Bench
    ours: Manyfest
    theirs: Registry
    client: Path
    seen: Seen

    def client_of(self, server: Server, what: str, *arguments: object) -> list[str]:
        """A command of the client."""
        return [str(self.client), what, server.address, *map(str, arguments)]

    def both(self, prepare: Callable[[Server], None]) -> None:
        """Prepare both registries."""
        for server in (self.ours, self.theirs):
            prepare(server)

    def note(self, server: Server) -> None:
        """Keep what the client told of a run."""
        told = json.loads((self.bench.scratch.notes / "output").read_text())
        (self.seen.ours if server is self.ours else self.seen.theirs).append(told["p99"])
        self.seen.memory = max(self.seen.memory, self.ours.most_memory)

    def goals(self, title: str, *, slowest: bool) -> list[Goal]:
        """What is to be reached besides the time."""
        found = [
            Goal(
                job=title,
                to_reach=f"≤ {MOST_MEMORY / 1e6:.0f} MB in the registry",
                measured=f"{self.seen.memory / 1e6:.0f} MB",
                reached=self.seen.memory <= MOST_MEMORY,
            )
        ]
        if slowest and self.seen.ours and self.seen.theirs:
            ours, theirs = map(statistics.median, (self.seen.ours, self.seen.theirs))
            found.append(
                Goal(
                    job=title,
                    to_reach=f"99 of 100 within ≤ {HEAD_AT_MOST} of the time of {_PEER}",
                    measured=f"{ours / theirs:.2f} ({ours * 1e3:.1f} of {theirs * 1e3:.1f} ms)",
                    reached=ours / theirs <= HEAD_AT_MOST,
                    timed=True,
                )
            )
        return found

    def job(
        self,
        name: str,
        title: str,
        what: str,
        arguments: Sequence[object],
        *,
        prepare: Callable[[Server], None],
        at_most: float,
    ) -> Job:
        """The same work for both registries."""
        return Job(
            name=name,
            title=title,
            command=self.client_of(self.ours, what, *arguments),
            prepare=partial(prepare, self.ours),
            verify=partial(self.note, self.ours),
            peers=[
                Peer(
                    tool=_PEER,
                    command=self.client_of(self.theirs, what, *arguments),
                    prepare=partial(prepare, self.theirs),
                    verify=partial(self.note, self.theirs),
                    at_most=at_most,
                )
            ],
            rounds=self.bench.few,
            most_memory=MOST_MEMORY,
            most_disk=None,
            goals=partial(self.goals, title, slowest=what == "head-manifests"),
        )


def pushed_blobs(bench: Bench, *, connections: int) -> Job:
    """Blobs of 1 GB together, one for each connection, to an empty registry."""
    place = _place(bench)
    blobs = _blobs(bench, connections)
    return place.job(
        f"serve-push-blobs-{connections}",
        f"Registry: {bench.scale.served_bytes / 1e6:,.0f} MB pushed, {_over(connections)}",
        "push-blobs",
        ["app", connections, *(f"{file}={digest}" for file, digest in blobs)],
        prepare=_emptied,
        at_most=PUSHED_AT_MOST,
    )


def pulled_blobs(bench: Bench, *, connections: int) -> Job:
    """The same blobs pulled."""
    place = _place(bench)
    blobs = _blobs(bench, connections)
    place.both(_emptied)
    for server in (place.ours, place.theirs):
        given = [f"{file}={digest}" for file, digest in blobs]
        _run(place.client_of(server, "push-blobs", "app", 1, *given))
    return place.job(
        f"serve-pull-blobs-{connections}",
        f"Registry: {bench.scale.served_bytes / 1e6:,.0f} MB pulled, {_over(connections)}",
        "pull-blobs",
        ["app", connections, *(digest for _, digest in blobs)],
        prepare=_running,
        at_most=PULLED_AT_MOST,
    )


def pushed_manifests(bench: Bench, *, connections: int) -> Job:
    """Small manifests with a tag each to an empty registry."""
    count = bench.scale.served_manifests
    return _place(bench).job(
        f"serve-push-manifests-{connections}",
        f"Registry: {count:,} small manifests pushed, each with a tag, {_over(connections)}",
        "push-manifests",
        [REPOSITORIES, connections, count],
        prepare=_emptied,
        at_most=MANIFESTS_PUSHED_AT_MOST,
    )


def read_manifests(bench: Bench, *, how: str, connections: int) -> Job:
    """The same manifests read by tag."""
    place, count = _place(bench), bench.scale.served_manifests
    place.both(_emptied)
    for server in (place.ours, place.theirs):
        _run(place.client_of(server, "push-manifests", REPOSITORIES, 16, count))
    said = {"get": "read", "head": "asked for by HEAD", "revalidate": "asked for if changed"}[how]
    return place.job(
        f"serve-{how}-manifests-{connections}",
        f"Registry: {count:,} small manifests {said}, {_over(connections)}",
        f"{how}-manifests",
        [REPOSITORIES, connections, count],
        prepare=_running,
        at_most=MANIFESTS_READ_AT_MOST,
    )


def jobs() -> Mapping[str, Callable[[Bench], Job]]:
    """The jobs by name, as :func:`benchmarks.images.jobs`; none without Go."""
    if find("go") is None:
        return {}
    found: dict[str, Callable[[Bench], Job]] = {}
    for connections in CONNECTIONS:
        for name, make in (("push", pushed_blobs), ("pull", pulled_blobs)):
            found[f"serve-{name}-blobs-{connections}"] = partial(make, connections=connections)
        found[f"serve-push-manifests-{connections}"] = partial(
            pushed_manifests, connections=connections
        )
        for how in ("get", "head", "revalidate"):
            found[f"serve-{how}-manifests-{connections}"] = partial(
                read_manifests, how=how, connections=connections
            )
    return found


def _place(bench: Bench) -> Place:
    client = bench.scratch.kept / "load"
    _run([find("go") or "go", "build", "-o", str(client), "."], cwd=HERE / "benchmarks" / "load")
    ours = Manyfest(bench.scratch.root / "target" / "manyfest")
    theirs = Registry(bench.scratch.root / "target", cache=True)
    for server in (ours, theirs):
        bench.join(server)
    return Place(bench, ours, theirs, client, Seen())


def _blobs(bench: Bench, count: int) -> list[tuple[Path, str]]:
    """Files of random bytes, so many bytes together, and their digests."""
    size = bench.scale.served_bytes // count
    found = []
    for number in range(count):
        path = bench.scratch.kept / f"blob-{number}"
        with path.open("w+b") as file:
            for _ in range(0, size, 1 << 20):
                file.write(os.urandom(1 << 20))
            file.truncate(size)
            file.seek(0)
            found.append((path, f"sha256:{file_digest(file, 'sha256').hexdigest()}"))
    return found


def _emptied(server: Server) -> None:
    assert isinstance(server, Manyfest | Registry)
    server.restart_empty()
    os.sync()  # nothing of what was done before is still on its way to the disk


def _running(server: Server) -> None:
    """What is in it stays."""
    if not server.processor:
        raise Failed("the registry has ended")
    os.sync()


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise Failed(done.stderr.strip()[-300:])


def _over(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"
