from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.serve.app import Registry
from manyfest.serve.asgi import Message, Receive, Scope, Send
from manyfest.serve.local import AppTransport
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, BytesReader, Request

seen: list[Scope] = []


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    seen.append(scope)
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    await send(start)
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


@pytest.mark.parametrize(
    "body", [b"some bytes", Body(10, lambda: BytesReader(b"some bytes"))], ids=["bytes", "stream"]
)
def test_a_body_goes_there_and_back(body: bytes | Body) -> None:
    request = Request(method="PUT", url="http://host.test/x", body=body)
    with AppTransport(echo).send(request) as response:
        assert response.status == 200
        assert response.url == "http://host.test/x"
        assert response.headers.get("A") == "b"
        assert response.read_all(100) == b"some bytes"
    assert (b"content-length", b"10") in seen[-1]["headers"]


def test_what_the_application_sees_of_a_request() -> None:
    url = "http://host.test:5000/v2/a%2Fb/?x=%20y"
    request = Request(method="GET", url=url, headers=Headers({"Accept": "any"}))
    AppTransport(echo).send(request).close()
    scope = seen[-1]
    assert scope["path"] == "/v2/a/b/"
    assert scope["raw_path"] == b"/v2/a%2Fb/"
    assert scope["query_string"] == b"x=%20y"
    assert scope["headers"] == [(b"host", b"host.test:5000"), (b"accept", b"any")]


def test_what_the_body_raises_comes_out() -> None:
    class Broken(BytesReader):
        def read(self, size: int, /) -> bytes:
            raise KeyError("mine")

    request = Request(method="PUT", url="http://host.test/", body=Body(1, lambda: Broken(b"")))
    with pytest.raises(KeyError, match="mine"):
        AppTransport(echo).send(request)


def test_no_answer_is_a_failed_connection() -> None:
    with pytest.raises(ConnectionFailed, match="no answer"):
        AppTransport(silent).send(Request(method="GET", url="http://host.test/"))


def test_a_registry_answers(tmp_path: Path) -> None:
    transport = AppTransport(Registry(tmp_path))
    with transport.send(Request(method="GET", url="http://host.test/v2/")) as response:
        assert (response.status, response.read_all(10)) == (200, b"{}")
    transport.close()
