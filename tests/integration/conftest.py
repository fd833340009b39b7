"""The real parts that several tests share, started once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import real
from tests.docker_daemon import client_of, running_daemon

MANYFEST = Path(sys.executable).parent / "manyfest"
EXAMPLE = Path(__file__).parents[2] / "examples" / "ruff"

Manyfest = Callable[..., subprocess.CompletedProcess[str]]

REGISTRY_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def manyfest(tmp_path: Path) -> Manyfest:
    """Runs the command line as a user does, in ``tmp_path``."""

    def run(*arguments: str | Path, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = [str(MANYFEST), *(str(argument) for argument in arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)

    return run


@pytest.fixture
def docker_registry(tmp_path: Path) -> Iterator[str]:
    """Debian's ``docker-registry``, empty; its address."""
    with running_registry(tmp_path / "docker-registry") as address:
        yield address


@contextmanager
def running_registry(folder: Path, settings: str = "", *, port: int = 0) -> Iterator[str]:
    """``docker-registry`` with its content in ``folder``, and more ``settings`` if need be; at a
    free port, unless one is named."""
    real.need_programs("docker-registry")
    port = port or real.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(REGISTRY_CONFIG.format(data=folder / "data", port=port) + settings)
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        real.wait_until(lambda: real.is_listening(port), "docker-registry")
        yield f"127.0.0.1:{port}"
    finally:
        real.stop(process)


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Docker daemon of our own, with no network; what ``DOCKER_HOST`` is for it."""
    with running_daemon(tmp_path_factory.mktemp("d")) as address:
        yield address


@pytest.fixture
def docker(docker_host: str) -> list[str]:
    """The client's command for that daemon."""
    return client_of(docker_host)


@pytest.fixture(scope="session")
def foreign_platforms() -> None:
    """Programs for other processors run here, through qemu."""
    real.need_programs("qemu-aarch64-static", "update-binfmts")
    real.need_root()
    formats = Path("/proc/sys/fs/binfmt_misc")
    if not (formats / "register").exists():
        subprocess.run(
            ["mount", "-t", "binfmt_misc", "binfmt_misc", str(formats)],
            check=False,
            capture_output=True,
        )
    subprocess.run(["update-binfmts", "--enable"], check=False, capture_output=True)
    real.need("qemu is not registered for arm64", met=(formats / "qemu-aarch64").exists())


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with an authority, and a certificate of it for this machine and for us."""
    real.need_programs("openssl")
    folder = tmp_path / "certificates"
    folder.mkdir()
    new = "openssl req -newkey rsa:2048 -nodes -subj /CN=localhost"
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for command in (
        f"{new} -x509 -days 2 -keyout ca-key.pem -out ca.pem",
        f"{new} -keyout key.pem -out request.pem",
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial"
        " -days 2 -extfile names -out cert.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def ruff_binaries() -> Path:
    """The example's folder, with ruff's binaries fetched for every platform."""
    for platform in ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"):
        real.output_of(sys.executable, EXAMPLE / "fetch.py", TARGETPLATFORM=platform)
    return EXAMPLE


def image_index(raw: str) -> dict[str, str]:
    """Platform to digest, of an index's JSON."""
    entries = json.loads(raw)["manifests"]
    return {
        "/".join(filter(None, (p["os"], p["architecture"], p.get("variant", "")))): entry["digest"]
        for entry in entries
        for p in [entry["platform"]]
    }
