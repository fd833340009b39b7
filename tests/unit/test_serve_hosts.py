"""A page whose site says that its own name is this machine's (DNS rebinding) reads nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.serve.access.places import Places
from manyfest.serve.policy import Policy
from tests.gates import gate
from tests.unit.serve_client import Client


def local(root: Path, host: str, policy: Policy | None = None) -> Client:
    """A registry on this machine alone that is asked by the name ``host``."""
    client = Client(root, policy=policy)
    client.registry.listens_at("127.0.0.1", secured=False)
    client.host = host
    return client


@pytest.mark.parametrize("path", ["/v2/", "/v2/app/manifests/v1", "/", "/repositories/app", "/x"])
def test_another_sites_name_is_refused_for_everything(tmp_path: Path, path: str) -> None:
    client = local(tmp_path, "evil.example:5000")
    answer = client.call("GET", path)
    assert answer.status == 421
    assert answer.json() == {
        "errors": [
            {
                "code": "DENIED",
                "message": "'evil.example:5000' is not known as a name of this registry; if clients"
                " are to use it, start the registry with --allowed-host NAME",
            }
        ]
    }


def test_who_runs_it_is_told_once_for_each_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Some clients show no more than the status."""
    client = local(tmp_path, "one.example")
    client.call("GET", "/v2/")
    client.call("HEAD", "/v2/")
    client.host = "two.example"
    client.call("GET", "/v2/")
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "'one.example' is not known as ",
        "'two.example' is not known as ",
    ]


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "other.test"])
def test_the_registrys_own_names_are_answered(tmp_path: Path, host: str) -> None:
    client = local(tmp_path, host, Policy(places=Places(hosts=["other.test"])))
    client.push_image("app", "v1")
    assert client.call("GET", "app/manifests/v1").status == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::"])
def test_what_other_machines_reach_may_have_any_name(tmp_path: Path, address: str) -> None:
    client = Client(tmp_path)
    client.registry.listens_at(address, secured=False)
    assert client.call("GET", "/v2/").status == 200


def test_a_certificate_tells_names_apart(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.registry.listens_at("127.0.0.1", secured=True)
    assert client.call("GET", "/v2/").status == 200


def test_where_there_are_users_a_page_has_no_password(tmp_path: Path) -> None:
    policy = Policy(gate=gate(tmp_path / "access"))
    assert local(tmp_path / "root", "other.test", policy).call("GET", "/v2/").status == 401
