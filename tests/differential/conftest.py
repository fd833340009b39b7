"""The real builders, each started once, and a registry with the images to start from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import real
from tests.differential.bases import push_bases
from tests.differential.case import Case, Judge
from tests.differential.judges import Ahead, Bench, Buildah, Docker
from tests.docker_daemon import running_daemon
from tests.integration.conftest import running_registry

Build = Callable[[Case], Path]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Where every case's context lies, and every image that we build of it."""
    real.need_root()
    real.need_programs("skopeo")
    folder = tmp_path_factory.mktemp("builds")
    with running_registry(folder / "registry") as address:
        yield Bench(folder, push_bases(folder / "bases", address))


def ahead(build: Build, judge: Judge, request: pytest.FixtureRequest) -> Iterator[Build]:
    """The builder, already at work on all that the tests which are to run want of it."""
    wanted: dict[str, Case] = {}
    for item in request.session.items:
        chosen = item.callspec.params if hasattr(item, "callspec") else {}
        if chosen.get("judge") is judge:
            wanted[chosen["case"].name] = chosen["case"]
    builder = Ahead(build, wanted.values())
    yield builder
    builder.close()


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's Docker; what ``DOCKER_HOST`` is for it."""
    with running_daemon(tmp_path_factory.mktemp("d")) as address:
        yield address


@pytest.fixture(scope="session")
def docker_20(bench: Bench, docker_host: str, request: pytest.FixtureRequest) -> Iterator[Build]:
    """The BuildKit in Debian's Docker."""
    yield from ahead(Docker(bench, "docker", docker_host), Judge.DOCKER, request)


@pytest.fixture(scope="session")
def newer_buildkit(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Build]:
    """A newer Docker, that CI does not build since that takes minutes."""
    program = shutil.which("dockerd", path=str(real.PEERS))
    if program is None:
        pytest.skip("there is no newer Docker; make newer-docker builds it")
    folder: Path = tmp_path_factory.mktemp("d")
    options = ("--storage-driver=native", "--feature=containerd-snapshotter", "--ip6tables=false")
    # The client is Debian's, and speaks an older API than the daemon asks for.
    with running_daemon(folder, *options, program=program, DOCKER_MIN_API_VERSION="1.24") as host:
        yield from ahead(Docker(bench, "newer", host), Judge.BUILDKIT, request)


@pytest.fixture(scope="session")
def buildah(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Build]:
    """Debian's buildah."""
    real.need_programs("buildah")
    yield from ahead(Buildah(bench), Judge.BUILDAH, request)


@pytest.fixture
def build(judge: Judge, request: pytest.FixtureRequest) -> Build:
    """The builder that is the judge."""
    fixture = {
        Judge.DOCKER: "docker_20",
        Judge.BUILDAH: "buildah",
        Judge.BUILDKIT: "newer_buildkit",
    }[judge]
    found: Build = request.getfixturevalue(fixture)
    return found
