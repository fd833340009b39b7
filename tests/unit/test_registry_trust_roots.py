from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import ConfigError
from manyfest.stores.registry.curl.trust_roots import TrustRoots, find_trust_roots


def system(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("PEM")
    return root


@pytest.mark.parametrize(
    ("paths", "directory", "bundle"),
    [
        (["etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/002c0b4f.0"], "etc/ssl/certs", ""),
        (["etc/ssl/certs/ca-certificates.crt"], "", "etc/ssl/certs/ca-certificates.crt"),
        (["etc/pki/tls/certs/ca-bundle.crt"], "", "etc/pki/tls/certs/ca-bundle.crt"),
        (
            ["etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"],
            "",
            "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        ),
        (["etc/ssl/ca-bundle.pem"], "", "etc/ssl/ca-bundle.pem"),
        (["etc/ssl/cert.pem"], "", "etc/ssl/cert.pem"),
    ],
    ids=["Debian, hashed", "Debian, Alpine", "Fedora", "RHEL", "openSUSE", "bare Alpine"],
)
def test_each_distribution_keeps_its_authorities_somewhere_else(
    tmp_path: Path, paths: list[str], directory: str, bundle: str
) -> None:
    found = find_trust_roots({}, root=system(tmp_path, *paths))
    assert found == TrustRoots(
        files=(str(tmp_path / bundle),) if bundle else (),
        directory=str(tmp_path / directory) if directory else "",
    )


def test_a_system_without_authorities_trusts_none(tmp_path: Path) -> None:
    assert find_trust_roots({}, root=tmp_path) == TrustRoots()


def test_what_the_environment_names_takes_the_systems_place(tmp_path: Path) -> None:
    root = system(tmp_path, "etc/ssl/cert.pem", "own.pem")
    own = str(root / "own.pem")
    environ = {"SSL_CERT_FILE": own, "SSL_CERT_DIR": "/certs"}
    assert find_trust_roots(environ, root=root) == TrustRoots(files=(own,), directory="/certs")
    assert find_trust_roots({"SSL_CERT_DIR": "/certs"}, root=root) == TrustRoots(directory="/certs")


def test_an_extra_authority_comes_on_top(tmp_path: Path) -> None:
    root = system(tmp_path, "etc/ssl/cert.pem", "own.pem")
    found = find_trust_roots({}, extra=str(root / "own.pem"), root=root)
    assert found.files == (str(root / "etc/ssl/cert.pem"), str(root / "own.pem"))


@pytest.mark.parametrize(
    ("environ", "extra"), [({"SSL_CERT_FILE": "/nowhere.pem"}, ""), ({}, "/nowhere.pem")]
)
def test_a_named_file_must_be_readable(environ: dict[str, str], extra: str) -> None:
    with pytest.raises(ConfigError, match=r"^.*names a file that cannot be read"):
        find_trust_roots(environ, extra=extra)
