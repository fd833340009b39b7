"""Eight jobs stage a platform each, at random moments, while one or two others wait to publish what
comes; some of them are killed and started again. And two jobs stage one platform, differently.

``python -m tests.chaos.rendezvous 100`` plays both 100 times against two ``docker-registry``, and
prints what came of it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.integration.conftest import MANYFEST, running_registry
from tests.real import output_of
from tests.unit.check_images import elf

PROGRAMS = {
    "linux/amd64": elf(62),
    "linux/arm64": elf(183),
    "linux/arm/v7": elf(40, bits=32),
    "linux/386": elf(3, bits=32),
    "linux/riscv64": elf(243),
    "linux/ppc64le": elf(21),
    "linux/mips64le": elf(8),
    "linux/loong64": elf(258),
}
"""Platforms, and how a program for each begins."""

CONFIG = f"""\
name: app
build:
  platforms: [{", ".join(PROGRAMS)}]
tags: ["{{{{version}}}}", "{{{{major}}}}.{{{{minor}}}}", latest]
arch_tags: true
"""
DOCKERFILE = """\
FROM scratch
ARG TARGETPLATFORM
COPY bin/$TARGETPLATFORM/ /
ENTRYPOINT ["/app"]
"""
GIT = ("git", "-c", "user.name=Us", "-c", "user.email=us@example.org")
PUBLISHER = "publisher"
LATEST = 1.5
"""Seconds within which all jobs begin, and within which some are killed."""


@dataclass
class Tally:
    """What came of it: how often all was right, how often two jobs published, how many jobs were
    killed and started again, and how many were told that another one had been first."""

    rounds: int = 0
    doubled: int = 0
    kills: int = 0
    races: int = 0


@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    code: int
    out: str
    err: str

    @property
    def digest(self) -> str:
        """What it printed last."""
        assert self.code == 0, self.err
        return self.out.splitlines()[-1]


@dataclass(frozen=True)
class Scene:
    """A project, a clone of it for every job, and where it is published."""

    folder: Path
    places: tuple[str, ...]
    chance: random.Random

    @property
    def origin(self) -> Path:
        return self.folder / "origin"

    def clone(self, job: str) -> Path:
        """The checkout of the runner that does ``job``."""
        return self.folder / job.replace("/", "-")

    def commit(self, number: int) -> None:
        """Write new programs, commit them, and let every runner have them."""
        for platform, head in PROGRAMS.items():
            program = self.origin / "bin" / platform / "app"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_bytes(head + self.chance.randbytes(100_000))
            program.chmod(0o755)
        (self.origin / "manyfest.yaml").write_text(CONFIG)
        (self.origin / "Dockerfile").write_text(DOCKERFILE)
        if number == 0:
            output_of(*GIT, "init", "-q", self.origin)
        output_of(*GIT, "-C", self.origin, "add", ".")
        output_of(*GIT, "-C", self.origin, "commit", "-q", "-m", f"Change {number}")
        for job in (*PROGRAMS, PUBLISHER):
            clone = self.clone(job)
            if clone.exists():
                output_of(*GIT, "-C", clone, "pull", "-q", "--ff-only")
            else:
                output_of(*GIT, "clone", "-q", self.origin, clone)

    def start(self, where: Path, verb: str, *words: str) -> subprocess.Popen[str]:
        """Begin a job in a checkout."""
        to = (word for place in self.places for word in ("--to", place))
        return subprocess.Popen(
            [MANYFEST, verb, *words, *to],
            cwd=where,
            env={**os.environ, "MANYFEST_CACHE_DIR": "off"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def digests(self, *tags: str) -> set[str]:
        """What these tags hold, everywhere; all of it must be there."""
        wanted = [f"{place}:{tag}" for place in self.places for tag in tags]
        platforms = ["--platform", ",".join(PROGRAMS)]
        shown = output_of(MANYFEST, "check", "--json", *platforms, *wanted)
        return {image["digest"] for image in json.loads(shown)["images"]}


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a job, a bounded time."""
    out, err = process.communicate(timeout=180)
    return Ended(process.returncode, out, err)


