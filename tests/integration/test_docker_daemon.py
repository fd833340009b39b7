"""A real Docker daemon as a place: copied to, copied from, loaded into."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.graph import read_manifest
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from manyfest.stores.runtimes.docker.daemon import Daemon
from tests import images, real
from tests.docker_daemon import running_daemon
from tests.integration.conftest import MANYFEST

pytestmark = pytest.mark.real

MEMORY = MemoryStore()
INDEX = images.platforms(MEMORY)
AMD64, ARM64, _ = (entry.digest for entry in INDEX.index.manifests)
CONFIGS = {
    entry.digest: str(read_manifest(MEMORY, entry).image.config.digest)
    for entry in INDEX.index.manifests
}

Manyfest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manyfest(docker_host: str, tmp_path: Path) -> Manyfest:
    """Runs the command line where Docker is the tests' daemon and ``oci:image:v1`` an index for
    three platforms."""
    images.make(LayoutStore(tmp_path / "image"), "index", "v1")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MANYFEST, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_HOST": docker_host},
        )  # fmt: skip

    return run


@pytest.fixture
def held(docker: list[str]) -> Callable[[str], str]:
    """The id of an image in the daemon."""
    return lambda name: real.output_of(*docker, "image", "inspect", "--format={{.Id}}", name)


def test_the_daemon_s_own_platform_is_copied_into_it(
    manyfest: Manyfest, held: Callable[[str], str]
) -> None:
    copied = manyfest("copy", "oci:image:v1", "docker-daemon:into:v1")

    assert (copied.returncode, copied.stdout) == (0, f"{AMD64}\n"), copied.stderr
    assert copied.stderr.splitlines()[0] == (
        "docker-daemon:into:v1: gets linux/amd64 only, its own platform; --platform names others"
    )
    assert held("into:v1") == CONFIGS[AMD64]


def test_several_platforms_are_known_by_their_processor(
    manyfest: Manyfest, held: Callable[[str], str]
) -> None:
    copied = manyfest("copy", "oci:image:v1", "docker-daemon:both:v1", "--platform", "arm64,amd64")
    assert copied.returncode == 0, copied.stderr
    assert held("both:v1") == held("both:v1-arm64") == CONFIGS[ARM64]
    assert held("both:v1-amd64") == CONFIGS[AMD64]


def test_an_image_comes_out_with_the_configuration_it_went_in_with(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    manyfest("copy", "oci:image:v1", "docker-daemon:team/out:v1")
    copied = manyfest("copy", "docker-daemon:team/out:v1", "oci:other:v1")

    assert copied.returncode == 0, copied.stderr
    with LayoutStore(tmp_path / "other") as layout:
        image = read_manifest(layout, layout.resolve("v1")).image
    assert str(image.config.digest) == CONFIGS[AMD64]
    assert image.layers == read_manifest(MEMORY, INDEX.index.manifests[0]).image.layers


def test_an_image_is_named_by_its_id(manyfest: Manyfest) -> None:
    manyfest("copy", "oci:image:v1", "docker-daemon:by-id:v1")
    by_name = manyfest("copy", "docker-daemon:by-id:v1", "oci:other:v1")
    by_id = manyfest("copy", f"docker-daemon:{CONFIGS[AMD64]}", "oci:other:v2")
    assert (by_id.returncode, by_id.stdout) == (0, by_name.stdout), by_id.stderr


def test_an_image_that_is_not_there_is_told_in_one_line(
    manyfest: Manyfest, docker_host: str, tmp_path: Path
) -> None:
    copied = manyfest("copy", "docker-daemon:nowhere:v1", "oci:other:v1")
    assert (copied.returncode, copied.stdout) == (1, "")
    assert copied.stderr == f"manyfest: Docker at {docker_host}: reference does not exist\n"
    assert not (tmp_path / "other").exists()


def test_docker_load_and_docker_save_are_the_other_ends_of_streams(
    manyfest: Manyfest, docker: list[str], held: Callable[[str], str], tmp_path: Path
) -> None:
    piped(
        [MANYFEST, "copy", "oci:image:v1", "docker-archive:-:team/stream:v1"],
        [*docker, "load"],
        tmp_path,
    )
    assert held("team/stream:v1") == held("team/stream:v1-amd64") == CONFIGS[AMD64]
    assert held("team/stream:v1-arm64") == CONFIGS[ARM64]

    piped(
        [*docker, "save", "team/stream:v1", "team/stream:v1-arm64"],
        [MANYFEST, "copy", "docker-archive:-:team/stream:v1-arm64", "oci:back:v1"],
        tmp_path,
    )
    with LayoutStore(tmp_path / "back") as layout:
        image = read_manifest(layout, layout.resolve("v1")).image
    assert str(image.config.digest) == CONFIGS[ARM64]


def piped(writer: Sequence[str | Path], reader: Sequence[str | Path], folder: Path) -> None:
    """``writer | reader``, both of which must succeed."""
    with subprocess.Popen(writer, stdout=subprocess.PIPE, cwd=folder) as process:
        done = subprocess.run(
            reader, stdin=process.stdout, cwd=folder, capture_output=True, check=False
        )
    assert (process.returncode, done.returncode) == (0, 0), done.stderr


@pytest.fixture
def refused_by_docker(tmp_path: Path, manyfest: Manyfest, docker: list[str]) -> str:
    """An OCI archive and nothing more, as BuildKit writes it, which ``docker load`` cannot read."""
    real.output_of("tar", "-cf", tmp_path / "image.tar", "-C", tmp_path / "image", ".")
    refused = subprocess.run(
        [*docker, "load", "-i", tmp_path / "image.tar"], capture_output=True, text=True, check=False
    )
    assert "json: no such file or directory" in refused.stderr
    return "image.tar"


def test_load_takes_what_docker_load_refuses(
    manyfest: Manyfest, held: Callable[[str], str], refused_by_docker: str
) -> None:
    loaded = manyfest("load", refused_by_docker, "--tag", "load/plain:v1")
    assert (loaded.returncode, loaded.stdout) == (0, f"load/plain:v1\n{AMD64}\n"), loaded.stderr
    assert held("load/plain:v1") == CONFIGS[AMD64]


def test_load_takes_the_platforms_that_are_named(
    manyfest: Manyfest, held: Callable[[str], str], refused_by_docker: str
) -> None:
    loaded = manyfest(
        "load", refused_by_docker, "--tag", "load/both:v1", "--platform", "arm64,amd64"
    )
    assert loaded.stdout.split() == [
        "load/both:v1",
        "load/both:v1-arm64",
        "load/both:v1-amd64",
        str(ARM64),
    ]
    assert held("load/both:v1") == CONFIGS[ARM64]


def test_load_reads_standard_input(
    docker_host: str, held: Callable[[str], str], refused_by_docker: str, tmp_path: Path
) -> None:
    with (tmp_path / refused_by_docker).open("rb") as archive:
        loaded = subprocess.run(
            [MANYFEST, "load", "-", "--tag", "load/stream:v1"],
            stdin=archive, capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_HOST": docker_host},
        )  # fmt: skip
    assert (loaded.returncode, loaded.stdout) == (0, f"load/stream:v1\n{AMD64}\n"), loaded.stderr
    assert held("load/stream:v1") == CONFIGS[AMD64]


def listed(docker: Sequence[str]) -> set[str]:
    """Every image and every name in the daemon."""
    lines = real.output_of(*docker, "images", "--all", "--no-trunc", "--format={{json .}}")
    return set(lines.splitlines())


def test_a_dry_load_and_a_dry_copy_load_nothing(
    manyfest: Manyfest, docker: list[str], refused_by_docker: str
) -> None:
    before = listed(docker)

    loaded = manyfest("load", "--dry-run", refused_by_docker, "--tag", "dry/load:v1")
    copied = manyfest("copy", "--dry-run", "oci:image:v1", "docker-daemon:dry/copy:v1")

    assert (loaded.returncode, copied.returncode) == (0, 0)
    assert loaded.stdout.startswith("would load dry/load:v1, ")
    assert copied.stdout.startswith("would copy 4 parts, ")
    assert listed(docker) == before


def test_an_image_that_is_damaged_is_not_loaded(
    manyfest: Manyfest, docker: list[str], tmp_path: Path
) -> None:
    before = listed(docker)
    layer = read_manifest(MEMORY, INDEX.index.manifests[0]).image.layers[1]
    (tmp_path / "image" / "blobs" / "sha256" / layer.digest.hex).write_bytes(bytes(layer.size))

    copied = manyfest("copy", "oci:image:v1", "docker-daemon:damaged:v1")

    assert copied.returncode == 1
    assert f"{layer.digest} has the digest sha256:" in copied.stderr
    assert copied.stderr.count("\n") == 2  # which platform, and the error
    assert listed(docker) == before


@pytest.fixture
def podman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program ``podman`` whose images are the test's own."""
    real.need_programs("/usr/bin/podman")
    real.need_root()
    # Podman takes no folder whose name is longer than 50 characters.
    folder = tmp_path_factory.mktemp("p")
    program = folder / "bin" / "podman"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nexec /usr/bin/podman --root {folder}/podman --runroot {folder}/run"
        ' --storage-driver vfs "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_load_hands_images_to_podman(
    manyfest: Manyfest, podman: Path, monkeypatch: pytest.MonkeyPatch, refused_by_docker: str
) -> None:
    monkeypatch.setenv("PATH", f"{podman.parent}:{os.environ['PATH']}")
    into = ("load", "--into", "podman", refused_by_docker)

    one = manyfest(*into, "--tag", "team/one:v1", "--platform", "arm64")
    two = manyfest(*into, "--tag", "team/two:v1", "--platform", "amd64,arm64")

    assert (one.returncode, one.stdout) == (0, f"team/one:v1\n{ARM64}\n"), one.stderr
    assert two.stdout.split() == [
        "team/two:v1",
        "team/two:v1-amd64",
        "team/two:v1-arm64",
        str(AMD64),
    ]
    names = [
        f"docker.io/team/{name}" for name in ("one:v1", "two:v1", "two:v1-amd64", "two:v1-arm64")
    ]
    ids = [real.output_of(podman, "inspect", "--format", "{{.Id}}", name) for name in names]
    assert [f"sha256:{each}" for each in ids] == [
        CONFIGS[ARM64],
        CONFIGS[AMD64],
        CONFIGS[AMD64],
        CONFIGS[ARM64],
    ]


def test_a_daemon_is_reached_by_tls(
    certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = real.free_port()
    options = ["--tlsverify", f"--host=tcp://127.0.0.1:{port}"]
    options += (f"--tls{name}={certificates}/{name}.pem" for name in ("cert", "key"))
    options.append(f"--tlscacert={certificates}/ca.pem")
    with running_daemon(tmp_path_factory.mktemp("d"), *options):
        by_tls = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }
        assert str(Daemon(environ=by_tls).info().platform) == "linux/amd64"

        (certificates / "cert.pem").unlink()
        with pytest.raises(ConnectionFailed, match=r"certificate required|bad certificate"):
            Daemon(environ=by_tls).info()
