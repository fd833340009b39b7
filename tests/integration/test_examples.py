"""The examples: built, checked, and run, also for a processor that this machine does not have.

Their public bases cannot be had without a network; images like them stand in for them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manyfest.serve.server import running
from tests import debian, real
from tests.integration.conftest import MANYFEST, image_index

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).parents[2] / "examples"
EPOCH = "1777593600"
FIVE = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64"]
PYTHON = [
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "libc6", "libexpat1", "zlib1g", "libgcc-s1",
]  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with running(tmp_path / "registry") as address:
        yield address


def manyfest(*arguments: str | Path, cwd: Path) -> str:
    """What a command prints, run as a user runs it, with the tests' Python first on the PATH."""
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": EPOCH,
        "PATH": f"{MANYFEST.parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [MANYFEST, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def example(name: str, folder: Path) -> Path:
    """A copy of an example, without what it made before."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("out", "lib", "dist"))
    return folder


def base_image(registry: str, folder: Path, platforms: list[str]) -> str:
    """A base with what does not depend on the processor: certificates, users, a release file."""
    root = folder / "root" / "etc"
    (root / "ssl/certs").mkdir(parents=True)
    (root / "os-release").write_text("ID=debian\n")
    (root / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "ssl/certs/ca-certificates.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY root/ /\nLABEL org.example.base=yes\n")
    name = f"{registry}/debian:trixie-slim"
    manyfest("build", ".", "--platform", ",".join(platforms), "-o", name, cwd=folder)
    return name


def python_image(registry: str, folder: Path) -> str:
    """Debian's Python, for two processors."""
    for architecture in ("amd64", "arm64"):
        debian.unpack(
            PYTHON, architecture, folder / "root" / architecture, folder / f"scratch-{architecture}"
        )
        (folder / "root" / architecture / "usr/bin/python3").symlink_to("python3.11")
    (folder / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETARCH\nCOPY root/${TARGETARCH}/ /\nENV PATH=/usr/bin\n"
    )
    name = f"{registry}/python:3-slim"
    manyfest("build", ".", "--platform", "linux/amd64,linux/arm64", "-o", name, cwd=folder)
    return name


def configuration(image: str, platform: str, folder: Path) -> dict[str, Any]:
    """How one platform's image is run."""
    raw = manyfest("inspect", "--config", "--platform", platform, image, cwd=folder)
    run: dict[str, Any] = json.loads(raw)["config"]
    return run


@pytest.mark.usefixtures("foreign_platforms")
def test_a_go_server_for_five_platforms(registry: str, docker: list[str], tmp_path: Path) -> None:
    real.need_programs("go")
    base = base_image(registry, tmp_path / "base", FIVE)
    bases = [f"--build-arg={name}={base}" for name in ("BASE", "CERTIFICATES")]
    told = ("--version", "1.2.0", *bases)
    image = f"{registry}/push-server:1.2.0"
    folder = example("push-server", tmp_path / "one")
    digest = manyfest("build", *told, "-o", image, cwd=folder)

    checked = manyfest("check", "--deep", image, "--platform", ",".join(FIVE), cwd=folder)
    assert checked.count("  ready  ") == len(FIVE)
    assert list(image_index(manyfest("inspect", "--raw", image, cwd=folder))) == FIVE
    for platform, processor in (("linux/amd64", "amd64"), ("linux/arm64", "arm64")):
        run = [*docker, "run", "--rm", "--network=none", f"--platform={platform}", image]
        assert real.output_of(*run, "-version") == f"push-server 1.2.0 linux/{processor}"

    again = example("push-server", tmp_path / "two")
    assert manyfest("build", *told, "-o", "oci:image:1.2.0", cwd=again) == digest


@pytest.mark.usefixtures("foreign_platforms")
def test_a_web_page_with_its_server(registry: str, docker: list[str], tmp_path: Path) -> None:
    real.need_programs("go")
    base = base_image(registry, tmp_path / "base", FIVE)
    folder = example("status-page", tmp_path / "page")
    digest = manyfest("build", "--version", "2.0.1", "--build-arg", f"BASE={base}", cwd=folder)

    archive = "oci-archive:dist/status-page-2.0.1.tar:2.0.1"
    manyfest("check", "--deep", archive, "--platform", "linux/amd64,linux/arm64,arm/v7", cwd=folder)
    image = f"{registry}/status-page:2.0.1"
    assert manyfest("copy", archive, image, cwd=folder).splitlines()[-1] == digest
    run = configuration(image, "linux/arm64", folder)
    assert run["Healthcheck"] == {
        "Test": ["CMD", "/usr/local/bin/status-page", "-check"],
        "Interval": 60_000_000_000,
        "Timeout": 10_000_000_000,
        "Retries": 3,
    }
    assert run["Volumes"] == {"/data": {}}
    assert run["ExposedPorts"] == {"8080/tcp": {}}
    assert run["User"] == "65534:65534"
    assert run["Env"][1:] == [
        "STATUS_VERSION=2.0.1",
        "STATUS_WEB=/usr/share/status-page",
        "STATUS_DATA=/data",
        "PORT=8080",
    ]
    assert run["Labels"]["org.opencontainers.image.title"] == "Status page"
    assert run["Labels"]["org.opencontainers.image.version"] == "2.0.1"
    assert run["Labels"]["org.example.channel"] == "stable"

    started = real.output_of(*docker, "run", "--detach", "--rm", "--network=none", image)
    try:
        check = [*docker, "exec", started, "/usr/local/bin/status-page", "-check"]
        real.wait_until(lambda: subprocess.run(check, check=False).returncode == 0, "the page")
    finally:
        real.output_of(*docker, "stop", "--time=1", started)
    run_there = [*docker, "run", "--rm", "--network=none", "--platform=linux/arm/v7", image]
    assert real.output_of(*run_there, "-version") == "status-page 2.0.1 linux/arm"


@pytest.mark.usefixtures("foreign_platforms")
def test_a_python_service(registry: str, docker: list[str], tmp_path: Path) -> None:
    base = python_image(registry, tmp_path / "base")
    folder = example("python-service", tmp_path / "service")
    image = f"{registry}/python-service:0.3.0"
    told = ("--version", "0.3.0", "--build-arg", f"BASE={base}")
    digest = manyfest("build", *told, "-o", image, cwd=folder)

    checked = manyfest("check", "--deep", image, "--platform", "amd64,arm64", cwd=folder)
    assert checked.count("  ready  ") == 2
    index = json.loads(manyfest("inspect", "--raw", image, cwd=folder))
    assert index["annotations"]["org.example.wheels"] == "requirements.txt"
    assert index["annotations"]["org.opencontainers.image.base.name"] == base
    for platform, machine in (("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")):
        run = [*docker, "run", "--rm", "--network=none", "--env=SERVICE_ROUNDS=4"]
        said = real.output_of(*run, f"--platform={platform}", image, "--check")
        assert said == f"service works on {machine} with bcrypt 4.3.0"

    assert manyfest("build", *told, "-o", "oci:again:0.3.0", cwd=folder) == digest