def play(scene: Scene, number: int, tally: Tally) -> None:
    """One release by eight jobs and one or two that publish.

    Raises ``AssertionError`` when something is wrong.
    """
    scene.commit(number)
    version = f"1.0.{number}"
    publishers = 1 + (scene.chance.random() < 0.3)
    doomed = [job for job in PROGRAMS if scene.chance.random() < 0.2]
    jobs = [_staging(scene, job, version, is_doomed=job in doomed) for job in PROGRAMS]
    jobs += [_publishing(scene, version) for _ in range(publishers)]
    scene.chance.shuffle(jobs)
    with ThreadPoolExecutor(len(jobs)) as pool:
        results = [each.result() for each in [pool.submit(job) for job in jobs]]
    failed = [each.err for each in results if each.code != 0]
    assert failed == [], failed
    alone = _released_alone(scene, version)
    assert scene.digests(version, "1.0", "latest") == {alone}
    assert [each.digest for each in results].count(alone) == publishers
    tally.rounds += 1
    tally.doubled += publishers > 1
    tally.kills += len(doomed)


def race(scene: Scene, number: int, tally: Tally) -> None:
    """Two jobs stage one platform with different bytes; one of them may.

    Raises ``AssertionError`` when something is wrong.
    """
    version = f"2.0.{number}"
    clones = [scene.clone("linux/amd64"), scene.clone("linux/arm64")]
    ours = clones[0] / "bin/linux/amd64/app"
    before = ours.read_bytes()
    ours.write_bytes(before + b"\0")
    words = ("--platform", "linux/amd64", "--version", version, "--allow-dirty")
    try:
        running = [scene.start(clone, "stage", *words) for clone in clones]
        results = [ended(each) for each in running]
    finally:
        ours.write_bytes(before)
    won = [each.digest for each in results if each.code == 0]
    lost = [each.err for each in results if each.code != 0]
    assert len(won) == len(lost) == 1, [each.err for each in results]
    assert f"{version}-amd64: " in lost[0].splitlines()[-1], lost
    held = [f"{place}:{version}-amd64" for place in scene.places]
    shown = [json.loads(output_of(MANYFEST, "inspect", "--json", each)) for each in held]
    assert [each["digest"] for each in shown] == won * len(held)
    tally.races += 1


def _staging(scene: Scene, platform: str, version: str, *, is_doomed: bool) -> Callable[[], Ended]:
    begin, end = scene.chance.uniform(0, LATEST), scene.chance.uniform(0.1, LATEST)
    words = ("--platform", platform, "--version", version)

    def job() -> Ended:
        time.sleep(begin)
        if is_doomed:
            killed = scene.start(scene.clone(platform), "stage", *words)
            time.sleep(end)
            killed.kill()
            killed.communicate()
        return ended(scene.start(scene.clone(platform), "stage", *words))

    return job


def _publishing(scene: Scene, version: str) -> Callable[[], Ended]:
    begin = scene.chance.uniform(0, LATEST)

    def job() -> Ended:
        time.sleep(begin)
        words = ("--version", version, "--expect", ",".join(PROGRAMS), "--timeout", "2m")
        return ended(scene.start(scene.clone(PUBLISHER), "publish", *words))

    return job


def _released_alone(scene: Scene, version: str) -> str:
    """The digest that one job makes of the same commit, which is built anew."""
    words = ["--version", version, "--to", f"{scene.places[0]}-alone"]
    done = subprocess.run(
        [MANYFEST, "release", *words],
        cwd=scene.origin,
        env={**os.environ, "MANYFEST_CACHE_DIR": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr).digest


@contextmanager
def staged_scene(folder: Path, seed: int) -> Iterator[Scene]:
    """Two registries, and a folder for everything else."""
    with running_registry(folder / "one") as one, running_registry(folder / "two") as two:
        yield Scene(folder / "jobs", (f"{one}/app", f"{two}/app"), random.Random(seed))


def run(folder: Path, rounds: int, *, seed: int, say: Callable[[str], None]) -> Tally:
    """Both, ``rounds`` times, in ``folder``."""
    tally = Tally()
    with staged_scene(folder, seed) as scene:
        for number in range(rounds):
            play(scene, number, tally)
            race(scene, number, tally)
            say(f"{number + 1}: {tally}")
    return tally


def main(arguments: Sequence[str]) -> None:
    """Print what came of it."""
    rounds = int(arguments[0]) if arguments else 100
    seed = int(arguments[1]) if len(arguments) > 1 else int(time.time())
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder), rounds, seed=seed, say=partial(print, flush=True))
    print(
        f"{tally.rounds} releases by eight jobs, {tally.doubled} of them published twice at once,"
        f" {tally.kills} jobs killed and started again: all whole, and as one job makes them;"
        f" {tally.races} times two jobs staged one platform differently: one did, the other said so"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
