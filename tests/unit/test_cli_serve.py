"""What ``manyfest serve`` refuses before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.serve.policy import Policy
from tests.gates import ACCESS, SWORDFISH
from tests.unit.cli import Manyfest


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"ada:{SWORDFISH}\n")
    (tmp_path / "plain").write_text("ada:swordfish\n")
    (tmp_path / "access.yaml").write_text(ACCESS)
    (tmp_path / "wrong.yaml").write_text("rules:\n- repositories: [Team]\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--access access.yaml", "--access goes together with --htpasswd"),
        ("--anonymous-read", "--anonymous-read goes together with --htpasswd"),
        ("--plain-http-passwords", "--plain-http-passwords goes together with --htpasswd"),
        (
            "--htpasswd users --access access.yaml --anonymous-read",
            "say in the file of --access who may read: read: [anyone]",
        ),
        (
            "--htpasswd plain",
            "plain:1: the password of 'ada' is no hash of bcrypt, and only bcrypt's are taken;"
            " write it with: htpasswd -B FILE NAME",
        ),
        (
            "--htpasswd users --access wrong.yaml",
            "wrong.yaml:2: 'rules[0].repositories[0]': 'Team' is not a pattern of repositories;"
            " write for example team/app, team/* or team/**",
        ),
        ("--tls-cert users", "--tls-cert and --tls-key go together"),
        (
            "--tls-cert users --tls-key users --tls-self-signed",
            "--tls-self-signed makes a certificate, and --tls-cert names one",
        ),
        ("--tls-name x.test", "--tls-name is of use with --tls-self-signed only"),
        (
            "--metrics 127.0.0.1:5000",
            "--metrics cannot be where --listen is, at 127.0.0.1:5000; choose another port",
        ),
        (
            "--metrics 0.0.0.0:5000",
            "--metrics cannot be where --listen is, at 0.0.0.0:5000; choose another port",
        ),
        ("--metrics 9090", "'9090' is not HOST:PORT; write for example 127.0.0.1:5000"),
        (
            "--public-url registry",
            "'registry' is not a registry's URL; write https://HOST, or https://HOST:PORT",
        ),
        (
            "--trusted-proxy proxy",
            "'proxy' is not an address or a network; write for example 127.0.0.1 or 10.0.0.0/8",
        ),
        (
            "--allowed-host http://x.test",
            "'http://x.test' is not a host's name; write it without scheme and port",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(manyfest: Manyfest, options: str, said: str) -> None:
    done = manyfest("serve", *options.split())
    assert (done.code, done.err) == (2, f"manyfest: {said}\n")


@pytest.mark.parametrize("size", ["x", "-1", "1.5GB", "1 GB", "9" * 12])
def test_a_size_that_is_none_is_refused(manyfest: Manyfest, size: str) -> None:
    done = manyfest("serve", "--max-upload", size)
    assert done.code == 2
    assert "is not a size: write for example 500MB or 20GB" in done.err


@pytest.mark.parametrize("reference", ["oci:layout:v1", "oci-archive:image.tar", "docker://app:v1"])
def test_a_reference_makes_no_folder_of_its_name(
    manyfest: Manyfest, tmp_path: Path, reference: str
) -> None:
    before = set(tmp_path.iterdir())
    done = manyfest("serve", reference)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"manyfest: {Path(reference)}: is a reference, and not a path; name the file or the folder"
        " alone; other registries are served with --upstream\n"
    )
    assert set(tmp_path.iterdir()) == before


def test_names_that_were_told_are_the_registrys_own(
    manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies: list[Policy] = []

    def run(_content: object, _listen: str, *, policy: Policy, **_: object) -> None:
        policies.append(policy)

    monkeypatch.setattr("manyfest.serve.server.run", run)
    manyfest("serve", "--listen", "registry.test:5000", "--allowed-host", "other.test")
    is_own = policies[0].places.is_own
    assert is_own("registry.test:5000")
    assert is_own("other.test:5000")
    assert not is_own("evil.example:5000")
