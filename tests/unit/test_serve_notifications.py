"""What a registry tells of what was pushed and removed, to whom, and how often it tries."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manyfest.errors import ConnectionFailed, UsageError
from manyfest.serve.access.places import Places
from manyfest.serve.asgi import Request as Asked
from manyfest.serve.asgi import Response as Answer
from manyfest.serve.notifications.events import Envelope, Event, Source, Target, events_of
from manyfest.serve.notifications.mailbox import Mailbox
from manyfest.serve.notifications.notifier import Notifier
from manyfest.serve.notifications.receiver import Receiver
from manyfest.serve.observed import Exchange
from manyfest.serve.policy import Policy
from manyfest.serve.routes import Route
from manyfest.stores.registry.auth.secret import Secret
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from tests.distribution_events import DIGEST, PUSHED
from tests.real import wait_until
from tests.unit.serve_client import OCI_INDEX, OCI_MANIFEST, Client, index_of
from tests.unit.watching import at

HOOK = Receiver(
    url=Secret("https://hooks.example.org/x"),
    name="hooks.example.org",
    authorization=Secret("Bearer t0ken"),
)
SOURCE = Source(addr="node-1", instance="5f0c5c3e-0000-0000-0000-000000000000")


class Registry:
    """A registry whose receiver answers as ``answer`` says, and takes everything otherwise."""

    def __init__(
        self, folder: Path, answer: Callable[[Request], Response] = lambda _: Response(202)
    ) -> None:
        self.transport = FunctionTransport(answer)
        self.notifier = Notifier(
            [HOOK], Places("https://registry.example.org"), self.transport, first_pause=0.001
        )
        self.client = Client(folder, policy=Policy(notifier=self.notifier))
        self.notifier.start()

    def told(self) -> list[dict[str, Any]]:
        """All events that were sent, once the registry has stopped."""
        self.notifier.stop(grace=10)
        return [event for request in self.transport.requests for event in _events(request)]


def _events(request: Request) -> list[dict[str, Any]]:
    assert isinstance(request.body, bytes)
    found: list[dict[str, Any]] = json.loads(request.body)["events"]
    return found


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def exchange(
    method: str, item: str, status: int, headers: dict[str, str] | None = None
) -> Exchange:
    """A request about a manifest, and its answer."""
    fields = {
        b"content-type": b"application/vnd.oci.image.index.v1+json; charset=utf-8",
        b"user-agent": b"manyfest/0.1.0",
        b"host": b"10.0.0.7:5000",
    }
    scope = {"method": method, "path": "/", "headers": list(fields.items()), "query_string": b""}

    async def receive() -> Any:
        raise AssertionError("the body was read already")

    asked = Asked(scope, receive)
    asked.route = Route("manifest", "gotify/server", item)
    asked.user, asked.id, asked.received = "ci", "ab12cd3400000007", 1234
    return Exchange(asked, Answer(status, headers or {}), "192.0.2.7", 0.1)


def events(happened: Exchange) -> tuple[Event, ...]:
    identity = "00000000-0000-0000-0000-000000000001"
    url = "https://registry.example.org"
    return tuple(events_of(happened, url, SOURCE, at("2026-11-26T20:31Z"), lambda: identity))


def test_a_tag_that_was_pushed_in_the_form_of_distribution() -> None:
    pushed = exchange("PUT", "2.6.1", 201, {"Docker-Content-Digest": DIGEST})
    assert msgspec.json.encode(Envelope(events(pushed))).decode() == PUSHED


def test_a_manifest_that_is_pushed_with_several_tags_is_an_event_for_each() -> None:
    headers = {"Docker-Content-Digest": DIGEST, "OCI-Tag": "2.6.1, latest"}
    found = events(exchange("PUT", DIGEST, 201, headers))
    assert [(each.target.digest, each.target.tag) for each in found] == [
        (DIGEST, "2.6.1"),
        (DIGEST, "latest"),
    ]


def test_a_manifest_without_a_tag() -> None:
    (found,) = events(exchange("PUT", DIGEST, 201, {"Docker-Content-Digest": DIGEST}))
    assert (found.target.digest, found.target.tag) == (DIGEST, "")


def test_what_is_removed_says_only_which_it_is() -> None:
    (of_manifest,) = events(exchange("DELETE", DIGEST, 202))
    assert of_manifest.action == "delete"
    assert of_manifest.target == Target(repository="gotify/server", digest=DIGEST)
    (of_tag,) = events(exchange("DELETE", "2.6.1", 202))
    assert of_tag.target == Target(repository="gotify/server", tag="2.6.1")


@pytest.mark.parametrize(
    ("method", "status"), [("PUT", 400), ("PUT", 403), ("DELETE", 404), ("GET", 200), ("HEAD", 200)]
)
def test_what_changed_nothing_is_not_told(method: str, status: int) -> None:
    assert events(exchange(method, "2.6.1", status)) == ()


def test_what_is_told_of_an_image_s_life(registry: Registry) -> None:
    client = registry.client
    child = client.push_image("app")
    index = index_of(child)
    client.push_manifest("app", "1.0", index)
    client.call("GET", "app/manifests/1.0")
    client.call("DELETE", "app/manifests/1.0")
    client.call("DELETE", f"app/manifests/{index.descriptor.digest}")
    client.call("DELETE", "app/manifests/none")
    told = [(each["action"], each["target"]) for each in registry.told()]
    base = "https://registry.example.org/v2/app/manifests"
    first, second = child.descriptor, index.descriptor
    assert told == [
        (
            "push",
            {
                "mediaType": OCI_MANIFEST,
                "digest": str(first.digest),
                "size": first.size,
                "length": first.size,
                "repository": "app",
                "url": f"{base}/{first.digest}",
            },
        ),
        (
            "push",
            {
                "mediaType": OCI_INDEX,
                "digest": str(second.digest),
                "size": second.size,
                "length": second.size,
                "repository": "app",
                "url": f"{base}/{second.digest}",
                "tag": "1.0",
            },
        ),
        ("delete", {"repository": "app", "tag": "1.0"}),
        ("delete", {"digest": str(second.digest), "repository": "app"}),
    ]


def test_the_request(registry: Registry) -> None:
    registry.client.push_image("app", "1.0")
    registry.told()
    (request,) = registry.transport.requests
    assert (request.method, request.url) == ("POST", "https://hooks.example.org/x")
    assert request.headers == Headers(
        {
            "Content-Type": "application/vnd.docker.distribution.events.v2+json",
            "Authorization": "Bearer t0ken",
        }
    )
    assert not request.follow


def test_a_receiver_that_is_away_is_told_later_and_once_it_took_it_no_more(tmp_path: Path) -> None:
    answers = [503, 429, 401, 302]

    def answer(_: Request) -> Response:
        if len(answers) == 4:
            answers.pop()
            raise ConnectionFailed("the connection broke off")
        return Response(answers.pop() if answers else 200)

    registry = Registry(tmp_path, answer)
    registry.client.push_image("app", "1.0")
    registry.client.push_image("app", "1.1", text="another")
    tags = [event["target"]["tag"] for event in registry.told()]
    assert tags.count("1.0") == 5
    assert tags.count("1.1") >= 1
    assert tags[-1] == "1.1"


def test_what_a_receiver_does_not_want_is_not_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(tmp_path, lambda _: Response(400))
    registry.client.push_image("app", "1.0")
    assert len(registry.told()) == 1
    assert caplog.messages == [
        "hooks.example.org does not want 1 events: it answered 400",
    ]


def test_a_receiver_that_hangs_holds_up_no_push(tmp_path: Path) -> None:
    go_on = threading.Event()

    def hang(_: Request) -> Response:
        go_on.wait(60)
        return Response(200)

    registry = Registry(tmp_path, hang)
    for number in range(5):
        registry.client.push_image("app", f"1.{number}", text=str(number))
    assert registry.client.call("GET", "app/tags/list").json() == {
        "name": "app",
        "tags": ["1.0", "1.1", "1.2", "1.3", "1.4"],
    }
    go_on.set()
    tags = [event["target"]["tag"] for event in registry.told()]
    assert tags == ["1.0", "1.1", "1.2", "1.3", "1.4"]


def test_stopping_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Request) -> Response:
        raise ConnectionFailed("nothing listens there")

    registry = Registry(tmp_path, broken)
    registry.client.push_image("app", "1.0")
    wait_until(lambda: bool(registry.transport.requests), "an attempt")
    registry.notifier.stop(grace=0)
    assert "hooks.example.org is not told of 1 events" in caplog.messages


def test_of_too_many_events_the_oldest_are_lost() -> None:
    mailbox = Mailbox(most=2)
    (event,) = events(exchange("DELETE", "1", 202))
    for tag in "123":
        mailbox.add(msgspec.structs.replace(event, id=tag))
    assert mailbox.lost == 1
    assert [each.id for each in mailbox.take()] == ["2", "3"]


def test_many_events_are_sent_in_parts() -> None:
    mailbox = Mailbox()
    (event,) = events(exchange("DELETE", "1", 202))
    for _ in range(101):
        mailbox.add(event)
    mailbox.close()
    assert [len(mailbox.take()) for _ in range(3)] == [100, 1, 0]


@pytest.mark.parametrize(
    ("text", "url", "name", "authorization"),
    [
        ("https://h.example/hooks/x", "https://h.example/hooks/x", "h.example", ""),
        ("https://h.example/x?a=1,env:HOOK", "https://h.example/x?a=1", "h.example", "Bearer t0k"),
        (
            "https://h.example:8443,env:BASIC",
            "https://h.example:8443",
            "h.example:8443",
            "Basic eA==",
        ),
        (
            "http://127.0.0.1:8080/x,env:HOOK",
            "http://127.0.0.1:8080/x",
            "127.0.0.1:8080",
            "Bearer t0k",
        ),
        ("http://h.example/x", "http://h.example/x", "h.example", ""),
        ("http://near.example/x,env:HOOK", "http://near.example/x", "near.example", "Bearer t0k"),
    ],
)
def test_who_is_told(text: str, url: str, name: str, authorization: str) -> None:
    environ = {"HOOK": "t0k\n", "BASIC": "Basic eA=="}
    assert Receiver.parse(text, environ, ["near.example"]) == Receiver(
        url=Secret(url), name=name, authorization=Secret(authorization)
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hooks/s3cret", "--notify names no http or https address; write https://HOST/PATH, or"),
        ("https://me:s3cret@h.example/", "--notify names no http or https address; write"),
        (
            "https://h.example/s3cret,env:NONE",
            "NONE is not set, which holds the token for h.example",
        ),
        (
            "https://h.example/x,s3cret",
            "what follows the comma of --notify is not env: and a variable's name;"
            " write https://HOST/PATH, or",
        ),
        ("https://h.example/s3cret,env:1ST", "what follows the comma of --notify is not env:"),
        ("https://h.example/s3cret,env:ODD", "ODD holds what no Authorization field can"),
        (
            "http://h.example/s3cret,env:HOOK",
            "the token for h.example would be sent over plain http, where others can read it;"
            " write https://, or add --plain-http h.example",
        ),
    ],
)
def test_who_cannot_be_told(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as raised:
        Receiver.parse(text, {"HOOK": "t0k", "ODD": "a\nb"}, ["near.example"])
    assert str(raised.value).startswith(fault)
    assert "s3cret" not in str(raised.value)
