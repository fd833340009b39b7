"""What is new since Docker 20.10: a newer daemon, with its classic store and with containerd's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from manyfest.graph import read_manifest
from manyfest.oci.platform import Platform
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from manyfest.stores.runtimes.docker.daemon import Daemon
from tests import images, real
from tests.docker_daemon import running_daemon
from tests.integration.conftest import MANYFEST

pytestmark = pytest.mark.real

MEMORY = MemoryStore()
INDEX = images.platforms(MEMORY)
ROOT = str(INDEX.descriptor.digest)
AMD64, ARM64, ARMV7 = (entry.digest for entry in INDEX.index.manifests)
CONFIGS = {
    entry.digest: str(read_manifest(MEMORY, entry).image.config.digest)
    for entry in INDEX.index.manifests
}


@dataclass(frozen=True)
class Docker:
    """A daemon, and a folder with ``oci:image:v1``, an index for three platforms."""

    host: str
    folder: Path

    def manyfest(self, *arguments: str) -> str:
        done = subprocess.run(
            [MANYFEST, *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_HOST": self.host},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def ids(self) -> dict[str, str]:
        """The id of each name."""
        real.need_programs("curl")
        socket = self.host.removeprefix("unix://")
        listed = real.output_of("curl", "-s", "--unix-socket", socket, "http://d/images/json")
        return {name: image["Id"] for image in json.loads(listed) for name in image["RepoTags"]}


@pytest.fixture(scope="module")
def dockerd() -> str:
    """A daemon that CI does not build, since that takes minutes."""
    found = shutil.which("dockerd", path=str(real.PEERS))
    if found is None:
        pytest.skip("there is no newer Docker; make newer-docker builds it")
    return found


def started(dockerd: str, folder: Path, driver: str, *, keeps_indexes: bool) -> Iterator[Docker]:
    config = folder / "daemon.json"
    config.write_text(json.dumps({"features": {"containerd-snapshotter": keeps_indexes}}))
    images.make(LayoutStore(folder / "image"), "index", "v1")
    options = (f"--config-file={config}", f"--storage-driver={driver}", "--ip6tables=false")
    with running_daemon(folder, *options, program=dockerd) as host:
        yield Docker(host, folder)


@pytest.fixture(scope="module")
def classic(dockerd: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """With the store that Docker had from the beginning."""
    yield from started(dockerd, tmp_path_factory.mktemp("d"), "vfs", keeps_indexes=False)


@pytest.fixture(scope="module")
def containerd(dockerd: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """With containerd's store."""
    yield from started(dockerd, tmp_path_factory.mktemp("d"), "native", keeps_indexes=True)


def load_archive(docker: Docker, place: str) -> None:
    """What ``docker load`` does with an archive of ours that has the index as ``v1``."""
    path = docker.folder / "image.tar"
    with ArchiveWriter(path, naming=Naming(place, Platform.parse("linux/amd64"))) as target:
        images.make(target, "index", "v1")
    with Daemon(environ={"DOCKER_HOST": docker.host}).load() as write:
        write(path.read_bytes())


def test_the_classic_store_loads_each_platform_of_an_archive(classic: Docker) -> None:
    load_archive(classic, "ghcr.io/team/app")
    assert {name: id_ for name, id_ in classic.ids.items() if "team/app" in name} == {
        "ghcr.io/team/app:v1": CONFIGS[AMD64],
        "ghcr.io/team/app:v1-amd64": CONFIGS[AMD64],
        "ghcr.io/team/app:v1-arm64": CONFIGS[ARM64],
        "ghcr.io/team/app:v1-armv7": CONFIGS[ARMV7],
    }


def test_containerds_store_loads_an_archive_with_its_index(containerd: Docker) -> None:
    load_archive(containerd, "ghcr.io/team/app")
    assert {name: id_ for name, id_ in containerd.ids.items() if "team/app" in name} == {
        "ghcr.io/team/app:v1": ROOT
    }


def test_the_classic_store_is_given_one_platform(classic: Docker) -> None:
    assert classic.manyfest("copy", "oci:image:v1", "docker-daemon:one:v1") == f"{AMD64}\n"
    assert classic.ids["one:v1"] == CONFIGS[AMD64]


def test_containerds_store_is_given_the_index(containerd: Docker) -> None:
    assert containerd.manyfest("copy", "oci:image:v1", "docker-daemon:all:v1") == f"{ROOT}\n"
    assert containerd.ids["all:v1"] == ROOT


def test_containerds_store_gives_it_back_with_every_digest(containerd: Docker) -> None:
    containerd.manyfest("copy", "oci:image:v1", "docker-daemon:back:v1")
    assert containerd.manyfest("copy", "docker-daemon:back:v1", "oci:back:v1") == f"{ROOT}\n"
    with LayoutStore(containerd.folder / "back") as layout:
        entries = read_manifest(layout, layout.resolve("v1")).index.manifests
    assert entries == INDEX.index.manifests


def test_both_load_the_platforms_that_are_named(classic: Docker, containerd: Docker) -> None:
    arguments = ("load", "image", "--tag", "two:v1", "--platform", "arm64,amd64")
    assert classic.manyfest(*arguments).split() == [
        "two:v1",
        "two:v1-arm64",
        "two:v1-amd64",
        str(ARM64),
    ]
    name, index = containerd.manyfest(*arguments).split()
    assert (classic.ids["two:v1"], containerd.ids[name]) == (CONFIGS[ARM64], index)


def test_both_load_one_platform(classic: Docker, containerd: Docker) -> None:
    arguments = ("load", "image", "--tag", "arm:v1", "--platform", "arm/v7")
    assert classic.manyfest(*arguments) == containerd.manyfest(*arguments) == f"arm:v1\n{ARMV7}\n"
    assert classic.ids["arm:v1"] == CONFIGS[ARMV7]
    assert containerd.ids["arm:v1"] == str(ARMV7)
