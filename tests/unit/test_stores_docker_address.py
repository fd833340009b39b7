from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from manyfest.errors import ConfigError, NotFound
from manyfest.stores.runtimes.docker.address import Address, find_address

HOME = Path("/nowhere")


def found(environ: dict[str, str], *, home: Path = HOME, root: Path = HOME) -> str:
    return str(find_address(environ, home, root=root))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("unix:///run/user/1000/docker.sock", Address(path="/run/user/1000/docker.sock")),
        ("tcp://127.0.0.1:4000", Address(host="127.0.0.1", port=4000)),
        ("tcp://localhost", Address(host="localhost", port=2375)),
        ("tcp://[::1]:4000", Address(host="::1", port=4000)),
    ],
)
def test_docker_host_says_where(host: str, address: Address) -> None:
    assert find_address({"DOCKER_HOST": host}, HOME) == address
    assert str(address).startswith(host)


def test_another_machine_is_spoken_to_by_tls() -> None:
    environ = {"DOCKER_HOST": "tcp://builds.example.org", "DOCKER_TLS_VERIFY": "1"}
    home = Path("/home/me")

    assert find_address(environ, home) == Address(
        host="builds.example.org", port=2376, certificates=Path("/home/me/.docker")
    )
    assert find_address(environ | {"DOCKER_CERT_PATH": "/certs"}, home).certificates == Path(
        "/certs"
    )


def test_another_machine_is_not_spoken_to_without_tls() -> None:
    with pytest.raises(ConfigError) as caught:
        found({"DOCKER_HOST": "tcp://builds.example.org:2375"})
    assert str(caught.value) == (
        "DOCKER_HOST: 'tcp://builds.example.org:2375' is another machine, and would be spoken to"
        " without TLS; set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem"
    )


def test_ssh_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError) as caught:
        found({"DOCKER_HOST": "ssh://me@builds.example.org"})
    assert str(caught.value) == (
        "DOCKER_HOST: 'ssh://me@builds.example.org' leads through ssh, which is not spoken here;"
        " forward its socket (ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST)"
        " and set DOCKER_HOST=unix:///tmp/docker.sock"
    )


@pytest.mark.parametrize(
    "host",
    ["npipe:////./pipe/docker", "unix://relative", "tcp://", "tcp://localhost:x",
     "tcp://me@localhost", "tcp://localhost/path", "localhost:2375", "fd://"],
)  # fmt: skip
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a daemon; write unix:///PATH or tcp"):
        found({"DOCKER_HOST": host})


def socket(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_the_system_s_socket_is_the_usual_one(tmp_path: Path) -> None:
    system = socket(tmp_path, "var/run/docker.sock")
    own = socket(tmp_path, "run/docker.sock")
    environ = {"XDG_RUNTIME_DIR": str(own.parent)}

    assert found(environ, root=tmp_path) == f"unix://{system}"


def test_rootless_docker_is_found_where_there_is_no_other(tmp_path: Path) -> None:
    own = socket(tmp_path, "run/docker.sock")
    assert found({"XDG_RUNTIME_DIR": str(own.parent)}, root=tmp_path) == f"unix://{own}"


def test_none_at_all_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        found({"XDG_RUNTIME_DIR": "/run/user/7"}, root=tmp_path)
    assert str(caught.value) == (
        f"there is no Docker here: no {tmp_path}/var/run/docker.sock and no"
        " /run/user/7/docker.sock; start it, or say where it listens by DOCKER_HOST"
    )


def context(folder: Path, name: str, host: str) -> Path:
    """A context, as ``docker context create`` leaves it; where its certificates go."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}
    (meta / "meta.json").write_text(json.dumps(document))
    return folder / "contexts" / "tls" / key / "docker"


def test_the_current_context_says_where(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    context(folder, "mine", "unix:///home/me/docker.sock")
    (folder / "config.json").write_text('{"currentContext": "mine"}')

    assert found({}, home=tmp_path) == "unix:///home/me/docker.sock"
    assert found({"DOCKER_CONFIG": str(folder)}) == "unix:///home/me/docker.sock"
    assert found({"DOCKER_HOST": "unix:///other"}, home=tmp_path) == "unix:///other"


def test_the_context_in_the_environment_goes_first(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    certificates = context(folder, "far", "tcp://builds.example.org:2376")
    certificates.mkdir(parents=True)
    (folder / "config.json").write_text('{"currentContext": "mine"}')

    address = find_address({"DOCKER_CONTEXT": "far"}, tmp_path)

    assert address == Address(host="builds.example.org", port=2376, certificates=certificates)


def test_the_default_context_is_no_context(tmp_path: Path) -> None:
    system = socket(tmp_path, "var/run/docker.sock")
    environ = {"DOCKER_CONTEXT": "default"}
    assert found(environ, home=tmp_path, root=tmp_path) == f"unix://{system}"


def test_a_context_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        found({"DOCKER_CONTEXT": "gone"}, home=tmp_path)
    assert str(caught.value) == (
        "Docker's context 'gone': there is no such context; see: docker context ls"
    )


def test_a_damaged_context_is_an_error(tmp_path: Path) -> None:
    context(tmp_path / ".docker", "torn", "unix:///x")
    (meta,) = tmp_path.rglob("meta.json")
    meta.write_text('{"Endpoints": {}}')
    with pytest.raises(ConfigError, match=r"Docker's context 'torn': .*meta.json cannot be read"):
        found({"DOCKER_CONTEXT": "torn"}, home=tmp_path)
