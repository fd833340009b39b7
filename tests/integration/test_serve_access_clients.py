"""What people use logs in to a registry with users, by tokens and by Basic, and is refused what its
user may not do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.serve.access.gate import Challenge
from manyfest.serve.policy import Policy
from manyfest.serve.server import running
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.gates import gate
from tests.integration.conftest import MANYFEST
from tests.runtimes import running_containerd

pytestmark = pytest.mark.real

DENIED = (
    "denied", "may not", "403", "unauthorized", "insufficient_scope", "credential", "log in",
    "invalid username/password",
)  # fmt: skip
"""How clients say so."""


@pytest.fixture(params=["token", "basic"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A registry in which Bob may push to his team only, and cannot see what is secret."""
    challenge: Challenge = request.param
    policy = Policy(gate=gate(tmp_path / "access", challenge=challenge))
    with running(tmp_path / "registry", policy=policy) as address:
        yield address


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """A layout with an image in it, as skopeo and others name it."""
    images.make(LayoutStore(tmp_path / "layout"), "image", "v1")
    return f"oci:{tmp_path}/layout:v1"


def tried(
    *command: str | Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def succeeds(*command: str | Path, stdin: str = "", **environment: str) -> str:
    done = tried(*command, stdin=stdin, **environment)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def is_refused(*command: str | Path, stdin: str = "", **environment: str) -> None:
    """It fails, says that it may not, and shows no password."""
    done = tried(*command, stdin=stdin, **environment)
    said = f"{done.stdout}{done.stderr}".lower()
    assert done.returncode != 0, said
    assert any(word in said for word in DENIED), said
    assert "swordfish" not in said
    assert "sawfish" not in said


def test_manyfest(address: str, layout: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    login = (MANYFEST, "login", "--username=bob", "--password-stdin", address)
    is_refused(MANYFEST, "copy", "-q", layout, f"{address}/team/app:v1", **home)
    refused = tried(*login, stdin="sawfish", **home)
    assert refused.stderr == (
        f"manyfest: {address}: the registry does not accept these credentials;"
        " check the user name, and whether a token is needed instead of the password\n"
    )
    succeeds(*login, stdin="swordfish", **home)
    digest = succeeds(MANYFEST, "copy", "-q", layout, f"{address}/team/app:v1", **home)
    back = succeeds(
        MANYFEST, "copy", "-q", f"{address}/team/app:v1", f"oci:{tmp_path}/back", **home
    )
    assert back == digest
    assert succeeds(MANYFEST, "ls", f"{address}/team/app", **home) == "v1"
    is_refused(MANYFEST, "copy", "-q", layout, f"{address}/secret/app:v1", **home)
    is_refused(MANYFEST, "rm", f"{address}/team/app:v1", **home)
    assert succeeds(MANYFEST, "ls", f"{address}/team/app", **home) == "v1"


def test_skopeo(address: str, layout: str, tmp_path: Path) -> None:
    real.need_programs("skopeo")
    file = f"--authfile={tmp_path}/auth.json"
    plain, source = "--dest-tls-verify=false", "--src-tls-verify=false"
    login = ("skopeo", "login", file, "--tls-verify=false", "--username=bob", "--password-stdin")
    team, secret = f"docker://{address}/team/app:v1", f"docker://{address}/secret/app:v1"
    is_refused("skopeo", "copy", file, plain, layout, team)
    is_refused(*login, address, stdin="sawfish")
    succeeds(*login, address, stdin="swordfish")
    succeeds("skopeo", "copy", file, plain, layout, team)
    succeeds("skopeo", "copy", file, source, team, f"oci:{tmp_path}/back:v1")
    is_refused("skopeo", "copy", file, plain, layout, secret)
    is_refused("skopeo", "copy", file, source, secret, f"oci:{tmp_path}/stolen:v1")
    is_refused("skopeo", "delete", file, "--tls-verify=false", team)


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah(
    address: str,
    layout: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    program: str,
) -> None:
    real.need_programs(program)
    real.need_root()
    short = tmp_path_factory.mktemp("p")
    tool = [
        program, f"--root={short}/storage", f"--runroot={short}/run", "--storage-driver=vfs",
    ]  # fmt: skip
    file, plain = f"--authfile={tmp_path}/auth.json", "--tls-verify=false"
    login = (*tool, "login", file, plain, "--username=bob", "--password-stdin", address)
    is_refused(*login, stdin="sawfish")
    succeeds(*login, stdin="swordfish")
    image = succeeds(*tool, "pull", layout).splitlines()[-1]
    succeeds(*tool, "push", file, plain, image, f"docker://{address}/team/app:v1")
    succeeds(*tool, "pull", file, plain, f"{address}/team/app:v1")
    is_refused(*tool, "push", file, plain, image, f"docker://{address}/secret/app:v1")
    is_refused(*tool, "pull", file, plain, f"{address}/secret/app:v1")


def test_docker(address: str, layout: str, docker: list[str], tmp_path: Path) -> None:
    real.need_programs("skopeo")
    client = [docker[0], "--config", str(tmp_path / "docker"), *docker[1:]]
    login = (*client, "login", "--username=bob", "--password-stdin", address)
    is_refused(*login, stdin="sawfish")
    succeeds(*login, stdin="swordfish")
    succeeds(
        "skopeo", "copy", "--dest-tls-verify=false", "--dest-creds=bob:swordfish",
        layout, f"docker://{address}/team/app:v1",
    )  # fmt: skip
    succeeds(*client, "pull", f"{address}/team/app:v1")
    succeeds(*client, "tag", f"{address}/team/app:v1", f"{address}/team/other:v2")
    succeeds(*client, "push", f"{address}/team/other:v2")
    succeeds(*client, "tag", f"{address}/team/app:v1", f"{address}/secret/app:v1")
    is_refused(*client, "push", f"{address}/secret/app:v1")
    is_refused(*client, "pull", f"{address}/secret/other:v1")
    succeeds(*client, "logout", address)
    is_refused(*client, "push", f"{address}/team/other:v2")


def test_crane(address: str, layout: str, tmp_path: Path) -> None:
    crane, home = real.peer("crane"), {"DOCKER_CONFIG": str(tmp_path / "docker")}
    folder = layout.removeprefix("oci:").removesuffix(":v1")
    login = (crane, "auth", "login", "--username=bob", "--password-stdin", address)
    is_refused(crane, "push", folder, f"{address}/team/app:v1", **home)
    succeeds(*login, stdin="swordfish", **home)
    succeeds(crane, "push", folder, f"{address}/team/app:v1", **home)
    succeeds(crane, "copy", f"{address}/team/app:v1", f"{address}/team/other:v1", **home)
    assert succeeds(crane, "catalog", address, **home) == "team/app\nteam/other"
    is_refused(crane, "push", folder, f"{address}/secret/app:v1", **home)
    is_refused(crane, "manifest", f"{address}/secret/app:v1", **home)
    is_refused(crane, "delete", f"{address}/team/app:v1", **home)


def test_regctl(address: str, layout: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    regctl = [real.peer("regctl"), "--host", f"reg={address},tls=disabled"]
    login = (*regctl, "registry", "login", address, "--user=bob", "--pass-stdin")
    source = layout.replace("oci:", "ocidir://", 1)
    is_refused(*regctl, "image", "copy", source, f"{address}/team/app:v1", **home)
    succeeds(*login, stdin="swordfish", **home)
    succeeds(*regctl, "image", "copy", source, f"{address}/team/app:v1", **home)
    assert succeeds(*regctl, "tag", "ls", f"{address}/team/app", **home) == "v1"
    is_refused(*regctl, "image", "copy", source, f"{address}/secret/app:v1", **home)
    is_refused(*regctl, "tag", "delete", f"{address}/team/app:v1", **home)


def test_oras(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oras, file = real.peer("oras"), f"--registry-config={tmp_path}/auth.json"
    monkeypatch.chdir(tmp_path)
    Path("data").write_text("data")
    login = (oras, "login", "--plain-http", file, "--username=bob", "--password-stdin", address)
    is_refused(oras, "push", "--plain-http", file, f"{address}/team/files:v1", "data")
    is_refused(*login, stdin="sawfish")
    succeeds(*login, stdin="swordfish")
    succeeds(oras, "push", "--plain-http", file, f"{address}/team/files:v1", "data")
    succeeds(oras, "pull", "--plain-http", file, f"{address}/team/files:v1")
    is_refused(oras, "push", "--plain-http", file, f"{address}/secret/files:v1", "data")
    is_refused(
        oras, "manifest", "delete", "--force", "--plain-http", file, f"{address}/team/files:v1"
    )


def test_containerd(address: str, layout: str, tmp_path: Path) -> None:
    """Which asks for tokens by POST first."""
    real.need_programs("skopeo")
    team, secret = f"{address}/team/app:v1", f"{address}/secret/app:v1"
    for name in (team, secret):
        succeeds(
            "skopeo", "copy", "--dest-tls-verify=false", "--dest-creds=ada:swordfish",
            layout, f"docker://{name}",
        )  # fmt: skip
    bob = ("--plain-http", "--user=bob:swordfish")
    with running_containerd(tmp_path) as ctr:
        ctr("content", "fetch", "--all-platforms", *bob, team)
        ctr("images", "push", *bob, f"{address}/team/other:v1", team)
        with pytest.raises(AssertionError, match=r"403|denied|insufficient|authoriz"):
            ctr("images", "push", *bob, secret, team)
        with pytest.raises(AssertionError, match=r"403|denied|insufficient|authoriz"):
            ctr("content", "fetch", "--all-platforms", *bob, secret)
        with pytest.raises(AssertionError, match=r"401|authoriz|insufficient"):
            ctr("content", "fetch", "--all-platforms", "--plain-http", team)


def test_nobody_pulls_what_anyone_may_read(layout: str, docker: list[str], tmp_path: Path) -> None:
    """With tokens: Docker and others ask for one as nobody."""
    real.need_programs("skopeo")
    policy = Policy(gate=gate(tmp_path / "access"))
    with running(tmp_path / "registry", policy=policy) as address:
        succeeds(
            "skopeo", "copy", "--dest-tls-verify=false", "--dest-creds=ada:swordfish",
            layout, f"docker://{address}/tools:v1",
        )  # fmt: skip
        succeeds(*docker, "pull", f"{address}/tools:v1")
        is_refused(*docker, "pull", f"{address}/team/app:v1")
        listed = succeeds(
            "skopeo", "list-tags", "--no-creds", "--tls-verify=false", f"docker://{address}/tools"
        )
        assert json.loads(listed)["Tags"] == ["v1"]
        assert succeeds(real.peer("crane"), "ls", f"{address}/tools") == "v1"
        raw = succeeds(MANYFEST, "ls", f"{address}/tools", HOME=str(tmp_path))
        assert raw == "v1"
