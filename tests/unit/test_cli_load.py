"""``manyfest load``, into a daemon in this process that speaks Docker's API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.graph import read_manifest
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.referring import sign
from tests.unit.cli import Manyfest, make_layout, runner
from tests.unit.small_daemon import WITH_CONTAINERD, SmallDaemon, small_daemon

MEMORY = MemoryStore()
INDEX = images.platforms(MEMORY)
AMD64, ARM64, ARMV7 = (entry.digest for entry in INDEX.index.manifests)
CONFIGS = {
    entry.digest: str(read_manifest(MEMORY, entry).image.config.digest)
    for entry in INDEX.index.manifests
}
"""What Docker's classic daemon knows each image by."""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDaemon]:
    """A daemon on arm64, which is where Docker is; the folder of the test is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with small_daemon(tmp_path) as daemon:
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        yield daemon


@pytest.fixture
def manyfest(docker: SmallDaemon, capsys: pytest.CaptureFixture[str]) -> Manyfest:
    return runner(capsys)


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing says where Docker listens, and there is no usual socket."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("manyfest.stores.runtimes.docker.address.SYSTEM_SOCKET", f"{tmp_path}/none")


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """A file with an index for three platforms, as ``ghcr.io/team/app:v1``."""
    with ArchiveWriter(tmp_path / "image.tar", naming=Naming("ghcr.io/team/app")) as target:
        images.make(target, "index", "v1")
    return "image.tar"


def test_the_daemon_s_platform_is_loaded(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    loaded = manyfest("load", archive)
    assert (loaded.code, loaded.out) == (0, f"ghcr.io/team/app:v1\n{ARM64}\n")
    assert loaded.err == f"Docker at {docker.host}: 5.0 kB sent\n"
    assert docker.images == {"ghcr.io/team/app:v1": CONFIGS[ARM64]}


def test_signatures_that_docker_does_not_keep_are_told_of(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    with make_layout(tmp_path / "app", "v1") as layout:
        sign(layout, INDEX)
    loaded = manyfest("load", "app")
    assert loaded.code == 0
    assert loaded.err.splitlines() == [
        f"Docker at {docker.host}: referrers left behind: 1; it keeps none",
        f"Docker at {docker.host}: 5.0 kB sent",
    ]


def test_the_platform_that_is_asked_for_is_loaded(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    loaded = manyfest("load", "--platform", "linux/arm/v7", archive)
    assert (loaded.code, loaded.out) == (0, f"ghcr.io/team/app:v1\n{ARMV7}\n")
    assert docker.images == {"ghcr.io/team/app:v1": CONFIGS[ARMV7]}


def test_of_several_platforms_the_first_gets_the_plain_name(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    loaded = manyfest("load", "--platform", "amd64,arm64", archive)
    assert (loaded.code, loaded.out.split()) == (
        0,
        [
            "ghcr.io/team/app:v1",
            "ghcr.io/team/app:v1-amd64",
            "ghcr.io/team/app:v1-arm64",
            str(AMD64),
        ],
    )
    assert docker.images == {
        "ghcr.io/team/app:v1": CONFIGS[AMD64],
        "ghcr.io/team/app:v1-amd64": CONFIGS[AMD64],
        "ghcr.io/team/app:v1-arm64": CONFIGS[ARM64],
    }


def test_a_platform_that_is_not_there_changes_nothing(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    assert manyfest("load", "--platform", "s390x", archive) == (
        1,
        "",
        "manyfest: oci-archive:image.tar: it has no linux/s390x;"
        " it has linux/amd64, linux/arm64, linux/arm/v7\n",
    )
    assert docker.received == []


def test_another_name_is_given_on_the_command_line(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    assert manyfest("load", "--tag", "docker.io/library/mine", archive).out.split() == [
        "mine:latest",
        str(ARM64),
    ]
    assert list(docker.images) == ["mine:latest"]


def test_a_digest_is_no_name_to_load_under(manyfest: Manyfest, archive: str) -> None:
    refused = manyfest("load", "--tag", f"app@{ARM64}", archive)
    assert (refused.code, refused.err) == (
        2,
        f"manyfest: app@{ARM64}: an image cannot be loaded under a digest; name a tag\n",
    )


def test_a_dry_load_names_what_would_be_and_changes_nothing(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    planned = manyfest("load", "--dry-run", "--platform", "arm64,amd64", archive)
    assert planned == (
        0,
        "would load ghcr.io/team/app:v1, ghcr.io/team/app:v1-arm64, 5.0 kB,"
        f" into Docker at {docker.host}\n"
        f"would load ghcr.io/team/app:v1-amd64, 5.0 kB, into Docker at {docker.host}\n"
        f"{ARM64}\n",
        "",
    )
    assert docker.requests == ["GET /info"]


def test_a_folder_is_a_layout_and_its_name_the_repository(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    make_layout(tmp_path / "app", "v1")
    loaded = manyfest("load", "app")
    assert (loaded.code, loaded.out.split()) == (0, ["app:v1", str(ARM64)])


def test_what_has_no_name_is_called_after_its_file(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    with ArchiveWriter(tmp_path / "app.tar") as target:
        target.tag("", images.content_of(images.platforms(target)))
    assert manyfest("load", "app.tar").out.split() == ["app:latest", str(ARM64)]


def test_what_no_name_can_be_made_for_must_be_given_one(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    with ArchiveWriter(tmp_path / "__.tar") as target:
        target.tag("", images.content_of(images.platforms(target)))
    assert manyfest("load", "__.tar") == (
        2,
        "",
        "manyfest: oci-archive:__.tar: it has no name to be loaded under; give --tag NAME:TAG\n",
    )
    assert manyfest("load", "--tag", "app:v1", "__.tar").code == 0


def test_one_of_several_images_is_named_by_a_reference(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    layout = make_layout(tmp_path / "app", "v1")
    layout.tag("v2", images.content_of(images.platforms(layout, text="new")))

    several = manyfest("load", "app")
    one = manyfest("load", "oci:app:v1")

    assert several.err == "manyfest: oci:app: it holds 2 images; name one of v1, v2\n"
    assert one.out.split() == ["app:v1", str(ARM64)]


@pytest.mark.parametrize("name", ["gone.tar", "./gone", "/gone/image", "gone.tar.gz", "gone.tgz"])
def test_a_path_that_leads_nowhere_is_no_name_in_a_registry(manyfest: Manyfest, name: str) -> None:
    assert manyfest("load", name) == (1, "", f"manyfest: {name}: there is no such file\n")


def test_with_containerd_s_store_several_platforms_are_one_name(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    docker.info = WITH_CONTAINERD
    loaded = manyfest("load", "--platform", "arm64,amd64,arm/v7", archive)
    assert (loaded.code, loaded.out.split()) == (
        0,
        ["ghcr.io/team/app:v1", str(INDEX.descriptor.digest)],
    )
    assert docker.images == {"ghcr.io/team/app:v1": str(INDEX.descriptor.digest)}


def test_a_daemon_that_has_something_else_afterwards_is_an_error(
    manyfest: Manyfest, docker: SmallDaemon, archive: str
) -> None:
    docker.answers["/images/ghcr.io/team/app:v1/json"] = (200, b'{"Id":"sha256:%064d"}' % 0)
    loaded = manyfest("load", archive)
    assert (loaded.code, loaded.out) == (1, "")
    assert loaded.err == (
        f"manyfest: Docker at {docker.host}: ghcr.io/team/app:v1 is sha256:{'0' * 64} there,"
        f" and not {CONFIGS[ARM64]} as it was sent\n"
    )


def test_docker_that_is_configured_and_down_is_an_error_and_not_podman(
    manyfest: Manyfest, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert manyfest("load", archive) == (
        1,
        "",
        "manyfest: Docker at unix:///nowhere: nothing listens there;"
        " start Docker, or see DOCKER_HOST\n",
    )


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in podman's place, which knows one image; where it puts what it is sent."""
    platform = images.image(MemoryStore()).image.config.digest
    (tmp_path / "podman").write_text(
        f'#!/bin/sh\n[ "$1" = load ] && exec cat > {tmp_path}/received\necho {platform.hex}\n'
    )
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "received"


def test_podman_is_used_if_it_is_asked_for(
    manyfest: Manyfest, docker: SmallDaemon, archive: str, podman: Path
) -> None:
    loaded = manyfest("load", "--into", "podman", "--platform", "amd64", archive)
    assert loaded == (0, f"ghcr.io/team/app:v1\n{AMD64}\n", "Podman: 5.0 kB sent\n")
    assert str(AMD64).encode() in podman.read_bytes()
    assert docker.requests == []


def test_podman_is_used_where_there_is_no_docker(
    manyfest: Manyfest, archive: str, podman: Path, no_docker: None
) -> None:
    loaded = manyfest("load", "--platform", "amd64", archive)
    assert loaded.err == "Podman: 5.0 kB sent\n"


def test_where_there_is_neither_that_is_said(
    manyfest: Manyfest,
    archive: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_docker: None,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manyfest("load", archive) == (
        1,
        "",
        "manyfest: there is neither Docker nor Podman here; start Docker, or say where it listens"
        " by DOCKER_HOST\n",
    )
