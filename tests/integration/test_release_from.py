"""Archives that others built and named are released byte for byte, to a real registry."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests import real
from tests.integration.conftest import MANYFEST
from tests.unit.check_images import elf

pytestmark = pytest.mark.real

CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", latest]
arch_tags: true
"""
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY app-$TARGETARCH /app
ENTRYPOINT ["/app"]
"""
GIT = ("git", "-c", "user.name=Us", "-c", "user.email=us@example.org")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in git whose commit is 1.0.0."""
    folder = tmp_path / "project"
    folder.mkdir()
    for architecture, machine in (("amd64", 62), ("arm64", 183)):
        program = folder / f"app-{architecture}"
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
def archive(project: Path, tmp_path: Path) -> Path:
    """What buildah makes of the project, for both platforms, under a name of its own."""
    real.need_programs("buildah")
    storage = ("--storage-driver=vfs", "--root", tmp_path / "root", "--runroot", tmp_path / "run")
    built = ("--isolation=chroot", "--platform=linux/amd64,linux/arm64", "--manifest=theirs")
    real.output_of("buildah", *storage, "bud", *built, project)
    path = tmp_path / "image.tar"
    named = f"oci-archive:{path}:their/name:v9"
    real.output_of("buildah", *storage, "manifest", "push", "--all", "theirs", named)
    return path


def manyfest(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MANYFEST, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def build(folder: Path, *words: str) -> str:
    """Build the project into ``image.tar``; its digest."""
    done = manyfest(folder, "build", *words, "-o", "oci-archive:image.tar")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def release(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return manyfest(folder, "release", *words)


def digest_in(archive: Path) -> str:
    """The digest of the index that an archive holds, as the archive itself has it."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("index.json")
        assert file is not None
        return str(json.load(file)["manifests"][0]["digest"])


def raw(reference: str) -> bytes:
    """A manifest, as skopeo gets it."""
    real.need_programs("skopeo")
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_what_buildah_built_is_released_byte_for_byte(
    project: Path, archive: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/app"
    released = release(project, "--from", archive, "--to", place)
    assert released.returncode == 0, released.stderr
    assert released.stdout.splitlines()[-1] == digest_in(archive)
    assert f"sha256:{hashlib.sha256(raw(f'{place}:latest')).hexdigest()}" == digest_in(archive)
    assert "origin: it does not say of which commit it is" in released.stderr


def test_one_job_builds_and_another_publishes(project: Path, docker_registry: str) -> None:
    place = f"{docker_registry}/app"
    built = build(project)
    released = release(project, "--from", "image.tar", "--to", place)
    assert released.returncode == 0, released.stderr
    assert released.stdout.splitlines()[-1] == built
    assert "origin: it says that it is of commit" in released.stderr
    again = release(project, "--from", "image.tar", "--to", place, "--json")
    assert json.loads(again.stdout)["changed"] == []


def test_what_an_earlier_commit_built_is_not_released_as_this_one(
    project: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/app"
    build(project)
    (project / "Dockerfile").write_text(f"{DOCKERFILE}USER 1\n")
    real.output_of(*GIT, "-C", project, "commit", "-q", "-a", "-m", "Change")
    refused = release(project, "--from", "image.tar", "--to", place, "--version", "1.0.1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--allow-other-commit" in refused.stderr.splitlines()[-1]
    told = ("--version", "1.0.1", "--allow-other-commit")
    assert release(project, "--from", "image.tar", "--to", place, *told).returncode == 0


def test_one_platform_is_not_released_as_two(project: Path, docker_registry: str) -> None:
    build(project, "--platform", "linux/amd64")
    refused = release(project, "--from", "image.tar", "--to", f"{docker_registry}/app")
    assert refused.returncode == 1
    assert "the platform is missing; there are: linux/amd64" in refused.stderr.splitlines()[-1]
