"""The main job, on real input: ruff's own binaries, four platforms, released and run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from manyfest.serve.server import running
from tests import real
from tests.integration.conftest import MANYFEST

pytestmark = pytest.mark.real

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"]
MAY_2026 = 1777593600


def example(ruff_binaries: Path, folder: Path, *, age: int = 0) -> Path:
    """A copy of the example in ``folder``, its files as old as is said."""
    shutil.copytree(
        ruff_binaries, folder, ignore=shutil.ignore_patterns("registry*", "dist", "__pycache__")
    )
    for path in folder.rglob("*"):
        os.utime(path, (MAY_2026 - age, MAY_2026 - age))
    return folder


def release(
    folder: Path, *arguments: str, epoch: int = MAY_2026
) -> subprocess.CompletedProcess[str]:
    """``manyfest release`` of ruff in ``folder``, as a user runs it."""
    return subprocess.run(
        [MANYFEST, "release", "--version", "0.17.6", *arguments],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PATH": search_path()},
        capture_output=True,
        text=True,
        check=False,
    )


def search_path() -> str:
    return f"{MANYFEST.parent}{os.pathsep}{os.environ['PATH']}"


def platforms_of(report: str) -> list[str]:
    return [platform["platform"] for platform in json.loads(report)["platforms"]]


@pytest.mark.usefixtures("foreign_platforms")
def test_every_platform_prints_its_version(
    docker: list[str], ruff_binaries: Path, tmp_path: Path
) -> None:
    folder = example(ruff_binaries, tmp_path / "ruff")
    with running(tmp_path / "registry") as address:
        released = release(folder, "--to", f"{address}/ruff")
        assert released.returncode == 0, released.stderr
        said = {
            suffix: real.output_of(
                *docker, "run", "--rm", "--network=none", f"{address}/ruff:0.17.6-{suffix}",
                "--version",
            )
            for suffix in ("amd64", "arm64", "armv7", "386")
        }  # fmt: skip
        plain = real.output_of(
            *docker, "run", "--rm", "--network=none", f"{address}/ruff:0.17.6", "--version"
        )

    assert said == {
        "amd64": "ruff 0.17.6",
        "arm64": "ruff 0.17.6",
        "armv7": "ruff 0.17.6",
        "386": "ruff 0.17.6",
    }
    assert plain == "ruff 0.17.6"


def test_two_folders_at_two_times_give_the_same_archive(
    ruff_binaries: Path, docker_registry: str, tmp_path: Path
) -> None:
    digests = []
    for name, age in (("one", 0), ("two", 86_400)):
        folder = example(ruff_binaries, tmp_path / name, age=age)
        released = release(folder, "--to", f"{docker_registry}/{name}")
        assert released.returncode == 0, released.stderr
        archive = (folder / "dist" / "ruff-0.17.6.tar").read_bytes()
        digests.append(hashlib.sha256(archive).hexdigest())

    assert digests[0] == digests[1]


def test_a_second_release_uploads_nothing(
    ruff_binaries: Path, docker_registry: str, tmp_path: Path
) -> None:
    folder = example(ruff_binaries, tmp_path / "ruff")
    first = json.loads(release(folder, "--to", f"{docker_registry}/ruff", "--json").stdout)
    second = json.loads(release(folder, "--to", f"{docker_registry}/ruff", "--json").stdout)

    assert [d["uploaded"] > 40_000_000 for d in first["destinations"]] == [True]
    assert [d["uploaded"] for d in second["destinations"]] == [0]
    assert second["digest"] == first["digest"]
    assert {s["step"]: s["outcome"] for s in second["steps"]}["tags"] == "skipped"


def test_others_read_what_was_published(
    ruff_binaries: Path, docker_registry: str, tmp_path: Path
) -> None:
    real.need_programs("skopeo")
    folder = example(ruff_binaries, tmp_path / "ruff")
    report = release(folder, "--to", f"{docker_registry}/ruff", "--json").stdout
    raw = real.output_of(
        "skopeo",
        "inspect",
        "--raw",
        "--tls-verify=false",
        f"docker://{docker_registry}/ruff:latest",
    )

    assert platforms_of(report) == PLATFORMS
    assert hashlib.sha256(raw.encode()).hexdigest() in json.loads(report)["digest"]


def test_a_binary_for_another_platform_stops_the_release(
    ruff_binaries: Path, docker_registry: str, tmp_path: Path
) -> None:
    folder = example(ruff_binaries, tmp_path / "ruff")
    config = folder / "manyfest.yaml"
    config.write_text(config.read_text().replace("before: python3 fetch.py", "before: ''"))
    shutil.copy(folder / "bin/linux/arm64/ruff", folder / "bin/linux/amd64/ruff")

    released = release(folder, "--to", f"{docker_registry}/ruff", "--quiet")
    tags = subprocess.run(
        [MANYFEST, "ls", f"{docker_registry}/ruff"], capture_output=True, text=True, check=False
    )

    assert released.returncode == 1
    assert released.stderr == (
        "manyfest: linux/amd64 /usr/bin/ruff: is built for linux/arm64, not for linux/amd64;"
        " ship the build for this platform, or list the path in 'check.foreign' if it is there on"
        " purpose\n"
    )
    assert sorted(path.name for path in (folder / "dist").iterdir()) == [".gitignore"]
    assert tags.returncode == 1  # there is no such repository


def test_a_release_dies_with_the_hook_that_it_waits_for(
    ruff_binaries: Path, docker_registry: str, tmp_path: Path
) -> None:
    folder = example(ruff_binaries, tmp_path / "ruff")
    config = folder / "manyfest.yaml"
    failing = 'before: "echo starting; echo no compiler for $TARGETARCH; exit 3"'
    config.write_text(config.read_text().replace("before: python3 fetch.py", failing))

    released = release(folder, "--to", f"{docker_registry}/ruff", "--quiet")

    assert released.returncode == 1
    assert released.stderr.startswith("manyfest: manyfest.yaml:5: 'build.before' failed for linux/")
    assert "no compiler for" in released.stderr
    assert released.stderr.count("\n") == 1
