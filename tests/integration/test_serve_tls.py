"""The registry over TLS, with certificates of our own."""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path

import pytest

from manyfest.errors import UsageError
from manyfest.serve.server import Certificate, running
from tests import real
from tests.integration.conftest import Manyfest


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
    said = r"cert\.pem: cannot be used with .*ca-key\.pem"
    with (
        pytest.raises(UsageError, match=said),
        running(tmp_path / "registry", certificate=wrong),
    ):
        pytest.fail("it is served")


def test_what_is_no_certificate_is_refused(tmp_path: Path, certificates: Path) -> None:
    (tmp_path / "none").write_text("none")
    wrong = Certificate(tmp_path / "none", certificates / "key.pem")
    said = "name PEM files of a certificate and its key"
    with (
        pytest.raises(UsageError, match=said),
        running(tmp_path / "registry", certificate=wrong),
    ):
        pytest.fail("it is served")


def test_a_certificate_without_its_key_is_refused(certificates: Path, manyfest: Manyfest) -> None:
    done = manyfest("serve", "--tls-cert", certificates / "cert.pem")
    assert done.returncode == 2
    assert "--tls-cert and --tls-key go together" in done.stderr
