"""Credentials, against a real registry that asks for them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.integration.conftest import MANYFEST, running_registry

pytestmark = pytest.mark.real

# The bcrypt hash of "swordfish", the one kind that docker-registry takes.
HTPASSWD = "ada:$2b$05$VT9F4NwFj3HQWrpDLmug8O7AMjqpkSmkQV5QgLtjupSrgs4YFC7NW\n"


@pytest.fixture
def locked_registry(tmp_path: Path) -> Iterator[str]:
    """A ``docker-registry`` that knows Ada only; its address."""
    users = tmp_path / "htpasswd"
    users.write_text(HTPASSWD)
    settings = f"auth: {{htpasswd: {{realm: test, path: {users}}}}}\n"
    with running_registry(tmp_path / "registry", settings) as address:
        yield address


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """A layout with a small image in it; its reference."""
    images.make(LayoutStore(tmp_path / "layout"), "index", "v1")
    return f"oci:{tmp_path}/layout:v1"


def manyfest(*arguments: str, home: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MANYFEST, *arguments],
        input=stdin,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_credentials_the_registry_refuses_and_the_mend_is_named(
    locked_registry: str, layout: str, tmp_path: Path
) -> None:
    refused = manyfest("copy", "-q", layout, f"{locked_registry}/app:v1", home=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"manyfest: {locked_registry}/app: the registry refuses")
    assert refused.stderr.endswith(f"log in with: manyfest login {locked_registry}\n")


def test_after_login_everything_works_and_after_logout_nothing(
    locked_registry: str, layout: str, tmp_path: Path
) -> None:
    login = ("login", "-q", "--username=ada", "--password-stdin", locked_registry)
    assert manyfest(*login, home=tmp_path, stdin="swordfish\n").returncode == 0
    saved = json.loads((tmp_path / ".docker" / "config.json").read_text())
    pushed = manyfest("copy", "-q", layout, f"{locked_registry}/app:v1", home=tmp_path)
    listed = manyfest("ls", f"{locked_registry}/app", home=tmp_path)
    assert manyfest("logout", "-q", locked_registry, home=tmp_path).returncode == 0
    refused = manyfest("ls", f"{locked_registry}/app", home=tmp_path)

    assert saved == {"auths": {locked_registry: {"auth": "YWRhOnN3b3JkZmlzaA=="}}}
    assert pushed.returncode == 0, pushed.stderr
    assert listed.stdout == "v1\n"
    assert refused.returncode == 1


def test_a_wrong_password_is_not_kept(locked_registry: str, tmp_path: Path) -> None:
    login = ("login", "--username=ada", "--password-stdin", locked_registry)
    refused = manyfest(*login, home=tmp_path, stdin="sawfish\n")

    assert refused.returncode == 1
    assert refused.stderr == (
        f"manyfest: {locked_registry}: the registry does not accept these credentials;"
        " check the user name, and whether a token is needed instead of the password\n"
    )
    assert "sawfish" not in refused.stderr
    assert not (tmp_path / ".docker").exists()


def test_docker_reads_what_login_wrote(locked_registry: str, layout: str, tmp_path: Path) -> None:
    real.need_programs("skopeo")
    login = ("login", "-q", "--username=ada", "--password-stdin", locked_registry)
    manyfest(*login, home=tmp_path, stdin="swordfish")
    manyfest("copy", "-q", layout, f"{locked_registry}/app:v1", home=tmp_path)

    tags = real.output_of(
        "skopeo", "list-tags", "--tls-verify=false",
        f"--authfile={tmp_path}/.docker/config.json", f"docker://{locked_registry}/app",
    )  # fmt: skip

    assert json.loads(tags)["Tags"] == ["v1"]
