"""The registry over TLS, with certificates of our own."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.errors import UsageError
from manyfest.serve.server import Certificate, running
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.gates import USERS
from tests.integration.conftest import MANYFEST, Manyfest


@pytest.fixture
def certificate(certificates: Path) -> Certificate:
    return Certificate(certificates / "cert.pem", certificates / "key.pem")


def test_manyfest_and_skopeo_push_and_pull_over_tls(
    tmp_path: Path, certificates: Path, certificate: Certificate, manyfest: Manyfest
) -> None:
    real.need_programs("skopeo")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    assert manyfest("build", tmp_path, "--platform", "linux/amd64", "-o", "oci:app:v1").stdout
    authority, trusted = ("--ca-file", certificates / "ca.pem"), tmp_path / "trusted"
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes((certificates / "ca.pem").read_bytes())
    with running(tmp_path / "registry", certificate=certificate) as address:
        name = f"localhost:{address.rpartition(':')[2]}/app"
        pushed = manyfest("copy", *authority, "oci:app:v1", f"{name}:v1")
        assert pushed.returncode == 0, pushed.stderr
        real.output_of(
            "skopeo", "copy", "--all", "--preserve-digests",
            f"--src-cert-dir={trusted}", f"--dest-cert-dir={trusted}",
            f"docker://{name}:v1", f"docker://{name}:v2",
        )  # fmt: skip
        back = manyfest("copy", *authority, f"{name}:v2", "oci:back:v1")
        assert back.stdout == pushed.stdout


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_are_spoken(
    tmp_path: Path, certificates: Path, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.minimum_version = context.maximum_version = version
    with (
        running(tmp_path / "registry", certificate=certificate) as address,
        urllib.request.urlopen(f"https://{address}/v2/", context=context) as answer,
    ):
        assert answer.status == 200


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, certificates: Path) -> None:
    wrong = Certificate(certificates / "cert.pem", certificates / "ca-key.pem")
    said = r"cert\.pem: cannot be used with .*ca-key\.pem: the key is another certificate's; name"
    with (
        pytest.raises(UsageError, match=said),
        running(tmp_path / "registry", certificate=wrong),
    ):
        pytest.fail("it is served")


def test_what_is_no_certificate_is_refused(tmp_path: Path, certificates: Path) -> None:
    (tmp_path / "none").write_text("none")
    wrong = Certificate(tmp_path / "none", certificates / "key.pem")
    said = "one of them is no such file; name PEM files of a certificate and its key"
    with (
        pytest.raises(UsageError, match=said),
        running(tmp_path / "registry", certificate=wrong),
    ):
        pytest.fail("it is served")


def test_a_certificate_without_its_key_is_refused(certificates: Path, manyfest: Manyfest) -> None:
    done = manyfest("serve", "--tls-cert", certificates / "cert.pem")
    assert done.returncode == 2
    assert "--tls-cert and --tls-key go together" in done.stderr


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """What ``manyfest serve --tls-self-signed`` listens at, with users, and its authority."""
    (tmp_path / "users").write_text(USERS)
    command = [
        str(MANYFEST), "serve", str(tmp_path / "registry"), "--listen", "0.0.0.0:0",
        "--tls-self-signed", "--tls-name", "registry.test", "--htpasswd", str(tmp_path / "users"),
    ]  # fmt: skip
    environment = {**os.environ, "MANYFEST_STATE_DIR": str(tmp_path / "state")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(5)]
        try:
            found = re.fullmatch(
                r"clients must trust (\S+) \(SHA-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}\), until"
                r" 20\d\d-\d\d-\d\d\n",
                said[0],
            )
            assert found is not None, said
            address = re.search(r" at 0\.0\.0\.0:(\d+); stop with Ctrl-C", said[4])
            assert address is not None, said
            yield f"localhost:{address[1]}", Path(found[1])
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_clients_trust_an_authority_of_its_own(
    self_signed: tuple[str, Path], tmp_path: Path, manyfest: Manyfest
) -> None:
    real.need_programs("skopeo")
    address, authority = self_signed
    assert authority == tmp_path / "state/serve/ca.pem"
    images.make(LayoutStore(tmp_path / "app"), "index", "v1")
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    (trusted / "ca.crt").write_bytes(authority.read_bytes())
    real.output_of(
        "skopeo", "copy", "--all", "--preserve-digests", "--dest-creds=ada:swordfish",
        f"--dest-cert-dir={trusted}", f"oci:{tmp_path}/app:v1", f"docker://{address}/app:v1",
    )  # fmt: skip
    untrusted = manyfest("ls", f"{address}/app")
    assert untrusted.returncode == 1
    assert "certificate" in untrusted.stderr
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    login = subprocess.run(
        [MANYFEST, "login", "-q", "--ca-file", authority, "-u", "ada", "--password-stdin", address],
        input="swordfish", text=True, check=False, capture_output=True, env=home,
    )  # fmt: skip
    assert login.stderr == ""
    listed = subprocess.run(
        [MANYFEST, "ls", "--ca-file", authority, f"{address}/app"],
        text=True, check=False, capture_output=True, env=home,
    )  # fmt: skip
    assert listed.stdout == "v1\n", listed.stderr
    crane = real.peer("crane")
    auth = {"DOCKER_CONFIG": str(tmp_path / ".docker"), "SSL_CERT_FILE": str(authority)}
    assert real.output_of(crane, "ls", f"{address}/app", **auth) == "v1"
