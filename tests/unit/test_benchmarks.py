"""The benchmark is fair: who fails is named, what is used is seen, and nothing half-done counts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.job import Job, Peer, Result, measure
from benchmarks.measure import Attempt, Failed, Pairs, Run, compare, run_once
from benchmarks.report import goals
from benchmarks.scratch import Scratch
from benchmarks.verify import docker_archive_holds

LOOKED_AT = "import time; time.sleep(0.5)"
"""What a program does that wants to be seen: a look comes every 20 ms."""

WORKS = ["sh", "-c", "exit 0"]
FAILS = ["sh", "-c", "echo no such thing >&2; exit 1"]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    scratch = Scratch(tmp_path)
    yield scratch
    scratch.remove()


def attempt(command: list[str]) -> Attempt:
    return Attempt(command, prepare=lambda: None, verify=lambda: None)


def run(*, seconds: float = 1.0, memory: int = 0, disk: int = 0) -> Run:
    return Run(seconds=seconds, processor=0.0, memory=memory, disk=disk, cache=0)


def result(ours: Run, theirs: Run, *, at_most: float = 0.5) -> Result:
    peer = Peer(tool="other", command=[], at_most=at_most)
    job = Job(name="job", title="A job", command=[], peers=[peer], rounds=1)
    return Result(job, [(peer, Pairs([ours], [theirs]))])


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_who_begins_changes_with_each_pair(scratch: Scratch) -> None:
    said: list[str] = []
    ours = Attempt(WORKS, prepare=lambda: said.append("we"), verify=lambda: None)
    theirs = Attempt(WORKS, prepare=lambda: said.append("they"), verify=lambda: None)
    compare(ours, theirs, scratch, rounds=2)
    assert said == ["we", "they", "they", "we", "we", "they"]


def test_the_first_pair_does_not_count(scratch: Scratch) -> None:
    pairs = compare(attempt(WORKS), attempt(WORKS), scratch, rounds=2)
    assert (len(pairs.ours), len(pairs.theirs)) == (2, 2)


def test_a_peer_that_fails_is_not_compared_with(scratch: Scratch) -> None:
    assert compare(attempt(WORKS), attempt(FAILS), scratch, rounds=1).failure == "no such thing"


def test_our_own_failure_is_no_peer_s(scratch: Scratch) -> None:
    with pytest.raises(Failed, match="no such thing"):
        compare(attempt(FAILS), attempt(WORKS), scratch, rounds=1)


def test_a_job_that_nobody_else_can_do_is_measured_all_the_same(scratch: Scratch) -> None:
    peer = Peer(tool="not-installed-anywhere", command=WORKS)
    found = measure(Job(name="j", title="J", command=WORKS, peers=[peer], rounds=3), scratch)
    assert (len(found.ours), found.broken) == (3, False)


def test_a_peer_that_is_here_and_fails_breaks_the_benchmark(scratch: Scratch) -> None:
    peer = Peer(tool="sh", command=FAILS)
    assert measure(Job(name="j", title="J", command=WORKS, peers=[peer], rounds=1), scratch).broken


def test_memory_of_the_whole_family_is_seen(scratch: Scratch) -> None:
    child = f"held = b'x' * 150_000_000; {LOOKED_AT}"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert run_once(python(parent), scratch).memory > 150_000_000


@pytest.mark.parametrize(
    "code",
    [
        "import os; f = open(os.environ['TMPDIR'] + '/x', 'wb'); f.write(b'x' * 1_000_000)",
        "import tempfile; f = tempfile.TemporaryFile(); f.write(b'x' * 1_000_000); f.flush()",
    ],
    ids=["named", "deleted"],
)
def test_temporary_files_are_seen(scratch: Scratch, code: str) -> None:
    assert run_once(python(f"{code}; {LOOKED_AT}"), scratch).disk >= 1_000_000


def test_what_stays_in_the_target_and_in_the_cache_is_not_beyond_it(scratch: Scratch) -> None:
    code = (
        f"import os; open({str(scratch.out / 'image.tar')!r}, 'wb').write(b'x' * 1_000_000);"
        " os.makedirs(os.environ['XDG_CACHE_HOME']);"
        " open(os.environ['XDG_CACHE_HOME'] + '/x', 'wb').write(b'x' * 8192)"
    )
    found = run_once(python(code), scratch)
    assert (found.disk, found.cache) == (0, 8192)


@pytest.mark.parametrize(("ours", "reached"), [(0.4, True), (0.6, False)])
def test_a_ratio_is_our_time_by_theirs(ours: float, reached: bool) -> None:
    speed = goals([result(run(seconds=ours), run(seconds=1.0))])[0]
    assert (speed.measured, speed.reached) == (f"{ours:.2f} ({ours:.2f} to {ours:.2f})", reached)


@pytest.mark.parametrize(
    ("used", "reached"),
    [
        (run(memory=80_000_000), (True, True)),
        (run(memory=80_000_001), (False, True)),
        (run(disk=4096), (True, False)),
    ],
)
def test_memory_and_disk_are_the_most_of_any_of_our_runs(
    used: Run, reached: tuple[bool, bool]
) -> None:
    memory, disk = goals([result(run(), run()), result(used, run(memory=10**9, disk=10**9))])[-2:]
    assert (memory.reached, disk.reached) == reached
    assert [memory.timed, disk.timed] == [False, False]


def docker_archive(path: Path, layer: bytes, diff_id: str) -> Path:
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()
    images = [{"Config": "config.json", "RepoTags": ["a.example/app:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for name, data in [
            ("config.json", config),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(images).encode()),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_an_archive_for_docker_has_the_layers_of_its_config(tmp_path: Path, compress: type) -> None:
    diff_id = f"sha256:{hashlib.sha256(b'a layer').hexdigest()}"
    archive = docker_archive(tmp_path / "image.tar", compress(b"a layer"), diff_id)
    docker_archive_holds(archive, "a.example/app:1")


def test_an_archive_for_docker_with_other_layers_does_not_count(tmp_path: Path) -> None:
    diff_id = f"sha256:{hashlib.sha256(b'a layer').hexdigest()}"
    archive = docker_archive(tmp_path / "image.tar", b"another one", diff_id)
    with pytest.raises(Failed, match="other layers than its config says"):
        docker_archive_holds(archive, "a.example/app:1")
