"""Several jobs stage platforms, and one joins and publishes them, in real registries."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import real
from tests.chaos import rendezvous
from tests.integration.conftest import MANYFEST, running_registry
from tests.unit.check_images import elf

pytestmark = pytest.mark.real

GIT = ("git", "-c", "user.name=Us", "-c", "user.email=us@example.org")
CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", latest]
"""
DOCKERFILE = """\
FROM scratch
ARG TARGETPLATFORM
COPY bin/$TARGETPLATFORM/ /
ENTRYPOINT ["/app"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in git whose commit is 1.0.0."""
    folder = tmp_path / "project"
    for platform, machine in (("linux/amd64", 62), ("linux/arm64", 183)):
        program = folder / "bin" / platform / "app"
        program.parent.mkdir(parents=True)
        program.write_bytes(elf(machine))
        program.chmod(0o755)
    (folder / "manyfest.yaml").write_text(CONFIG)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    real.output_of(*GIT, "init", "-q", folder)
    real.output_of(*GIT, "-C", folder, "add", ".")
    real.output_of(*GIT, "-C", folder, "commit", "-q", "-m", "Begin")
    real.output_of(*GIT, "-C", folder, "tag", "v1.0.0")
    return folder


@pytest.fixture
def other_registry(tmp_path: Path) -> Iterator[str]:
    with running_registry(tmp_path / "other-registry") as address:
        yield address


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [MANYFEST, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def buildah(folder: Path, verb: str, *words: str) -> None:
    """Run it with storage of its own."""
    storage = ("--storage-driver=vfs", "--root", folder / "buildah", "--runroot", folder / "run")
    isolation = ("--isolation=chroot",) if verb == "bud" else ()
    real.output_of("buildah", *storage, verb, *isolation, *words)


def digest_of(reference: str) -> str:
    shown = real.output_of(MANYFEST, "inspect", "--json", reference)
    return str(json.loads(shown)["digest"])


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_eight_jobs_meet_in_two_registries(tmp_path: Path) -> None:
    tally = rendezvous.run(tmp_path, 2, seed=20261126, say=lambda _: None)
    assert (tally.rounds, tally.races) == (2, 2)


def test_what_was_staged_in_one_registry_is_published_in_both(
    project: Path, docker_registry: str, other_registry: str
) -> None:
    one, two = f"{docker_registry}/app", f"{other_registry}/app"
    for platform in ("linux/arm64", "linux/amd64"):
        staged = run(project, "stage", "--platform", platform, "--to", one)
        assert staged.returncode == 0, staged.stderr
    published = run(project, "publish", "--to", one, "--to", two)
    assert published.returncode == 0, published.stderr
    digest = last_line(published.stdout)
    assert [digest_of(f"{place}:latest") for place in (one, two)] == [digest, digest]


def test_a_platform_that_never_comes_is_named_and_nothing_is_changed(
    project: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/app"
    run(project, "stage", "--platform", "linux/arm64", "--to", place)
    published = run(project, "publish", "--to", place, "--timeout", "2s")
    assert (published.returncode, published.stdout) == (3, "")
    assert last_line(published.stderr) == (
        f"manyfest: after 2 s linux/amd64 cannot be found in {place} (as 1.0.0-amd64); nothing was"
        " changed; see how their `manyfest stage` ended, and run the same command again"
    )
    assert real.output_of(MANYFEST, "ls", place) == "1.0.0-arm64"


def test_a_platform_of_another_commit_is_refused(project: Path, docker_registry: str) -> None:
    place = f"{docker_registry}/app"
    run(project, "stage", "--platform", "linux/arm64", "--to", place)
    (project / "Dockerfile").write_text(f"{DOCKERFILE}USER 1\n")
    real.output_of(*GIT, "-C", project, "commit", "-q", "-a", "-m", "Change")
    run(project, "stage", "--platform", "linux/amd64", "--to", place, "--version", "1.0.0")
    published = run(project, "publish", "--to", place, "--version", "1.0.0")
    assert published.returncode == 1
    assert last_line(published.stderr).startswith(
        f"manyfest: {place}:1.0.0-arm64: is 1.0.0 of commit"
    )
    assert real.output_of(MANYFEST, "ls", place).split() == ["1.0.0-amd64", "1.0.0-arm64"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_can_be_stopped(project: Path, docker_registry: str, number: int) -> None:
    command = [str(MANYFEST), "publish", "--to", f"{docker_registry}/app"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        waits = "waiting for linux/amd64, linux/arm64: "
        assert any(line.startswith(waits) for line in process.stderr)
        process.send_signal(number)
        said = process.stderr.read()
    assert last_line(said) == "manyfest: interrupted; run the same command again to go on"
    assert process.returncode == 130


def test_what_buildah_made_is_staged_and_joined(
    project: Path, docker_registry: str, tmp_path: Path
) -> None:
    real.need_programs("buildah")
    place = f"{docker_registry}/app"
    digests = []
    for platform in ("linux/amd64", "linux/arm64"):
        archive = tmp_path / f"{platform.rpartition('/')[2]}.tar"
        buildah(tmp_path, "bud", "--platform", platform, "-t", "theirs:v9", str(project))
        buildah(tmp_path, "push", "theirs:v9", f"oci-archive:{archive}:their/name:v9")
        staged = run(project, "stage", "--platform", platform, "--from", archive, "--to", place)
        assert staged.returncode == 0, staged.stderr
        assert "a record of its version and commit is attached to it" in staged.stderr
        digests.append(last_line(staged.stdout))
    published = run(project, "publish", "--to", place, "--json")
    assert published.returncode == 0, published.stderr
    assert [each["digest"] for each in json.loads(published.stdout)["platforms"]] == digests
