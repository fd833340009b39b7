from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyfest.serve.app import Registry
from manyfest.serve.asgi import Message
from tests.unit.serve_client import Client


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "root")


def test_an_error_has_the_form_that_the_specification_gives(client: Client) -> None:
    answer = client.call("GET", "app/tags/list")
    assert answer.json() == {
        "errors": [{"code": "NAME_UNKNOWN", "message": "there is no repository app"}]
    }
    assert answer.headers.get("content-type") == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "app/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("PUT", "app/blobs/uploads/", "POST"),
        ("PATCH", "/v2/", "GET, HEAD"),
        ("DELETE", "_catalog", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_possible(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = client.call(method, path)
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert answer.message == f"{method} is not possible here"
    assert answer.headers.get("allow") == allowed


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "app/manifests/v1"),
        ("DELETE", "app/manifests/v1"),
        ("POST", "app/blobs/uploads/"),
        ("DELETE", "app/blobs/sha256:" + "0" * 64),
    ],
)
def test_a_read_only_registry_changes_nothing(client: Client, method: str, path: str) -> None:
    image = client.push_image("app", "v1")
    before = client.files()
    reader = Client(client.root, read_only=True)
    reader.registry.prepare()
    refused = reader.call(method, path, b"{}")
    assert refused.status == 405
    assert refused.message == "nothing can be pushed or deleted here: the registry is read-only"
    assert reader.call("GET", "app/manifests/v1").body == image.raw
    assert client.files() == before


def test_what_is_wrong_with_the_folder_is_for_its_owner_to_know(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.push_image("app", "v1")
    index = client.root / "repositories/app/_oci/index.json"
    index.unlink()
    index.write_text("[")
    answer = client.call("GET", "app/tags/list")
    assert (answer.status, answer.code) == (500, "UNKNOWN")
    assert answer.message.startswith("the registry's storage failed: the index is not JSON")
    assert str(client.root) not in answer.message
    assert caplog.messages[0].startswith(f"GET /v2/app/tags/list failed: {index}: ")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/manifests/passwd",
        "/v2/app/../../../x/blobs/uploads/",
        "/v2/app%2F..%2F..%2Fx/blobs/uploads/",
        "/v2/app/blobs/..%2F..%2Fx",
        "/v2/app%00/blobs/uploads/",
        "/v2/app/manifests/..",
        "/v2/app/manifests/..%2F..%2Fx",
        "/v2/_oci/blobs/uploads/",
        "/v2/app/_oci/blobs/uploads/",
        "/v2/" + "a/" * 5000 + "b/blobs/uploads/",
    ],
)
def test_a_hostile_path_is_refused_and_writes_nothing(client: Client, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert 400 <= client.call(method, path, b"{}").status < 500
    assert list(client.root.parent.iterdir()) == []


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    name=st.sampled_from(["app", "a/b", "../x", "", "APP"]),
    tail=st.sampled_from(
        ["blobs/uploads/", "blobs/uploads/x", "blobs/sha256:00", "manifests/v1", "tags/list"]
    ),
    query=st.text(alphabet="mountfrdigesn=&%0+:/.9x", max_size=30),
    field=st.text(alphabet="bytes=0123456789-,/* ", max_size=30),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_asked_is_answered(
    client: Client, method: str, name: str, tail: str, query: str, field: str
) -> None:
    answer = client.call(
        method, f"/v2/{name}/{tail}?{query}", b"{}", range=field, content_range=field
    )
    assert 200 <= answer.status < 500


def test_too_many_parameters_are_refused(client: Client) -> None:
    assert client.call("POST", "app/blobs/uploads/?" + "a=1&" * 100).status == 414


def test_a_server_may_start_and_stop_it(tmp_path: Path) -> None:
    assert lifespan(tmp_path) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_folder_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").touch()
    assert lifespan(tmp_path) == ["lifespan.startup.failed"]


def lifespan(root: Path) -> list[str]:
    asked: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Message:
        return asked.pop(0)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(Registry(root)({"type": "lifespan"}, receive, send))
    return sent
