"""A copy that is killed again and again: the next run finishes, and nothing false is left.

``python -m tests.chaos.kills 200`` kills archive to registry and registry to layout 200 times
each, at random instants, and prints what came of it.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyfest.copy import copy_graph
from manyfest.oci.manifest import Image, Manifest
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.memory import MemoryStore
from tests.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, content_of, entry, index, put
from tests.integration.conftest import MANYFEST, running_registry
from tests.recorders import graph_of

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")


@dataclass(frozen=True)
class Job:
    """A copy to kill: its command's references, how to empty its target, and what lies there.

    ``blobs`` gives each file and the SHA-256, in hex, that its name promises. ``settles`` is how
    many seconds the target, which lives on, may take to finish what it was sent:
    ``docker-registry`` writes a manifest's file in place, so that it is empty at first.
    """

    name: str
    source: str
    target: str
    empty: Callable[[], None]
    blobs: Callable[[], dict[Path, str]]
    settles: float = 0.0


@dataclass
class Tally:
    """What came of a job's runs; ``kills`` hit a run that was under way."""

    kills: int = 0
    completed_before: int = 0
    finished_after: int = 0
    blobs_checked: int = 0


def make_archive(path: Path, layer_bytes: int, *, seed: int = 1) -> str:
    """An archive of three platforms, each with a layer of its own and one that all share.

    The index's digest.
    """
    chance = random.Random(seed)
    store = MemoryStore()
    shared = put(store, chance.randbytes(layer_bytes), OCI_LAYER)
    entries = []
    for platform in PLATFORMS:
        os, architecture, variant = (*platform.split("/"), "")[:3]
        config = {"os": os, "architecture": architecture, "variant": variant}
        manifest = Manifest.of_image(
            Image(
                schema_version=2,
                media_type=OCI_MANIFEST,
                config=put(store, json.dumps(config).encode(), OCI_CONFIG),
                layers=(shared, put(store, chance.randbytes(layer_bytes), OCI_LAYER)),
            )
        )
        store.put(content_of(manifest))
        entries.append(entry(manifest, platform))
    store.tag("v1", content_of(index(store, entries)))
    with ArchiveWriter(path) as archive:
        copy_graph(store, graph_of(store), archive, ["v1"])
    return str(store.resolve("v1").digest)


def registry_blobs(data: Path) -> dict[Path, str]:
    """What ``docker-registry`` keeps under digests; its unfinished uploads are not among it."""
    root = data / "docker/registry/v2/blobs/sha256"
    return {path: path.parent.name for path in root.glob("??/*/data")}


def layout_blobs(layout: Path) -> dict[Path, str]:
    """What a layout keeps under digests."""
    blobs = (layout / "blobs/sha256").glob("*")
    return {path: path.name for path in blobs if not path.name.startswith(".")}


def kill_copies(job: Job, kills: int, digest: str, *, seed: int) -> Tally:
    """Kill the copy ``kills`` times, each at a random instant of its run, and look at the target
    each time; about every second time let it finish and begin with an empty target again.

    Raises ``AssertionError`` when something false is found.
    """
    chance = random.Random(seed)
    tally = Tally()
    job.empty()
    took = _timed(lambda: _finish(job, digest))
    job.empty()
    while tally.kills < kills:
        if not _killed(job, chance.uniform(0.05, took * 1.05)):
            tally.completed_before += 1
            job.empty()
            continue
        tally.kills += 1
        tally.blobs_checked += _check(job)
        if chance.random() < 0.5 or tally.kills == kills:
            _finish(job, digest)
            tally.finished_after += 1
            tally.blobs_checked += _check(job)
            job.empty()
    return tally


def _command(job: Job) -> list[str]:
    return [str(MANYFEST), "copy", "-q", job.source, job.target]


def _killed(job: Job, after: float) -> bool:
    """Whether the run was still under way after so many seconds, when it was killed."""
    process = subprocess.Popen(_command(job), stdout=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0, f"{job.name}: exit {process.returncode}"
    return False


def _finish(job: Job, digest: str) -> None:
    done = subprocess.run(_command(job), capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, f"{digest}\n"), f"{job.name}: {done.stderr}"
    leftovers = [path for path in job.blobs() if path.name.startswith(".manyfest-")]
    assert leftovers == []


def _check(job: Job) -> int:
    """Every blob has its own digest; how many there are."""
    until = time.monotonic() + job.settles
    while (false := _false(blobs := job.blobs())) and time.monotonic() < until:
        time.sleep(0.05)
    assert false == {}, f"{job.name}: other digests than their names: {false}"
    return len(blobs)


def _false(blobs: dict[Path, str]) -> dict[Path, str]:
    """The files whose SHA-256 is not the one promised, each with the one found."""
    found = {}
    for path in blobs:
        with path.open("rb") as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return {path: digest for path, digest in found.items() if digest != blobs[path]}


def _timed(call: Callable[[], None]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def emptied(*folders: Path) -> None:
    """Remove what is in these folders, and them."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, kills: int, *, layer_bytes: int, seed: int) -> dict[str, Tally]:
    """Both jobs, in ``folder``, against a ``docker-registry`` of our own."""
    digest = make_archive(folder / "image.tar", layer_bytes)
    with running_registry(folder / "registry") as address:
        archive, repository = f"oci-archive:{folder}/image.tar:v1", f"{address}/killed:v1"
        data, layout = folder / "registry/data", folder / "layout"
        up = Job(
            "archive to registry",
            archive,
            repository,
            lambda: emptied(data),
            lambda: registry_blobs(data),
            settles=5.0,
        )
        down = Job(
            "registry to layout",
            repository,
            f"oci:{layout}:v1",
            lambda: emptied(layout),
            lambda: layout_blobs(layout),
        )
        tallies = {up.name: kill_copies(up, kills, digest, seed=seed)}
        _finish(up, digest)
        return tallies | {down.name: kill_copies(down, kills, digest, seed=seed)}


def main() -> None:
    """Print a line for each job."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tallies = run(Path(folder), kills, layer_bytes=24 * 1024 * 1024, seed=seed)
    for name, tally in tallies.items():
        print(
            f"{name}: {tally.kills} kills, {tally.finished_after} runs finished after them,"
            f" {tally.completed_before} runs were over before the kill;"
            f" {tally.blobs_checked} blobs hashed, all as named"
        )


if __name__ == "__main__":
    main()
