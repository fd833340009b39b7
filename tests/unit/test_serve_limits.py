from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from manyfest.serve.app import Registry
from manyfest.serve.asgi import Message, Scope
from manyfest.serve.errors import Refusal
from manyfest.serve.limits import Limits, Turnstile
from manyfest.serve.policy import Policy
from manyfest.serve.storage import Storage
from tests.gates import gate
from tests.unit.serve_client import Client, digest_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_send_so_many_uploads_at_a_time() -> None:
    turnstile = Turnstile(Limits(uploads=3, uploads_per_client=2))
    with turnstile.uploading("one"), turnstile.uploading("one"):
        assert turnstile.uploads == 2
        with pytest.raises(Refusal, match="2 uploads of yours are under way") as caught:
            turnstile.uploading("one").__enter__()
        assert caught.value.status == 429
        assert caught.value.headers == {"Retry-After": "1"}
        with turnstile.uploading("two"), pytest.raises(Refusal, match="3 uploads are under way"):
            turnstile.uploading("three").__enter__()
    with turnstile.uploading("one"):
        assert turnstile.uploads == 1


def test_an_upload_that_failed_is_over() -> None:
    turnstile = Turnstile(Limits(uploads=1))
    for _ in range(2):
        with pytest.raises(OSError, match="disk"), turnstile.uploading("one"):
            raise OSError("disk")
    assert turnstile.uploads == 0


def test_a_client_may_ask_so_often() -> None:
    clock = Clock()
    turnstile = Turnstile(Limits(rate=2), clock=clock)
    for _ in range(20):
        turnstile.request("one")
    with pytest.raises(Refusal, match="more than 2 requests a second come from you"):
        turnstile.request("one")
    turnstile.request("two")
    clock.now += 1
    turnstile.request("one")
    turnstile.request("one")
    with pytest.raises(Refusal):
        turnstile.request("one")


def test_many_clients_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.serve.limits._MOST_CLIENTS", 10)
    turnstile = Turnstile(Limits(rate=1))
    for number in range(100):
        turnstile.request(f"client {number}")
    assert len(turnstile._allowances) == 10


def test_a_registry_keeps_to_it(tmp_path: Path) -> None:
    client = Client(tmp_path / "root", policy=Policy(limits=Limits(rate=0.1)))
    assert client.call("GET", "/v2/").status == 200
    refused = client.call("GET", "/v2/")
    assert (refused.status, refused.code) == (429, "TOOMANYREQUESTS")


def test_one_who_sends_slowly_does_not_keep_others_out(tmp_path: Path) -> None:
    """The second upload of a client is refused while the first is under way; then it is not."""
    registry = Registry(
        tmp_path / "root", policy=Policy(limits=Limits(uploads=2, uploads_per_client=1))
    )
    registry.prepare()

    async def story() -> list[int]:
        arrived, done = asyncio.Event(), asyncio.Event()

        async def slow() -> Message:
            arrived.set()
            await done.wait()
            return {"type": "http.request", "body": b"data"}

        first = asyncio.create_task(ask(registry, slow, "192.0.2.1"))
        await arrived.wait()
        second = await ask(registry, quick, "192.0.2.1")
        other = await ask(registry, quick, "192.0.2.2")
        done.set()
        return [await first, second, other, await ask(registry, quick, "192.0.2.1")]

    assert asyncio.run(story()) == [201, 429, 201, 201]


async def quick() -> Message:
    return {"type": "http.request", "body": b"data"}


async def ask(registry: Registry, receive: Callable[[], Awaitable[Message]], client: str) -> int:
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v2/app/blobs/uploads/",
        "query_string": f"digest={digest_of(b'data')}".encode(),
        "headers": [],
        "client": (client, 1),
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await registry(scope, receive, send)
    return int(sent[0]["status"])


def test_users_are_told_apart_by_their_names(tmp_path: Path) -> None:
    policy = Policy(gate=gate(tmp_path / "access"), limits=Limits(uploads_per_client=1))
    registry = Registry(tmp_path / "root", policy=policy)
    turnstile = registry._turnstile
    with turnstile.uploading("ada"), turnstile.uploading("bob"):
        assert turnstile.uploads == 2


# The size of blobs


@pytest.fixture
def small(tmp_path: Path) -> Client:
    client = Client(tmp_path / "root", content=Storage(tmp_path / "root", largest=1000))
    client.registry.prepare()
    return client


def left(client: Client) -> list[int]:
    return [path.stat().st_size for path in (client.root / "uploads").iterdir()]


def test_a_blob_may_have_the_size_that_is_allowed(small: Client) -> None:
    assert small.push_blob("app", b"x" * 1000).size == 1000


def test_a_larger_one_is_refused_and_leaves_nothing(small: Client) -> None:
    data = b"x" * 1001
    answer = small.call("POST", f"app/blobs/uploads/?digest={digest_of(data)}", data)
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")
    assert answer.json() == {
        "errors": [{"code": "SIZE_INVALID", "message": "a blob may have 1000 bytes at most"}]
    }
    assert left(small) == []


def test_chunks_are_counted_together(small: Client) -> None:
    location = small.begin("app")
    assert small.call("PATCH", location, b"x" * 600).status == 202
    assert small.call("PATCH", location, b"x" * 600).status == 413
    assert left(small) == [600]
    assert small.call("PATCH", location, b"x" * 400).status == 202


def test_a_body_that_does_not_tell_its_size_is_cut_off(small: Client) -> None:
    location = small.begin("app")
    scope: Scope = {
        "type": "http",
        "method": "PATCH",
        "path": location,
        "query_string": b"",
        "headers": [],
    }
    sent: list[Message] = []
    given = 0

    async def endless() -> Message:
        nonlocal given
        given += 1
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(small.registry(scope, endless, send))
    assert sent[0]["status"] == 413
    assert given < 30
    assert left(small) == [0]
