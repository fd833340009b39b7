"""How long the command takes to say something, the least that everybody waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.job import Job, Peer

AT_MOST = 0.1
PEERS = [
    Peer(tool="skopeo", command=["skopeo", "--version"]),
    Peer(tool="crane", command=["crane", "version"]),
    Peer(tool="regctl", command=["regctl", "version"]),
    Peer(tool="python3", command=[sys.executable, "-c", "pass"], remark="the floor: doing nothing"),
]


def startup() -> Mapping[str, Callable[[Bench], Job]]:
    """The jobs by name, as :func:`benchmarks.images.jobs`."""
    return {f"startup-{option}": partial(_says, f"--{option}") for option in ("version", "help")}


def _says(option: str, bench: Bench) -> Job:
    return Job(
        name=f"startup{option[1:]}",
        title=f"Starting up: manyfest {option}",
        command=["manyfest", option],
        peers=PEERS,
        at_most=AT_MOST,
        rounds=bench.rounds,
    )
